import {
  checkKey,
  maxObjectBytes,
  type ObjectStore,
  ObjectStoreError,
  type StoredObject,
} from '../object-store.ts'
import { canonicalQuery, type S3Credentials, sha256, signedHeaders } from './sign.ts'

export interface S3Options {
  /** `https://s3.eu-central-1.amazonaws.com`; the bucket is put behind it. */
  readonly endpoint: string
  readonly region: string
  readonly bucket: string
  /** In front of every key, without a slash at its end; default: none. */
  readonly prefix?: string | undefined
  readonly credentials: S3Credentials
  /** Of one try; default two minutes, for an object on a slow line. */
  readonly timeoutMs?: number
  /** Pause after the first failed try, four times as long after each further one; default 250. */
  readonly retryMs?: number
}

const tries = 4
/** Answers that are worth another try. */
const passing = new Set([408, 429, 500, 502, 503, 504])
const maxErrorBytes = 16_384

interface Answer {
  readonly status: number
  readonly body: Buffer
}

/** Objects in a bucket of S3, or of what speaks as S3 does (addresses with the bucket in the path). */
export class S3Store implements ObjectStore {
  readonly name: string
  readonly #options: S3Options
  readonly #prefix: string

  constructor(options: S3Options) {
    this.#options = options
    this.#prefix = options.prefix === undefined || options.prefix === '' ? '' : `${options.prefix}/`
    this.name = `bucket ${options.bucket} at ${options.endpoint}`
  }

  /** The storage compares the body with the SHA-256 that is signed, and refuses another. */
  async put(key: string, bytes: Uint8Array): Promise<void> {
    checkKey(key)
    if (bytes.length > maxObjectBytes) throw new RangeError(`${key}: ${bytes.length} bytes are too many`)
    const { status, body } = await this.#request('PUT', `put ${key}`, this.#path(key), {}, bytes)
    if (status !== 200) throw this.#refusal(`put ${key}`, status, body)
  }

  async get(key: string): Promise<Buffer | undefined> {
    checkKey(key)
    const { status, body } = await this.#request('GET', `get ${key}`, this.#path(key), {})
    if (status === 200) return body
    if (status === 404 && codeOf(body) === 'NoSuchKey') return undefined
    throw this.#refusal(`get ${key}`, status, body)
  }

  async *list(prefix: string): AsyncIterable<StoredObject> {
    let token: string | undefined
    do {
      const query = {
        'list-type': '2',
        prefix: `${this.#prefix}${prefix}`,
        ...(token === undefined ? {} : { 'continuation-token': token }),
      }
      // oxlint-disable-next-line no-await-in-loop -- page after page
      const { status, body } = await this.#request('GET', `list ${prefix}`, '', query)
      if (status !== 200) throw this.#refusal(`list ${prefix}`, status, body)
      const text = body.toString()
      if (!text.includes('</ListBucketResult>')) {
        throw new ObjectStoreError(
          'unavailable',
          `${this.name}: cannot list ${prefix}: the answer is no list`,
        )
      }
      for (const [, contents] of text.matchAll(/<Contents>(.*?)<\/Contents>/gs)) {
        const key = element(contents, 'Key').slice(this.#prefix.length)
        const modified = Date.parse(element(contents, 'LastModified'))
        yield { key, bytes: Number(element(contents, 'Size')), modified }
      }
      token = element(text, 'IsTruncated') === 'true' ? element(text, 'NextContinuationToken') : undefined
    } while (token !== undefined && token !== '')
  }

  async delete(key: string): Promise<void> {
    checkKey(key)
    const { status, body } = await this.#request('DELETE', `delete ${key}`, this.#path(key), {})
    if (status !== 204 && status !== 200 && codeOf(body) !== 'NoSuchKey')
      throw this.#refusal(`delete ${key}`, status, body)
  }

  #path(key: string): string {
    return `/${this.#prefix}${key}`
  }

  /** Tries again what may pass: no answer, one that breaks off, a server that says so. */
  async #request(
    method: string,
    doing: string,
    path: string,
    query: Record<string, string>,
    payload?: Uint8Array,
  ): Promise<Answer> {
    let failure: ObjectStoreError | undefined
    for (let n = 0; n < tries; n++) {
      // oxlint-disable-next-line no-await-in-loop -- one try after the other
      if (n > 0) await pause((this.#options.retryMs ?? 250) * 4 ** (n - 1))
      try {
        // oxlint-disable-next-line no-await-in-loop
        const answer = await this.#once(method, path, query, payload)
        if (!passing.has(answer.status)) return answer
        failure = this.#refusal(doing, answer.status, answer.body)
      } catch (error) {
        const message = `${this.name}: cannot ${doing}: ${reasonOf(error)}`
        failure = new ObjectStoreError('unavailable', message, { cause: error })
      }
    }
    throw failure ?? new ObjectStoreError('unavailable', `${this.name}: cannot ${doing}`)
  }

  async #once(
    method: string,
    path: string,
    query: Record<string, string>,
    payload: Uint8Array | undefined,
  ): Promise<Answer> {
    const { endpoint, bucket, credentials, region, timeoutMs = 120_000 } = this.#options
    const url = new URL(`${endpoint.replace(/\/$/, '')}/${bucket}${path}`)
    url.search = canonicalQuery(new URLSearchParams(query))
    const headers = signedHeaders(
      { method, url, headers: {}, bodyHash: sha256(payload ?? '') },
      credentials,
      region,
      new Date(),
    )
    const response = await fetch(url, {
      method,
      headers,
      ...(payload === undefined
        ? {}
        : { body: Buffer.from(payload.buffer, payload.byteOffset, payload.length) }),
      redirect: 'manual',
      signal: AbortSignal.timeout(timeoutMs),
    })
    const length = Number(response.headers.get('content-length') ?? 0)
    if (length > maxObjectBytes) throw new Error(`the answer has ${length} bytes`)
    const body = Buffer.from(await response.arrayBuffer())
    if (response.headers.has('content-length') && method === 'GET' && body.length !== length) {
      throw new Error(`the answer broke off after ${body.length} of ${length} bytes`)
    }
    return { status: response.status, body }
  }

  #refusal(doing: string, status: number, body: Buffer): ObjectStoreError {
    const code = codeOf(body)
    const message = element(body.toString('utf8', 0, maxErrorBytes), 'Message')
    const says = [status, code, message].filter((part) => part !== '').join(' ')
    const denied = status === 401 || status === 403
    const full = code === 'QuotaExceeded' || status === 507
    return new ObjectStoreError(
      denied ? 'denied' : full ? 'full' : 'unavailable',
      `${this.name}: cannot ${doing}: ${says}`,
    )
  }
}

function codeOf(body: Buffer): string {
  return element(body.toString('utf8', 0, maxErrorBytes), 'Code')
}

/** Text of the first element of this name; S3's answers are flat where we look. */
function element(xml: string, name: string): string {
  const text = new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml)?.[1] ?? ''
  return text
    .replace(/&lt;/g, '<')
    .replace(/&gt;/g, '>')
    .replace(/&quot;/g, '"')
    .replace(/&#39;|&apos;/g, "'")
    .replace(/&amp;/g, '&')
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (error.name === 'TimeoutError') return 'no answer in time'
  return error.cause instanceof Error ? error.cause.message || String(error.cause) : error.message
}

function pause(ms: number): Promise<void> {
  return new Promise((wake) => setTimeout(wake, ms))
}
