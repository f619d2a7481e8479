import { hostname, setPriority } from 'node:os'
import type { Logger } from '#platform/log.ts'
import { DirectoryStore } from '#platform/backup/directory-store.ts'
import { backupEmbedded } from '#platform/backup/embedded.ts'
import { bytesOf, type Manifest } from '#platform/backup/manifest.ts'
import { prune } from '#platform/backup/prune.ts'
import type { BackupName, Repository } from '#platform/backup/repository.ts'
import { apply } from '#platform/backup/retention.ts'
import { verify } from '#platform/backup/verify.ts'
import { everyTable } from '#platform/tables.ts'
import { Metrics } from '#platform/metrics.ts'
import { stderrLogger } from '#scripts/run/logger.ts'
import { CliError, printJson, printLine, table } from '#scripts/output.ts'
import { type BackupConfig, connectionOf } from './config.ts'
import { ageFamilies, runFamilies, writeMetricsFile } from './metrics-file.ts'
import { initRepository, type Opened, openRepository } from './open.ts'
import { withScratch } from './scratch.ts'

/** How long a prune under way is waited for. */
const waitMs = 10 * 60_000
/** Work that others on the machine come before. */
const lowPriority = 15

function yieldToOthers(): void {
  try {
    setPriority(lowPriority)
  } catch {
    // A hardened unit may not: it has its priority from systemd (Nice=).
  }
}

export interface VerbOptions {
  readonly config: string
  readonly json?: true
}

export async function init({ config, json }: VerbOptions): Promise<void> {
  const { keyMade, where } = await initRepository(config)
  if (json) return printJson({ where, keyMade })
  printLine(`${where} has a repository`)
  if (keyMade) printLine('a key was made: keep a copy of it elsewhere, nothing can be restored without it')
}

export async function run({ config: file, note, json }: VerbOptions & { note?: boolean }): Promise<void> {
  yieldToOthers()
  const { config, repository } = await openRepository(file)
  const log = stderrLogger('warn', new Metrics())
  if (repository.store instanceof DirectoryStore) await repository.store.tidy(Date.now())
  const noting = note ?? !hasBackupOf(await repository.backups(), Date.now())
  const manifest = await withScratch(config.scratch, (scratch) =>
    take(config, repository, { scratch, note: noting, log }),
  )
  tell(config, [...ageFamilies(manifest.taken, Date.now()), ...runFamilies(manifest)])
  if (json) return printJson(shown(manifest))
  printLine(
    `backup ${manifest.id}: ${megabytes(bytesOf(manifest))}, ${megabytes(manifest.shippedBytes)} of them new, in ${seconds(manifest.tookMs)}`,
  )
}

async function take(
  config: BackupConfig,
  repository: Repository,
  { scratch, note, log }: { scratch: string; note: boolean; log: Logger },
): Promise<Manifest> {
  const { files } = config
  const source = hostname()
  const tables = everyTable
  if (config.data !== undefined) {
    const directory = config.data
    return backupEmbedded({ repository, directory, scratch, tables, note, files, source, log, waitMs })
  }
  const { cassandra } = config
  if (cassandra === undefined) throw new CliError('data, cassandra: one must be set', { exitCode: 2 })
  const { backupCassandra } = await import('#cassandra/backup/backup.ts')
  const { keyspace, data, nodetool, sstableloader } = cassandra
  const tools = { nodetool, sstableloader }
  const connection = connectionOf(cassandra, log)
  return backupCassandra({ repository, connection, keyspace, data, tools, tables, note, files, waitMs })
}

/** Rows are counted and hashed once a day (UTC), in its first backup. */
function hasBackupOf(backups: readonly BackupName[], now: number): boolean {
  const day = (ms: number): number => Math.floor(ms / 86_400_000)
  return backups.some(({ taken }) => day(taken) === day(now))
}

export async function list({ config: file, json }: VerbOptions): Promise<void> {
  const { config, repository } = await openRepository(file)
  const backups = await repository.backups()
  const now = Date.now()
  tell(config, ageFamilies(backups.at(-1)?.taken, now))
  const newest = backups.at(-1)
  const ageSeconds = newest === undefined ? null : Math.round((now - newest.taken) / 1000)
  if (json) {
    return printJson({
      ageSeconds,
      backups: backups.map(({ id, taken }) => ({ id, taken: new Date(taken).toISOString() })),
    })
  }
  if (newest === undefined) return printLine('no backup yet')
  const rows = backups.map(({ id, taken }) => [id, new Date(taken).toISOString(), hours(now - taken)])
  for (const line of table(['BACKUP', 'TAKEN', 'AGE'], rows)) printLine(line)
}

export async function show({ config: file, backup, json }: VerbOptions & { backup: string }): Promise<void> {
  const { repository } = await openRepository(file)
  const manifest = await repository.manifest(backup)
  if (json) return printJson(shown(manifest))
  const { source, engine, program, tookMs, shippedBytes } = manifest
  printLine(`backup   ${manifest.id}`)
  printLine(`of       ${engine} at ${source}, by version ${program}`)
  printLine(
    `size     ${megabytes(bytesOf(manifest))}, ${megabytes(shippedBytes)} of them new, in ${seconds(tookMs)}`,
  )
  const rows = manifest.tables.map(({ name, units, noted }) => [
    name,
    String(units.length),
    noted === undefined ? '-' : String(noted.rows),
  ])
  if (rows.length > 0) for (const line of table(['TABLE', 'SSTABLES', 'ROWS'], rows)) printLine(line)
}

export async function check(options: VerbOptions & { read?: true; backup?: string }): Promise<void> {
  const { repository }: Opened = await openRepository(options.config)
  const { backup } = options
  // One that is not there is said so, not found sound.
  if (backup !== undefined) await repository.manifest(backup)
  const found = await verify(repository, {
    read: options.read === true,
    ...(backup === undefined ? {} : { ids: [backup] }),
  })
  if (found.damage.length > 0) {
    throw new CliError(found.damage.join('\n'), {
      remedy: 'Delete damaged chunks: the next `cinque backup run` ships what is still there again.',
      details: { ...found },
    })
  }
  if (options.json) return printJson(found)
  const how = options.read === true ? 'all read and as they were written' : 'all there'
  printLine(`${found.backups} backups, ${found.chunks} chunks: ${how}`)
}

export async function sweep(options: VerbOptions & { dryRun?: true }): Promise<void> {
  yieldToOthers()
  const { config, repository } = await openRepository(options.config)
  if (options.dryRun === true) {
    const { kept, dropped } = apply(config.retention, await repository.backups())
    if (options.json)
      return printJson({ kept: kept.map(({ id }) => id), dropped: dropped.map(({ id }) => id) })
    for (const { id } of dropped) printLine(`would forget ${id}`)
    return printLine(`would keep ${kept.length} backups`)
  }
  const pruned = await prune(repository, config.retention)
  if (options.json) return printJson(pruned)
  printLine(
    `kept ${pruned.kept} backups, forgot ${pruned.forgotten.length}, deleted ${pruned.deletedChunks} chunks that none needs`,
  )
}

function tell(config: BackupConfig, families: Parameters<typeof writeMetricsFile>[1]): void {
  if (config.metrics_file !== undefined) writeMetricsFile(config.metrics_file, families)
}

function shown(manifest: Manifest): Record<string, unknown> {
  const { id, taken, engine, source, cell, program, tookMs, shippedBytes, schema } = manifest
  return {
    id,
    taken: new Date(taken).toISOString(),
    engine,
    source,
    cell,
    program,
    bytes: bytesOf(manifest),
    shippedBytes,
    tookMs,
    schema: schema?.migrations.at(-1)?.name,
    tables: manifest.tables.map(({ name, units, noted }) => ({ name, sstables: units.length, noted })),
  }
}

export function megabytes(bytes: number): string {
  return `${(bytes / 1_000_000).toFixed(1)} MB`
}

export function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}

function hours(ms: number): string {
  return ms < 3_600_000 ? `${Math.floor(ms / 60_000)} min` : `${(ms / 3_600_000).toFixed(1)} h`
}
