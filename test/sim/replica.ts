import { keyRoom } from '#platform/store/key-codec.ts'
import {
  boundedRange,
  discardRange,
  type KeyRange,
  partitionRange,
  rowKey,
  tableRange,
} from '#platform/store/key-range.ts'
import { codecOf, type RowCodec } from '#platform/store/row-codec.ts'
import { SortedMap } from '#platform/store/sorted-map.ts'
import type { Mutation, Range } from '#platform/store/store.ts'
import type { AnyTable, PartitionOf, RowOf } from '#platform/store/table.ts'

const TABLE_BYTE = 1
let scratch = Buffer.allocUnsafe(keyRoom)

/** One change, encoded and stamped: what travels between replicas. The greater (stamp, order) wins wherever two meet. */
export type Change =
  | {
      readonly kind: 'cell'
      readonly table: AnyTable
      readonly key: string
      /** Null: a deleted row. */
      readonly value: Buffer | null
      readonly stamp: number
      readonly order: number
    }
  | {
      readonly kind: 'range'
      readonly table: AnyTable
      readonly start: string
      readonly end: string
      /** Null: whatever was written before, by the order of writes, and whatever its stamp (stamped tables). */
      readonly stamp: number | null
      readonly order: number
    }

interface Stamped {
  readonly stamp: number | null
  readonly order: number
}

interface Cell extends Stamped {
  readonly value: Buffer | null
}

interface Tombstone extends Stamped {
  readonly start: string
  readonly end: string
}

interface Rows {
  readonly codec: RowCodec
  readonly cells: SortedMap<Cell>
  readonly tombstones: Tombstone[]
}

/** Names the partition that a mutation changes. */
export function partitionOf(mutation: Mutation): string {
  const { table } = mutation
  const key =
    mutation.kind === 'put' ? mutation.row : mutation.kind === 'delete' ? mutation.key : mutation.partition
  return table.name + latin1(partitionRange(codecOf(table), TABLE_BYTE, key).start)
}

/** Encodes a change as it is now. `stamp`: of the write, for tables where the last write wins. Null: advice, not followed. */
export function encodeChange(mutation: Mutation, now: number, stamp: number, order: number): Change | null {
  const { table } = mutation
  const codec = codecOf(table)
  const stamped = table.stamp !== undefined
  switch (mutation.kind) {
    case 'put': {
      const room = codec.room(mutation.row)
      if (scratch.length < room) scratch = Buffer.allocUnsafe(room * 2)
      const value = Buffer.from(scratch.subarray(0, codec.writeRow(scratch, 0, mutation.row, now)))
      const key = latin1(rowKey(codec, TABLE_BYTE, mutation.row))
      return { kind: 'cell', table, key, value, stamp: stamped ? codec.stampOf(mutation.row) : stamp, order }
    }
    case 'delete': {
      const key = latin1(rowKey(codec, TABLE_BYTE, mutation.key))
      if (stamped) return { kind: 'range', table, start: key, end: `${key}\0`, stamp: null, order }
      return { kind: 'cell', table, key, value: null, stamp, order }
    }
    case 'deletePartition': {
      const range = partitionRange(codec, TABLE_BYTE, mutation.partition)
      return { kind: 'range', table, ...bounds(range), stamp: stamped ? null : stamp, order }
    }
    default: {
      // Where rows vanish by themselves, nothing is deleted: Cassandra would keep a mark for each.
      if (table.ttlDays !== undefined) return null
      const range = discardRange(codec, TABLE_BYTE, mutation.partition, mutation.through)
      return { kind: 'range', table, ...bounds(range), stamp: stamped ? null : stamp, order }
    }
  }
}

/** The row that a change puts. */
export function decodeChange<T extends AnyTable>(table: T, change: Change & { kind: 'cell' }): RowOf<T> {
  if (change.value === null) throw new Error('a deletion has no row')
  return codecOf(table).read(Buffer.from(change.key, 'latin1'), 1, change.value)
}

/** What the replicas of one DC hold together, as LOCAL_QUORUM shows it. */
export class Replica {
  readonly dc: string
  readonly #tables = new Map<string, Rows>()

  constructor(dc: string) {
    this.dc = dc
  }

  apply(change: Change): void {
    const rows = this.#rows(change.table)
    if (change.kind === 'cell') {
      const { key } = change
      const known = rows.cells.get(key)
      if (known !== undefined && newer(known, change)) return
      for (const tombstone of rows.tombstones)
        if (key >= tombstone.start && key < tombstone.end && newer(tombstone, change)) return
      rows.cells.set(key, change)
      return
    }
    const { start, end, stamp, order } = change
    const mark: Tombstone = { start, end, stamp, order }
    for (const [key, cell] of Array.from(rows.cells.entries(start, end)))
      if (newer(mark, cell)) rows.cells.delete(key)
    rows.tombstones.push(mark)
  }

  get<T extends AnyTable>(
    table: T,
    key: Record<string, unknown>,
    now: number,
  ): { row: RowOf<T>; order: number } | undefined {
    const { codec, cells } = this.#rows(table)
    const bytes = rowKey(codec, TABLE_BYTE, key)
    const cell = cells.get(latin1(bytes))
    if (cell === undefined || cell.value === null || codec.expired(cell.value, now)) return undefined
    return { row: codec.read(bytes, 1, cell.value), order: cell.order }
  }

  range<T extends AnyTable>(table: T, partition: PartitionOf<T>, range: Range<T>, now: number): RowOf<T>[] {
    const rows = this.#rows(table)
    const found = boundedRange(rows.codec, TABLE_BYTE, partition, range)
    return this.#collect(rows, found, range.limit, now, range.reverse) as RowOf<T>[]
  }

  scan<T extends AnyTable>(
    table: T,
    cursor: string | null,
    limit: number,
    now: number,
  ): { rows: RowOf<T>[]; cursor: string | null } {
    const stored = this.#rows(table)
    const range = tableRange(TABLE_BYTE)
    if (cursor !== null) range.start = Buffer.from(`${cursor}00`, 'hex')
    const rows = this.#collect(stored, range, limit, now) as RowOf<T>[]
    const last = rows.at(-1)
    if (last === undefined || rows.length < limit) return { rows, cursor: null }
    return { rows, cursor: rowKey(stored.codec, TABLE_BYTE, last).toString('hex') }
  }

  #collect(rows: Rows, { start, end }: KeyRange, limit: number, now: number, reverse = false): unknown[] {
    const found: unknown[] = []
    if (limit <= 0 || start.compare(end) >= 0) return found
    for (const [key, { value }] of rows.cells.entries(latin1(start), latin1(end), reverse)) {
      if (value === null || rows.codec.expired(value, now)) continue
      found.push(rows.codec.read(Buffer.from(key, 'latin1'), 1, value))
      if (found.length >= limit) break
    }
    return found
  }

  #rows(table: AnyTable): Rows {
    let rows = this.#tables.get(table.name)
    if (rows === undefined) {
      rows = { codec: codecOf(table), cells: new SortedMap(), tombstones: [] }
      this.#tables.set(table.name, rows)
    }
    return rows
  }
}

/** Whether `one` wins over `other`. */
function newer(one: Stamped, other: Stamped): boolean {
  if (one.stamp === null || other.stamp === null || one.stamp === other.stamp) return one.order > other.order
  return one.stamp > other.stamp
}

function bounds({ start, end }: KeyRange): { start: string; end: string } {
  return { start: latin1(start), end: latin1(end) }
}

function latin1(bytes: Buffer): string {
  return bytes.toString('latin1')
}
