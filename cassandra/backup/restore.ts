import cassandra from 'cassandra-driver'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { BackupError } from '#platform/backup/backup-error.ts'
import type { Manifest } from '#platform/backup/manifest.ts'
import type { Repository } from '#platform/backup/repository.ts'
import { fetchAll } from '#platform/backup/units.ts'
import { readMigrations } from '../schema/migrations.ts'
import { checkComplete, checkHistory, readVersions } from '../schema/version.ts'
import { connect, type ConnectionOptions } from '../store/connection.ts'
import { storeError } from '../store/failures.ts'
import { quoted } from '../store/table-cql.ts'
import { runTool, type Tools } from './tools.ts'

export interface CassandraRestore {
  readonly repository: Repository
  readonly manifest: Manifest
  /** To the cluster that is restored to; its schema must be there (`cinque schema apply`). */
  readonly connection: Omit<ConnectionOptions, 'keyspace' | 'only'>
  readonly keyspace: string
  readonly tools: Tools
  /** Empty directory with room for the largest table. */
  readonly scratch: string
  /** Only this one. */
  readonly table?: string
  /** Told before each table. */
  readonly onTable?: (name: string, at: number, of: number) => void
}

/** Partition of the table of versions that says which backup is being restored. */
const markPart = 'restore'
const quorum = cassandra.types.consistencies.quorum

/**
 * Loads a backup into a cluster whose tables are empty: the SSTables are streamed to all replicas of all DCs, whatever
 * the number of nodes is. Cut off it can be run again with the same backup; rows that are loaded twice are the same rows.
 *
 * @returns bytes
 * @throws BackupError `target` (rows are there), `version` (schema), `corrupt`, `failed`; StoreError
 */
export async function restoreCassandra(options: CassandraRestore): Promise<number> {
  const { repository, manifest, connection, keyspace, tools, scratch } = options
  if (manifest.engine !== 'cassandra')
    throw new BackupError(
      'target',
      `backup ${manifest.id} is of the embedded store: it is restored to a directory (--into)`,
    )
  const source = manifest.schema?.keyspace
  if (source !== keyspace) {
    throw new BackupError(
      'target',
      `the backup is of keyspace ${source}, not ${keyspace}: set cassandra.keyspace`,
    )
  }
  const wanted = manifest.tables.filter(
    ({ name, units }) => units.length > 0 && (options.table === undefined || name === options.table),
  )
  const client = await connect({ ...connection, readTimeoutMs: 30_000 })
  const mark = options.table === undefined ? manifest.id : `${manifest.id} ${options.table}`
  try {
    await checkSchema(client, keyspace, manifest)
    const mustBeEmpty = options.table === undefined ? await tablesThere(client, keyspace) : [options.table]
    await refuseRows(client, keyspace, mustBeEmpty, mark)
    await setMark(client, keyspace, mark)
    let bytes = 0
    for (const [at, { name, units }] of wanted.entries()) {
      options.onTable?.(name, at + 1, wanted.length)
      // oxlint-disable no-await-in-loop -- one table on the disk at a time
      bytes += await fetchAll(repository, units, scratch)
      const directory = join(scratch, keyspace, name)
      await runTool(tools.sstableloader, ['-d', connection.contactPoints.join(','), directory])
      await rm(directory, { recursive: true })
      // oxlint-enable no-await-in-loop
    }
    await setMark(client, keyspace, null)
    return bytes
  } catch (error) {
    throw error instanceof cassandra.errors.DriverError ? storeError(error, 'be restored to') : error
  } finally {
    await client.shutdown()
  }
}

/** The tables must be those that the rows were in, or newer ones. */
async function checkSchema(
  client: cassandra.Client,
  keyspace: string,
  { schema, id }: Manifest,
): Promise<void> {
  const known = readMigrations()
  const applied = (await readVersions(client, keyspace, quorum)).filter(({ version }) => version > 0)
  checkComplete(keyspace, applied, known)
  const migrations = schema?.migrations ?? []
  const newest = migrations.at(-1)
  if (newest !== undefined && newest.version > known.length) {
    throw new BackupError(
      'version',
      `backup ${id} has schema ${newest.name}, this program knows ${known.at(-1)?.name ?? 'none'}: upgrade the program`,
    )
  }
  checkHistory(
    keyspace,
    migrations.map((one) => ({ ...one, ended: true })),
    known,
  )
}

/** Rows may be there only if this very restore has put them there before it was cut off. */
async function refuseRows(
  client: cassandra.Client,
  keyspace: string,
  tables: readonly string[],
  mark: string,
): Promise<void> {
  const { rows } = await client.execute(
    `SELECT name FROM ${keyspace}.schema_version WHERE part = ? AND version = 0`,
    [markPart],
    { prepare: true, consistency: quorum },
  )
  const begun = rows.length === 0 ? null : String(rows[0].name)
  if (begun === mark) return
  for (const name of tables) {
    // oxlint-disable-next-line no-await-in-loop -- the first that is not empty
    const found = await client.execute(`SELECT * FROM ${keyspace}.${quoted(name)} LIMIT 1`, [], {
      consistency: quorum,
    })
    if (found.rows.length === 0) continue
    const why = begun === null ? '' : ` (a restore of ${begun} was begun there)`
    throw new BackupError(
      'target',
      `keyspace ${keyspace} is not empty: table ${name} has rows${why}; nothing was changed`,
    )
  }
}

/** All tables but that of versions. */
async function tablesThere(client: cassandra.Client, keyspace: string): Promise<string[]> {
  const { rows } = await client.execute(
    'SELECT table_name FROM system_schema.tables WHERE keyspace_name = ?',
    [keyspace],
    { prepare: true, fetchSize: 0 },
  )
  return rows.map((row) => String(row.table_name)).filter((name) => name !== 'schema_version')
}

async function setMark(client: cassandra.Client, keyspace: string, mark: string | null): Promise<void> {
  const options = { prepare: true, consistency: quorum }
  if (mark === null)
    await client.execute(
      `DELETE FROM ${keyspace}.schema_version WHERE part = ? AND version = 0`,
      [markPart],
      options,
    )
  else
    await client.execute(
      `INSERT INTO ${keyspace}.schema_version (part, version, name) VALUES (?, 0, ?)`,
      [markPart, mark],
      options,
    )
}
