import type { BackupName } from './repository.ts'

export interface Retention {
  /** Hours in which one backup of every two hours is kept. */
  readonly hours: number
  /** Days (UTC) of which one is kept. */
  readonly days: number
  /** Weeks (from Monday, UTC) of which one is kept. */
  readonly weeks: number
}

export const defaultRetention: Retention = { hours: 48, days: 14, weeks: 8 }

const hourMs = 3_600_000
const dayMs = 24 * hourMs
/** 1970-01-01 was a Thursday. */
const mondayMs = 4 * dayMs

/**
 * Splits backups into those that are kept and those that may go. Of each slot the newest is kept. Ages count from the
 * newest backup: when none were made for a while the old ones stay.
 */
export function apply(
  { hours, days, weeks }: Retention,
  backups: readonly BackupName[],
): { kept: BackupName[]; dropped: BackupName[] } {
  const newestFirst = backups.toSorted((one, other) => other.taken - one.taken)
  const newest = newestFirst.at(0)?.taken ?? 0
  const slots = new Set<string>()
  const isFirst = (kind: string, slot: number): boolean => {
    const key = `${kind} ${slot}`
    return !slots.has(key) && slots.add(key) !== undefined
  }
  const kept = newestFirst.filter(({ taken }, at) => {
    const age = newest - taken
    const two = age < hours * hourMs && isFirst('two hours', Math.floor(taken / (2 * hourMs)))
    const day = age < days * dayMs && isFirst('day', Math.floor(taken / dayMs))
    const week = age < weeks * 7 * dayMs && isFirst('week', Math.floor((taken - mondayMs) / (7 * dayMs)))
    return two || day || week || at === 0
  })
  const keeps = new Set(kept.map(({ id }) => id))
  return { kept: kept.toReversed(), dropped: backups.filter(({ id }) => !keeps.has(id)) }
}
