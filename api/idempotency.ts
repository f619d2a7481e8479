import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto'
import type { Request, Response } from 'express'
import { z } from 'zod'
import type { Claim } from '#platform/idempotency/repeats.ts'
import { type CallerId, callerId } from './caller-id.ts'
import type { Caller } from './callers.ts'
import type { ApiDeps } from './deps.ts'
import { rawBody } from './json-body.ts'
import { Problem } from './problems.ts'
import type { AnySpec } from './route-spec.ts'

/** An answer as it is kept, to be given again; its status is that of the route. */
const keptAnswer = z.object({
  /** Null: none (204). */
  body: z.string().nullable(),
  headers: z.record(z.string(), z.string()),
})

/** Headers that belong to what was done, not to the moment of the request. */
const keptHeaders = ['etag', 'location'] as const
/** Longer answers are not kept; nothing that makes something answers with more. */
const maxKeptBytes = 65_536

/** A key, quoted (draft-ietf-httpapi-idempotency-key-header-07, a string of RFC 9651) or as it is. */
const keyHeader = /^(?:"([\x20\x21\x23-\x5b\x5d-\x7e]{16,255})"|([\x21\x23-\x5b\x5d-\x7e]{16,255}))$/

/** What a route must be to take keys: others would ignore what they promise. */
export function takesKeys({ method, access, stream, upload }: AnySpec): boolean {
  return method === 'post' && access !== 'public' && stream === undefined && upload === undefined
}

/**
 * The key that the request is made once for; null: it has none. Methods other than POST can be repeated as they are.
 * Problem `invalid_request`.
 */
export function idempotencyKey(request: Request, spec: AnySpec): string | null {
  const header = request.get('idempotency-key')
  if (header === undefined || spec.method !== 'post') return null
  if (!takesKeys(spec)) {
    throw new Problem('invalid_request', 'Idempotency-Key: this path does not take one; leave it out')
  }
  const match = keyHeader.exec(header)
  const key = match?.[1] ?? match?.[2]
  if (key !== undefined) return key
  const message = 'must be 16 to 255 printable ASCII characters; a new random UUID for each new request'
  throw new Problem('invalid_request', `Idempotency-Key: ${message}`, {
    errors: [{ field: 'header.idempotency-key', message }],
  })
}

/**
 * An id for what a request makes, the same one each time that it comes, in whatever DC: who gives it to what he
 * makes cannot make it twice. A UUID (version 8 of RFC 9562).
 */
export function repeatableId(caller: Caller, key: string): string {
  const bytes = digest('made', callerId(caller), key).subarray(0, 16)
  bytes[6] = (bytes[6] & 0x0f) | 0x80
  bytes[8] = (bytes[8] & 0x3f) | 0x80
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

/**
 * Does what a request asks for unless it was done already; then the same answer is given again, with
 * `Idempotency-Replayed: true`. What was refused is not kept: it changed nothing, and may be tried again with the same
 * key. The answer is durable before it is given. Problems `idempotency_key_reused` (another request had the key),
 * `request_in_progress`, `answer_not_kept`.
 */
export async function once(
  deps: ApiDeps,
  { caller, key, request, response }: { caller: Caller; key: string; request: Request; response: Response },
  perform: () => Promise<string | null>,
): Promise<string | null> {
  const { repeats } = deps.platform
  const owner = callerId(caller)
  const known = await repeats.claim(
    { org: owner.org, id: digest('key', owner, key) },
    createHash('sha256')
      .update(`${request.method} ${request.originalUrl}\n`)
      .update(rawBody(request))
      .digest(),
  )
  switch (known.kind) {
    case 'other':
      throw new Problem('idempotency_key_reused', 'take a new key for a new request')
    case 'running':
      throw new Problem('request_in_progress', 'it is being done; try again', { retryAfter: 1 })
    case 'done':
      if (known.answer === null) throw new Problem('answer_not_kept', 'read what it made by GET')
      return replayed(response, keptAnswer.parse(unsealed(known.answer, secretOf(owner, key))))
    default:
      return keeping(deps, response, { claim: known.claim, secret: secretOf(owner, key) }, perform)
  }
}

function replayed(response: Response, { body, headers }: z.output<typeof keptAnswer>): string | null {
  response.set('idempotency-replayed', 'true')
  for (const name of keptHeaders) if (headers[name] !== undefined) response.set(name, headers[name])
  return body
}

async function keeping(
  deps: ApiDeps,
  response: Response,
  { claim, secret }: { claim: Claim; secret: Buffer },
  perform: () => Promise<string | null>,
): Promise<string | null> {
  const { repeats } = deps.platform
  let body
  try {
    body = await perform()
  } catch (error) {
    // While the store is away the claim stays, and ends by its age.
    await repeats.release(claim).catch(() => undefined)
    throw error
  }
  const headers = keptHeaders.flatMap((name) => {
    const value = response.get(name)
    return value === undefined ? [] : [[name, value]]
  })
  const sealed = seal({ body, headers: Object.fromEntries(headers) }, secret)
  try {
    await repeats.finish(claim, sealed.length > maxKeptBytes ? null : sealed)
  } catch (error) {
    // It is done: who asked must hear of it, also if it cannot be said a second time.
    deps.log.warn({ event: 'http.answer_not_kept', err: error }, 'an answer could not be kept for a repeat')
  }
  return body
}

function digest(use: string, { org, id }: CallerId, key: string): Buffer {
  return createHash('sha256')
    .update(JSON.stringify([use, org, id, key]))
    .digest()
}

/**
 * Answers may hold secrets that are shown once. What is stored can be read with the key only, which is not stored:
 * AES-256-GCM with a key derived (HKDF, RFC 5869) from it and its caller.
 */
function secretOf({ org, id }: CallerId, key: string): Buffer {
  return Buffer.from(hkdfSync('sha256', key, JSON.stringify([org, id]), 'cinque kept answer', 32))
}

const nonceBytes = 12
const tagBytes = 16

function seal(answer: z.input<typeof keptAnswer>, secret: Buffer): Buffer {
  const nonce = randomBytes(nonceBytes)
  const cipher = createCipheriv('aes-256-gcm', secret, nonce)
  const text = Buffer.concat([cipher.update(JSON.stringify(answer)), cipher.final()])
  return Buffer.concat([nonce, cipher.getAuthTag(), text])
}

function unsealed(sealed: Uint8Array, secret: Buffer): unknown {
  const decipher = createDecipheriv('aes-256-gcm', secret, sealed.subarray(0, nonceBytes))
  decipher.setAuthTag(sealed.subarray(nonceBytes, nonceBytes + tagBytes))
  const text = Buffer.concat([decipher.update(sealed.subarray(nonceBytes + tagBytes)), decipher.final()])
  return JSON.parse(text.toString())
}
