import type { DeviceRef } from '../auth/principal.ts'
import type { Store } from '../store/store.ts'
import { classes } from './classes.ts'
import { getValue, type TelemetryValue } from './point.ts'
import { eachValue } from './raw.ts'
import type { RollupRules } from './rollups/compute.ts'
import { Bucket } from './rollups/bucket.ts'
import { readRollups } from './rollups/read.ts'
import { type Coverage, coverageOf } from './rollups/coverage.ts'
import type { Steps } from './steps.ts'
import { minuteDays, rollupState } from './tables.ts'
import { dayMs, minuteMs, quarterMs } from './times.ts'

export const aggregateNames = ['min', 'max', 'avg', 'sum', 'count', 'first', 'last', 'p95'] as const
export type AggregateName = (typeof aggregateNames)[number]

export interface AggregateQuery {
  /** Milliseconds since 1970; the step that it is in is the first one. */
  readonly from: number
  /** The step that the millisecond before it is in is the last one. */
  readonly to: number
  /** In ascending order, each once. */
  readonly keys: readonly string[]
  readonly steps: Steps
  readonly wanted: readonly AggregateName[]
  readonly order: 'asc' | 'desc'
  readonly limit: number
  /** Where the page before ended. */
  readonly after?: AggregatePlace | undefined
}

export interface AggregatePlace {
  readonly ts: number
  readonly key: string
}

/** A step of a key. Without values: count 0, the others null; null as well for what only numbers have. */
export interface Aggregate {
  readonly key: string
  readonly ts: number
  min?: number | null
  max?: number | null
  avg?: number | null
  sum?: number | null
  count?: number
  first?: TelemetryValue | null
  last?: TelemetryValue | null
  p95?: number | null
}

export interface AggregatePage {
  readonly items: Aggregate[]
  readonly next: AggregatePlace | null
}

export interface AggregatePorts {
  readonly store: Store
  readonly now: number
  /** Of which keys aggregates are kept; of others they are made of the stored values. */
  readonly rules: RollupRules
  /** Told of a day whose aggregates could be brought up to date. */
  readonly stale: (day: number) => void
}

/**
 * Aggregates of steps of time, in order of time and key, gaps included. They are merged from those kept of minutes or
 * quarters of an hour, and where these do not have all values yet, made from the values themselves.
 */
export async function readAggregates(
  ports: AggregatePorts,
  device: DeviceRef,
  query: AggregateQuery,
): Promise<AggregatePage> {
  const { limit, keys, wanted } = query
  const places = placesOf(query, limit + 1)
  if (places.length === 0) return { items: [], next: null }
  const page = places.slice(0, limit)
  const starts = [...new Set(page.map(({ ts }) => ts))].toSorted((a, b) => a - b)
  const span = { starts, end: query.steps.next(starts[starts.length - 1]) }
  const width = widthOf(starts, span.end)
  // Aggregates of minutes end before some values do.
  const oldest = width === minuteMs ? ports.now - (minuteDays - 2) * dayMs : Number.NEGATIVE_INFINITY
  const coverage = await coverageOf(ports, device, { from: starts[0], to: span.end, oldest })
  const sketched = wanted.includes('p95')
  const buckets = new Map<string, Bucket[]>()
  const present = new Set(page.map(({ key }) => key))
  for (const key of keys.filter((one) => present.has(one))) {
    // oxlint-disable-next-line no-await-in-loop -- the values of one key in memory at a time
    buckets.set(key, await bucketsOf(ports, device, key, { ...span, width }, coverage, sketched))
  }
  const items: Aggregate[] = []
  const index = new Map(starts.map((start, at) => [start, at]))
  for (const { ts, key } of page) {
    const bucket = buckets.get(key)?.[index.get(ts) ?? -1] ?? new Bucket(false)
    // oxlint-disable-next-line no-await-in-loop -- reads the store for long texts only
    items.push(await shown(ports.store, device, { ts, key }, bucket, wanted, coverage))
  }
  const last = page[page.length - 1]
  return { items, next: places.length > limit ? last : null }
}

/** The first day that a device has values or aggregates of; null: none. */
export async function firstDay(store: Store, device: DeviceRef): Promise<number | null> {
  const owner = { org: device.org, device: device.id }
  const rows = await Promise.all([
    ...classes.map(({ dayList }) => store.range(dayList, owner, { limit: 1 })),
    store.range(rollupState, owner, { limit: 1 }),
  ])
  const days = rows.flat().map(({ day }) => day)
  return days.length === 0 ? null : Math.min(...days)
}

interface Span {
  /** Ascending. */
  readonly starts: readonly number[]
  /** Where the last step ends. */
  readonly end: number
}

/** The steps and keys of a page, in its order. */
function placesOf({ from, to, keys, steps, order, after }: AggregateQuery, count: number): AggregatePlace[] {
  const places: AggregatePlace[] = []
  if (from >= to || keys.length === 0) return places
  const first = steps.floor(from)
  const last = steps.floor(to - 1)
  let ts = after === undefined ? (order === 'asc' ? first : last) : steps.floor(after.ts)
  while (ts >= first && ts <= last && places.length < count) {
    const ordered = order === 'asc' ? keys : keys.toReversed()
    for (const key of ordered) {
      if (after?.ts === ts && (order === 'asc' ? key <= after.key : key >= after.key)) continue
      if (places.length < count) places.push({ ts, key })
    }
    ts = order === 'asc' ? steps.next(ts) : steps.floor(ts - 1)
  }
  return places
}

async function bucketsOf(
  { store, rules }: AggregatePorts,
  device: DeviceRef,
  key: string,
  { starts, end, width }: Span & { width: Width },
  coverage: Coverage,
  sketched: boolean,
): Promise<Bucket[]> {
  const buckets = starts.map(() => new Bucket(sketched))
  const at = locator(starts, end)
  const kept = width !== null && rules.includes(key)
  if (kept) {
    await readRollups(
      store,
      device,
      key,
      { from: starts[0], to: end, width, coverage, sketched },
      (start, one) => buckets[at(start)]?.merge(one),
    )
  }
  for (const { from, to, bits } of coverage.stored(kept)) {
    const range = { from: Math.max(from, starts[0]), to: Math.min(to, end), bits }
    if (range.from >= range.to) continue
    // oxlint-disable-next-line no-await-in-loop -- the values of one range in memory at a time
    await eachValue(store, device, key, range, (row) => buckets[at(row.ts)]?.add(row.ts, getValue(row)))
  }
  return buckets
}

type Width = typeof quarterMs | typeof minuteMs | null

/** The widest kept buckets that the steps consist of; null: none, the values themselves are needed. */
function widthOf(starts: readonly number[], end: number): Width {
  for (const width of [quarterMs, minuteMs] as const) {
    if (end % width === 0 && starts.every((start) => start % width === 0)) return width
  }
  return null
}

/** Which step a time is in; -1: none. */
function locator(starts: readonly number[], end: number): (time: number) => number {
  let at = 0
  return (time) => {
    if (time < starts[0] || time >= end) return -1
    // Times mostly come in order.
    if (time < starts[at] || time >= (starts[at + 1] ?? end)) {
      let [low, high] = [0, starts.length - 1]
      while (low < high) {
        const middle = Math.ceil((low + high) / 2)
        if (starts[middle] <= time) low = middle
        else high = middle - 1
      }
      at = low
    }
    return at
  }
}

async function shown(
  store: Store,
  device: DeviceRef,
  { ts, key }: AggregatePlace,
  bucket: Bucket,
  wanted: readonly AggregateName[],
  coverage: Coverage,
): Promise<Aggregate> {
  const item: Aggregate = { key, ts }
  for (const name of wanted) {
    if (name === 'count') item.count = bucket.count
    else if (name === 'first' || name === 'last') {
      const { ts: time, value } = bucket[name]
      if (bucket.count === 0) item[name] = null
      // oxlint-disable-next-line no-await-in-loop -- only of long texts, which aggregates do not have
      else item[name] = value ?? (await longValue(store, device, key, time, coverage.bitsOf(time)))
    } else item[name] = bucket.numbers === 0 ? null : finite(numberOf(bucket, name))
  }
  return item
}

function numberOf(bucket: Bucket, name: 'min' | 'max' | 'avg' | 'sum' | 'p95'): number {
  if (name === 'p95') return bucket.quantile(0.95)
  return name === 'avg' ? bucket.sum / bucket.numbers : bucket[name]
}

/** Sums of huge numbers may be beyond doubles. */
function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null
}

async function longValue(
  store: Store,
  device: DeviceRef,
  key: string,
  ts: number,
  bits: number,
): Promise<TelemetryValue | null> {
  let found: TelemetryValue | null = null
  await eachValue(store, device, key, { from: ts, to: ts + 1, bits }, (row) => {
    found = getValue(row)
  })
  return found
}
