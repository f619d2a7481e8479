import { ApiError, type AnswerOf } from '#client/index.ts'
import { beginOf, graceMs, pending, type Schedule } from '#platform/schedules/schedule.ts'
import { settingKinds } from '#platform/rolls/roll.ts'
import { leaseMs } from '#platform/rolls/transitions.ts'
import type { Logger } from '#platform/log.ts'
import type { Metrics } from '#platform/metrics.ts'
import { errorLine } from '#scripts/output.ts'
import { pause } from '#scripts/pause.ts'
import { carry, doJob, type JobContext, type ShownSchedule } from './jobs.ts'

type ShownRun = AnswerOf<'/v1/schedules/{schedule}/runs/{due}/claim', 'post'>

export interface OperatorOptions extends Omit<JobContext, 'tell'> {
  readonly log: Logger
  readonly metrics: Metrics
}

/**
 * Does what is due, and goes on with rolls that nobody carries out, until `signal`. Any number of operators may run: of
 * each time one in all DCs does it, and another one goes on when that dies.
 */
export class Operator {
  readonly #options: OperatorOptions
  readonly #busy = new Set<string>()
  readonly #doing = new Set<Promise<void>>()
  #known: readonly ShownSchedule[] = []

  constructor(options: OperatorOptions) {
    this.#options = options
    this.#gauges()
  }

  async run(): Promise<void> {
    const { signal, lookMs, log } = this.#options
    let blind = false
    while (!signal.aborted) {
      try {
        // oxlint-disable-next-line no-await-in-loop -- again and again
        await this.look()
        if (blind) log.info({ event: 'operator.looks' }, 'looks for what is due again')
        blind = false
      } catch (error) {
        // Once, and not every few seconds for as long as nobody answers.
        if (!blind) {
          log.warn({ event: 'operator.look_failed' }, `cannot look for what is due: ${errorLine(error)}`)
        }
        blind = true
      }
      // oxlint-disable-next-line no-await-in-loop
      await pause(lookMs, signal)
    }
    await Promise.allSettled(this.#doing)
  }

  /** Begins what is due now; resolves when that is under way. */
  async look(): Promise<void> {
    const { client } = this.#options.fleet
    const { items } = await client.get('/v1/schedules')
    this.#known = items
    for (const one of items) {
      // oxlint-disable-next-line no-await-in-loop -- few, and their order tells who comes first
      await this.#begin(one)
    }
    await this.#adopt()
  }

  async #begin(one: ShownSchedule): Promise<void> {
    if (this.#busy.has(one.name)) return
    const { last } = one
    // Its runner may have died; who asks is refused while it has not.
    if (last?.state === 'running') return this.#claim(one, last.due, false)
    const newest = last === null ? undefined : { due: Date.parse(last.due) }
    const next = pending(scheduleOf(one), newest, Date.now())
    if (next !== undefined) await this.#claim(one, new Date(next.due).toISOString(), next.skip)
  }

  async #claim(one: ShownSchedule, due: string, skip: boolean): Promise<void> {
    const { fleet, runner, log } = this.#options
    let run: ShownRun
    try {
      run = await fleet.client.post('/v1/schedules/{schedule}/runs/{due}/claim', {
        params: { path: { schedule: one.name, due } },
        body: { runner },
      })
    } catch (error) {
      if (error instanceof ApiError && error.code === 'conflict') return
      throw error
    }
    if (skip) {
      const minutes = Math.round((Date.now() - beginOf(scheduleOf(one), Date.parse(due))) / 60_000)
      const note = `nobody could begin it; found ${minutes} minutes late, of ${graceMs / 60_000} at most`
      await this.#report(run, 'skipped', note)
      return
    }
    log.info({ event: 'operator.begins', schedule: one.name, due, token: run.token }, `${one.job} begins`)
    this.#busy.add(one.name)
    const doing = this.#do(one, run).finally(() => {
      this.#busy.delete(one.name)
      this.#doing.delete(doing)
    })
    this.#doing.add(doing)
  }

  async #do(one: ShownSchedule, run: ShownRun): Promise<void> {
    const { log, metrics, signal } = this.#options
    const gone = new AbortController()
    const both = AbortSignal.any([signal, gone.signal])
    const tell = async (note: string): Promise<void> => {
      try {
        await this.#report(run, 'running', note)
      } catch (error) {
        if (error instanceof ApiError && error.code === 'conflict') gone.abort(error)
        throw error
      }
    }
    const beating = setInterval(() => void tell('').catch(() => undefined), leaseMs)
    try {
      const { state, note } = await doJob(one, run.due, { ...this.#options, signal: both, tell })
      await this.#report(run, state, note)
      metrics.counter('cinque_schedule_runs_total', 'Times of schedules that have ended, by outcome', {
        schedule: one.name,
        outcome: state,
      }).value++
      log[state === 'done' ? 'info' : 'error'](
        { event: `operator.${state}`, schedule: one.name, due: run.due },
        note,
      )
    } catch (error) {
      // Another runner goes on with it, or this one at its next start.
      log.warn(
        { event: 'operator.left', schedule: one.name, due: run.due, err: error },
        'left to another runner',
      )
    } finally {
      clearInterval(beating)
    }
  }

  /** Rolls that a person has planned or resumed, and those whose runner has died. */
  async #adopt(): Promise<void> {
    if (this.#busy.has(' roll')) return
    const { fleet, log } = this.#options
    const { items } = await fleet.client.get('/v1/rolls', { params: { query: { limit: 1 } } })
    const [roll] = items
    if (roll === undefined || roll.ended_at !== null || roll.approval === 'wanted' || roll.wish === 'pause')
      return
    // One of a schedule is its runner's.
    if (roll.reason.startsWith('schedule ')) return
    // What the inventory is to say knows whoever changes it.
    if (settingKinds.includes(roll.kind)) return
    const beat = roll.runner === null ? 0 : Date.parse(roll.runner.beat_at)
    if (roll.state === 'running' && Date.now() - beat < leaseMs) return
    this.#busy.add(' roll')
    log.info({ event: 'operator.carries', roll: roll.id }, `${roll.kind} is carried out`)
    const doing = carry(roll, { ...this.#options, tell: () => Promise.resolve() })
      .then(() => undefined)
      .catch((error: unknown) =>
        log.warn({ event: 'operator.roll_left', roll: roll.id, err: error }, 'roll left'),
      )
      .finally(() => {
        this.#busy.delete(' roll')
        this.#doing.delete(doing)
      })
    this.#doing.add(doing)
  }

  async #report({ schedule, due, token }: ShownRun, state: ShownRun['state'], note: string): Promise<void> {
    await this.#options.fleet.client.post('/v1/schedules/{schedule}/runs/{due}/report', {
      params: { path: { schedule, due } },
      body: { token, state, ...(note === '' ? {} : { note }) },
    })
  }

  #gauges(): void {
    const { metrics } = this.#options
    metrics.gauge('cinque_schedule_overdue', '1: too long without success', () =>
      this.#known.map(({ name, overdue }) => pair(name, overdue ? 1 : 0)),
    )
    metrics.gauge(
      'cinque_schedule_last_success_seconds',
      'When the last that succeeded was due, Unix time',
      () =>
        this.#known.flatMap(({ name, last_success: success }) =>
          success === null ? [] : [pair(name, Date.parse(success) / 1000)],
        ),
    )
  }
}

function scheduleOf(one: ShownSchedule): Schedule {
  const { overdue_after: overdueAfter, changed_at: changedAt, ...rest } = one
  return { ...rest, overdueAfter, changedAt: Date.parse(changedAt) }
}

function pair(schedule: string, value: number): [labels: Record<string, string>, value: number] {
  return [{ schedule }, value]
}
