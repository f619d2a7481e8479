import {
  checkKeyColumns,
  type Fields,
  type KeyColumn,
  keyColumns,
  keyRoom,
  maxKeyBytes,
  readKeyColumns,
  tooLong,
  writeKeyColumn,
} from './key-codec.ts'
import type { AnyTable, RowOf } from './table.ts'
import {
  checkValue,
  readValue,
  type ValueColumn,
  valueColumns,
  valueRoom,
  writeValue,
} from './value-codec.ts'

const dayMs = 86_400_000
/** For keys that are encoded to learn their length. */
const scratch = Buffer.allocUnsafe(keyRoom * 2)

/** A table compiled for the engines that keep rows as one ordered key and a packed value. */
export class RowCodec<T extends AnyTable = AnyTable> {
  readonly table: T
  readonly partition: readonly KeyColumn[]
  readonly clustering: readonly KeyColumn[]
  readonly columns: readonly ValueColumn[]
  /** Age in milliseconds at which a row is gone; 0: never. Rows of such tables start with the time of writing. */
  readonly ttlMs: number

  constructor(table: T) {
    this.table = table
    this.partition = keyColumns(table, table.partition)
    this.clustering = keyColumns(table, table.clustering)
    this.columns = valueColumns(table)
    this.ttlMs = (table.ttlDays ?? 0) * dayMs
  }

  /**
   * Writes the partition key at `at` of a key that starts at `start`; `keyRoom` bytes must be free there. Returns
   * the position after it.
   */
  writePartition(target: Buffer, at: number, key: Fields, start: number): number {
    return writeColumns(target, at, this.partition, key, start)
  }

  /** Writes the clustering key; with `prefix` only as many of its columns as `key` has. */
  writeClustering(target: Buffer, at: number, key: Fields, start: number, prefix = false): number {
    return writeColumns(target, at, prefix ? this.#given(key) : this.clustering, key, start)
  }

  /** Bytes of the row, about. TypeError or RangeError names a column that an engine could not write. */
  check(row: Fields): number {
    return this.checkKey(row) + checkValue(this.columns, row)
  }

  /** The same for a key. */
  checkKey(key: Fields): number {
    const bytes = checkKeyColumns(this.partition, key) + checkKeyColumns(this.clustering, key)
    if (bytes < maxKeyBytes) return bytes
    return this.writeClustering(scratch, this.writePartition(scratch, 1, key, 0), key, 0)
  }

  /** The same for a partition key. */
  checkPartition(key: Fields): void {
    if (checkKeyColumns(this.partition, key) >= maxKeyBytes) this.writePartition(scratch, 1, key, 0)
  }

  /** Upper bound of the bytes of the row's value. */
  room(row: Fields): number {
    return valueRoom(this.columns, row) + 4
  }

  writeRow(target: Buffer, at: number, row: Fields, now: number): number {
    if (this.ttlMs === 0) return writeValue(target, at, this.columns, row)
    return writeValue(target, target.writeUInt32LE(Math.floor(now / 1000), at), this.columns, row)
  }

  /** When the row was written, in milliseconds since 1970, rounded down to a second. Only for tables with a TTL. */
  writtenAt(value: Buffer, at = 0): number {
    return value.readUInt32LE(at) * 1000
  }

  /** Whether the row is past its table's TTL. */
  expired(value: Buffer, now: number): boolean {
    return this.ttlMs !== 0 && this.writtenAt(value) + this.ttlMs <= now
  }

  /** Whether the newest stamp wins on this table. */
  get stamped(): boolean {
    return this.table.stamp !== undefined
  }

  /** The row's stamp; an absent one is older than any. */
  stampOf(row: Fields): number {
    const stamp = this.table.stamp === undefined ? undefined : row[this.table.stamp]
    return typeof stamp === 'number' ? stamp : Number.NEGATIVE_INFINITY
  }

  /** The columns of a value, without those of its key. */
  readColumns(value: Buffer): Fields {
    const row: Fields = {}
    readValue(value, this.ttlMs === 0 ? 0 : 4, this.columns, row)
    return row
  }

  /** The row of these bytes; `at` is where the partition key starts in `key`. Blobs are copies. */
  read(key: Buffer, at: number, value: Buffer): RowOf<T> {
    const row: Fields = {}
    readKeyColumns(key, readKeyColumns(key, at, this.partition, row), this.clustering, row)
    readValue(value, this.ttlMs === 0 ? 0 : 4, this.columns, row)
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what the declared columns were written from
    return row as RowOf<T>
  }

  /** For rows that are read one after the other. */
  reader(): RowReader<T> {
    return new RowReader(this)
  }

  #given(key: Fields): readonly KeyColumn[] {
    const count = this.clustering.findIndex(({ name }) => key[name] === undefined)
    if (count === -1) return this.clustering
    const beyond = this.clustering.slice(count).find(({ name }) => key[name] !== undefined)
    if (beyond !== undefined) {
      throw new TypeError(
        `${beyond.label}: a bound needs the columns before it too (${this.clustering[count].name})`,
      )
    }
    return this.clustering.slice(0, count)
  }
}

/**
 * Reads rows in their order, which mostly have the beginning of their keys in common: those columns are decoded once.
 * Blobs are always copied, so a key that has one there is decoded anew.
 */
export class RowReader<T extends AnyTable = AnyTable> {
  readonly #codec: RowCodec<T>
  readonly #shared: readonly KeyColumn[]
  readonly #rest: readonly KeyColumn[]
  #key: Buffer | null = null
  #start = 0
  #end = 0
  #fields: Fields = {}

  constructor(codec: RowCodec<T>) {
    this.#codec = codec
    const all = [...codec.partition, ...codec.clustering]
    const varying = codec.clustering.findIndex(({ type }) => type !== 'text')
    const shared = all.slice(0, varying === -1 ? codec.partition.length : codec.partition.length + varying)
    this.#shared = shared.some(({ type }) => type === 'blob') ? [] : shared
    this.#rest = all.slice(this.#shared.length)
  }

  /** Like `RowCodec.read`; `key` must not be changed afterwards. */
  read(key: Buffer, at: number, value: Buffer): RowOf<T> {
    const { ttlMs, columns } = this.#codec
    if (!this.#isShared(key, at)) {
      this.#fields = {}
      this.#end = readKeyColumns(key, at, this.#shared, this.#fields) - at
      this.#key = key
      this.#start = at
    }
    const row: Fields = { ...this.#fields }
    readKeyColumns(key, at + this.#end, this.#rest, row)
    readValue(value, ttlMs === 0 ? 0 : 4, columns, row)
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what the declared columns were written from
    return row as RowOf<T>
  }

  #isShared(key: Buffer, at: number): boolean {
    const known = this.#key
    if (known === null || key.length < at + this.#end) return false
    return known.compare(key, at, at + this.#end, this.#start, this.#start + this.#end) === 0
  }
}

const codecs = new WeakMap<AnyTable, RowCodec>()

export function codecOf<T extends AnyTable>(table: T): RowCodec<T> {
  let codec = codecs.get(table)
  if (codec === undefined) {
    codec = new RowCodec<AnyTable>(table)
    codecs.set(table, codec)
  }
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the codec of this very table
  return codec as RowCodec<T>
}

function writeColumns(
  target: Buffer,
  at: number,
  columns: readonly KeyColumn[],
  key: Fields,
  start: number,
): number {
  let position = at
  for (const column of columns) {
    position = writeKeyColumn(target, position, column, key[column.name])
    if (position - start > maxKeyBytes) throw tooLong(column)
  }
  return position
}
