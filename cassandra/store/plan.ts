import type { Batch, Mutation } from '#platform/store/store.ts'
import type { TableCql } from './table-cql.ts'

/** One statement with its parameters, as the driver takes it. */
export interface Statement {
  readonly query: string
  readonly params: unknown[]
}

/** What goes to the replicas of one partition as one request. */
export interface Request {
  readonly org: string | undefined
  readonly statements: Statement[]
  bytes: number
}

/** The knee of throughput: batches of 50 cost a fifth of single rows, larger ones no less. */
const maxStatements = 50
const maxBytes = 64 * 1024

/** Newest stamp of what a deletion on a stamped table is to take; undefined: there is nothing. */
export type StampOf = (mutation: Mutation) => number | undefined

/**
 * Cuts a batch into requests of one partition each. Every statement has its own timestamp, so the requests may come
 * in any order, twice, or half of them again later: the last change of a row wins all the same.
 *
 * @param micros timestamp of the first change; the n-th has n more
 */
export function planRequests(
  batch: Batch,
  cqlOf: (mutation: Mutation) => TableCql,
  micros: number,
  newestStamp: StampOf,
): Request[] {
  const requests: Request[] = []
  const open = new Map<string, Request>()
  let at = micros
  for (const mutation of batch.mutations) {
    const timestamp = at++
    const cql = cqlOf(mutation)
    let key: Record<string, unknown>
    let statement: Statement
    let bytes = 64
    switch (mutation.kind) {
      case 'put': {
        key = mutation.row
        const params = cql.bindKey(key)
        cql.bindColumns(params, key)
        params.push(cql.table.stamp === undefined ? timestamp : cql.stampedAt(key))
        statement = { query: cql.insert, params }
        bytes = cql.bytes(key)
        break
      }
      case 'delete':
      case 'deletePartition': {
        key = mutation.kind === 'delete' ? mutation.key : mutation.partition
        let deleted: unknown = timestamp
        if (cql.table.stamp !== undefined) {
          const stamp = newestStamp(mutation)
          if (stamp === undefined) continue
          deleted = cql.deletedAt(stamp)
        }
        const params: unknown[] = [deleted]
        cql.bindPartition(params, key)
        if (mutation.kind === 'delete') cql.bindClustering(params, key)
        statement = { query: mutation.kind === 'delete' ? cql.delete : cql.deletePartition, params }
        break
      }
      default:
        // Advice only: the rows end by their TTL, tombstones would cost more than they.
        continue
    }
    const partition = cql.partitionId(key)
    let request = open.get(partition)
    if (
      request === undefined ||
      request.statements.length >= maxStatements ||
      request.bytes + bytes > maxBytes
    ) {
      request = { org: typeof key.org === 'string' ? key.org : undefined, statements: [], bytes: 0 }
      requests.push(request)
      open.set(partition, request)
    }
    request.statements.push(statement)
    request.bytes += bytes
  }
  return requests
}
