import { randomUUID } from 'node:crypto'
import { type Clock, HybridClock } from '../clock.ts'
import { PlatformError } from '../errors.ts'
import { putIf } from '../registry/conditional.ts'
import { Batch, type Store } from '../store/store.ts'
import { checkCron } from './cron.ts'
import type { RunState, Schedule, ScheduleRun } from './schedule.ts'
import { schedule, scheduleRun } from './tables.ts'

const scope = 'fleet'
const maxSchedules = 100
/** Names that there ever were: those of deleted ones stay as rows. */
const maxNames = 1000
/** Without a word of who does it for that long it is another's, milliseconds. */
export const runLeaseMs = 120_000
const maxNote = 500

/**
 * What is done to the fleet by itself. Schedules are changed and read in every DC; that a time of one begins is a
 * conditional write that a majority of all replicas takes, so that it begins once in all DCs, and not on the smaller
 * side of a cut (StoreError). Durable when a promise resolves.
 */
export class Schedules {
  readonly #store: Store
  readonly #clock: Clock
  readonly #stamps: HybridClock

  constructor(store: Store, clock: Clock) {
    this.#store = store
    this.#clock = clock
    this.#stamps = new HybridClock(clock)
  }

  async list(): Promise<Schedule[]> {
    const rows = await this.#store.range(schedule, { scope }, { limit: maxNames })
    return rows.flatMap(({ body }) => (body === undefined ? [] : [JSON.parse(body) as Schedule]))
  }

  async find(name: string): Promise<Schedule> {
    const row = await this.#store.get(schedule, { scope, name })
    if (row?.body === undefined) throw new PlatformError('schedule_not_found', `no schedule "${name}"`)
    return JSON.parse(row.body) as Schedule
  }

  /** PlatformError `invalid_field`, `limit_reached`. */
  async put(input: Omit<Schedule, 'changedAt'>): Promise<Schedule> {
    checkCron(input.cron, input.timezone)
    const rows = await this.#store.range(schedule, { scope }, { limit: maxNames })
    const there = rows.filter(({ body }) => body !== undefined)
    if (!there.some(({ name }) => name === input.name) && there.length >= maxSchedules)
      throw new PlatformError('limit_reached', `there are ${maxSchedules} schedules; delete one first`)
    if (!rows.some(({ name }) => name === input.name) && rows.length >= maxNames)
      throw new PlatformError(
        'limit_reached',
        `there were ${maxNames} names already; take one of a deleted schedule`,
      )
    const changed = { ...input, changedAt: this.#clock.now() }
    await this.#write(input.name, JSON.stringify(changed))
    return changed
  }

  /** Its runs stay. */
  async delete(name: string): Promise<Schedule> {
    const before = await this.find(name)
    await this.#write(name, undefined)
    return before
  }

  /** The newest first, before `before`. */
  async runs(name: string, limit: number, before?: number): Promise<ScheduleRun[]> {
    const range = { reverse: true, limit, ...(before === undefined ? {} : { before: { due: before } }) }
    const rows = await this.#store.range(scheduleRun, { schedule: name }, range)
    return rows.flatMap(({ body }) => (body === undefined ? [] : [JSON.parse(body) as ScheduleRun]))
  }

  /**
   * Begins one time of a schedule. Who does it again after another has died in the middle gets the next token.
   * PlatformError `conflict`: it is done, or somebody does it.
   */
  async claim(name: string, due: number, runner: string): Promise<ScheduleRun> {
    await this.find(name)
    const before = await this.#run(name, due)
    const now = this.#clock.now()
    if (before !== undefined) {
      const { state, runner: other, beatAt } = before.run
      if (state !== 'running') throw new PlatformError('conflict', `it is ${state} already`)
      if (other !== runner && now - beatAt < runLeaseMs)
        throw new PlatformError(
          'conflict',
          `${other} does it, heard of ${Math.round((now - beatAt) / 1000)} s ago`,
        )
    }
    const run: ScheduleRun = {
      schedule: name,
      due,
      state: 'running',
      runner,
      token: (before?.run.token ?? 0) + 1,
      beatAt: now,
      startedAt: before?.run.startedAt ?? now,
      endedAt: null,
      note: null,
    }
    if (await this.#put(run, before?.tag)) return run
    throw new PlatformError('conflict', 'another one was faster')
  }

  /** Tells how it is, or how it ended. PlatformError `conflict`: another one does it now. */
  async report(
    name: string,
    due: number,
    token: number,
    { state, note }: { state: RunState; note?: string | undefined },
  ): Promise<ScheduleRun> {
    const before = await this.#run(name, due)
    if (before === undefined) throw new PlatformError('schedule_not_found', `"${name}" has no such run`)
    const { run, tag } = before
    if (run.token !== token || run.state !== 'running')
      throw new PlatformError('conflict', `${run.runner} has it, and it is ${run.state}; stop`)
    const now = this.#clock.now()
    const after: ScheduleRun = {
      ...run,
      state,
      beatAt: now,
      endedAt: state === 'running' ? null : now,
      note: note === undefined ? run.note : note.slice(0, maxNote),
    }
    if (await this.#put(after, tag)) return after
    throw new PlatformError('conflict', 'another one does it now; stop')
  }

  async #run(name: string, due: number): Promise<{ run: ScheduleRun; tag: string } | undefined> {
    const row = await this.#store.get(scheduleRun, { schedule: name, due })
    if (row?.body === undefined || row.tag === undefined) return undefined
    return { run: JSON.parse(row.body) as ScheduleRun, tag: row.tag }
  }

  #put(run: ScheduleRun, expected: string | undefined): Promise<boolean> {
    const row = { schedule: run.schedule, due: run.due, tag: randomUUID(), body: JSON.stringify(run) }
    return putIf(this.#store, scheduleRun, row, 'tag', expected)
  }

  #write(name: string, body: string | undefined): Promise<void> {
    const batch = new Batch()
    const stamp = this.#stamps.next()
    batch.put(schedule, body === undefined ? { scope, name, stamp } : { scope, name, body, stamp })
    return this.#store.write(batch)
  }
}
