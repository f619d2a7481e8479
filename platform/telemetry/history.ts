import type { DeviceRef } from '../auth/principal.ts'
import type { Range, Store } from '../store/store.ts'
import type { RowOf } from '../store/table.ts'
import { telemetryLimits } from './payload.ts'
import { getValue, type Point } from './point.ts'
import { classes, type RetentionClass } from './classes.ts'
import { listDays } from './raw.ts'
import { latest, type telemetry } from './tables.ts'
import { dayMs } from './times.ts'

export interface HistoryQuery {
  /** Milliseconds since 1970, inclusive. */
  readonly from: number
  /** Milliseconds since 1970, exclusive. */
  readonly to: number
  /** Absent: all keys of the device. */
  readonly keys?: readonly string[] | undefined
  readonly limit: number
  readonly order: 'asc' | 'desc'
  /** `next` of the page before; the rest of the query must be the same. */
  readonly after?: Place | undefined
}

/** Where a page ended. Order: time, key, arrival. */
export interface Place {
  readonly ts: number
  readonly key: string
  readonly n: number
}

export interface HistoryPage {
  readonly points: Point[]
  readonly next: Place | null
}

type Row = RowOf<typeof telemetry>

/** Values of a device in a range of time, oldest or newest first, merged over its keys. */
export async function readHistory(
  store: Store,
  device: DeviceRef,
  query: HistoryQuery,
): Promise<HistoryPage> {
  const keys = query.keys === undefined ? await keysOf(store, device) : [...new Set(query.keys)]
  const rows: Row[] = []
  const wanted = query.limit + 1
  for await (const day of daysWithValues(store, device, query)) {
    await readDay(store, device, day, keys, query, wanted, rows)
    if (rows.length >= wanted) break
  }
  const page = rows.slice(0, query.limit)
  const last = page.at(-1)
  const next =
    rows.length > query.limit && last !== undefined ? { ts: last.ts, key: last.key, n: last.n } : null
  return { points: page.map((row) => ({ key: row.key, ts: row.ts, value: getValue(row) })), next }
}

/** The keys that a device ever had. */
export async function keysOf(store: Store, { org, id }: DeviceRef): Promise<string[]> {
  const rows = await store.range(latest, { org, device: id }, { limit: telemetryLimits.keys })
  return rows.map((row) => row.key)
}

interface Day {
  readonly day: number
  /** Classes of retention that have values of it. */
  readonly classes: readonly RetentionClass[]
}

/** All days on which the device has values within the query's range and beyond its cursor, in its order. */
async function* daysWithValues(store: Store, device: DeviceRef, query: HistoryQuery): AsyncGenerator<Day> {
  const reverse = query.order === 'desc'
  let first = Math.floor(query.from / dayMs)
  let last = Math.floor((query.to - 1) / dayMs)
  if (query.after !== undefined) {
    const day = Math.floor(query.after.ts / dayMs)
    if (reverse) last = Math.min(last, day)
    else first = Math.max(first, day)
  }
  while (first <= last) {
    // oxlint-disable-next-line no-await-in-loop
    const { bits, end } = await listDays(store, device, { first, last, reverse })
    for (const day of [...bits.keys()].toSorted((a, b) => (reverse ? b - a : a - b))) {
      yield { day, classes: classes.filter(({ bit }) => ((bits.get(day) ?? 0) & bit) !== 0) }
    }
    if (end === null) return
    if (reverse) last = end - 1
    else first = end + 1
  }
}

/** Adds the rows of a day to `rows`, merged in order, until there are `wanted`. */
async function readDay(
  store: Store,
  device: DeviceRef,
  { day, classes: having }: Day,
  keys: readonly string[],
  query: HistoryQuery,
  wanted: number,
  rows: Row[],
): Promise<void> {
  const missing = wanted - rows.length
  const chunk = Math.min(Math.max(Math.ceil(missing / keys.length) + 1, 16), missing)
  const streams = having.flatMap(({ values }) =>
    keys.map((key) => new KeyStream(store, values, device, day, key, query, chunk)),
  )
  await Promise.all(streams.map((stream) => stream.fill()))
  let open = streams.filter((stream) => stream.head !== undefined)
  while (open.length > 0 && rows.length < wanted) {
    const best = open.reduce((a, b) => (before(b.head, a.head, query.order) ? b : a))
    if (best.head !== undefined && !repeats(rows.at(-1), best.head)) rows.push(best.head)
    // oxlint-disable-next-line no-await-in-loop
    if (best.advance()) await best.fill()
    if (best.head === undefined) open = open.filter((stream) => stream !== best)
  }
}

/** The rows of one key on one day, a chunk at a time. */
class KeyStream {
  #rows: Row[] = []
  #at = 0
  #more = true
  #last: Row | undefined
  readonly #store: Store
  readonly #table: typeof telemetry
  readonly #partition: { org: string; device: string; day: number }
  readonly #key: string
  readonly #query: HistoryQuery
  readonly #chunk: number

  constructor(
    store: Store,
    values: typeof telemetry,
    device: DeviceRef,
    day: number,
    key: string,
    query: HistoryQuery,
    chunk: number,
  ) {
    this.#store = store
    this.#table = values
    this.#partition = { org: device.org, device: device.id, day }
    this.#key = key
    this.#query = query
    this.#chunk = chunk
  }

  get head(): Row | undefined {
    return this.#rows[this.#at]
  }

  /** Goes on to the next row; true: `fill` must be called before `head` is right. */
  advance(): boolean {
    this.#at++
    return this.#at === this.#rows.length && this.#more
  }

  async fill(): Promise<void> {
    const range = { ...this.#bounds(), reverse: this.#query.order === 'desc', limit: this.#chunk }
    this.#rows = await this.#store.range(this.#table, this.#partition, range)
    this.#at = 0
    this.#more = this.#rows.length === this.#chunk
    this.#last = this.#rows.at(-1)
  }

  #bounds(): Pick<Range<typeof telemetry>, 'from' | 'before' | 'after' | 'to'> {
    const { from, to, order, after } = this.#query
    const key = this.#key
    const start = { from: { key, ts: from } }
    const end = { before: { key, ts: to } }
    if (this.#last !== undefined) {
      const { ts, n } = this.#last
      return order === 'asc' ? { after: { key, ts, n }, ...end } : { ...start, before: { key, ts, n } }
    }
    if (after === undefined) return { ...start, ...end }
    if (order === 'asc') {
      if (key === after.key) return { after: { key, ts: after.ts, n: after.n }, ...end }
      return { from: { key, ts: key < after.key ? after.ts + 1 : after.ts }, ...end }
    }
    if (key === after.key) return { ...start, before: { key, ts: after.ts, n: after.n } }
    return { ...start, before: { key, ts: key > after.key ? after.ts : after.ts + 1 } }
  }
}

/** The same value in two classes: the rules changed, and it was sent again. */
function repeats(last: Row | undefined, { ts, key, n }: Row): boolean {
  return last !== undefined && last.ts === ts && last.key === key && last.n === n
}

function before(a: Row | undefined, b: Row | undefined, order: 'asc' | 'desc'): boolean {
  if (a === undefined || b === undefined) return a !== undefined
  const difference = a.ts - b.ts || (a.key < b.key ? -1 : a.key > b.key ? 1 : a.n - b.n)
  return order === 'asc' ? difference < 0 : difference > 0
}
