import { codecOf } from './row-codec.ts'
import type { AnyTable, ClusteringOf, KeyOf, PartitionOf, RowOf } from './table.ts'

/** One change of one row or of a range within one partition. Built by `Batch`, executed by an engine. */
export type Mutation =
  | { kind: 'put'; table: AnyTable; row: Record<string, unknown> }
  | { kind: 'delete'; table: AnyTable; key: Record<string, unknown> }
  | { kind: 'deletePartition'; table: AnyTable; partition: Record<string, unknown> }
  | { kind: 'discard'; table: AnyTable; partition: Record<string, unknown>; through: Record<string, unknown> }

/**
 * Changes that are written together. Rows of one partition are applied atomically (Cassandra: up to 50 rows and 64 KB);
 * between partitions neither atomicity nor order is promised (an engine may give more; callers must not need it). The order of changes of
 * one row is kept.
 */
export class Batch {
  readonly mutations: Mutation[] = []
  /** Bytes of the rows to be put, about. */
  bytes = 0

  /**
   * Writes a whole row. On a table with a `stamp` an older row than the stored one is ignored.
   *
   * @throws TypeError or RangeError that names the column, when the row cannot be written by any engine
   */
  put<T extends AnyTable>(table: T, row: RowOf<T>): void {
    this.bytes += codecOf(table).check(row)
    this.mutations.push({ kind: 'put', table, row })
  }

  /** Deletes one row; deleting what is not there is no error. Throws like `put`. */
  delete<T extends AnyTable>(table: T, key: KeyOf<T>): void {
    codecOf(table).checkKey(key)
    this.mutations.push({ kind: 'delete', table, key })
  }

  /** Deletes all rows of a partition. Throws like `put`. */
  deletePartition<T extends AnyTable>(table: T, partition: PartitionOf<T>): void {
    codecOf(table).checkPartition(partition)
    this.mutations.push({ kind: 'deletePartition', table, partition })
  }

  /**
   * Says that the rows of a partition whose clustering key starts with `through`'s leading columns and is at most
   * `through` will never be read again. Advice: an engine with a TTL may ignore it, so the rows may be seen again.
   * All leading clustering columns but the last must be equal (one writer's rows up to a number). Throws like `put`.
   */
  discard<T extends AnyTable>(table: T, partition: PartitionOf<T>, through: ClusteringOf<T>): void {
    codecOf(table).checkKey({ ...partition, ...through })
    this.mutations.push({ kind: 'discard', table, partition, through })
  }

  get size(): number {
    return this.mutations.length
  }
}

/** A range within one partition. Bounds are prefixes of the clustering key: a shorter bound covers all rows below it. */
export interface Range<T extends AnyTable> {
  /** Only rows after this clustering key (or prefix: after all rows that start with it). */
  after?: Partial<ClusteringOf<T>>
  /** Only rows at or after this key or prefix. */
  from?: Partial<ClusteringOf<T>>
  /** Only rows before this key or prefix. */
  before?: Partial<ClusteringOf<T>>
  /** Only rows at or before this key or prefix (all rows that start with it are included). */
  to?: Partial<ClusteringOf<T>>
  /** Descending order. */
  reverse?: boolean
  /** At most this many rows; required, because everything is bounded. */
  limit: number
}

/** What a conditional put came to. `unknown`: it may or may not have been applied; read again and decide by content. */
export type Conditional = 'applied' | 'rejected' | 'unknown'

/** Thrown (or rejected with) by every store call that could not be done. Nothing of the call is promised, all of it may be there. */
export class StoreError extends Error {
  /** `full`: no space; `readonly`; `unavailable`: try again; `closed`; `corrupt`; `version`: data of a newer version. */
  readonly code: 'full' | 'readonly' | 'unavailable' | 'closed' | 'corrupt' | 'version'

  constructor(code: StoreError['code'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'StoreError'
    this.code = code
  }
}

/**
 * The few primitives that both engines give. Reads see every write whose promise has resolved. A row past its
 * table's TTL is never returned.
 */
export interface Store {
  /** One row, or undefined. */
  get<T extends AnyTable>(table: T, key: KeyOf<T>): Promise<RowOf<T> | undefined>
  /** Rows of one partition in clustering order. */
  range<T extends AnyTable>(table: T, partition: PartitionOf<T>, range: Range<T>): Promise<RowOf<T>[]>
  /**
   * Resolves when all of the batch is durable: fsynced (LMDB), or at the consistency level of the engine (Cassandra).
   * Rejects with StoreError; the batch may then be partly there and may be written again as it is.
   */
  write(batch: Batch): Promise<void>
  /**
   * Writes `row` only if the stored row's `column` equals `expected` (undefined: only if there is no such row).
   * Linearizable per row. Durable when it resolves with `applied`.
   */
  putIf<T extends AnyTable>(
    table: T,
    row: RowOf<T>,
    column: keyof T['columns'] & string,
    expected: string | number | boolean | undefined,
  ): Promise<Conditional>
  /** Walks a whole table in the engine's own order, `limit` rows a call. Start with null, end when `cursor` is null. */
  scan<T extends AnyTable>(
    table: T,
    cursor: string | null,
    limit: number,
  ): Promise<{ rows: RowOf<T>[]; cursor: string | null }>
  /** Waits for writes under way and releases everything. Later calls reject with `closed`. */
  close(): Promise<void>
}
