import cassandra from 'cassandra-driver'
import type { Fields } from '#platform/store/key-codec.ts'
import { codecOf, type RowCodec } from '#platform/store/row-codec.ts'
import type { AnyTable, ColumnType } from '#platform/store/table.ts'

interface Column {
  readonly name: string
  readonly type: ColumnType
}

/** Cassandra's name of each column type. */
export const cqlTypes: Readonly<Record<ColumnType, string>> = {
  text: 'text',
  blob: 'blob',
  int: 'int',
  long: 'bigint',
  double: 'double',
  boolean: 'boolean',
}

/**
 * A table compiled to CQL: its statements and how a row becomes their parameters.
 *
 * What differs from a packed row:
 * - A partition key of one text or blob must not be empty in Cassandra: one that is all NUL gets a NUL more.
 * - Rows of TWCS tables are written once: a column that is left out is not touched. Elsewhere it is written as null,
 *   because a put replaces the whole row. (Three nulls a telemetry value would be three tombstones.)
 * - Writes carry their timestamp: `stamp` times 1024 plus ten bits of the row's hash on stamped tables, so that of two
 *   rows with one stamp the same one wins as a whole everywhere; else microseconds in the order of calls.
 */
export class TableCql {
  readonly table: AnyTable
  readonly codec: RowCodec
  readonly partition: readonly Column[]
  readonly clustering: readonly Column[]
  readonly columns: readonly Column[]
  readonly insert: string
  readonly delete: string
  readonly deletePartition: string
  /** One row by its whole key. */
  readonly selectRow: string
  readonly insertIfAbsent: string
  /** Stamp of a row, and newest stamp of a partition; empty on tables without. */
  readonly selectStamp: string
  readonly selectNewestStamp: string
  readonly scan: string
  readonly #name: string
  readonly #select: string
  readonly #wherePartition: string
  readonly #escaped: boolean
  readonly #absent: null | undefined
  readonly #ranges = new Map<string, string>()
  readonly #updates = new Map<string, string>()

  /** Statements name the keyspace, so that connections need not be told of it one by one. */
  constructor(table: AnyTable, keyspace: string) {
    this.table = table
    this.#name = `${keyspace}.${table.name}`
    this.codec = codecOf(table)
    this.partition = columnsOf(table.partition)
    this.clustering = columnsOf(table.clustering)
    this.columns = columnsOf(table.columns)
    this.#absent = table.compaction === 'TWCS' ? undefined : null
    const [first] = this.partition
    this.#escaped = this.partition.length === 1 && (first.type === 'text' || first.type === 'blob')
    const name = this.#name
    const all = [...this.partition, ...this.clustering, ...this.columns].map((column) => quoted(column.name))
    const values = all.map(() => '?').join(', ')
    const whereRow = where([...this.partition, ...this.clustering])
    this.#wherePartition = where(this.partition)
    this.insertIfAbsent = `INSERT INTO ${name} (${all.join(', ')}) VALUES (${values}) IF NOT EXISTS`
    this.insert = `INSERT INTO ${name} (${all.join(', ')}) VALUES (${values}) USING TIMESTAMP ?`
    this.delete = `DELETE FROM ${name} USING TIMESTAMP ? WHERE ${whereRow}`
    this.deletePartition = `DELETE FROM ${name} USING TIMESTAMP ? WHERE ${this.#wherePartition}`
    this.#select = `SELECT ${all.join(', ')} FROM ${name}`
    this.selectRow = `${this.#select} WHERE ${whereRow}`
    this.scan = this.#select
    const stamp = table.stamp === undefined ? '' : quoted(table.stamp)
    this.selectStamp = stamp === '' ? '' : `SELECT ${stamp} AS stamp FROM ${name} WHERE ${whereRow}`
    this.selectNewestStamp =
      stamp === '' ? '' : `SELECT MAX(${stamp}) AS stamp FROM ${name} WHERE ${this.#wherePartition}`
  }

  /** Rows of a partition between bounds: operator and number of leading clustering columns of each. */
  range(lower: Bound | null, upper: Bound | null, reverse: boolean): string {
    const shape = `${lower?.operator ?? ''}${lower?.values.length ?? ''} ${upper?.operator ?? ''}${upper?.values.length ?? ''} ${reverse}`
    let query = this.#ranges.get(shape)
    if (query === undefined) {
      const relations = [lower, upper].flatMap((bound) => (bound === null ? [] : [this.#relation(bound)]))
      const order =
        reverse && this.clustering.length > 0
          ? ` ORDER BY ${this.clustering.map((column) => `${quoted(column.name)} DESC`).join(', ')}`
          : ''
      query = `${this.#select} WHERE ${[this.#wherePartition, ...relations].join(' AND ')}${order} LIMIT ?`
      this.#ranges.set(shape, query)
    }
    return query
  }

  /** Replaces all columns of a row if one of them is as expected. */
  updateIf(column: string): string {
    let query = this.#updates.get(column)
    if (query === undefined) {
      const set = this.columns.map(({ name }) => `${quoted(name)} = ?`).join(', ')
      query = `UPDATE ${this.#name} SET ${set} WHERE ${where([...this.partition, ...this.clustering])} IF ${quoted(column)} = ?`
      this.#updates.set(column, query)
    }
    return query
  }

  #relation({ operator, values }: Bound): string {
    const names = this.clustering.slice(0, values.length).map(({ name }) => quoted(name))
    return `(${names.join(', ')}) ${operator} (${names.map(() => '?').join(', ')})`
  }

  /** Appends the partition key to `params`. */
  bindPartition(params: unknown[], key: Fields): void {
    if (this.#escaped) params.push(escape(key[this.partition[0].name]))
    else for (const { name, type } of this.partition) params.push(bind(type, key[name]))
  }

  bindClustering(params: unknown[], key: Fields): void {
    for (const { name, type } of this.clustering) params.push(bind(type, key[name]))
  }

  bindColumns(params: unknown[], row: Fields): void {
    for (const { name, type } of this.columns) {
      const value = row[name]
      params.push(value === undefined ? this.#absent : bind(type, value))
    }
  }

  /** The same with null for what is absent: conditional updates replace whole rows in any table. */
  bindAllColumns(params: unknown[], row: Fields): void {
    for (const { name, type } of this.columns) {
      const value = row[name]
      params.push(value === undefined ? null : bind(type, value))
    }
  }

  bindKey(key: Fields): unknown[] {
    const params: unknown[] = []
    this.bindPartition(params, key)
    this.bindClustering(params, key)
    return params
  }

  /** What the rows of one partition have in common, within this table. */
  partitionId(key: Fields): string {
    let id = this.table.name
    for (const { name } of this.partition) {
      const value = key[name]
      id += '\0'
      id +=
        value instanceof Uint8Array
          ? Buffer.from(value.buffer, value.byteOffset, value.length).toString('latin1')
          : String(value)
    }
    return id
  }

  /** Bytes of a row on the wire, about. */
  bytes(row: Fields): number {
    let bytes = 8 * (this.partition.length + this.clustering.length + this.columns.length)
    for (const { name } of this.partition) bytes += lengthOf(row[name])
    for (const { name } of this.clustering) bytes += lengthOf(row[name])
    for (const { name } of this.columns) bytes += lengthOf(row[name])
    return bytes
  }

  /** The row as the port gives it. */
  read(stored: Fields): Fields {
    const row: Fields = {}
    for (const { name, type } of this.partition) row[name] = unbind(type, stored[name])
    if (this.#escaped) row[this.partition[0].name] = unescape(stored[this.partition[0].name])
    for (const { name, type } of this.clustering) row[name] = unbind(type, stored[name])
    for (const { name, type } of this.columns) {
      const value = stored[name]
      if (value !== null && value !== undefined) row[name] = unbind(type, value)
    }
    return row
  }

  /** The stamp of a row; one without is older than any. */
  stampOf(row: Fields): number {
    const stamp = row[this.table.stamp ?? '']
    return typeof stamp === 'number' ? stamp : oldestStamp
  }

  /** The write timestamp of a row of a stamped table. */
  stampedAt(row: Fields): cassandra.types.Long {
    return Long.fromNumber(this.stampOf(row))
      .shiftLeft(tieBits)
      .or(Long.fromInt(this.#tie(row)))
  }

  /** The write timestamp of a deletion of what has this stamp or an older one. */
  deletedAt(stamp: number): cassandra.types.Long {
    return Long.fromNumber(stamp)
      .shiftLeft(tieBits)
      .or(Long.fromInt(2 ** tieBits - 1))
  }

  /** Ten bits out of the row's columns. */
  #tie(row: Fields): number {
    let hash = 0x811c9dc5
    const mix = (byte: number): void => {
      hash = Math.imul(hash ^ byte, 0x01000193)
    }
    for (const { name } of this.columns) {
      const value = row[name]
      mix(1)
      if (value instanceof Uint8Array) value.forEach(mix)
      else if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') {
        const text = String(value)
        for (let at = 0; at < text.length; at++) mix(text.charCodeAt(at))
      }
    }
    return (hash ^ (hash >>> 16)) & (2 ** tieBits - 2)
  }
}

/** One end of a range: leading clustering columns. */
export interface Bound {
  readonly operator: '>' | '>=' | '<' | '<='
  readonly values: readonly unknown[]
}

const { Long } = cassandra.types
/** A safe integer shifted by these still fits into 64 bits. */
const tieBits = 10
const oldestStamp = -(2 ** 53) + 1

export function quoted(name: string): string {
  return `"${name}"`
}

function columnsOf(columns: Readonly<Record<string, ColumnType>>): Column[] {
  return Object.entries(columns).map(([name, type]) => ({ name, type }))
}

function where(columns: readonly Column[]): string {
  return columns.map(({ name }) => `${quoted(name)} = ?`).join(' AND ')
}

export function bind(type: ColumnType, value: unknown): unknown {
  if (type !== 'blob' || !(value instanceof Uint8Array) || Buffer.isBuffer(value)) return value
  return Buffer.from(value.buffer, value.byteOffset, value.length)
}

function unbind(type: ColumnType, value: unknown): unknown {
  return type === 'long' && value instanceof Long ? value.toNumber() : value
}

function lengthOf(value: unknown): number {
  return typeof value === 'string' || value instanceof Uint8Array ? value.length : 0
}

function escape(value: unknown): unknown {
  if (typeof value === 'string') return value.length === 0 || isNul(value) ? `${value}\0` : value
  if (!(value instanceof Uint8Array)) return value
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.length)
  return bytes.every((byte) => byte === 0) ? Buffer.concat([bytes, Buffer.alloc(1)]) : bytes
}

function unescape(value: unknown): unknown {
  if (typeof value === 'string') return isNul(value) ? value.slice(1) : value
  if (!Buffer.isBuffer(value)) return value
  return value.every((byte) => byte === 0) ? value.subarray(1) : value
}

function isNul(text: string): boolean {
  for (let at = 0; at < text.length; at++) if (text.charCodeAt(at) !== 0) return false
  return true
}
