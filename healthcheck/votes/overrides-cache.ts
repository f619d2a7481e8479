import { z } from 'zod'
import type { Clock } from '#platform/clock.ts'
import type { Logger } from '#platform/log.ts'
import type { Metrics } from '#platform/metrics.ts'
import type { Timer, Timers } from '#platform/timers.ts'
import type { StateFile } from '../checker/state.ts'
import type { Override } from './vote.ts'
import { inForce } from './word.ts'

/** Asks one place for the list. `etag`: of the answer that is known. Rejects with an Error of one line; ends at `signal`. */
export type AskOverrides = (
  place: string,
  etag: string | undefined,
  signal: AbortSignal,
) => Promise<{ readonly status: number; readonly etag: string | undefined; readonly text: string }>

export interface OverridesCacheOptions {
  /** Hosts that may be asked, of all DCs; one after the other until one answers. */
  readonly places: readonly string[]
  readonly ask: AskOverrides
  /** Keeps the last answer over a restart. */
  readonly file: StateFile<readonly Override[]>
  /** Called when people's words are others than before. */
  readonly onChange: () => void
  readonly timers: Timers
  readonly clock: Clock
  readonly log: Logger
  readonly metrics: Metrics
}

/** Path of the API; its answer has an ETag. */
export const overridesPath = '/v1/checkers/overrides'

const everyMs = 10_000
const timeoutMs = 3000
/** Places that are asked in one round: a checker that is cut off must not wait for all of them. */
const triesPerRound = 3
const maxItems = 2000

const item = z.object({
  subject: z.string().min(1).max(64),
  action: z.enum(['out', 'in', 'weight']),
  percent: z.number().min(0).max(100).nullable(),
  reason: z.string().max(1000),
  at: z.iso.datetime(),
  expires_at: z.iso.datetime().nullable(),
})
const answer = z.object({ items: z.array(item).max(maxItems) })
const stored = z.array(
  z.object({
    subject: z.string(),
    action: z.enum(['out', 'in', 'weight']),
    percent: z.number().optional(),
    owner: z.string(),
    reason: z.string(),
    at: z.number(),
    expiresAt: z.number().optional(),
  }),
)
/** The API does not tell checkers who it was: their reasons are on the status page. */
const owner = 'an administrator'

/**
 * People's words, as the API of any DC told them last. Where no API or store answers, those known before go on to hold,
 * over restarts too, each until it expires by itself.
 */
export class OverridesCache {
  readonly #options: OverridesCacheOptions
  #known: readonly Override[]
  #etag: string | undefined
  #next = 0
  #readAt: number
  #failing = false
  #reading: AbortController | null = null
  #timer: Timer | null = null

  constructor(options: OverridesCacheOptions) {
    const { file, timers, metrics } = options
    this.#options = options
    this.#known = file.read(isStored) ?? []
    this.#readAt = timers.monotonic()
    metrics.gauge(
      'cinque_overrides_age_seconds',
      'Since when people’s words could not be read from the API',
      () => (timers.monotonic() - this.#readAt) / 1000,
    )
  }

  /** Those in force now. */
  current(): readonly Override[] {
    return Array.from(inForce(this.#known, this.#options.clock.now()).values())
  }

  start(): void {
    this.#timer = this.#options.timers.every(everyMs, () => void this.refresh())
    void this.refresh()
  }

  stop(): void {
    this.#timer?.cancel()
    this.#reading?.abort(new Error('stopped'))
  }

  /** Reads the list from the first place that answers, one round at a time. Never rejects. */
  async refresh(): Promise<void> {
    if (this.#reading !== null) return
    const reading = new AbortController()
    this.#reading = reading
    const { places, log } = this.#options
    let failure = 'there is no host to ask'
    for (let tries = Math.min(triesPerRound, places.length); tries > 0; tries--) {
      try {
        // oxlint-disable-next-line no-await-in-loop -- one after the other
        await this.#readFrom(places[this.#next % places.length], reading)
        this.#told(undefined)
        this.#reading = null
        return
      } catch (error) {
        failure = error instanceof Error ? error.message.split('\n')[0] : String(error)
        if (reading.signal.aborted) break
        this.#next++
      }
    }
    this.#reading = null
    if (!reading.signal.aborted) this.#told(failure)
    else log.debug({ event: 'health.overrides' }, 'stopped')
  }

  async #readFrom(place: string, reading: AbortController): Promise<void> {
    const { ask, timers, file, onChange } = this.#options
    const one = new AbortController()
    const stop = (): void => one.abort(new Error('stopped'))
    reading.signal.addEventListener('abort', stop, { once: true })
    const limit = timers.after(timeoutMs, () =>
      one.abort(new Error(`no answer within ${timeoutMs / 1000} s`)),
    )
    try {
      const { status, etag, text } = await Promise.race([
        ask(place, this.#etag, one.signal),
        ended(one.signal),
      ])
      if (status !== 304) {
        if (status !== 200) throw new Error(`${place} answered ${status}`)
        const words = wordsOf(text, place)
        this.#etag = etag
        if (JSON.stringify(words) !== JSON.stringify(this.#known)) {
          this.#known = words
          file.write(words)
          onChange()
        }
      }
      this.#readAt = timers.monotonic()
    } finally {
      limit.cancel()
      reading.signal.removeEventListener('abort', stop)
    }
  }

  /** Said once when it begins and once when it ends. */
  #told(failure: string | undefined): void {
    const { log } = this.#options
    if (failure !== undefined && !this.#failing)
      log.warn(
        { event: 'health.overrides', reason: failure },
        'people’s words can’t be read; those known before go on to hold',
      )
    if (failure === undefined && this.#failing)
      log.info({ event: 'health.overrides' }, 'people’s words can be read again')
    this.#failing = failure !== undefined
  }
}

function wordsOf(text: string, place: string): Override[] {
  const { data } = answer.safeParse(json(text))
  if (data === undefined) throw new Error(`${place} answered something that is no list of overrides`)
  return data.items.map(({ percent, at, expires_at: end, ...rest }) => ({
    ...rest,
    owner,
    at: Date.parse(at),
    ...(percent === null ? {} : { percent }),
    ...(end === null ? {} : { expiresAt: Date.parse(end) }),
  }))
}

function isStored(value: unknown): value is readonly Override[] {
  return stored.safeParse(value).success
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
