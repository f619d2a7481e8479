import cassandra from 'cassandra-driver'
import { FingerprintSum, type TableFingerprint } from '#platform/backup/fingerprint.ts'
import type { AnyTable } from '#platform/store/table.ts'
import { quoted, TableCql } from '../store/table-cql.ts'

const pageRows = 2_000
const dayMs = 86_400_000
/** Rows that expire within this time of the backup are left out, so that they may do so before they are compared. */
export const comparableMs = dayMs

/** Whether it can be told which rows of a table are still there at a given time. */
export function isComparable({ ttlDays, stamp, columns }: AnyTable): boolean {
  return ttlDays === undefined || (stamp === undefined && Object.keys(columns).length > 0)
}

/**
 * Reads a whole table from the node that the client speaks to, and from no other. Of a table whose rows expire those
 * count that live until `until` (milliseconds since 1970), told by the time at which they were written.
 */
export async function fingerprintAt(
  client: cassandra.Client,
  keyspace: string,
  table: AnyTable,
  until: number,
): Promise<TableFingerprint> {
  const cql = new TableCql(table, keyspace)
  const ttlMs = (table.ttlDays ?? 0) * dayMs
  const columns = cql.columns.map(({ name }) => name)
  const times = ttlMs === 0 ? [] : columns.map((name, at) => `WRITETIME(${quoted(name)}) AS w${at}`)
  const query = cql.scan.replace(' FROM ', `${times.map((one) => `, ${one}`).join('')} FROM `)
  const sum = new FingerprintSum(table)
  let pageState: string | undefined
  do {
    // oxlint-disable-next-line no-await-in-loop -- page after page
    const page = await client.execute(query, [], {
      prepare: true,
      consistency: cassandra.types.consistencies.localOne,
      fetchSize: pageRows,
      readTimeout: 60_000,
      ...(pageState === undefined ? {} : { pageState }),
    })
    for (const row of page.rows) {
      if (ttlMs === 0 || times.some((_, at) => Number(row[`w${at}`] ?? 0) / 1000 + ttlMs > until))
        sum.add(cql.read(row))
    }
    pageState = page.pageState ?? undefined
  } while (pageState !== undefined)
  return sum.value
}

/** Writes that the node has done since it started, by table. */
export async function writeCounts(client: cassandra.Client, keyspace: string): Promise<Map<string, number>> {
  const { rows } = await client.execute(
    'SELECT table_name, count FROM system_views.local_write_latency WHERE keyspace_name = ? ALLOW FILTERING',
    [keyspace],
    { prepare: true, fetchSize: 0 },
  )
  return new Map(rows.map((row) => [String(row.table_name), Number(row.count)]))
}
