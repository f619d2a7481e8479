import { z } from 'zod'
import type { Logger } from '#platform/log.ts'
import type { Metrics } from '#platform/metrics.ts'
import type { Timer, Timers } from '#platform/timers.ts'
import type { Target } from '../probes/probe.ts'
import type { Rest } from '../probes/rest.ts'
import type { StateFile } from './state.ts'

/** Asks one place for the list. `etag`: of the answer that is known. Rejects with an Error of one line; ends at `signal`. */
export type AskList = (
  place: string,
  etag: string | undefined,
  signal: AbortSignal,
) => Promise<{ readonly status: number; readonly etag: string | undefined; readonly text: string }>

export interface FollowedOptions<T> {
  /** In logs: `plans`. */
  readonly name: string
  /** The gauge of how many seconds it could not be read for. */
  readonly ageMetric: string
  /** Of an item, as the API answers and as it is kept. */
  readonly item: z.ZodType<T>
  /** Places that may be asked, of all DCs. */
  readonly places: readonly string[]
  readonly ask: AskList
  /** Keeps the last answer over a restart. */
  readonly file: StateFile<readonly T[]>
  /** Called when it is another one than before. */
  readonly onChange?: () => void
  /** How often it is read; it is some kilobytes, and 304 most of the time. */
  readonly everyMs: number
  readonly timers: Timers
  readonly log: Logger
  readonly metrics: Metrics
}

const timeoutMs = 3000
/** Places that are asked in one round: a checker that is cut off must not wait for all of them. */
const triesPerRound = 3
const maxItems = 2000

/**
 * A list of the store that a checker goes by, as overrides and maintenance windows: read from the place that answered
 * last, or the next one that does, and kept for when none does, over restarts too.
 */
export class Followed<T> {
  readonly #options: FollowedOptions<T>
  readonly #list: z.ZodType<T[]>
  #items: readonly T[]
  #etag: string | undefined
  #next = 0
  #readAt: number
  #failing = false
  #reading: AbortController | null = null
  #timer: Timer | null = null

  constructor(options: FollowedOptions<T>) {
    const { file, item, metrics, timers, name, ageMetric } = options
    this.#options = options
    this.#list = z.array(item).max(maxItems)
    this.#items = file.read((value): value is T[] => this.#list.safeParse(value).success) ?? []
    this.#readAt = timers.monotonic()
    metrics.gauge(
      ageMetric,
      `Since when the ${name} of the store could not be read`,
      () => (timers.monotonic() - this.#readAt) / 1000,
    )
  }

  /** As it was read last, maybe before a restart. */
  get items(): readonly T[] {
    return this.#items
  }

  start(): void {
    const { timers, everyMs } = this.#options
    this.#timer = timers.every(everyMs, () => void this.read())
    void this.read()
  }

  stop(): void {
    this.#timer?.cancel()
    this.#reading?.abort(new Error('stopped'))
  }

  /** Reads it from the first place that answers, a few of them, one round at a time. Never rejects. */
  async read(): Promise<void> {
    if (this.#reading !== null) return
    const reading = new AbortController()
    this.#reading = reading
    const { places } = this.#options
    let failure: string | undefined = 'there is no host to ask'
    for (let tries = Math.min(triesPerRound, places.length); tries > 0 && failure !== undefined; tries--) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      failure = await this.#readFrom(places[this.#next % places.length], reading.signal)
      if (reading.signal.aborted) return
      if (failure !== undefined) this.#next++
    }
    this.#reading = null
    this.#told(failure)
  }

  /** Resolves with what went wrong. */
  async #readFrom(place: string, stopped: AbortSignal): Promise<string | undefined> {
    const { ask, timers } = this.#options
    const one = new AbortController()
    const stop = (): void => one.abort(new Error('stopped'))
    stopped.addEventListener('abort', stop, { once: true })
    const limit = timers.after(timeoutMs, () =>
      one.abort(new Error(`no answer within ${timeoutMs / 1000} s`)),
    )
    try {
      const { status, etag, text } = await Promise.race([
        ask(place, this.#etag, one.signal),
        ended(one.signal),
      ])
      if (status !== 200 && status !== 304) return `${place} answered ${status}`
      if (status === 200) this.#take(place, etag, text)
      this.#readAt = timers.monotonic()
      return undefined
    } catch (error) {
      return error instanceof Error ? error.message.split('\n')[0] : String(error)
    } finally {
      limit.cancel()
      stopped.removeEventListener('abort', stop)
    }
  }

  #take(place: string, etag: string | undefined, text: string): void {
    const { name, file, onChange } = this.#options
    const { data } = z.object({ items: this.#list }).safeParse(json(text))
    if (data === undefined) throw new Error(`${place} answered something that is no list of ${name}`)
    this.#etag = etag
    if (JSON.stringify(data.items) === JSON.stringify(this.#items)) return
    this.#items = data.items
    file.write(data.items)
    onChange?.()
  }

  /** Said once when it begins and once when it ends. */
  #told(failure: string | undefined): void {
    const { log, name } = this.#options
    const about = { event: 'health.unread', list: name }
    if (failure !== undefined && !this.#failing)
      log.warn({ ...about, reason: failure }, `${name} can’t be read; those known before go on to hold`)
    if (failure === undefined && this.#failing) log.info(about, `${name} can be read again`)
    this.#failing = failure !== undefined
  }
}

/** Hosts as the places of a list, asked over REST at `path` with the checker's API key. */
export function askHosts(
  rest: Pick<Rest, 'ask'>,
  apiKey: string,
  targets: readonly Target[],
  path: string,
): { places: readonly string[]; ask: AskList } {
  const byName = new Map(targets.map((target) => [target.host.name, target]))
  return {
    places: Array.from(byName.keys()),
    async ask(place, etag, signal) {
      const target = byName.get(place)
      if (target === undefined) throw new Error(`there is no host ${place}`)
      const authorization = `Bearer ${apiKey}`
      const headers = etag === undefined ? {} : { 'if-none-match': etag }
      const answer = await rest.ask(target, { method: 'GET', path, authorization, headers }, signal)
      return { status: answer.status, etag: answer.headers.etag, text: answer.text }
    },
  }
}

function json(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function ended(signal: AbortSignal): Promise<never> {
  return new Promise((_, failed) => {
    signal.addEventListener('abort', () => failed(signal.reason), { once: true })
  })
}
