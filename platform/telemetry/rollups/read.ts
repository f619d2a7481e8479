import type { DeviceRef } from '../../auth/principal.ts'
import type { Store } from '../../store/store.ts'
import { rollupMinute, rollupQuarter } from '../tables.ts'
import { dayMs, hourMs, minuteMs, monthOf, quarterMs } from '../times.ts'
import type { Bucket } from './bucket.ts'
import type { Coverage } from './coverage.ts'
import { unpack } from './packing.ts'

interface RollupRange {
  readonly from: number
  readonly to: number
  readonly width: typeof quarterMs | typeof minuteMs
  readonly coverage: Coverage
  readonly sketched: boolean
}

/** Partitions that are read at a time. */
const partitionsAtATime = 16

/** Calls `visit` with each kept bucket of a key and its beginning, of the hours that aggregates answer for. */
export async function readRollups(
  store: Store,
  device: DeviceRef,
  key: string,
  range: RollupRange,
  visit: (start: number, bucket: Bucket) => void,
): Promise<void> {
  const { width, coverage, sketched } = range
  const rows = width === quarterMs ? quarterRows : minuteRows
  for await (const { start, body } of rows(store, device, key, coverage.days)) {
    unpack(body, start, width, sketched, (place, bucket) => {
      const begin = start + place * width
      if (begin >= range.from && begin < range.to && coverage.has(begin)) visit(begin, bucket)
    })
  }
}

interface Packed {
  /** Time of place 0. */
  readonly start: number
  readonly body: Uint8Array
}

async function* quarterRows(store: Store, device: DeviceRef, key: string, days: readonly number[]) {
  const owner = { org: device.org, device: device.id }
  const [first, last] = [Math.min(...days), Math.max(...days)]
  const months = [...new Set(days.map(monthOf))]
  yield* inParallel(months, async (month) => {
    const bounds = { from: { key, day: first }, to: { key, day: last }, limit: 31 }
    const rows = await store.range(rollupQuarter, { ...owner, month }, bounds)
    return rows.flatMap(({ day, body }) => (body === undefined ? [] : [{ start: day * dayMs, body }]))
  })
}

async function* minuteRows(store: Store, device: DeviceRef, key: string, days: readonly number[]) {
  const owner = { org: device.org, device: device.id }
  yield* inParallel(days, async (day) => {
    const bounds = { from: { key }, to: { key }, limit: 24 }
    const rows = await store.range(rollupMinute, { ...owner, day }, bounds)
    return rows.flatMap(({ hour, body }) =>
      body === undefined ? [] : [{ start: day * dayMs + hour * hourMs, body }],
    )
  })
}

async function* inParallel(
  partitions: readonly number[],
  read: (partition: number) => Promise<Packed[]>,
): AsyncGenerator<Packed> {
  for (let at = 0; at < partitions.length; at += partitionsAtATime) {
    // oxlint-disable-next-line no-await-in-loop -- a bounded number at a time
    for (const rows of await Promise.all(partitions.slice(at, at + partitionsAtATime).map(read))) yield* rows
  }
}
