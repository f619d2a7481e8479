import type { Request, Response } from 'express'
import { PlatformError } from '#platform/errors.ts'
import { Problem } from './problems.ts'

/** What `versioned` of a route says: it has versions; `required`: a change must name the one it was made from. */
export type Versioned = 'optional' | 'required'

/** Counts the changes of one resource. */
export type Version = number | string

/** `"7"`; a weak tag means the same, because proxies that compress make it so. */
const entityTag = /^(?:W\/)?"([\x21\x23-\x7e]*)"$/

/**
 * What a request expects of the resource that it changes (RFC 9110, 13.1): `If-Match: "7"`, a list of such, `*` (it
 * exists), or `If-None-Match: *` (it does not).
 */
export class Precondition {
  /** Whether If-Match names versions. */
  readonly given: boolean
  /** Whether a handler has looked at it. */
  checked = false
  readonly #tags: readonly string[]
  readonly #exists: boolean
  readonly #absent: boolean

  /** Problem `invalid_request` for a header that is none of these. */
  constructor(request: Pick<Request, 'headers'>) {
    const { 'if-match': match, 'if-none-match': noneMatch } = request.headers
    this.#exists = match !== undefined
    this.#absent = noneMatch === '*'
    this.#tags = match === undefined || match.trim() === '*' ? [] : tagsOf(match)
    this.given = this.#tags.length > 0
  }

  /** Whether the request says anything of the version. */
  get empty(): boolean {
    return !this.#exists && !this.#absent
  }

  /**
   * Problem `precondition_failed` unless the stored version (null: there is none) is as expected. Then the change must
   * be made on that version only (`putIf`); a `conflict` of a request with If-Match is answered as 412 as well.
   */
  check(version: Version | null): void {
    this.checked = true
    if (this.#absent && version !== null)
      throw new Problem('precondition_failed', 'If-None-Match: it exists already')
    if (!this.#exists) return
    if (version === null) throw new Problem('precondition_failed', 'If-Match: it does not exist')
    if (this.#tags.length > 0 && !this.#tags.includes(String(version))) {
      throw new Problem(
        'precondition_failed',
        `If-Match: it has version "${version}" by now; read it, and make the change again`,
      )
    }
  }
}

/** Puts the version into the ETag of the answer; a GET whose If-None-Match has it is answered with 304. */
export function setVersion(response: Response, version: Version): void {
  response.set('etag', `"${version}"`)
}

/** If-Match of a route without versions would be ignored, and a change lost: it is refused. */
export function preconditionOf(
  request: Request,
  { method, versioned }: { method: string; versioned?: Versioned },
): Precondition {
  const precondition = new Precondition(request)
  if (method === 'get' || precondition.empty) {
    if (versioned !== 'required' || method === 'get') return precondition
    throw new Problem('precondition_required', 'send If-Match with the ETag of what you change, or *')
  }
  if (versioned !== undefined) return precondition
  throw new Problem(
    'invalid_request',
    'If-Match and If-None-Match: this path has no versions; leave them out',
  )
}

/** Who named a version and lost a race hears of it as of a version that is not there any more. */
export async function unlessMoved<T>(precondition: Precondition, change: () => Promise<T>): Promise<T> {
  try {
    return await change()
  } catch (error) {
    if (!precondition.given || !(error instanceof PlatformError) || error.code !== 'conflict') throw error
    throw new Problem(
      'precondition_failed',
      'If-Match: somebody else has just changed it; read it and try again',
      {
        cause: error,
      },
    )
  }
}

/** A handler that forgets what its route promises must not go unnoticed. */
export function gateVersioned(
  { method, path }: { method: string; path: string },
  precondition: Precondition,
  response: Response,
): void {
  const forgotten =
    method === 'get' ? response.get('etag') === undefined : !precondition.checked && !precondition.empty
  if (forgotten) throw new Error(`${method} ${path}: versioned, but it does not look at versions`)
}

function tagsOf(header: string): string[] {
  const tags = header.split(',').map((text) => entityTag.exec(text.trim())?.[1])
  if (tags.every((tag) => tag !== undefined)) return tags
  const message = 'must be the ETag of an answer, as "7", or *'
  throw new Problem('invalid_request', `If-Match: ${message}`, {
    errors: [{ field: 'header.if-match', message }],
  })
}
