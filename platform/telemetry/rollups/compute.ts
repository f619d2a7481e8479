import type { DeviceRef } from '../../auth/principal.ts'
import { Batch, type Range, type Store } from '../../store/store.ts'
import { classes } from '../classes.ts'
import { telemetryLimits } from '../payload.ts'
import { getValue } from '../point.ts'
import { eachValue } from '../raw.ts'
import { latest, rollupMark, rollupMinute, rollupQuarter, rollupState } from '../tables.ts'
import { dayMs, hourMs, minuteMs, monthOf, quarterMs } from '../times.ts'
import { Bucket } from './bucket.ts'
import { pack, unpack } from './packing.ts'
import { type DayState, dueAt, isCovered, type Mark, markId, parseState, stateText } from './state.ts'

/** Marks of a device that are read at a time; a day has a few. */
const marksAtATime = 1_000

/** Of which keys of a device aggregates are kept. */
export interface RollupRules {
  /** Which rules these are; empty: no key is left out. */
  readonly id: string
  readonly includes: (key: string) => boolean
}

/**
 * Makes the aggregates of all hours of a day that are over and not covered, from the stored values: so it comes to the
 * same however often and by whomever it is done. Durable when it resolves; the answer is when there will be more to do
 * (milliseconds since 1970), or null.
 */
export async function rollUpDay(
  store: Store,
  device: Pick<DeviceRef, 'org' | 'id'>,
  day: number,
  rules: RollupRules,
  now: number,
): Promise<number | null> {
  const owner = { org: device.org, device: device.id }
  const [state, marks, bits] = await Promise.all([
    store.get(rollupState, { ...owner, day }),
    marksOf(store, owner, day * 24, day * 24 + 23),
    bitsOf(store, owner, day),
  ])
  const hours = parseState(state?.body)
  const { wanted, next } = plan(hours, marks, { day, now, bits, rules: rules.id })
  if (wanted.length === 0) return next
  const minutes = new Batch()
  const quarters = new Batch()
  for (const key of await keysSince(store, owner, Math.min(...wanted), rules)) {
    // oxlint-disable-next-line no-await-in-loop -- one key's buckets in memory at a time
    await rollUpKey(store, device, key, { day, hours: wanted, bits }, minutes, quarters)
  }
  for (const hour of wanted) {
    const seen = (marks.get(hour) ?? []).map(markId)
    hours[hour % 24] = { at: Math.floor(now / minuteMs), classes: bits, seen, rules: rules.id }
  }
  // What says that the rows are there comes after them.
  await store.write(minutes)
  await store.write(quarters)
  const last = new Batch()
  last.put(rollupState, { ...owner, day, body: stateText(hours) })
  await store.write(last)
  return next
}

/** The marks of a device by hour since 1970, from the hour `first` to `last`. */
export async function marksOf(
  store: Store,
  owner: { org: string; device: string },
  first: number,
  last: number,
): Promise<Map<number, Mark[]>> {
  const marks = new Map<number, Mark[]>()
  let start: Range<typeof rollupMark> = { from: { hour: first }, limit: marksAtATime }
  for (;;) {
    // oxlint-disable-next-line no-await-in-loop -- page after page
    const rows: Mark[] = await store.range(rollupMark, owner, { ...start, to: { hour: last } })
    for (const { hour, until, writer } of rows) {
      const others = marks.get(hour)
      if (others === undefined) marks.set(hour, [{ hour, until, writer }])
      else others.push({ hour, until, writer })
    }
    if (rows.length < marksAtATime) return marks
    const { hour, until, writer } = rows[rows.length - 1]
    start = { after: { hour, until, writer }, limit: marksAtATime }
  }
}

async function bitsOf(store: Store, owner: { org: string; device: string }, day: number): Promise<number> {
  const found = await Promise.all(classes.map(({ dayList }) => store.get(dayList, { ...owner, day })))
  return classes.reduce((bits, { bit }, index) => (found[index] === undefined ? bits : bits | bit), 0)
}

/** Which hours since 1970 can be made now, and when others can. */
function plan(
  state: DayState,
  marks: ReadonlyMap<number, readonly Mark[]>,
  { day, now, bits, rules }: { day: number; now: number; bits: number; rules: string },
): { wanted: number[]; next: number | null } {
  const wanted: number[] = []
  let next: number | null = null
  for (let hour = day * 24; hour < day * 24 + 24; hour++) {
    const own = marks.get(hour) ?? []
    if (isCovered(state[hour % 24], own, { hour, now, rules }) || bits === 0) continue
    const due = Math.max(...own.map(({ until }) => dueAt(until)), dueAt(((hour + 1) * hourMs) / minuteMs))
    if (due <= now) wanted.push(hour)
    else if (own.length > 0) next = Math.min(next ?? due, due)
  }
  return { wanted, next }
}

/** Keys that have values since an hour, of those that are rolled up. */
async function keysSince(
  store: Store,
  owner: { org: string; device: string },
  hour: number,
  rules: RollupRules,
): Promise<string[]> {
  const rows = await store.range(latest, owner, { limit: telemetryLimits.keys })
  return rows.filter(({ key, ts }) => (ts ?? 0) >= hour * hourMs && rules.includes(key)).map(({ key }) => key)
}

interface Work {
  readonly day: number
  /** Hours since 1970, ascending. */
  readonly hours: readonly number[]
  readonly bits: number
}

async function rollUpKey(
  store: Store,
  device: Pick<DeviceRef, 'org' | 'id'>,
  key: string,
  { day, hours, bits }: Work,
  minutes: Batch,
  quarters: Batch,
): Promise<void> {
  const owner = { org: device.org, device: device.id }
  const row = { ...owner, month: monthOf(day), key, day }
  const stored = (await store.get(rollupQuarter, row))?.body
  const whole = new Map<number, Bucket>()
  if (stored !== undefined) {
    unpack(stored, day * dayMs, quarterMs, true, (place, bucket) => {
      if (!hours.includes(day * 24 + Math.floor(place / 4))) whole.set(place, bucket)
    })
  }
  let found = stored !== undefined
  for (const hour of hours) {
    const start = hour * hourMs
    const own = new Map<number, Bucket>()
    // oxlint-disable-next-line no-await-in-loop -- one hour's values in memory at a time
    await eachValue(store, device, key, { from: start, to: start + hourMs, bits }, (value) => {
      bucketAt(own, Math.floor((value.ts - start) / minuteMs)).add(value.ts, getValue(value))
      bucketAt(whole, Math.floor((value.ts - day * dayMs) / quarterMs)).add(value.ts, getValue(value))
    })
    const at = { ...owner, day, key, hour: hour % 24 }
    if (own.size > 0) minutes.put(rollupMinute, { ...at, body: pack(own, start, minuteMs) })
    else if (stored !== undefined) minutes.delete(rollupMinute, at)
    found ||= own.size > 0
  }
  if (whole.size > 0) quarters.put(rollupQuarter, { ...row, body: pack(whole, day * dayMs, quarterMs) })
  else if (found) quarters.delete(rollupQuarter, row)
}

function bucketAt(buckets: Map<number, Bucket>, place: number): Bucket {
  let bucket = buckets.get(place)
  if (bucket === undefined) buckets.set(place, (bucket = new Bucket(true)))
  return bucket
}
