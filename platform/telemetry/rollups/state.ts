import { shortestDays } from '../classes.ts'
import { dayMs, hourMs, minuteMs } from '../times.ts'

/** What is known of one hour whose aggregates were made. */
export interface HourState {
  /** When, minutes since 1970. */
  readonly at: number
  /** Bits of the classes that had values of this day. */
  readonly classes: number
  /** The marks that were there, as `until/writer`. */
  readonly seen: readonly string[]
  /** The rules by which some keys were left out; empty: none was. */
  readonly rules: string
}

/** The hours of a day, UTC; undefined: no aggregates were made. */
export type DayState = readonly (HourState | undefined)[]

/** A mark: who may write values of this hour until when (minutes since 1970). */
export interface Mark {
  readonly hour: number
  readonly until: number
  readonly writer: number
}

/**
 * Minutes for which a mark goes on after its end: what was taken in until then may reach the disk a little later, and
 * clocks of processes differ by seconds.
 */
const graceMinutes = 2

/** Until when a process may write values of `hour` that it receives now without another mark; minutes since 1970. */
export function markUntil(hour: number, receivedAt: number): number {
  const end = ((hour + 1) * hourMs) / minuteMs
  const minute = Math.floor(receivedAt / minuteMs)
  // The usual case: one mark a device and hour, with a little time for the last values to arrive.
  if (minute <= end) return end + 2
  return (Math.floor(minute / lateMinutes) + 1) * lateMinutes + 1
}

/** Late values have marks that end soon, so that what was imported is in the aggregates soon. */
const lateMinutes = 10

/** When aggregates that include all of a mark can be made; milliseconds since 1970. */
export function dueAt(until: number): number {
  return (until + graceMinutes) * minuteMs
}

type StoredHour = [hour: number, at: number, classes: number, seen: readonly string[], rules?: string]

export function parseState(body: string | undefined): (HourState | undefined)[] {
  const hours: (HourState | undefined)[] = Array.from({ length: 24 }, () => undefined)
  if (body === undefined) return hours
  for (const [hour, at, classes, seen, rules = ''] of JSON.parse(body) as StoredHour[]) {
    hours[hour] = { at, classes, seen, rules }
  }
  return hours
}

export function stateText(hours: DayState): string {
  const stored: StoredHour[] = []
  for (const [hour, state] of hours.entries()) {
    if (state === undefined) continue
    const { at, classes, seen, rules } = state
    stored.push(rules === '' ? [hour, at, classes, seen] : [hour, at, classes, seen, rules])
  }
  return JSON.stringify(stored)
}

export function markId({ until, writer }: Mark): string {
  return `${until}/${writer}`
}

/**
 * Whether the aggregates of an hour are right as far as is known here: they were made when all its marks had ended and
 * have all keys that `rules` want, or so long ago that the values they were made of may be gone, so that they cannot be
 * made again.
 */
export function isCovered(
  state: HourState | undefined,
  marks: readonly Mark[],
  { hour, now, rules }: { hour: number; now: number; rules: string },
): boolean {
  if (state === undefined) return false
  if (isFrozen(state, hour, now)) return true
  if (state.rules !== '' && state.rules !== rules) return false
  return marks.every((mark) => state.seen.includes(markId(mark)))
}

/** The values of a class live so long after they were written, and may have come a day before their time. */
function isFrozen({ classes }: HourState, hour: number, now: number): boolean {
  return now > hour * hourMs + (shortestDays(classes) - 1) * dayMs
}
