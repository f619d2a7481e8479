import { readdirSync } from 'node:fs'
import { resolve } from 'node:path'
import { BackupError } from '#platform/backup/backup-error.ts'
import {
  copyOrganisation,
  copyRows,
  isEmpty,
  refuseOrganisation,
  tablesOfOrganisations,
} from '#platform/backup/copy-rows.ts'
import { compare, type DrillReport } from '#platform/backup/drill.ts'
import { restoreEmbedded } from '#platform/backup/embedded.ts'
import { fingerprintOf } from '#platform/backup/fingerprint.ts'
import { bytesOf, type Manifest } from '#platform/backup/manifest.ts'
import type { Repository } from '#platform/backup/repository.ts'
import { fetchUnit } from '#platform/backup/units.ts'
import type { ConnectionOptions } from '#cassandra/store/connection.ts'
import type { Logger } from '#platform/log.ts'
import { Metrics } from '#platform/metrics.ts'
import { openLmdbStore } from '#platform/store/lmdb/store.ts'
import { organisation } from '#platform/registry/tables.ts'
import type { Store } from '#platform/store/store.ts'
import type { AnyTable } from '#platform/store/table.ts'
import { everyTable } from '#platform/tables.ts'
import { isCell } from '#scripts/cell/directory.ts'
import { nearest } from '#scripts/nearest.ts'
import { CliError, printJson, printLine, table as columns } from '#scripts/output.ts'
import { stderrLogger } from '#scripts/run/logger.ts'
import { type BackupConfig, connectionOf } from './config.ts'
import { drillFamilies, writeMetricsFile } from './metrics-file.ts'
import { chosen, openRepository } from './open.ts'
import { withScratch } from './scratch.ts'
import { megabytes, seconds, type VerbOptions } from './verbs.ts'

export interface RestoreOptions extends VerbOptions {
  /** Id; default: the newest. */
  readonly backup?: string
  /** Directory of an embedded store. */
  readonly into?: string
}

/** Backups of a noted table are looked for so far back. */
const drillLooks = 40

export async function restoreAll(options: RestoreOptions): Promise<void> {
  const begun = await begin(options)
  const { repository, manifest } = begun
  const began = performance.now()
  if (manifest.engine === 'cassandra') return restoreCluster(options, begun)
  const directory = intoOf(options)
  const bytes = await restoreEmbedded(repository, manifest, directory)
  done(options, manifest, { bytes, ms: performance.now() - began, into: directory })
}

export async function restoreTable(options: RestoreOptions & { table: string }): Promise<void> {
  const one = tableNamed(options.table)
  const begun = await begin(options)
  if (begun.manifest.engine === 'cassandra' && options.into === undefined)
    return restoreCluster(options, begun, one.name)
  const began = performance.now()
  const [rows, into] = await withSource(begun, [one], (source) =>
    withTarget(begun, options, async (target) => {
      if (!(await isEmpty(target, one)))
        throw new BackupError('target', `table ${one.name} has rows already: nothing was changed`)
      return copyRows(source, target, one)
    }),
  )
  done(options, begun.manifest, { rows: { [one.name]: rows }, ms: performance.now() - began, into })
}

/** Loads SSTables into the cluster that the configuration names. */
async function restoreCluster(
  options: RestoreOptions,
  { config, repository, manifest, log }: Begun,
  only?: string,
): Promise<void> {
  const { cassandra } = config
  if (cassandra === undefined || options.into !== undefined) {
    throw new BackupError(
      'target',
      `backup ${manifest.id} is of Cassandra: it is restored to the cluster that \`cassandra\` of the configuration names, without --into`,
    )
  }
  const began = performance.now()
  const { restoreCassandra } = await import('#cassandra/backup/restore.ts')
  const { keyspace, nodetool, sstableloader } = cassandra
  const onTable = (name: string, at: number, of: number): void => {
    process.stderr.write(`table ${at} of ${of}: ${name}\n`)
  }
  const bytes = await withScratch(config.scratch, (scratch) =>
    restoreCassandra({
      repository,
      manifest,
      connection: connectionOf(cassandra, log),
      keyspace,
      tools: { nodetool, sstableloader },
      scratch,
      ...(only === undefined ? {} : { table: only }),
      ...(options.json ? {} : { onTable }),
    }),
  )
  const into = `keyspace ${keyspace} at ${cassandra.address}`
  done(options, manifest, { bytes, ms: performance.now() - began, into })
}

export async function restoreOrganisation(options: RestoreOptions & { organisation: string }): Promise<void> {
  const begun = await begin(options)
  const began = performance.now()
  // To read a backup of Cassandra takes a node of its own, and that a minute: what can't be is said before.
  await withTarget(begun, options, (target) => refuseOrganisation(target, options.organisation))
  const needed = [organisation, ...tablesOfOrganisations(everyTable)]
  const [rows, into] = await withSource(begun, needed, (source) =>
    withTarget(begun, options, (target) =>
      copyOrganisation(source, target, everyTable, options.organisation),
    ),
  )
  done(options, begun.manifest, { rows, ms: performance.now() - began, into })
}

/** Inventory and secrets, into an empty directory. */
export async function restoreFiles(options: RestoreOptions): Promise<void> {
  const { repository, manifest } = await begin(options)
  const began = performance.now()
  const directory = intoOf(options)
  let there: string[] = []
  try {
    there = readdirSync(directory)
  } catch {
    // It is made.
  }
  if (there.length > 0)
    throw new BackupError('target', `${directory} is not empty: nothing was changed; give another directory`)
  const { files } = manifest
  if (files === undefined || files.files.length === 0)
    throw new BackupError('missing', `backup ${manifest.id} has no files`)
  const bytes = await fetchUnit(repository, files, directory)
  done(options, manifest, { bytes, ms: performance.now() - began, into: directory })
}

export async function drill(options: RestoreOptions): Promise<void> {
  const { config, repository } = await openRepository(options.config)
  const log = stderrLogger('warn', new Metrics())
  const manifest = await notedBackup(repository, options.backup)
  const report = await withScratch(config.scratch, (scratch) =>
    (manifest.engine === 'cassandra' ? drillCassandra : drillEmbedded)(repository, manifest, scratch, log),
  )
  if (config.metrics_file !== undefined) writeMetricsFile(config.metrics_file, drillFamilies(report))
  const wrong = report.tables.filter(({ outcome }) => outcome === 'different')
  if (options.json) printJson(report)
  else {
    const rows = report.tables
      .filter(({ rows: count, outcome }) => count > 0 || outcome === 'different')
      .map((one) => [
        one.table,
        String(one.rows),
        one.noted === undefined ? '-' : String(one.noted),
        one.outcome,
      ])
    for (const line of columns(['TABLE', 'ROWS', 'NOTED', 'RESULT'], rows)) printLine(line)
    printLine(
      `backup ${report.backup} restored in ${seconds(report.restoreMs)} (${megabytes(report.bytes)}): ${report.ok ? 'as it was' : 'NOT as it was'}`,
    )
  }
  if (!report.ok) {
    throw new CliError(
      `the restored rows are not those that were backed up: ${wrong.map((one) => one.table).join(', ') || 'no table could be compared'}`,
      { remedy: '`cinque backup verify --read` says whether the storage is damaged.' },
    )
  }
}

/** The newest backup whose rows were counted; the one asked for. */
async function notedBackup(repository: Repository, id: string | undefined): Promise<Manifest> {
  if (id !== undefined) return chosen(repository, id)
  const backups = await repository.backups()
  for (const { id: one } of backups.toReversed().slice(0, drillLooks)) {
    // oxlint-disable-next-line no-await-in-loop -- the newest that will do
    const manifest = await repository.manifest(one)
    if (manifest.tables.some(({ noted }) => noted !== undefined)) return manifest
  }
  if (backups.length === 0) throw new BackupError('missing', `${repository.store.name} has no backup yet`)
  throw new BackupError('missing', 'no backup has its rows counted: run `cinque backup run --note` first')
}

async function drillEmbedded(
  repository: Repository,
  manifest: Manifest,
  scratch: string,
  log: Logger,
): Promise<DrillReport> {
  const began = performance.now()
  const bytes = await restoreEmbedded(repository, manifest, scratch)
  // As of the backup's time: what expired since was there then.
  const clock = { now: () => manifest.taken }
  const store = await openLmdbStore({ directory: scratch, log, clock, sweepMs: 2 ** 31 - 1 })
  try {
    const restoreMs = performance.now() - began
    const tables = []
    for (const one of everyTable) {
      const noted = manifest.tables.find(({ name }) => name === one.name)?.noted
      // oxlint-disable-next-line no-await-in-loop -- one table at a time
      tables.push(compare(one.name, await fingerprintOf(store, one), noted))
    }
    return reportOf(manifest, { restoreMs, bytes, tables })
  } finally {
    await store.close()
  }
}

async function drillCassandra(
  repository: Repository,
  manifest: Manifest,
  scratch: string,
  log: Logger,
): Promise<DrillReport> {
  const [{ withScratchNode }, { comparableMs, fingerprintAt }, { connect }] = await Promise.all([
    import('#cassandra/backup/scratch-node.ts'),
    import('#cassandra/backup/fingerprint.ts'),
    import('#cassandra/store/connection.ts'),
  ])
  return withScratchNode({ repository, manifest, scratch, log }, async (node) => {
    const { keyspace, restoreMs, bytes } = node
    const client = await connect({ ...node.connection, only: true })
    try {
      const until = manifest.taken + comparableMs
      const tables = []
      for (const { name, noted } of manifest.tables) {
        const one = everyTable.find((each) => each.name === name)
        if (one === undefined) continue
        // oxlint-disable-next-line no-await-in-loop -- one table at a time
        const found = await fingerprintAt(client, keyspace, one, until)
        // Rows that had to live until then may be gone by now.
        const late = one.ttlDays !== undefined && Date.now() > until
        tables.push(compare(name, found, late ? undefined : noted))
      }
      return reportOf(manifest, { restoreMs, bytes, tables })
    } finally {
      await client.shutdown()
    }
  })
}

function reportOf(
  manifest: Manifest,
  what: Pick<DrillReport, 'restoreMs' | 'bytes' | 'tables'>,
): DrillReport {
  const has = (outcome: string): boolean => what.tables.some((one) => one.outcome === outcome)
  const ok = has('equal') && !has('different')
  return { backup: manifest.id, taken: manifest.taken, at: Date.now(), ok, ...what }
}

interface Begun {
  readonly config: BackupConfig
  readonly repository: Repository
  readonly manifest: Manifest
  readonly log: Logger
}

async function begin(options: RestoreOptions): Promise<Begun> {
  const { config, repository } = await openRepository(options.config)
  const manifest = await chosen(repository, options.backup)
  const log = stderrLogger('warn', new Metrics())
  return { config, repository, manifest, log }
}

function intoOf({ into }: RestoreOptions): string {
  if (into === undefined) throw new CliError('--into DIR: say where to', { exitCode: 2 })
  if (isCell(into))
    throw new CliError(`${into} has the data of a cell: nothing was changed; give another directory`)
  return resolve(into)
}

/** The rows of some tables of a backup as a store: in a scratch directory, or in a scratch node. */
function withSource<T>(
  { config, repository, manifest, log }: Begun,
  tables: readonly AnyTable[],
  work: (source: Store) => Promise<T>,
): Promise<T> {
  return withScratch(config.scratch, async (scratch) => {
    if (manifest.engine === 'lmdb') {
      await restoreEmbedded(repository, manifest, scratch)
      return closing(await openLmdbStore({ directory: scratch, log }), work)
    }
    const { withScratchNode } = await import('#cassandra/backup/scratch-node.ts')
    const names = tables.map(({ name }) => name)
    return withScratchNode({ repository, manifest, scratch, log, tables: names }, (node) =>
      withCassandra({ ...node.connection, keyspace: node.keyspace }, work),
    )
  })
}

/** The directory that is named, else the cluster of the configuration; with the name of it. */
async function withTarget<T>(
  { config, log }: Begun,
  options: RestoreOptions,
  work: (target: Store) => Promise<T>,
): Promise<[T, string]> {
  const { cassandra } = config
  if (options.into === undefined && cassandra !== undefined) {
    const { keyspace, address } = cassandra
    const result = await withCassandra({ ...connectionOf(cassandra, log), keyspace }, work)
    return [result, `keyspace ${keyspace} at ${address}`]
  }
  const directory = intoOf(options)
  return [await closing(await openLmdbStore({ directory, log }), work), directory]
}

async function withCassandra<T>(
  connection: ConnectionOptions & { keyspace: string },
  work: (store: Store) => Promise<T>,
): Promise<T> {
  const { openCassandraStore } = await import('#cassandra/store/store.ts')
  return closing(await openCassandraStore({ ...connection, tables: everyTable }), work)
}

async function closing<S extends Store, T>(store: S, work: (store: S) => Promise<T>): Promise<T> {
  try {
    return await work(store)
  } finally {
    await store.close()
  }
}

function tableNamed(name: string): AnyTable {
  const found = everyTable.find((one) => one.name === name)
  if (found !== undefined) return found
  const names = everyTable.map((one) => one.name)
  const near = nearest(name, names)
  throw new CliError(
    `there is no table ${name}${near === undefined ? '' : `; did you mean ${near}?`} The tables are ${names.join(', ')}`,
    { exitCode: 2 },
  )
}

function done(
  { json }: RestoreOptions,
  manifest: Manifest,
  what: { ms: number; into: string; bytes?: number; rows?: Record<string, number> },
): void {
  const { ms, into, bytes, rows } = what
  if (json) return printJson({ backup: manifest.id, into, bytes, rows, ms: Math.round(ms) })
  const count = Object.values(rows ?? {}).reduce((sum, one) => sum + one, 0)
  const size = rows === undefined ? megabytes(bytes ?? bytesOf(manifest)) : `${count} rows`
  printLine(`restored ${size} of backup ${manifest.id} into ${into} in ${seconds(ms)}`)
}
