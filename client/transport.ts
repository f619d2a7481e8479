import { type ApiError, errorOf, UnreachableError } from './errors.ts'
import { pause } from './pause.ts'

export interface TransportOptions {
  /** Base addresses of hosts that have the same data. */
  readonly urls: readonly string[]
  /** How often a request is sent again. */
  readonly retries: number
  /** Longest time in milliseconds that an answer may take to begin. */
  readonly timeout: number
  /** Longest Retry-After in milliseconds that is waited for; what would take longer fails at once. */
  readonly maxWait: number
  readonly fetch: (request: Request) => Promise<Response>
}

/** What may be done with a request that may have had its effect. */
export interface Repeatable {
  /** Done twice it has the same effect as once. */
  readonly safe: boolean
  /** Its body can be sent once only. */
  readonly streamed: boolean
}

/** Milliseconds before the only host is tried again. */
const breathMs = 250

/** Sends requests to a host that answers: the one that did last, else the next of the list. */
export class Transport {
  readonly #options: TransportOptions
  readonly #urls: readonly string[]
  #current = 0

  /** TypeError if there is no address, or one is not http: or https:. */
  constructor(options: TransportOptions) {
    this.#options = options
    this.#urls = options.urls.map(baseOf)
    if (this.#urls.length === 0) throw new TypeError('url or urls: at least one address is needed')
  }

  /** Base address of the host that is asked next. */
  get url(): string {
    return this.#urls[this.#current]
  }

  /**
   * The answer, its body unread; also one of 4xx or 5xx, if trying again would not help. `base`: the address that the
   * request was made for. Throws UnreachableError, or the reason of the request's own signal.
   */
  async send(request: Request, base: string, repeatable: Repeatable): Promise<Response> {
    const path = request.url.slice(base.length)
    const body = repeatable.streamed ? null : await bytesOf(request)
    const retries = repeatable.streamed ? 0 : this.#options.retries
    let doubtful = false
    for (let attempt = 0; ; attempt++) {
      const url = this.url
      const made = (signal: AbortSignal): Request =>
        repeatable.streamed ? new Request(request, { signal }) : copyOf(request, url + path, body, signal)
      let response: Response
      try {
        // oxlint-disable-next-line no-await-in-loop -- one attempt after the other
        response = await this.#fetch(made, request.signal)
      } catch (error) {
        if (request.signal.aborted) throw error
        if (!repeatable.safe || attempt >= retries) throw new UnreachableError(url, error)
        doubtful = true
        // oxlint-disable-next-line no-await-in-loop -- one attempt after the other
        if (!this.#turn(url)) await pause(breathMs, request.signal)
        continue
      }
      // It was deleted by the attempt whose answer was lost.
      if (response.status === 404 && doubtful && request.method === 'DELETE')
        return new Response(null, { status: 204 })
      if (attempt >= retries || (response.status !== 429 && response.status !== 503)) return response
      // oxlint-disable-next-line no-await-in-loop -- one attempt after the other
      const error = await errorOf(response.clone())
      const wait = this.#waitOf(error, repeatable, url)
      if (wait === null) return response
      doubtful ||= error.code === 'outcome_unknown'
      // oxlint-disable-next-line no-await-in-loop -- one attempt after the other
      await response.body?.cancel()
      // oxlint-disable-next-line no-await-in-loop -- one attempt after the other
      if (wait > 0) await pause(wait, request.signal)
    }
  }

  /** Asks another host from now on; false: there is none. */
  another(): boolean {
    return this.#turn(this.url)
  }

  /** Milliseconds before the next attempt; null: none would help. */
  #waitOf({ status, code, retryAfter }: ApiError, { safe }: Repeatable, url: string): number | null {
    const wait = (retryAfter ?? 1) * 1000
    // A limit is that of the organisation: another host would count it as well.
    if (status === 429) return wait <= this.#options.maxWait ? wait : null
    // Without its effect it may be sent again, whatever it is.
    if (!safe && code !== 'store_unavailable') return null
    if (this.#turn(url)) return 0
    return wait <= this.#options.maxWait ? wait : null
  }

  /** Others may have turned already; false: there is one host only. */
  #turn(from: string): boolean {
    if (this.#urls.length < 2) return false
    if (this.url === from) this.#current = (this.#current + 1) % this.#urls.length
    return true
  }

  async #fetch(made: (signal: AbortSignal) => Request, own: AbortSignal): Promise<Response> {
    const late = new AbortController()
    const { timeout } = this.#options
    const timer = setTimeout(
      () => late.abort(new DOMException(`no answer within ${timeout / 1000} s`, 'TimeoutError')),
      timeout,
    )
    try {
      return await this.#options.fetch(made(AbortSignal.any([own, late.signal])))
    } finally {
      clearTimeout(timer)
    }
  }
}

function baseOf(url: string): string {
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol))
    throw new TypeError(`url ${url}: expected one like https://iot.example.com`)
  return new URL(url).href.replace(/\/+$/, '')
}

async function bytesOf(request: Request): Promise<ArrayBuffer | null> {
  return request.body === null ? null : request.clone().arrayBuffer()
}

function copyOf(request: Request, url: string, body: ArrayBuffer | null, signal: AbortSignal): Request {
  const { method, headers, redirect } = request
  return new Request(url, { method, headers, redirect, signal, body })
}
