import { hash128 } from '../hash.ts'
import { dueTimes, lastDue } from './cron.ts'

/** What is done to the fleet by itself. `drill`: the newest backup is restored elsewhere and compared. */
export const scheduleJobs = ['restart', 'reinstall', 'upgrade', 'backup', 'drill'] as const
export type ScheduleJob = (typeof scheduleJobs)[number]

/** When what is done, and to whom. */
export interface Schedule {
  readonly name: string
  readonly job: ScheduleJob
  /** Minute, hour, day of the month, month, day of the week. */
  readonly cron: string
  readonly timezone: string
  /** Hosts, as `cinque roll --on`; empty: all. Of jobs that are about hosts. */
  readonly on: string
  /** Seconds within which it begins, other ones each time. */
  readonly jitter: number
  /** What becomes of a time at which nobody could begin it: done as soon as somebody can, or left out. */
  readonly missed: 'run' | 'skip'
  readonly enabled: boolean
  /** Hours without success after which it is overdue. */
  readonly overdueAfter: number
  readonly owner: string
  /** When it was last changed, milliseconds since 1970: times before that are not its. */
  readonly changedAt: number
}

export const runStates = ['running', 'done', 'failed', 'skipped'] as const
export type RunState = (typeof runStates)[number]

/** One time of a schedule. */
export interface ScheduleRun {
  readonly schedule: string
  /** Milliseconds since 1970; with the schedule, what makes it one. */
  readonly due: number
  readonly state: RunState
  readonly runner: string
  /** Counts who has had it: what comes under an older token counts no more. */
  readonly token: number
  readonly beatAt: number
  readonly startedAt: number
  readonly endedAt: number | null
  /** What came of it, or why it failed. */
  readonly note: string | null
}

/** Later than this a time has been missed, ms: longer than a restart of whoever runs schedules. */
export const graceMs = 15 * 60_000
/** How far back a missed time is made up for, ms. */
const catchUpMs = 8 * 86_400_000

/** When the one at `due` begins: the same for everybody who asks. */
export function beginOf({ name, jitter }: Pick<Schedule, 'name' | 'jitter'>, due: number): number {
  const chance = Buffer.from(hash128(`${name} ${due}`)).readUInt32BE(0)
  return due + (chance % (jitter + 1)) * 1000
}

/**
 * What is to be done at `now`, given the newest run there is: the newest time that has come and was not begun. What was
 * missed before it is not done as well; `skip`: it came too long ago.
 */
export function pending(
  schedule: Schedule,
  newest: Pick<ScheduleRun, 'due'> | undefined,
  now: number,
): { readonly due: number; readonly skip: boolean } | undefined {
  if (!schedule.enabled) return undefined
  const after = Math.max(newest?.due ?? 0, schedule.changedAt, now - catchUpMs)
  const due = lastDue(schedule, now, after)
  if (due === undefined || beginOf(schedule, due) > now) return undefined
  return { due, skip: schedule.missed === 'skip' && now - beginOf(schedule, due) > graceMs }
}

/** Whether it has been too long without success. */
export function isOverdue(schedule: Schedule, lastSuccess: number | undefined, now: number): boolean {
  if (!schedule.enabled) return false
  return now - Math.max(lastSuccess ?? 0, schedule.changedAt) > schedule.overdueAfter * 3_600_000
}

/** The times to come. */
export function upcoming(schedule: Schedule, now: number, until: number, limit: number): number[] {
  return schedule.enabled ? dueTimes(schedule, now, until, limit) : []
}
