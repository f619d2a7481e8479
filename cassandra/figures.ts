import cassandra from 'cassandra-driver'
import { Metrics } from '#platform/metrics.ts'
import { connect, type ConnectionOptions } from './store/connection.ts'
import { storeError } from './store/failures.ts'

/** Of `system_views`: what a node tells of itself. Columns are `null` for what it has not done yet. */
const views = [
  'thread_pools',
  'sstable_tasks',
  'local_read_latency',
  'local_write_latency',
  'disk_usage',
  'max_partition_size',
  'pending_hints',
  'caches',
  'clients',
] as const
const mebibyte = 1024 * 1024

type View = (typeof views)[number]
type Rows = (view: View) => readonly cassandra.types.Row[]
type Samples = [labels: Record<string, string>, value: number][]

/**
 * What one node says of itself, for Prometheus: what waits, compactions, latencies and sizes of the keyspace's tables, hints
 * for others, caches. It is read from the node's own virtual tables, which costs it next to nothing.
 *
 * @throws StoreError
 */
export async function nodeFigures(
  connection: Omit<ConnectionOptions, 'keyspace' | 'only'>,
  keyspace: string,
): Promise<string> {
  const client = await connect({ ...connection, only: true, readTimeoutMs: 10_000 })
  try {
    const read = async (view: View): Promise<[View, cassandra.types.Row[]]> => {
      const { rows } = await client.execute(`SELECT * FROM system_views.${view}`, [], {
        consistency: cassandra.types.consistencies.localOne,
        fetchSize: 0,
      })
      return [view, rows]
    }
    const rows = new Map(await Promise.all(views.map(read)))
    return rendered((view) => rows.get(view) ?? [], keyspace)
  } catch (error) {
    throw error instanceof cassandra.errors.DriverError
      ? storeError(error, 'be asked for its figures')
      : error
  } finally {
    await client.shutdown()
  }
}

function rendered(rows: Rows, keyspace: string): string {
  const metrics = new Metrics()
  const gauge = (name: string, help: string, samples: Samples | number): void =>
    metrics.gauge(name, help, () => samples)
  const byTable = (view: View, column: string, factor = 1): Samples =>
    rows(view)
      .filter((row) => row.keyspace_name === keyspace)
      .map((row) => [{ table: String(row.table_name) }, Number(row[column] ?? 0) * factor])
  const sum = (view: View, column: string): number =>
    rows(view).reduce((total, row) => total + Number(row[column] ?? 0), 0)
  const byName = (view: View, label: string, column: string): Samples =>
    rows(view).map((row) => [{ [label]: String(row.name) }, Number(row[column] ?? 0)])

  gauge(
    'cinque_cassandra_node_timestamp_seconds',
    'When these figures were read, seconds since 1970',
    Math.round(Date.now() / 1000),
  )
  gauge(
    'cinque_cassandra_node_pending_tasks',
    'Tasks that wait in a pool of threads',
    byName('thread_pools', 'pool', 'pending_tasks'),
  )
  gauge(
    'cinque_cassandra_node_blocked_tasks_total',
    'Tasks that found a pool full, since the start',
    byName('thread_pools', 'pool', 'blocked_tasks_all_time'),
  )
  gauge(
    'cinque_cassandra_node_compactions',
    'Compactions and the like under way',
    rows('sstable_tasks').length,
  )
  gauge(
    'cinque_cassandra_node_reads_total',
    'Reads from tables here, since the start',
    sum('local_read_latency', 'count'),
  )
  gauge(
    'cinque_cassandra_node_writes_total',
    'Writes to tables here, since the start',
    sum('local_write_latency', 'count'),
  )
  gauge(
    'cinque_cassandra_node_read_p99_ms',
    'Time of 99 of 100 reads of a table, milliseconds',
    byTable('local_read_latency', 'p99th_ms'),
  )
  gauge(
    'cinque_cassandra_node_write_p99_ms',
    'Time of 99 of 100 writes of a table, milliseconds',
    byTable('local_write_latency', 'p99th_ms'),
  )
  gauge(
    'cinque_cassandra_node_table_bytes',
    'Disk that a table takes, to the MiB',
    byTable('disk_usage', 'mebibytes', mebibyte),
  )
  gauge(
    'cinque_cassandra_node_max_partition_bytes',
    'Largest partition of a table, to the MiB',
    byTable('max_partition_size', 'mebibytes', mebibyte),
  )
  gauge(
    'cinque_cassandra_node_hint_files',
    'Files of what other nodes have missed',
    sum('pending_hints', 'files'),
  )
  gauge(
    'cinque_cassandra_node_cache_hit_ratio',
    'Share of questions that a cache could answer',
    byName('caches', 'cache', 'hit_ratio'),
  )
  gauge('cinque_cassandra_node_clients', 'Connections of clients', rows('clients').length)
  // A cache that was never asked has a hit ratio that is no number.
  return metrics.render().replaceAll(/^.* NaN\n/gm, '')
}
