import { z } from 'zod'

/** How a DC, or the service, was for a time. `maintenance`: out by a person's word; `unknown`: nobody looked. */
const dayStates = ['up', 'degraded', 'down', 'maintenance', 'unknown'] as const
export type DayState = (typeof dayStates)[number]

/** Days and months that are kept. */
const keptDays = 90
const keptMonths = 24
/** Slots of the curve of response times: half an hour each, for a day. */
const slotMs = 1_800_000
const keptSlots = 48
/** A longer time between two looks is one in which nobody looked: the process was away, or stood still. */
const maxGapMs = 30_000
const dayMs = 86_400_000

const seconds = z.tuple([z.number(), z.number(), z.number(), z.number(), z.number()])
const line = z.strictObject({
  /** Seconds in each of the states, by day: `2026-11-21`, and by month, in UTC. */
  days: z.record(z.string(), seconds),
  months: z.record(z.string(), seconds),
  /** Sum and count of response times, milliseconds, by slot since 1970. */
  slots: z.record(z.string(), z.tuple([z.number(), z.number()])),
})
/** What is kept of all, by the name of a DC; `service`: all of it as one. */
export const keptHistory = z.record(z.string(), line)

type Seconds = z.output<typeof seconds>
type Line = z.output<typeof line>

/** How much of what is known it was up, 0 to 1; null: nothing is known. Planned maintenance does not count. */
export function availability([up, degraded, down]: Readonly<Seconds>): number | null {
  const known = up + degraded + down
  return known === 0 ? null : (up + degraded) / known
}

/** Availability by day and month, and response times, of DCs. Some 10 KB a DC. */
export class History {
  readonly #lines: Map<string, Line>

  constructor(kept: z.output<typeof keptHistory> = {}) {
    this.#lines = new Map(Object.entries(kept))
  }

  /** It was in that state for the last `elapsedMs` before `at` (milliseconds since 1970). */
  passed(name: string, state: DayState, at: number, elapsedMs: number): void {
    const was = elapsedMs > maxGapMs ? 'unknown' : state
    // What is before midnight is the day's before.
    const today = Math.min(elapsedMs, ((at % dayMs) + dayMs) % dayMs)
    this.#add(name, was, at, today)
    for (let left = elapsedMs - today, end = at - today - 1, i = 0; left > 0 && i < keptDays; i++) {
      const part = Math.min(left, dayMs)
      this.#add(name, was, end, part)
      left -= part
      end -= dayMs
    }
  }

  /** A probe was answered within that time. */
  answered(name: string, at: number, ms: number): void {
    const { slots } = this.#line(name)
    const slot = String(Math.floor(at / slotMs))
    const sum = (slots[slot] ??= [0, 0])
    sum[0] += ms
    sum[1]++
    keepLast(slots, keptSlots + 1)
  }

  /** The last 90 days up to that of `at`, the oldest first; days without a record are all unknown. */
  days(name: string, at: number): { day: string; seconds: Seconds }[] {
    const { days } = this.#line(name)
    return Array.from({ length: keptDays }, (_, i) => {
      const day = dayOf(at - (keptDays - 1 - i) * dayMs)
      return { day, seconds: days[day] ?? [0, 0, 0, 0, 0] }
    })
  }

  /** Months with a record, the newest first. */
  months(name: string): { month: string; seconds: Seconds }[] {
    const { months } = this.#line(name)
    return Object.entries(months)
      .map(([month, one]) => ({ month, seconds: one }))
      .toSorted((a, b) => (a.month < b.month ? 1 : -1))
  }

  /** Mean response times of the last day in milliseconds, the oldest first; null: none. */
  responses(name: string, at: number): (number | null)[] {
    const { slots } = this.#line(name)
    const last = Math.floor(at / slotMs)
    return Array.from({ length: keptSlots }, (_, i) => {
      const [sum, count] = slots[String(last - keptSlots + 1 + i)] ?? [0, 0]
      return count === 0 ? null : sum / count
    })
  }

  /** Forgets what is not of these names. */
  retain(names: readonly string[]): void {
    for (const name of this.#lines.keys()) if (!names.includes(name)) this.#lines.delete(name)
  }

  toJSON(): z.output<typeof keptHistory> {
    return Object.fromEntries(this.#lines)
  }

  #add(name: string, state: DayState, at: number, ms: number): void {
    const { days, months } = this.#line(name)
    const day = dayOf(at)
    for (const [record, key, most] of [
      [days, day, keptDays + 1],
      [months, day.slice(0, 7), keptMonths],
    ] as const) {
      const sums = (record[key] ??= [0, 0, 0, 0, 0])
      sums[dayStates.indexOf(state)] += ms / 1000
      keepLast(record, most)
    }
  }

  #line(name: string): Line {
    let one = this.#lines.get(name)
    if (one === undefined) this.#lines.set(name, (one = { days: {}, months: {}, slots: {} }))
    return one
  }
}

/** Keeps so many of the last: counted, not by the clock, so that a clock that was wrong once costs a day and not all. */
function keepLast(record: Record<string, unknown>, most: number): void {
  const keys = Object.keys(record)
  if (keys.length <= most) return
  // Numbers of slots get longer (in January 2027).
  keys.sort((a, b) => a.length - b.length || (a < b ? -1 : 1))
  for (const key of keys.slice(0, keys.length - most)) delete record[key]
}

function dayOf(at: number): string {
  return new Date(at).toISOString().slice(0, 10)
}
