import type { Batch, Mutation } from '#platform/store/store.ts'
import type { TableCql } from './table-cql.ts'

/** One statement with its parameters, as the driver takes it. */
export interface Statement {
  readonly query: string
  readonly params: unknown[]
}

/** A deletion on a stamped table: which stamps it takes is only known when its turn comes. */
export interface Deletion {
  readonly cql: TableCql
  readonly mutation: Mutation & { kind: 'delete' | 'deletePartition' }
  /** The newest stamp that the same batch puts to it before; -Infinity: none. */
  readonly staged: number
  /** Its first parameter is the timestamp that is still to come. */
  readonly statement: Statement
}

/** What is sent as one request: rows of one partition, or all rows that a batch has of several. */
export interface Parcel {
  readonly statements: Statement[]
  readonly deletions: Deletion[]
  readonly partitions: string[]
  /** Its organisation wants it in most replicas of the world. */
  readonly geo: boolean
  bytes: number
  /** Durable: it need not be sent again when the batch is repeated. */
  sent: boolean
}

/**
 * The knee of throughput: a row in a batch of 50 of its partition costs Cassandra a fifth of a row alone, one in a
 * batch of several partitions a third; more than 50 gain nothing.
 */
const maxStatements = 50
const maxBytes = 64 * 1024

/** All that a batch has for one partition of one table. */
interface Group {
  readonly geo: boolean
  readonly free: boolean
  readonly entries: Entry[]
}

interface Entry {
  readonly statement: Statement
  readonly bytes: number
  readonly deletion: Deletion | undefined
}

/**
 * Cuts a batch into requests. Every statement has its own timestamp, so what is written twice, or half of it again
 * later, comes to the same: the last change of a row wins. Of a partition's rows those before are in an earlier parcel.
 *
 * @param micros timestamp of the first change; the n-th has n more
 * @param isGeo durability of an organisation
 * @param isFree whether nothing of a partition is under way: what must wait is not packed with what need not
 */
export function planParcels(
  batch: Batch,
  cqlOf: (mutation: Mutation) => TableCql,
  micros: number,
  isGeo: (org: string) => boolean,
  isFree: (partition: string) => boolean,
): Parcel[] {
  const groups = new Map<string, Group>()
  let timestamp = micros
  for (const mutation of batch.mutations) {
    const cql = cqlOf(mutation)
    const entry = entryOf(batch, mutation, cql, timestamp++)
    if (entry === null) continue
    const key = keyOf(mutation)
    const partition = cql.partitionId(key)
    let group = groups.get(partition)
    if (group === undefined) {
      const geo = typeof key.org === 'string' && isGeo(key.org)
      groups.set(partition, (group = { geo, free: isFree(partition), entries: [] }))
    }
    group.entries.push(entry)
  }
  return pack(groups)
}

function pack(groups: ReadonlyMap<string, Group>): Parcel[] {
  const parcels: Parcel[] = []
  /** Those that still have room, by what must be alike in them. */
  const open = new Map<number, Parcel>()
  const begin = (geo: boolean): Parcel => {
    const parcel: Parcel = { statements: [], deletions: [], partitions: [], geo, bytes: 0, sent: false }
    parcels.push(parcel)
    return parcel
  }
  for (const [partition, { geo, free, entries }] of groups) {
    const kind = (geo ? 2 : 0) + (free ? 1 : 0)
    let bytes = 0
    for (const entry of entries) bytes += entry.bytes
    let parcel = open.get(kind)
    // A partition's rows stay together where they can: they are then written at once or not at all.
    if (
      parcel === undefined ||
      parcel.statements.length + entries.length > maxStatements ||
      parcel.bytes + bytes > maxBytes
    ) {
      parcel = begin(geo)
    }
    parcel.partitions.push(partition)
    for (const { statement, bytes: size, deletion } of entries) {
      if (parcel.statements.length >= maxStatements || (parcel.bytes > 0 && parcel.bytes + size > maxBytes)) {
        parcel = begin(geo)
        parcel.partitions.push(partition)
      }
      parcel.statements.push(statement)
      parcel.bytes += size
      if (deletion !== undefined) parcel.deletions.push(deletion)
    }
    open.set(kind, parcel)
  }
  return parcels
}

function keyOf(mutation: Mutation): Record<string, unknown> {
  if (mutation.kind === 'put') return mutation.row
  return mutation.kind === 'delete' ? mutation.key : mutation.partition
}

/** Null for what is advice only: the rows end by their TTL, tombstones would cost more than they. */
function entryOf(batch: Batch, mutation: Mutation, cql: TableCql, timestamp: number): Entry | null {
  switch (mutation.kind) {
    case 'put': {
      const { row } = mutation
      const params = cql.bindKey(row)
      cql.bindColumns(params, row)
      params.push(cql.table.stamp === undefined ? timestamp : cql.stampedAt(row))
      return { statement: { query: cql.insert, params }, bytes: cql.bytes(row), deletion: undefined }
    }
    case 'delete':
    case 'deletePartition': {
      const params: unknown[] = [timestamp]
      cql.bindPartition(params, keyOf(mutation))
      if (mutation.kind === 'delete') cql.bindClustering(params, mutation.key)
      const statement = { query: mutation.kind === 'delete' ? cql.delete : cql.deletePartition, params }
      const deletion =
        cql.table.stamp === undefined
          ? undefined
          : { cql, mutation, staged: stagedStamp(cql, batch, mutation), statement }
      return { statement, bytes: cql.bytes(keyOf(mutation)), deletion }
    }
    default:
      return null
  }
}

/** The newest stamp that the batch itself puts to what a deletion of it takes. */
function stagedStamp(cql: TableCql, batch: Batch, deletion: Mutation): number {
  let newest = Number.NEGATIVE_INFINITY
  const key = keyOf(deletion)
  const columns = deletion.kind === 'delete' ? [...cql.partition, ...cql.clustering] : cql.partition
  for (const mutation of batch.mutations) {
    if (mutation === deletion) break
    if (mutation.kind !== 'put' || mutation.table !== deletion.table) continue
    const { row } = mutation
    if (columns.every(({ name }) => same(row[name], key[name]))) newest = Math.max(newest, cql.stampOf(row))
  }
  return newest
}

/** Whether two values of a column are the same. */
export function same(one: unknown, other: unknown): boolean {
  if (one instanceof Uint8Array && other instanceof Uint8Array) return Buffer.compare(one, other) === 0
  return one === other
}
