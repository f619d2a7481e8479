/**
 * How a table is declared: once, for every engine. Cassandra reads it as partition key, clustering key and
 * columns; LMDB as one ordered key and a packed value.
 *
 * | type      | JavaScript value                | order as a key            |
 * |-----------|---------------------------------|---------------------------|
 * | `text`    | string                          | by UTF-8 bytes            |
 * | `blob`    | Uint8Array                      | by bytes                  |
 * | `int`     | 32-bit signed integer           | numeric                   |
 * | `long`    | safe integer (up to 2^53 - 1)   | numeric                   |
 * | `double`  | number                          | not allowed in keys       |
 * | `boolean` | boolean                         | not allowed in keys       |
 */
export type ColumnType = 'text' | 'blob' | 'int' | 'long' | 'double' | 'boolean'

interface ValueOf {
  text: string
  blob: Uint8Array
  int: number
  long: number
  double: number
  boolean: boolean
}

export type Columns = Readonly<Record<string, ColumnType>>
type Values<C extends Columns> = { [K in keyof C]: ValueOf[C[K]] }
/** Columns that are not part of the key may be absent (null in Cassandra, left out in LMDB). */
type OptionalValues<C extends Columns> = { [K in keyof C]?: ValueOf[C[K]] | undefined }

export interface TableSpec<P extends Columns, C extends Columns, V extends Columns> {
  readonly name: string
  /** Which rows live together; a read names the whole partition key. */
  readonly partition: P
  /** Order of the rows within a partition, ascending, in declaration order of the columns. */
  readonly clustering: C
  readonly columns: V
  /** Rows vanish this many days after they were written (uniform per table). Absent: never. */
  readonly ttlDays?: number
  /**
   * Name of the `long` column by which the newest write of a whole row wins (Cassandra: USING TIMESTAMP).
   * `Batch.put` on such a table is "put if newer"; an equal stamp overwrites (Cassandra: one of the two is left).
   */
  readonly stamp?: string
  /** Cassandra's compaction for it; an engine without compaction ignores it. */
  readonly compaction: 'TWCS' | 'UCS'
}

// biome-ignore lint/suspicious/noExplicitAny: the widest table
export type AnyTable = TableSpec<Columns, Columns, Columns>
export type PartitionOf<T extends AnyTable> = Values<T['partition']>
export type ClusteringOf<T extends AnyTable> = Values<T['clustering']>
export type KeyOf<T extends AnyTable> = PartitionOf<T> & ClusteringOf<T>
export type RowOf<T extends AnyTable> = KeyOf<T> & OptionalValues<T['columns']>

/** Declares a table; keeps the literal column types for `RowOf`. */
export function table<const P extends Columns, const C extends Columns, const V extends Columns>(
  spec: TableSpec<P, C, V> & { readonly stamp?: keyof V & string },
): TableSpec<P, C, V> {
  return spec
}
