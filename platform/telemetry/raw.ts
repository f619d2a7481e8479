import type { DeviceRef } from '../auth/principal.ts'
import type { Range, Store } from '../store/store.ts'
import type { RowOf } from '../store/table.ts'
import { classes } from './classes.ts'
import type { telemetry } from './tables.ts'
import { dayMs } from './times.ts'

type RawRow = RowOf<typeof telemetry>

/** Rows of a partition that are read at a time. */
const pageRows = 5000

/**
 * Calls `visit` with every stored value of a key from `from` until before `to` (milliseconds since 1970, within one
 * day), in order within each of the classes. A bounded number of them is in memory; where there are several classes, the
 * times as well: what was sent again after the rules had changed is in two, and counts once.
 */
export async function eachValue(
  store: Store,
  { org, id: device }: Pick<DeviceRef, 'org' | 'id'>,
  key: string,
  { from, to, bits }: { from: number; to: number; bits: number },
  visit: (row: RawRow) => void,
): Promise<void> {
  const day = Math.floor(from / dayMs)
  const having = classes.filter(({ bit }) => (bits & bit) !== 0)
  const seen = having.length > 1 ? new Set<number>() : null
  const visitOnce = (row: RawRow): void => {
    // Only values with times of their own can come again.
    if (seen === null || row.n !== 0) return visit(row)
    if (!seen.has(row.ts)) visit(row)
    seen.add(row.ts)
  }
  for (const { values } of having) {
    let start: Range<typeof telemetry> = { from: { key, ts: from }, limit: pageRows }
    for (;;) {
      // oxlint-disable-next-line no-await-in-loop -- page after page
      const rows: RawRow[] = await store.range(
        values,
        { org, device, day },
        { ...start, before: { key, ts: to } },
      )
      for (const row of rows) visitOnce(row)
      if (rows.length < pageRows) break
      const { ts, n } = rows[rows.length - 1]
      start = { after: { key, ts, n }, limit: pageRows }
    }
  }
}

/** Days of each class that are listed at a time. */
const daysAtATime = 256

/**
 * On which days from `first` to `last` a device has values: bits of classes by day. They are listed in order as far as
 * `end`; null: that is all.
 */
export async function listDays(
  store: Store,
  { org, id: device }: Pick<DeviceRef, 'org' | 'id'>,
  { first, last, reverse = false }: { first: number; last: number; reverse?: boolean },
): Promise<{ bits: Map<number, number>; end: number | null }> {
  const range = { from: { day: first }, to: { day: last }, reverse, limit: daysAtATime }
  const lists = await Promise.all(classes.map(({ dayList }) => store.range(dayList, { org, device }, range)))
  const ends = lists.filter((list) => list.length === daysAtATime).map((list) => list[list.length - 1].day)
  const end = ends.length === 0 ? null : reverse ? Math.max(...ends) : Math.min(...ends)
  const bits = new Map<number, number>()
  for (const [index, list] of lists.entries()) {
    for (const { day } of list) {
      if (end !== null && (reverse ? day < end : day > end)) break
      bits.set(day, (bits.get(day) ?? 0) | classes[index].bit)
    }
  }
  return { bits, end }
}

/** The same for all days of the range. */
export async function allDays(
  store: Store,
  device: Pick<DeviceRef, 'org' | 'id'>,
  first: number,
  last: number,
): Promise<Map<number, number>> {
  const all = new Map<number, number>()
  let from: number | null = first
  while (from !== null && from <= last) {
    // oxlint-disable-next-line no-await-in-loop -- page after page
    const page: Awaited<ReturnType<typeof listDays>> = await listDays(store, device, { first: from, last })
    for (const [day, bits] of page.bits) all.set(day, bits)
    from = page.end === null ? null : page.end + 1
  }
  return all
}
