import type { Logger } from '#platform/log.ts'

/** Clients that may be watched at a time: somebody reads these lines. */
const MAX_WATCHED = 1000

/** Writes what watched clients send and receive to the log, one line per event. */
export class Trace {
  /** Whether anybody is watched; the only thing that the data path looks at while nobody is. */
  active = false
  readonly #watched = new Set<string>()
  readonly #log: Logger

  constructor(log: Logger) {
    this.#log = log
  }

  /** Watches the client id in every organisation. Throws when 1,000 are watched already. */
  watch(clientId: string): void {
    if (this.#watched.size >= MAX_WATCHED && !this.#watched.has(clientId))
      throw new Error(`${MAX_WATCHED} clients are traced already; stop tracing one of them first`)
    this.#watched.add(clientId)
    this.active = true
  }

  unwatch(clientId: string): void {
    this.#watched.delete(clientId)
    this.active = this.#watched.size > 0
  }

  isWatched(clientId: string): boolean {
    return this.active && this.#watched.has(clientId)
  }

  /** `in`: from the client. Callers that must build `summary` ask `isWatched` first. */
  event(clientId: string, direction: 'in' | 'out', summary: string): void {
    if (this.isWatched(clientId)) this.#log.info({ event: 'trace', client: clientId, direction }, summary)
  }
}
