import { type Clock, systemClock } from '../clock.ts'
import { boundedRange, discardRange, type KeyRange, partitionRange, rowKey, tableRange } from './key-range.ts'
import { codecOf, type RowCodec } from './row-codec.ts'
import { SortedMap } from './sorted-map.ts'
import { type Batch, type Conditional, type Mutation, type Range, type Store, StoreError } from './store.ts'
import type { AnyTable, KeyOf, PartitionOf, RowOf } from './table.ts'
import { type Fields, keyRoom } from './key-codec.ts'

/** What a row costs beside the bytes of its key and value: string and buffer headers, array slots. */
const rowOverheadBytes = 150
/** Each table has a map of its own, so every key may start with the same byte. */
const tableByte = 1

/** One table: encoded rows in key order (keys as Latin-1 strings, one character a byte). */
interface MemoryTable<T extends AnyTable = AnyTable> {
  codec: RowCodec<T>
  rows: SortedMap<Buffer>
  /** No row was written before this time (milliseconds since 1970): when to begin looking for expired rows. */
  oldest: number
  /** Where the walk for expired rows is, and the oldest row that it has met. */
  sweepAt: string
  sweepOldest: number
}

type Undo = () => void

/**
 * The store without a disk: `--memory` and unit tests. Nothing survives the process. Batches are atomic as a whole.
 * Expired rows are removed as new ones are written, about one looked at for each row written.
 */
export class MemoryStore implements Store {
  /** Bytes held: keys, values and an estimate of what the engine adds. */
  bytes = 0
  readonly #tables = new Map<string, MemoryTable>()
  readonly #clock: Clock
  readonly #maxBytes: number
  #closed = false
  #scratch = Buffer.allocUnsafe(keyRoom)

  /** `maxBytes`: writes beyond it reject with StoreError `full`; default: no limit. */
  constructor(options: { maxBytes?: number; clock?: Clock } = {}) {
    this.#clock = options.clock ?? systemClock
    this.#maxBytes = options.maxBytes ?? Number.POSITIVE_INFINITY
  }

  async get<T extends AnyTable>(table: T, key: KeyOf<T>): Promise<RowOf<T> | undefined> {
    const { codec, rows } = this.#table(table)
    const bytes = rowKey(codec, tableByte, key)
    const value = rows.get(bytes.toString('latin1'))
    if (value === undefined || codec.expired(value, this.#clock.now())) return undefined
    return codec.read(bytes, 1, value)
  }

  async range<T extends AnyTable>(table: T, partition: PartitionOf<T>, range: Range<T>): Promise<RowOf<T>[]> {
    const stored = this.#table(table)
    return this.#collect(
      stored,
      boundedRange(stored.codec, tableByte, partition, range),
      range.limit,
      range.reverse,
    )
  }

  async write(batch: Batch): Promise<void> {
    if (this.#closed) throw closedError()
    const undo: Undo[] = []
    const now = this.#clock.now()
    try {
      for (const mutation of batch.mutations) this.#apply(mutation, now, undo)
      if (this.bytes > this.#maxBytes) throw this.#full()
    } catch (error) {
      for (const step of undo.toReversed()) step()
      throw error
    }
  }

  async putIf<T extends AnyTable>(
    table: T,
    row: RowOf<T>,
    column: keyof T['columns'] & string,
    expected: string | number | boolean | undefined,
  ): Promise<Conditional> {
    const { codec, rows } = this.#table(table)
    const now = this.#clock.now()
    const bytes = rowKey(codec, tableByte, row)
    const value = rows.get(bytes.toString('latin1'))
    const found = value !== undefined && !codec.expired(value, now)
    if (expected === undefined ? found : !found || codec.read(bytes, 1, value)[column] !== expected)
      return 'rejected'
    const undo: Undo[] = []
    this.#put(this.#table(table), row, now, undo, false)
    if (this.bytes > this.#maxBytes) {
      for (const step of undo.toReversed()) step()
      throw this.#full()
    }
    return 'applied'
  }

  async scan<T extends AnyTable>(
    table: T,
    cursor: string | null,
    limit: number,
  ): Promise<{ rows: RowOf<T>[]; cursor: string | null }> {
    const stored = this.#table(table)
    const range = tableRange(tableByte)
    if (cursor !== null) range.start = Buffer.from(`${cursor}00`, 'hex')
    const rows = this.#collect(stored, range, limit)
    const last = rows.at(-1)
    if (last === undefined || rows.length < limit) return { rows, cursor: null }
    return { rows, cursor: rowKey(stored.codec, tableByte, last).toString('hex') }
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#tables.clear()
  }

  #table<T extends AnyTable>(table: T): MemoryTable<T> {
    if (this.#closed) throw closedError()
    let stored = this.#tables.get(table.name)
    if (stored === undefined) {
      const oldest = this.#clock.now()
      stored = { codec: codecOf(table), rows: new SortedMap(), oldest, sweepAt: '', sweepOldest: oldest }
      this.#tables.set(table.name, stored)
    }
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the rows of this very table
    return stored as unknown as MemoryTable<T>
  }

  #collect<T extends AnyTable>(
    stored: MemoryTable<T>,
    range: KeyRange,
    limit: number,
    reverse = false,
  ): RowOf<T>[] {
    const now = this.#clock.now()
    const reader = stored.codec.reader()
    const found: RowOf<T>[] = []
    if (limit <= 0 || range.start.compare(range.end) >= 0) return found
    for (const [key, value] of stored.rows.entries(
      range.start.toString('latin1'),
      range.end.toString('latin1'),
      reverse,
    )) {
      if (stored.codec.expired(value, now)) continue
      found.push(reader.read(Buffer.from(key, 'latin1'), 1, value))
      if (found.length >= limit) break
    }
    return found
  }

  #apply(mutation: Mutation, now: number, undo: Undo[]): void {
    const stored = this.#table(mutation.table)
    const { codec } = stored
    switch (mutation.kind) {
      case 'put':
        this.#put(stored, mutation.row, now, undo, mutation.table.stamp !== undefined)
        break
      case 'delete':
        this.#remove(stored, rowKey(codec, tableByte, mutation.key).toString('latin1'), undo)
        break
      case 'deletePartition':
        this.#removeAll(stored, partitionRange(codec, tableByte, mutation.partition), undo)
        break
      default:
        this.#removeAll(stored, discardRange(codec, tableByte, mutation.partition, mutation.through), undo)
    }
  }

  #put(stored: MemoryTable, row: Fields, now: number, undo: Undo[], ifNewer: boolean): void {
    const { codec, rows } = stored
    const bytes = rowKey(codec, tableByte, row)
    const key = bytes.toString('latin1')
    if (ifNewer) {
      const old = rows.get(key)
      if (
        old !== undefined &&
        !codec.expired(old, now) &&
        codec.stampOf(row) < codec.stampOf(codec.readColumns(old))
      )
        return
    }
    const room = codec.room(row)
    if (this.#scratch.length < room) this.#scratch = Buffer.allocUnsafe(room * 2)
    const value = Buffer.from(this.#scratch.subarray(0, codec.writeRow(this.#scratch, 0, row, now)))
    const old = rows.set(key, value)
    this.bytes += value.length + (old === undefined ? key.length + rowOverheadBytes : -old.length)
    undo.push(() => {
      if (old === undefined) this.#remove(stored, key, [])
      else {
        rows.set(key, old)
        this.bytes += old.length - value.length
      }
    })
    if (codec.ttlMs !== 0) this.#sweep(stored, now, undo)
  }

  #remove(stored: MemoryTable, key: string, undo: Undo[]): void {
    const old = stored.rows.delete(key)
    if (old === undefined) return
    const bytes = key.length + old.length + rowOverheadBytes
    this.bytes -= bytes
    undo.push(() => {
      stored.rows.set(key, old)
      this.bytes += bytes
    })
  }

  #removeAll(stored: MemoryTable, range: KeyRange, undo: Undo[]): void {
    const keys = [...stored.rows.entries(range.start.toString('latin1'), range.end.toString('latin1'))].map(
      ([key]) => key,
    )
    for (const key of keys) this.#remove(stored, key, undo)
  }

  /** Looks at the next two rows of the walk that removes expired ones; does nothing until some row can be expired. */
  #sweep(stored: MemoryTable, now: number, undo: Undo[]): void {
    if (stored.oldest + stored.codec.ttlMs > now) return
    if (stored.sweepAt === '') stored.sweepOldest = now
    let looked = 0
    const expired: string[] = []
    for (const [key, value] of stored.rows.entries(stored.sweepAt)) {
      if (++looked > 2) {
        stored.sweepAt = key
        break
      }
      if (stored.codec.expired(value, now)) expired.push(key)
      else stored.sweepOldest = Math.min(stored.sweepOldest, stored.codec.writtenAt(value))
    }
    for (const key of expired) this.#remove(stored, key, undo)
    if (looked > 2) return
    stored.oldest = stored.sweepOldest
    stored.sweepAt = ''
  }

  #full(): StoreError {
    return new StoreError('full', `the memory store is full (limit ${this.#maxBytes} bytes)`)
  }
}

function closedError(): StoreError {
  return new StoreError('closed', 'the store is closed')
}
