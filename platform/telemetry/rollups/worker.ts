import type { DeviceRef } from '../../auth/principal.ts'
import type { Clock } from '../../clock.ts'
import { hash128 } from '../../hash.ts'
import type { Logger } from '../../log.ts'
import type { Counter, Metrics } from '../../metrics.ts'
import type { Lanes } from '../../store/lanes.ts'
import type { Store } from '../../store/store.ts'
import { rollupMark } from '../tables.ts'
import { dayMs, hourMs, minuteMs } from '../times.ts'
import type { Timer, Timers } from '../../timers.ts'
import { type RollupRules, rollUpDay } from './compute.ts'
import { type Job, Jobs, sameJob } from './jobs.ts'
import { dueAt, markUntil } from './state.ts'

/** Days of devices that a process keeps in mind; others are found again in `rollup_job`. */
const maxWaiting = 200_000
const tickMs = 5_000
/** The worker rests so many times as long as it works: it takes at most a fifth of a core. */
const restFactor = 4
/** A device's hour is done up to so much later than it could be, so that not all are done at once. */
const spreadMs = 300_000
/** Values that took so long to the disk may have missed the aggregates of their hour: it is marked again. */
const slowMs = 60_000
/** Marks of a DC that was cut off may come before the values that they speak of. */
const settleMs = 300_000
const retryMs = 60_000

export interface RollupOptions {
  readonly store: Store
  readonly lanes: Lanes
  readonly clock: Clock
  readonly log: Logger
  readonly metrics: Metrics
  /** Which keys of a device have aggregates. */
  readonly rules: (device: Owner) => Promise<RollupRules>
}

type Owner = Pick<DeviceRef, 'org' | 'id'>

interface Waiting {
  readonly device: Owner
  readonly day: number
  /** Milliseconds since 1970. */
  due: number
  /** What says so on disk. */
  jobs: Job[]
}

/**
 * Keeps aggregates of minutes and of quarters of an hour. Whoever stores the first value of an hour marks it in the same
 * batch; when the mark has ended, aggregates are made from the stored values. Until then, and whenever there is a mark
 * that they have not seen (of late values, or of a DC that was cut off), readers take the stored values instead.
 */
export class Rollups {
  readonly #options: RollupOptions
  readonly #jobs: Jobs
  readonly #waiting = new Map<string, Waiting>()
  readonly #done: Counter
  readonly #failed: Counter
  readonly #dropped: Counter
  #timer: Timer | null = null
  #running: Promise<void> | null = null
  #current: { device: Owner; done: Promise<void> } | null = null
  #closed = false

  constructor(options: RollupOptions) {
    this.#options = options
    this.#jobs = new Jobs(options.store)
    const { metrics } = options
    this.#done = metrics.counter(
      'cinque_rollup_days_total',
      'Days of devices brought up to date in the aggregates',
    )
    this.#failed = metrics.counter(
      'cinque_rollup_failures_total',
      'Attempts at that which failed; each is repeated',
    )
    this.#dropped = metrics.counter(
      'cinque_rollup_postponed_total',
      'Days left to a later sweep: too many wait',
    )
    metrics.gauge(
      'cinque_rollup_waiting',
      'Days of devices that are to be brought up to date',
      () => this.#waiting.size,
    )
  }

  /** Stages the mark of an hour of which values are staged now; good until then, milliseconds since 1970. */
  mark(device: Owner, hour: number, receivedAt: number): number {
    const until = markUntil(hour, receivedAt)
    const batch = this.#options.lanes.of(device.org).stage()
    batch.put(rollupMark, { org: device.org, device: device.id, hour, until, writer: this.#jobs.writer })
    const day = Math.floor(hour / 24)
    const due = dueAt(until)
    const job = this.#jobs.stage(batch, device, day, due)
    this.#await(device, day, due + spreadOf(device), job)
    return until * minuteMs
  }

  /** Stages that a day is looked at once more after some days, when all DCs have met again. */
  seal(device: Owner, day: number): void {
    this.#jobs.stage(this.#options.lanes.of(device.org).stage(), device, day, (day + 1 + sealDays) * dayMs)
  }

  /** Values that were received at `receivedAt` became durable at `now`: their hours' marks may have ended before. */
  landed(device: Owner, receivedAt: number, values: readonly { readonly ts: number }[], now: number): void {
    if (now - receivedAt < slowMs) return
    for (const hour of new Set(values.map(({ ts }) => Math.floor(ts / hourMs)))) this.mark(device, hour, now)
  }

  /** A reader found aggregates of a day that are not up to date. */
  wanted(device: Owner, day: number): void {
    this.#await(device, day, this.#options.clock.now() + settleMs, null)
  }

  /** Begins to work by itself, until `close`. */
  start(timers: Timers): void {
    this.#timer ??= timers.every(tickMs, () => void this.run())
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#timer?.cancel()
    await this.#running
  }

  /** Does what is due; resolves when that is done, never rejects. */
  run(): Promise<void> {
    this.#running ??= this.#run().finally(() => {
      this.#running = null
    })
    return this.#running
  }

  /** Forgets a deleted device; when it resolves nothing is written for it any more. */
  async forget({ org, id }: Owner): Promise<void> {
    for (const [key, { device }] of this.#waiting) {
      if (device.org === org && device.id === id) this.#waiting.delete(key)
    }
    if (this.#current?.device.org === org && this.#current.device.id === id) await this.#current.done
  }

  #await(device: Owner, day: number, due: number, job: Job | null): void {
    const key = `${device.org}/${device.id}/${day}`
    let waiting = this.#waiting.get(key)
    if (waiting === undefined) {
      if (this.#waiting.size >= maxWaiting) {
        this.#dropped.value++
        return
      }
      waiting = { device: { org: device.org, id: device.id }, day, due, jobs: [] }
      this.#waiting.set(key, waiting)
    }
    waiting.due = Math.min(waiting.due, due)
    if (job !== null && !waiting.jobs.some((one) => sameJob(one, job))) waiting.jobs.push(job)
  }

  async #run(): Promise<void> {
    await this.#sweep()
    const now = this.#options.clock.now()
    for (const [key, waiting] of this.#waiting) {
      if (this.#closed) return
      if (waiting.due > now) continue
      const began = performance.now()
      // oxlint-disable-next-line no-await-in-loop -- one at a time: others need the store, too
      await this.#alone(key, waiting)
      if (this.#timer === null) continue
      const rest = (performance.now() - began) * restFactor
      // oxlint-disable-next-line no-await-in-loop
      await new Promise((later) => setTimeout(later, rest))
    }
  }

  /** Takes over what processes that died have left. */
  async #sweep(): Promise<void> {
    const { clock, log } = this.#options
    const now = clock.now()
    try {
      await this.#jobs.sweep(now, (device, day, job) => {
        this.#await(device, day, now, job)
        return this.#waiting.size < maxWaiting
      })
    } catch (error) {
      this.#failed.value++
      log.warn({ event: 'rollup.sweep_failed', err: error }, 'jobs of aggregates cannot be read; tried again')
    }
  }

  async #alone(key: string, waiting: Waiting): Promise<void> {
    this.#current = { device: waiting.device, done: this.#do(key, waiting) }
    await this.#current.done
    this.#current = null
  }

  async #do(key: string, waiting: Waiting): Promise<void> {
    const { store, clock, log, rules } = this.#options
    const { device, day } = waiting
    const now = clock.now()
    this.#waiting.delete(key)
    try {
      const next = await rollUpDay(store, device, day, await rules(device), now)
      await this.#jobs.remove(
        device,
        day,
        waiting.jobs.filter(({ due }) => due <= now),
      )
      this.#done.value++
      waiting.jobs = waiting.jobs.filter(({ due }) => due > now)
      const due = Math.min(next ?? Number.POSITIVE_INFINITY, ...waiting.jobs.map((job) => job.due))
      if (due < Number.POSITIVE_INFINITY) this.#again(waiting, due + spreadOf(device))
    } catch (error) {
      this.#failed.value++
      this.#again(waiting, now + retryMs)
      log.warn(
        { event: 'rollup.failed', device: device.id, day, err: error },
        'aggregates not made; tried again',
      )
    }
  }

  #again({ device, day, jobs }: Waiting, due: number): void {
    this.#await(device, day, due, null)
    this.#waiting.get(`${device.org}/${device.id}/${day}`)?.jobs.push(...jobs)
  }
}

/** Days after which a day is looked at once more. */
const sealDays = 3

function spreadOf({ id }: Owner): number {
  return ((hash128(id)[2] ?? 0) / 256) * spreadMs
}
