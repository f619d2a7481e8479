import type { DeviceRef } from '../../auth/principal.ts'
import type { Store } from '../../store/store.ts'
import { allDays } from '../raw.ts'
import { rollupState } from '../tables.ts'
import { dayMs, hourMs } from '../times.ts'
import { marksOf, type RollupRules } from './compute.ts'
import { dueAt, isCovered, type Mark, parseState } from './state.ts'

/** Values that must be read one by one, all of one day. */
interface StoredRange {
  readonly from: number
  readonly to: number
  readonly bits: number
}

const daysAtATime = 1_000
const hoursADay = 24

/** Which hours of a device the kept aggregates answer for, and which values must be read instead. */
export class Coverage {
  /** Hours since 1970 that aggregates answer for. */
  readonly #covered: ReadonlySet<number>
  readonly #bits: ReadonlyMap<number, number>
  readonly #ranges = new Map<boolean, StoredRange[]>()

  constructor(covered: ReadonlySet<number>, bits: ReadonlyMap<number, number>) {
    this.#covered = covered
    this.#bits = bits
  }

  has(time: number): boolean {
    return this.#covered.has(Math.floor(time / hourMs))
  }

  /** Days that aggregates answer for, at least in part. */
  get days(): number[] {
    return [...new Set([...this.#covered].map((hour) => Math.floor(hour / hoursADay)))]
  }

  /** Classes that have values of the day of a time. */
  bitsOf(time: number): number {
    return this.#bits.get(Math.floor(time / dayMs)) ?? 0
  }

  /** What is to be read in order of time; `kept`: without what aggregates answer for. */
  stored(kept: boolean): readonly StoredRange[] {
    let ranges = this.#ranges.get(kept)
    if (ranges === undefined) this.#ranges.set(kept, (ranges = this.#list(kept)))
    return ranges
  }

  #list(kept: boolean): StoredRange[] {
    const ranges: StoredRange[] = []
    for (const [day, bits] of [...this.#bits].toSorted(([a], [b]) => a - b)) {
      let from: number | null = null
      for (let hour = day * hoursADay; hour <= (day + 1) * hoursADay; hour++) {
        const wanted = hour < (day + 1) * hoursADay && !(kept && this.#covered.has(hour))
        if (wanted) from ??= hour * hourMs
        else if (from !== null) {
          ranges.push({ from, to: hour * hourMs, bits })
          from = null
        }
      }
    }
    return ranges
  }
}

interface CoveragePorts {
  readonly store: Store
  readonly now: number
  readonly rules: RollupRules
  readonly stale: (day: number) => void
}

/**
 * Reads it for times from `from` until before `to`, for aggregates that are kept of times since `oldest`; tells of days
 * whose aggregates could be brought up to date.
 */
export async function coverageOf(
  { store, now, rules, stale }: CoveragePorts,
  device: DeviceRef,
  { from, to, oldest }: { from: number; to: number; oldest: number },
): Promise<Coverage> {
  const owner = { org: device.org, device: device.id }
  const [first, last] = [Math.floor(from / dayMs), Math.floor((to - 1) / dayMs)]
  const [bits, marks, states] = await Promise.all([
    allDays(store, device, first, last),
    marksOf(store, owner, first * hoursADay, last * hoursADay + hoursADay - 1),
    statesOf(store, owner, first, last),
  ])
  const covered = new Set<number>()
  for (const [day, body] of states) {
    for (const [at, state] of parseState(body).entries()) {
      const hour = day * hoursADay + at
      if (hour * hourMs < oldest) continue
      if (isCovered(state, marks.get(hour) ?? [], { hour, now, rules: rules.id })) covered.add(hour)
    }
  }
  for (const day of bits.keys()) {
    if (day * dayMs >= oldest && isBehind(day, covered, marks, now)) stale(day)
  }
  return new Coverage(covered, bits)
}

function isBehind(
  day: number,
  covered: ReadonlySet<number>,
  marks: ReadonlyMap<number, readonly Mark[]>,
  now: number,
): boolean {
  for (let hour = day * hoursADay; hour < (day + 1) * hoursADay; hour++) {
    if (covered.has(hour) || (hour + 2) * hourMs > now) continue
    if ((marks.get(hour) ?? []).every(({ until }) => dueAt(until) <= now)) return true
  }
  return false
}

async function statesOf(
  store: Store,
  owner: { org: string; device: string },
  first: number,
  last: number,
): Promise<Map<number, string | undefined>> {
  const states = new Map<number, string | undefined>()
  let start: number | null = first
  while (start !== null) {
    // oxlint-disable-next-line no-await-in-loop -- page after page
    const rows: { day: number; body?: string | undefined }[] = await store.range(rollupState, owner, {
      from: { day: start },
      to: { day: last },
      limit: daysAtATime,
    })
    for (const { day, body } of rows) states.set(day, body)
    start = rows.length < daysAtATime ? null : rows[rows.length - 1].day + 1
  }
  return states
}
