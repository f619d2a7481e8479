import createOpenApiClient, { type Client, type MaybeOptionalInit } from 'openapi-fetch'
import { errorOf, UnexpectedAnswerError } from './errors.ts'
import { followEvents, type LiveEvent } from './live.ts'
import { withIdempotencyKey, withOrganisation } from './operations.ts'
import { bytesOf, linesOf } from './streams.ts'
import type { paths } from './schema.ts'
import { Transport } from './transport.ts'

export interface CinqueOptions {
  /** Address of the platform, as https://iot.example.com. */
  readonly url?: string
  /** Addresses of several hosts or datacenters: when one does not answer, the next is asked. */
  readonly urls?: readonly string[]
  /** API key, token of an organisation or access token of a session; or what gives one, asked before each request. */
  readonly token?: string | (() => string | Promise<string>)
  /** Key of a device, instead of a token: the client then is the device. */
  readonly deviceKey?: string
  /** Organisation of requests that name none. Tokens and keys have theirs. */
  readonly organisation?: string
  /** How often a request is sent again that is safe to repeat (default: 2). */
  readonly retries?: number
  /** Longest time in milliseconds that an answer may take to begin (default: 30,000). */
  readonly timeout?: number
  /** Longest Retry-After in milliseconds that is waited for (default: 30,000). */
  readonly maxWait?: number
  readonly headers?: Readonly<Record<string, string>>
  /** Instead of the global one. */
  readonly fetch?: (request: Request) => Promise<Response>
}

type Method = 'get' | 'put' | 'post' | 'patch' | 'delete'

/** Paths that have the method. */
export type PathsOf<M extends Method> = {
  [P in keyof paths]: paths[P] extends Record<M, unknown> ? P : never
}[keyof paths]

type OperationAt<P extends keyof paths, M extends Method> = M extends keyof paths[P] ? paths[P][M] : never

/** Parameters and body of an operation: `{ params: { path, query, header }, body }`. */
export type InitOf<P extends keyof paths, M extends Method> = MaybeOptionalInit<
  Pick<paths[P], keyof paths[P]>,
  Extract<keyof paths[P], M>
>

type Rest<Init> = undefined extends Init
  ? [init?: Init]
  : Partial<Init> extends Init
    ? [init?: Init]
    : [init: Init]

type ContentOf<R> = R extends { content: infer C } ? C[keyof C] : undefined

/** What an operation answers; undefined: nothing. */
export type AnswerOf<P extends keyof paths, M extends Method> =
  OperationAt<P, M> extends { responses: infer R }
    ? { [S in keyof R]: S extends 200 | 201 | 202 | 204 ? ContentOf<R[S]> : never }[keyof R]
    : never

/** Lists that are read page by page. */
export type PagedPath = {
  [P in PathsOf<'get'>]: AnswerOf<P, 'get'> extends { items: unknown[]; next: string | null } ? P : never
}[PathsOf<'get'>]

export type ItemOf<P extends PagedPath> = AnswerOf<P, 'get'> extends { items: (infer T)[] } ? T : never

/** Streams of server-sent events. */
export type EventPath = {
  [P in PathsOf<'get'>]: OperationAt<P, 'get'> extends {
    responses: { 200: { content: { 'text/event-stream': unknown } } }
  }
    ? P
    : never
}[PathsOf<'get'>]

/** Any operation, when its path is known at run time only. */
export interface AnyRequest {
  readonly path?: Readonly<Record<string, string>>
  readonly query?: Readonly<Record<string, unknown>>
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: unknown
  readonly signal?: AbortSignal
}

export interface EventOptions {
  readonly signal?: AbortSignal
  /** `id` of the last event that was seen: what came since is replayed. */
  readonly lastEventId?: string
  /** Called when a stream is open, also again. */
  readonly onOpen?: () => void
  /** Called when a stream has ended or broken; it is opened again. */
  readonly onBreak?: (error: unknown) => void
}

const placeholder = /\{(\w+)\}/g

/**
 * The REST API with its types. Every method throws ApiError for a problem, UnreachableError when no host answers,
 * UnexpectedAnswerError for what is not the API's; or the reason of an aborted signal.
 */
export class CinqueClient {
  readonly #options: CinqueOptions
  readonly #transport: Transport
  readonly #api: Client<Record<string, never>>

  constructor(options: CinqueOptions) {
    if (options.token !== undefined && options.deviceKey !== undefined)
      throw new TypeError('token and deviceKey exclude each other')
    const { url, urls = url === undefined ? [] : [url] } = options
    const { retries = 2, timeout = 30_000, maxWait = 30_000, fetch: own } = options
    this.#options = options
    this.#transport = new Transport({
      urls,
      retries,
      timeout,
      maxWait,
      fetch: own ?? ((request) => fetch(request)),
    })
    this.#api = createOpenApiClient({ pathSerializer: pathOf, bodySerializer: (body) => body as unknown })
  }

  /** Address of the host that is asked next. */
  get url(): string {
    return this.#transport.url
  }

  async get<P extends PathsOf<'get'>>(
    path: P,
    ...[init]: Rest<InitOf<P, 'get'>>
  ): Promise<AnswerOf<P, 'get'>> {
    return (await this.request('GET', path, requestOf(init))).data as AnswerOf<P, 'get'>
  }

  /** Has an Idempotency-Key where the API takes one, so that trying again does nothing twice. */
  async post<P extends PathsOf<'post'>>(
    path: P,
    ...[init]: Rest<InitOf<P, 'post'>>
  ): Promise<AnswerOf<P, 'post'>> {
    return (await this.request('POST', path, requestOf(init))).data as AnswerOf<P, 'post'>
  }

  async put<P extends PathsOf<'put'>>(
    path: P,
    ...[init]: Rest<InitOf<P, 'put'>>
  ): Promise<AnswerOf<P, 'put'>> {
    return (await this.request('PUT', path, requestOf(init))).data as AnswerOf<P, 'put'>
  }

  async patch<P extends PathsOf<'patch'>>(
    path: P,
    ...[init]: Rest<InitOf<P, 'patch'>>
  ): Promise<AnswerOf<P, 'patch'>> {
    return (await this.request('PATCH', path, requestOf(init))).data as AnswerOf<P, 'patch'>
  }

  async delete<P extends PathsOf<'delete'>>(
    path: P,
    ...[init]: Rest<InitOf<P, 'delete'>>
  ): Promise<AnswerOf<P, 'delete'>> {
    return (await this.request('DELETE', path, requestOf(init))).data as AnswerOf<P, 'delete'>
  }

  /** All items of a list, page by page; `limit` is that of a page. */
  async *items<P extends PagedPath>(path: P, ...[init]: Rest<InitOf<P, 'get'>>): AsyncGenerator<ItemOf<P>> {
    yield* this.pages(path, requestOf(init)) as AsyncGenerator<ItemOf<P>>
  }

  /** The live stream of the organisation, or of one device. Ends only when the signal aborts or the API refuses. */
  live(
    query: { device?: string; types?: string } = {},
    options: EventOptions = {},
  ): AsyncGenerator<LiveEvent> {
    return this.events('/v1/live', { query }, options)
  }

  /** Any stream of server-sent events; opened again with Last-Event-ID, on another host if there is one. */
  events(
    path: EventPath,
    request: Pick<AnyRequest, 'path' | 'query'>,
    { signal, ...options }: EventOptions = {},
  ): AsyncGenerator<LiveEvent> {
    return followEvents({
      ...options,
      signal,
      another: () => this.#transport.another(),
      open: async (last, ended) => {
        const headers = {
          accept: 'text/event-stream',
          ...(last === undefined ? {} : { 'last-event-id': last }),
        }
        return this.stream(path, { ...request, headers, signal: ended })
      },
    })
  }

  /** Rows of an export as NDJSON, one after the other. */
  async *rows(path: PathsOf<'get'>, request: AnyRequest = {}): AsyncGenerator {
    const query = { ...request.query, format: 'ndjson' }
    for await (const line of linesOf(await this.stream(path, { ...request, query }))) yield JSON.parse(line)
  }

  /** Bytes of an answer of any length and type. UnexpectedAnswerError when they break off. */
  async stream(path: PathsOf<'get'>, request: AnyRequest = {}): Promise<AsyncGenerator<Uint8Array>> {
    const { response } = await this.#send('GET', path, request, 'stream')
    return bytesOf(response)
  }

  /** Sends a file: `type` as text/csv. A stream is read while it is sent, and never sent again. */
  async upload<P extends PathsOf<'post'>>(
    path: P,
    {
      type,
      headers,
      ...request
    }: AnyRequest & { body: ReadableStream<Uint8Array> | Blob | string; type: string },
  ): Promise<AnswerOf<P, 'post'>> {
    const all = { ...headers, 'content-type': type }
    return (await this.request('POST', path, { ...request, headers: all })).data as AnswerOf<P, 'post'>
  }

  /** Any operation, with the response itself: for its headers. */
  async request(
    method: Uppercase<Method>,
    path: keyof paths,
    request: AnyRequest = {},
  ): Promise<{ data: unknown; response: Response }> {
    return this.#send(method, path, request, 'json')
  }

  /** Items of any list, when its path is known at run time only. */
  async *pages(path: keyof paths, request: AnyRequest = {}): AsyncGenerator {
    let cursor: unknown = request.query?.cursor
    do {
      const query = { ...request.query, cursor }
      // oxlint-disable-next-line no-await-in-loop -- the cursor of a page is in the one before
      const { data, response } = await this.request('GET', path, { ...request, query })
      const page = data as { items?: unknown; next?: unknown } | undefined
      if (!Array.isArray(page?.items)) throw notOurs(response.url)
      yield* page.items as unknown[]
      cursor = page.next
    } while (typeof cursor === 'string')
  }

  async #send(
    method: Uppercase<Method>,
    path: string,
    { path: inPath, query, headers, body, signal }: AnyRequest,
    parseAs: 'json' | 'stream',
  ): Promise<{ data: unknown; response: Response }> {
    const operation = `${method} ${path}`
    const all = new Headers({ ...this.#options.headers, ...headers })
    const authorization = await this.#authorization()
    if (authorization !== undefined && !all.has('authorization')) all.set('authorization', authorization)
    if (withIdempotencyKey.has(operation) && !all.has('idempotency-key'))
      all.set('idempotency-key', crypto.randomUUID())
    const json = body !== undefined && !all.has('content-type')
    if (json) all.set('content-type', 'application/json')
    const streamed = body instanceof ReadableStream
    const safe = method !== 'POST' || all.has('idempotency-key')
    const { organisation } = this.#options
    const chosen = organisation !== undefined && withOrganisation.has(operation) ? { organisation } : {}
    const base = this.#transport.url
    let answer: { data?: unknown; error?: unknown; response: Response }
    let arrived: Response | undefined
    try {
      answer = await this.#api.request(
        method.toLowerCase() as never,
        path as never,
        {
          baseUrl: base,
          params: { path: inPath, query: { ...chosen, ...query } },
          headers: all,
          ...(body === undefined ? {} : { body: json ? JSON.stringify(body) : body }),
          ...(streamed ? { duplex: 'half' } : {}),
          ...(signal === undefined ? {} : { signal }),
          parseAs,
          fetch: async (request: Request) => {
            arrived = await this.#transport.send(request, base, { safe, streamed })
            if (!arrived.ok) throw await errorOf(arrived)
            return arrived
          },
        } as never,
      )
    } catch (error) {
      // The answer was there, but is not JSON, or broke off.
      if (arrived?.ok === true && signal?.aborted !== true) throw notOurs(arrived.url, error)
      throw error
    }
    return { data: answer.data, response: answer.response }
  }

  async #authorization(): Promise<string | undefined> {
    const { token, deviceKey } = this.#options
    if (deviceKey !== undefined) return `Device ${deviceKey}`
    const value = typeof token === 'function' ? await token() : token
    return value === undefined ? undefined : `Bearer ${value}`
  }
}

/** A client of the platform at `url`, or at `urls`. */
export function createClient(options: CinqueOptions): CinqueClient {
  return new CinqueClient(options)
}

function requestOf(init: unknown): AnyRequest {
  const {
    params = {},
    body,
    headers,
    signal,
  } = (init ?? {}) as {
    params?: {
      path?: Record<string, string>
      query?: Record<string, unknown>
      header?: Record<string, string>
    }
    headers?: Record<string, string>
    body?: unknown
    signal?: AbortSignal
  }
  return {
    ...(params.path === undefined ? {} : { path: params.path }),
    ...(params.query === undefined ? {} : { query: params.query }),
    headers: { ...params.header, ...headers },
    ...(body === undefined ? {} : { body }),
    ...(signal === undefined ? {} : { signal }),
  }
}

/** The path with its parameters. TypeError for one that would lead to another path. */
function pathOf(path: string, parameters: Record<string, unknown>): string {
  return path.replaceAll(placeholder, (_, name: string) => {
    const value = parameters[name]
    if (typeof value !== 'string' || value === '' || value === '.' || value === '..')
      throw new TypeError(`${name}: ${JSON.stringify(value)} is no id or name`)
    return encodeURIComponent(value)
  })
}

function notOurs(url: string, cause?: unknown): UnexpectedAnswerError {
  const { origin } = new URL(url)
  return new UnexpectedAnswerError(
    url,
    `${origin} gave an answer that this version does not understand`,
    cause,
  )
}
