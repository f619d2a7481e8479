import { z } from 'zod'
import { CliError, errorCode, errorLine } from '#scripts/output.ts'
import type { Target } from './target.ts'

/** Requests to the REST API, whose problems (RFC 9457) become one line. */
export class RestClient {
  readonly #target: Target

  constructor(target: Target) {
    this.#target = target
  }

  /** A successful answer by its schema (without a body: undefined). CliError otherwise. */
  async request<S extends z.ZodType>(
    schema: S,
    method: 'GET' | 'POST' | 'DELETE',
    path: string,
    body?: unknown,
  ): Promise<z.output<S>> {
    const response = await this.open(path, {
      method,
      ...(body === undefined
        ? {}
        : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    })
    const answer: unknown = response.status === 204 ? undefined : await response.json().catch(() => null)
    const parsed = schema.safeParse(answer)
    if (parsed.success) return parsed.data
    throw new CliError(`${this.#target.url} gave an answer that this version does not understand`, {
      remedy: 'Is it a cinque, and of the same version?',
      cause: parsed.error,
    })
  }

  /** A successful answer, its body unread. CliError otherwise. */
  async open(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers(init.headers)
    headers.set('authorization', `Bearer ${this.#target.token}`)
    let response: Response
    try {
      response = await fetch(`${this.#target.url}${path}`, { ...init, headers })
    } catch (error) {
      if (init.signal?.aborted === true) throw error
      throw unreachable(this.#target.url, error)
    }
    if (response.ok) return response
    throw await problem(response)
  }
}

/** A problem document as an error; `status` is the HTTP status. */
export class RestError extends CliError {
  readonly status: number
  readonly code: string

  constructor(status: number, code: string, message: string, remedy?: string) {
    super(message, remedy === undefined ? {} : { remedy })
    this.status = status
    this.code = code
  }
}

const problemDocument = z.object({ code: z.string(), title: z.string(), detail: z.string().optional() })

async function problem(response: Response): Promise<RestError> {
  const remedy = response.status === 401 ? '`cinque token` prints the token of a `cinque dev`.' : undefined
  const document = problemDocument.safeParse(await response.json().catch(() => null)).data
  // Without one it was not our API that answered, but a proxy perhaps.
  if (document === undefined) {
    const message = `${response.url} answered ${response.status} ${response.statusText}`
    return new RestError(response.status, 'unknown', message, remedy)
  }
  return new RestError(response.status, document.code, document.detail ?? document.title, remedy)
}

/** Says in words why nothing could be fetched. */
function unreachable(url: string, error: unknown): CliError {
  const cause = error instanceof Error ? (error.cause ?? error) : error
  const reason = errorCode(error) === 'ECONNREFUSED' ? 'nothing listens there' : errorLine(cause)
  return new CliError(`cannot reach ${url}: ${reason}`, {
    remedy: 'Is `cinque dev` running? Another platform: --url URL --token TOKEN.',
    cause: error,
  })
}
