import type { Clock } from '#platform/clock.ts'
import type { Timer, Timers } from '#platform/timers.ts'
import { RefusedError, StalledError } from '../probes/errors.ts'
import type { Probe, ProbeResult, Target } from '../probes/probe.ts'

/** One probe of one host. */
export interface Look {
  readonly probe: Probe
  readonly target: Target
}

export interface SchedulerOptions {
  readonly looks: readonly Look[]
  /** Seconds between two looks of probes that say nothing else. */
  readonly interval: number
  /** Failures in a row up to which the next look comes soon. */
  readonly downAfter: number
  /** Looks in a row that are neither failed nor slow after which all is well again. */
  readonly upAfter: number
  readonly timers: Timers
  readonly clock: Clock
  /** 0 to 1; spreads what would otherwise meet. */
  readonly random?: () => number
  readonly onResult: (result: ProbeResult) => void
  /** A look was thrown away, as this process stood still for that many milliseconds. */
  readonly onStall?: (ms: number) => void
}

/** After a failure that does not say "down" yet: soon enough to know, late enough for a lost packet. */
const againMs = 2000
/** A look is this part of its interval early or late, so that checkers do not fall into step. */
const jitter = 0.1
/** A time limit that comes so much too late says that this process stood still, not the host: the look does not count. */
const stallMs = 1000
/** Longest text of an error that is kept. */
const maxError = 300

/**
 * Runs every probe of every host at its interval. Starts are spread over the interval; a look does not begin before
 * the one before it has ended; after a first failure the next comes in two seconds.
 */
export class Scheduler {
  readonly #tracks: readonly Track[]

  constructor(options: SchedulerOptions) {
    const { looks, random = Math.random } = options
    this.#tracks = looks.map((look, at) => new Track(look, { ...options, random }, at / looks.length))
  }

  /** Resolves when each probe of each host has been tried once. */
  start(): Promise<void> {
    return Promise.all(this.#tracks.map((track) => track.start())).then(() => undefined)
  }

  /** Something has happened at that host: its probes are run now, those that are not running already. */
  lookNow(host: string): void {
    for (const track of this.#tracks) if (track.host === host) track.lookNow()
  }

  /** Begins no more looks and ends those under way. */
  async stop(): Promise<void> {
    await Promise.all(this.#tracks.map((track) => track.stop()))
  }
}

type TrackOptions = SchedulerOptions & { readonly random: () => number }

class Track {
  readonly #look: Look
  readonly #options: TrackOptions
  readonly #intervalMs: number
  /** Where in its interval it begins, 0 to 1. */
  readonly #offset: number
  #timer: Timer | null = null
  #running: { readonly abort: AbortController; readonly ended: Promise<void> } | null = null
  #stopped = false
  #failures = 0
  /** Good looks that are still wanted since the last one that was failed or slow. */
  #unwell = 0
  #lastStart = Number.NEGATIVE_INFINITY
  #triedOnce: () => void = () => undefined

  constructor(look: Look, options: TrackOptions, offset: number) {
    this.#look = look
    this.#options = options
    this.#intervalMs = (look.probe.interval ?? options.interval) * 1000
    this.#offset = offset
  }

  get host(): string {
    return this.#look.target.host.name
  }

  start(): Promise<void> {
    // Those that come seldom begin within the time of the others: a checker says nothing before it has seen all.
    const spread = Math.min(this.#intervalMs, this.#options.interval * 1000)
    this.#arm(this.#offset * spread)
    return new Promise((done) => (this.#triedOnce = done))
  }

  lookNow(): void {
    if (this.#stopped || this.#running !== null) return
    const sinceMs = this.#options.timers.monotonic() - this.#lastStart
    this.#arm(Math.max(0, Math.min(againMs, this.#intervalMs) - sinceMs))
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#timer?.cancel()
    this.#running?.abort.abort(new Error('stopped'))
    await this.#running?.ended
    this.#triedOnce()
  }

  #arm(ms: number): void {
    this.#timer?.cancel()
    if (!this.#stopped) this.#timer = this.#options.timers.after(ms, () => this.#begin())
  }

  #begin(): void {
    this.#timer = null
    this.#lastStart = this.#options.timers.monotonic()
    const abort = new AbortController()
    this.#running = { abort, ended: this.#run(abort) }
  }

  async #run(abort: AbortController): Promise<void> {
    const { timers, clock, upAfter, onResult } = this.#options
    const { probe, target } = this.#look
    const begun = timers.monotonic()
    const { stalledMs = 0, ...outcome } = await tried(probe, target, abort, timers)
    this.#running = null
    if (this.#stopped) return
    const ms = timers.monotonic() - begun
    const ok = outcome.error === undefined
    if (!ok && (stalledMs > 0 || ms > probe.timeoutMs + stallMs)) {
      this.#options.onStall?.(stalledMs || ms - probe.timeoutMs)
      return this.#arm(Math.min(againMs, this.#intervalMs))
    }
    this.#failures = ok ? 0 : this.#failures + 1
    const { name, weight, slowMs } = probe
    const about = { probe: name, weight, host: target.host.name, dc: target.dc.name }
    const slow = ok && ms > slowMs
    this.#unwell = ok && !slow ? Math.max(0, this.#unwell - 1) : upAfter
    onResult({ ...about, ok, ...(slow ? { slow } : {}), at: clock.now(), ms, ...outcome })
    this.#triedOnce()
    this.#next(begun)
  }

  #next(begun: number): void {
    const { timers, downAfter, random, interval } = this.#options
    if (this.#failures > 0 && this.#failures < downAfter) {
      return this.#arm(Math.min(againMs, this.#intervalMs))
    }
    // What is looked at seldom is looked at more often until it is well again: people wait for it.
    const intervalMs = this.#unwell > 0 ? Math.min(this.#intervalMs, interval * 1000) : this.#intervalMs
    const period = intervalMs * (1 + jitter * (2 * random() - 1))
    this.#arm(Math.max(0, begun + period - timers.monotonic()))
  }
}

/**
 * Runs the probe to its end, or to its time limit: one that does not end by itself then is not waited for. What the
 * probe says about being stopped is preferred, as it knows what it waited for.
 */
async function tried(
  probe: Probe,
  target: Target,
  abort: AbortController,
  timers: Timers,
): Promise<Pick<ProbeResult, 'error' | 'note' | 'refused'> & { stalledMs?: number }> {
  const { signal } = abort
  const limit = timers.after(probe.timeoutMs, () =>
    abort.abort(new Error(`no answer within ${probe.timeoutMs / 1000} s`)),
  )
  const aborted = new Promise<never>((_, failed) =>
    signal.addEventListener('abort', () => timers.soon(() => failed(reasonOf(signal))), { once: true }),
  )
  aborted.catch(() => undefined)
  try {
    const note = await Promise.race([probe.run(target, signal), aborted])
    return note === undefined ? {} : { note }
  } catch (error) {
    return {
      error: lineOf(error),
      ...(error instanceof RefusedError ? { refused: true } : {}),
      ...(error instanceof StalledError ? { stalledMs: error.ms } : {}),
    }
  } finally {
    limit.cancel()
  }
}

function reasonOf({ reason }: AbortSignal): Error {
  return reason instanceof Error ? reason : new Error(String(reason))
}

function lineOf(error: unknown): string {
  const text = (error instanceof Error ? error.message : String(error)).split('\n')[0].trim()
  return (text === '' ? 'failed' : text).slice(0, maxError)
}
