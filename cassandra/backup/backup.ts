import cassandra from 'cassandra-driver'
import { BackupError } from '#platform/backup/backup-error.ts'
import { extraFiles } from '#platform/backup/extra-files.ts'
import type { Manifest, TableBackup } from '#platform/backup/manifest.ts'
import type { Repository } from '#platform/backup/repository.ts'
import { takeBackup } from '#platform/backup/take.ts'
import type { AnyTable } from '#platform/store/table.ts'
import { readMigrations } from '../schema/migrations.ts'
import { checkComplete, readVersions } from '../schema/version.ts'
import { connect, type ConnectionOptions } from '../store/connection.ts'
import { storeError } from '../store/failures.ts'
import { comparableMs, fingerprintAt, isComparable, writeCounts } from './fingerprint.ts'
import { withSnapshot } from './snapshot.ts'
import type { Tools } from './tools.ts'

export interface CassandraBackup {
  readonly repository: Repository
  /** To the one node whose data these are. */
  readonly connection: Omit<ConnectionOptions, 'keyspace' | 'only'>
  readonly keyspace: string
  /** Its directory of tables. */
  readonly data: string
  readonly tools: Tools
  readonly tables: readonly AnyTable[]
  /** Whether to count and hash the rows, for drills. */
  readonly note: boolean
  readonly files: readonly string[]
  readonly waitMs: number
}

/** Made by the migration in the place that is restored to. */
const ownTables = new Set(['schema_version'])

/**
 * Backs up what one node has, which must be all: each node of its DC has every row (one node in a backup DC). The others
 * do not notice. What other DCs have acknowledged and not yet delivered there is in the next backup.
 *
 * @throws BackupError, ObjectStoreError, StoreError
 */
export async function backupCassandra(options: CassandraBackup): Promise<Manifest> {
  const { repository, connection, keyspace, data, tools, waitMs } = options
  const { log } = connection
  const client = await connect({ ...connection, only: true, readTimeoutMs: 30_000 })
  try {
    const replication = await fullCopy(client, keyspace, connection.localDc)
    const one = cassandra.types.consistencies.localOne
    const known = readMigrations()
    const applied = await readVersions(client, keyspace, one)
    checkComplete(keyspace, applied, known)
    return await takeBackup(repository, { log, waitMs }, async (shipper) => {
      const before = await writeCounts(client, keyspace)
      const taken = Date.now()
      return withSnapshot({ tools, data, keyspace, log }, async (snapshot) => {
        const tables: TableBackup[] = []
        for (const { name, units } of snapshot) {
          if (ownTables.has(name)) continue
          // oxlint-disable-next-line no-await-in-loop -- a table after the other
          tables.push({ name, units: await shipper.shipAll(units) })
        }
        return {
          taken,
          engine: 'cassandra',
          source: `${connection.localDc} ${connection.contactPoints.join(', ')}`,
          schema: {
            keyspace,
            replication,
            migrations: applied.map(({ version, name, checksum }) => ({ version, name, checksum })),
          },
          tables: options.note ? await noted(client, options, tables, before, taken) : tables,
          files: await shipper.ship(await extraFiles(options.files)),
        }
      })
    })
  } catch (error) {
    throw error instanceof cassandra.errors.DriverError ? storeError(error, 'be backed up') : error
  } finally {
    await client.shutdown()
  }
}

/** Replicas by DC. BackupError: nodes of this DC have parts only, so none of them can be backed up for all. */
async function fullCopy(
  client: cassandra.Client,
  keyspace: string,
  dc: string,
): Promise<Record<string, number>> {
  const { rows } = await client.execute(
    'SELECT replication FROM system_schema.keyspaces WHERE keyspace_name = ?',
    [keyspace],
    { prepare: true },
  )
  if (rows.length === 0) throw new BackupError('missing', `Cassandra has no keyspace ${keyspace}`)
  const replication = Object.fromEntries(
    Object.entries(rows[0].replication as Record<string, string>)
      .filter(([name]) => name !== 'class')
      .map(([name, count]) => [name, Number(count)]),
  )
  const local = await client.execute('SELECT data_center FROM system.local')
  const peers = await client.execute('SELECT data_center FROM system.peers_v2')
  const nodes = [...local.rows, ...peers.rows].filter((row) => row.data_center === dc).length
  if ((replication[dc] ?? 0) >= nodes) return replication
  throw new BackupError(
    'failed',
    `${dc} has ${nodes} nodes for ${replication[dc] ?? 0} replicas, so that none of them has all rows: back up where each node has all, as in a backup datacenter of one node`,
  )
}

/** Counts and hashes rows. A table that was written to since before the snapshot is not what is in it: it gets no note. */
async function noted(
  client: cassandra.Client,
  { keyspace, tables: declared }: CassandraBackup,
  tables: readonly TableBackup[],
  before: ReadonlyMap<string, number>,
  taken: number,
): Promise<TableBackup[]> {
  const found: TableBackup[] = []
  for (const backup of tables) {
    const table = declared.find(({ name }) => name === backup.name)
    const fingerprint =
      table === undefined || !isComparable(table)
        ? undefined
        : // oxlint-disable-next-line no-await-in-loop -- one table at a time
          await fingerprintAt(client, keyspace, table, taken + comparableMs)
    // oxlint-disable-next-line no-await-in-loop
    const after = await writeCounts(client, keyspace)
    const quiet = (before.get(backup.name) ?? 0) === (after.get(backup.name) ?? 0)
    found.push(fingerprint === undefined || !quiet ? backup : { ...backup, noted: fingerprint })
  }
  return found
}
