import type { Store } from '#platform/store/store.ts'
import type { RowOf } from '#platform/store/table.ts'
import type { inbox } from '#platform/store/tables.ts'
import { InboxReader } from '../outbox/inbox-reader.ts'
import { WriterProgress } from '../outbox/progress.ts'

type Row = RowOf<typeof inbox>

/** Bytes of rows that go with a summary; beyond that their sums alone. */
const DIRECT_BYTES = 65_536
/** Days of rows that are looked at: as long as they live. */
const DAYS = 8

/** Rows of one writer and day above a floor: how many, the newest, and a sum that tells them apart. */
export interface Group {
  readonly writer: string
  readonly day: number
  n: number
  /** Sums of seq: of all, and of their squares modulo 2^31; equal sets have equal ones. */
  sum: number
  mix: number
  max: number
}

interface Inbox {
  readonly org: string
  readonly sid: Uint8Array
  readonly floors: Iterable<{ readonly writer: Uint8Array; readonly floor: number }>
}

export interface Summary {
  readonly groups: Map<string, Group>
  /** All rows, if they are few; null: they are too many. */
  rows: Row[] | null
}

/** Reads what a store has of an inbox above the floors; null: it was `isOver` before the end. Rejects with StoreError. */
export async function summarize(
  store: Store,
  { org, sid, floors }: Inbox,
  today: number,
  isOver: () => boolean,
): Promise<Summary | null> {
  const reader = new InboxReader(store, { org, session: { sid } })
  for (const { writer, floor } of floors) reader.adopt(new WriterProgress(writer, floor))
  const groups = new Map<string, Group>()
  let rows: Row[] | null = []
  let bytes = 0
  for await (const { rows: slice } of reader.unread(today - DAYS, today)) {
    if (isOver()) return null
    for (const row of slice) {
      count(groups, row)
      bytes += 64 + (row.message?.length ?? 0)
      if (bytes > DIRECT_BYTES) rows = null
      else rows?.push(row)
    }
  }
  return { groups, rows }
}

function count(groups: Map<string, Group>, { writer, day, seq }: Row): void {
  const name = Buffer.from(writer.buffer, writer.byteOffset, writer.byteLength).toString('hex')
  const key = `${name} ${day}`
  let group = groups.get(key)
  if (group === undefined) groups.set(key, (group = { writer: name, day, n: 0, sum: 0, mix: 0, max: 0 }))
  group.n++
  group.sum = (group.sum + seq) % 9_007_199_254_740_881
  group.mix = (group.mix + Math.imul(seq | 0, 0x9e37_79b1 ^ (seq | 0))) | 0
  if (seq > group.max) group.max = seq
}

/** Whether two groups of one writer and day are of the same rows. */
export function equalGroups(one: Group | undefined, other: Group): boolean {
  return one !== undefined && one.n === other.n && one.sum === other.sum && one.mix === other.mix
}
