import type { ServerResponse } from 'node:http'
import type { Metrics } from '#platform/metrics.ts'
import type { ProbeResult } from '../probes/probe.ts'
import type { Results } from './results.ts'
import type { Route } from './route.ts'

/** What parts of the checker add to `/v1/health`, and when it has changed. */
export interface HealthSource {
  /** Member of the document, as `standings`. */
  readonly name: string
  /** What it is now; JSON. */
  value(): unknown
  /** Calls the listener after each change. */
  onChange(listener: () => void): void
}

export interface PagesOptions {
  readonly checker: string
  readonly results: Results
  readonly metrics: Metrics
  readonly sources: readonly HealthSource[]
}

/** Live streams at a time. */
const maxStreams = 100
/** A stream that has this much waiting is not read, and closed. */
const maxWaiting = 1_048_576
const heartbeatMs = 15_000

/** `/livez`, `/metrics`, `/v1/health` and its stream. */
export class Pages {
  readonly #options: PagesOptions
  readonly #streams = new Set<ServerResponse>()
  readonly #heartbeat: NodeJS.Timeout

  constructor(options: PagesOptions) {
    this.#options = options
    options.results.onResult((result) => this.#tell('result', shown(result)))
    for (const source of options.sources) {
      source.onChange(() => this.#tell(source.name, source.value()))
    }
    this.#heartbeat = setInterval(() => this.#write(':\n\n'), heartbeatMs)
  }

  readonly route: Route = (request, response) => {
    if (request.method !== 'GET') return false
    switch (request.url?.split('?')[0]) {
      case '/livez':
        json(response, { status: 'ok' })
        return true
      case '/metrics':
        response.setHeader('content-type', 'text/plain; version=0.0.4')
        response.end(this.#options.metrics.render())
        return true
      case '/v1/health':
        json(response, this.#document())
        return true
      case '/v1/health/live':
        this.#stream(response)
        return true
      default:
        return false
    }
  }

  close(): void {
    clearInterval(this.#heartbeat)
    for (const stream of this.#streams) stream.end()
  }

  #document(): object {
    const { checker, results, sources } = this.#options
    return {
      checker,
      ...Object.fromEntries(sources.map((source) => [source.name, source.value()])),
      results: Array.from(results.records, ({ last, streak, lastError }) => ({
        ...shown(last),
        streak,
        last_error:
          lastError === undefined
            ? null
            : { error: lastError.text, at: new Date(lastError.at).toISOString() },
      })),
      latencies: results.latencies(),
    }
  }

  /** Server-sent events: the document first, then what changes. */
  #stream(response: ServerResponse): void {
    if (this.#streams.size >= maxStreams) {
      response.writeHead(503, { 'content-type': 'text/plain', 'retry-after': '60' })
      response.end('too many streams\n')
      return
    }
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write(`event: health\ndata: ${JSON.stringify(this.#document())}\n\n`)
    this.#streams.add(response)
    response.once('close', () => this.#streams.delete(response))
  }

  #tell(event: string, data: unknown): void {
    if (this.#streams.size > 0) this.#write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`)
  }

  #write(text: string): void {
    for (const stream of this.#streams) {
      if (stream.writableLength > maxWaiting) stream.destroy()
      else stream.write(text)
    }
  }
}

function shown({ at, ...rest }: ProbeResult): object {
  return { ...rest, at: new Date(at).toISOString(), ms: Math.round(rest.ms * 10) / 10 }
}

function json(response: ServerResponse, value: unknown): void {
  response.setHeader('content-type', 'application/json')
  response.end(JSON.stringify(value))
}
