import cassandra from 'cassandra-driver'
import { Metrics } from '#platform/metrics.ts'
import { StoreError } from '#platform/store/store.ts'
import type { AnyTable } from '#platform/store/table.ts'
import { readMigrations } from '../schema/migrations.ts'
import { checkComplete, readVersions } from '../schema/version.ts'
import { CassandraStore } from './cassandra-store.ts'
import { connect, type ConnectionOptions } from './connection.ts'
import { storeError } from './failures.ts'
import { Ring } from './ring.ts'
import { cqlTypes } from './table-cql.ts'

export interface CassandraOptions extends Omit<ConnectionOptions, 'only'> {
  readonly keyspace: string
  /** Tables that will be used: what Cassandra has must be equal. */
  readonly tables: readonly AnyTable[]
  readonly metrics?: Metrics
  /** `geo`: a majority of all replicas of the world has a write before it counts. Default: `local` for all. */
  readonly durability?: (org: string) => 'local' | 'geo'
  /** This DC has one replica of each row. */
  readonly backup?: boolean
}

/**
 * Connects to the own DC's Cassandra and sees that its schema is ours.
 *
 * @throws StoreError `unavailable`, `readonly` (wrong credentials) or `version` (schema), one line with the remedy
 */
export async function openCassandraStore(options: CassandraOptions): Promise<CassandraStore> {
  const { keyspace: _, ...connection } = options
  const { keyspace, log } = options
  const client = await connect(connection)
  try {
    await checkKeyspace(client, options)
    checkComplete(keyspace, await appliedVersions(client, keyspace), readMigrations())
    await checkTables(client, keyspace, options.tables)
  } catch (error) {
    await client.shutdown()
    throw storeError(error, 'read its schema')
  }
  const metrics = options.metrics ?? new Metrics()
  return new CassandraStore({
    client,
    ring: new Ring({ client, localDc: options.localDc, metrics, log }),
    keyspace,
    log,
    metrics,
    durability: options.durability ?? (() => 'local'),
    backup: options.backup ?? false,
  })
}

async function checkKeyspace(
  client: cassandra.Client,
  { keyspace, contactPoints }: CassandraOptions,
): Promise<void> {
  const { rows } = await client.execute(
    'SELECT keyspace_name FROM system_schema.keyspaces WHERE keyspace_name = ?',
    [keyspace],
  )
  if (rows.length > 0) return
  throw new StoreError(
    'version',
    `Cassandra at ${contactPoints.join(', ')} has no keyspace ${keyspace}: run the migration first (cinque schema apply)`,
  )
}

async function appliedVersions(client: cassandra.Client, keyspace: string): ReturnType<typeof readVersions> {
  const { rows } = await client.execute(
    "SELECT table_name FROM system_schema.tables WHERE keyspace_name = ? AND table_name = 'schema_version'",
    [keyspace],
  )
  return rows.length === 0 ? [] : readVersions(client, keyspace, cassandra.types.consistencies.localQuorum)
}

/** The columns of each declared table against those that Cassandra has. */
async function checkTables(
  client: cassandra.Client,
  keyspace: string,
  tables: readonly AnyTable[],
): Promise<void> {
  const { rows } = await client.execute(
    'SELECT table_name, column_name, kind, position, type FROM system_schema.columns WHERE keyspace_name = ?',
    [keyspace],
    { prepare: true, fetchSize: 0 },
  )
  const stored = new Map<string, string>()
  for (const row of rows) {
    const place = row.kind === 'regular' ? '' : ` ${row.position}`
    stored.set(`${row.table_name}.${row.column_name}`, `${row.type} ${row.kind}${place}`)
  }
  for (const { name, partition, clustering, columns } of tables) {
    const wanted = [
      ...Object.entries(partition).map(([column, type], at) => [
        column,
        `${cqlTypes[type]} partition_key ${at}`,
      ]),
      ...Object.entries(clustering).map(([column, type], at) => [
        column,
        `${cqlTypes[type]} clustering ${at}`,
      ]),
      ...Object.entries(columns).map(([column, type]) => [column, `${cqlTypes[type]} regular`]),
    ]
    for (const [column, kind] of wanted) {
      const has = stored.get(`${name}.${column}`)
      if (has === kind) continue
      throw new StoreError(
        'version',
        `keyspace ${keyspace}: column ${name}.${column} is ${has ?? 'missing'}, this program needs ${kind}: run \`cinque schema apply\` of this version`,
      )
    }
  }
}
