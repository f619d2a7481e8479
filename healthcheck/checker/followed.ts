import { z } from 'zod'
import type { Logger } from '#platform/log.ts'
import type { Metrics } from '#platform/metrics.ts'
import type { Timer, Timers } from '#platform/timers.ts'
import type { Target } from '../probes/probe.ts'
import type { Rest } from '../probes/rest.ts'
import type { StateFile } from './state.ts'

/** How often a list is read; it is some kilobytes, and 304 most of the time. */
const everyMs = 15_000
const timeoutMs = 5000

export interface FollowedOptions<T> {
  /** In metrics and logs: `plans`. */
  readonly name: string
  /** Answers `{items}` with an ETag, to an API key that may read. */
  readonly path: string
  readonly item: z.ZodType<T>
  readonly apiKey: string
  readonly rest: Pick<Rest, 'ask'>
  /** Hosts that may be asked, in turn. */
  readonly targets: readonly Target[]
  readonly file: StateFile<T[]>
  readonly timers: Timers
  readonly log: Logger
  readonly metrics: Metrics
}

/**
 * A list of the store that a checker goes by, as overrides and maintenance windows: read over REST from the host that
 * answered last, or the next one that does, and kept in the state directory for when none does.
 */
export class Followed<T> {
  readonly #options: FollowedOptions<T>
  #items: readonly T[]
  #etag: string | undefined
  #from = 0
  #readAt: number
  #failing = false
  #reading: AbortController | null = null
  #timer: Timer | null = null
  readonly #listeners: (() => void)[] = []

  constructor(options: FollowedOptions<T>) {
    this.#options = options
    const { file, item, metrics, timers, name } = options
    this.#items = file.read((value): value is T[] => z.array(item).safeParse(value).success) ?? []
    this.#readAt = timers.monotonic()
    metrics.gauge(
      `cinque_health_${name}_age_seconds`,
      `Since when the ${name} of the store could not be read`,
      () => (timers.monotonic() - this.#readAt) / 1000,
    )
  }

  /** As it was read last, maybe before a restart. */
  get items(): readonly T[] {
    return this.#items
  }

  /** Calls the listener after each change. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener)
  }

  start(): void {
    this.#timer = this.#options.timers.every(everyMs, () => void this.read())
    void this.read()
  }

  stop(): void {
    this.#timer?.cancel()
    this.#reading?.abort(new Error('stopped'))
  }

  /** Reads it from the first host that answers; one time at a time. Never rejects. */
  async read(): Promise<void> {
    if (this.#reading !== null) return
    const { targets, log, name } = this.#options
    const stop = new AbortController()
    this.#reading = stop
    let failure: unknown
    for (let i = 0; i < targets.length && !stop.signal.aborted; i++) {
      const at = (this.#from + i) % targets.length
      try {
        // oxlint-disable-next-line no-await-in-loop -- one after the other
        await this.#readFrom(targets[at], AbortSignal.any([stop.signal, AbortSignal.timeout(timeoutMs)]))
        this.#from = at
        failure = undefined
        break
      } catch (error) {
        failure = error
      }
    }
    this.#reading = null
    if (stop.signal.aborted) return
    if (failure !== undefined && !this.#failing) {
      log.warn(
        { event: 'health.unread', list: name, err: failure },
        `${name} can not be read; they stay as they were`,
      )
    }
    this.#failing = failure !== undefined
  }

  async #readFrom(target: Target, signal: AbortSignal): Promise<void> {
    const { rest, path, apiKey, item, timers, file } = this.#options
    const authorization = `Bearer ${apiKey}`
    const headers = this.#etag === undefined ? {} : { 'if-none-match': this.#etag }
    const answer = await rest.ask(target, { method: 'GET', path, authorization, headers }, signal)
    if (answer.status !== 304) {
      if (answer.status !== 200) throw new Error(`GET ${path}: ${answer.status}`)
      const items = z.object({ items: z.array(item) }).parse(JSON.parse(answer.text)).items
      this.#etag = answer.headers.etag
      const changed = JSON.stringify(items) !== JSON.stringify(this.#items)
      this.#items = items
      if (changed) {
        file.write(items)
        for (const listener of this.#listeners) listener()
      }
    }
    this.#readAt = timers.monotonic()
  }
}
