import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { BackupError } from '#platform/backup/backup-error.ts'
import type { Logger } from '#platform/log.ts'
import type { UnitSource } from '#platform/backup/units.ts'
import { runTool, type Tools } from './tools.ts'

/** SSTables never change: large chunks, which cost fewer requests. They are compressed already. */
const chunkBytes = 8 * 1024 * 1024
const tagPattern = /^cinque-(\d+)-\d+$/
/** `nb-3gqe_1a2b-big-Data.db`: all files of one SSTable begin alike. */
const sstableFile = /^([a-z]{2}-[^-]+-[a-z]+)-.+$/

/** The SSTables of a table in a snapshot. */
export interface SnapshotTable {
  readonly name: string
  readonly units: UnitSource[]
}

/**
 * Runs `work` with the SSTables of a keyspace as they are now: flushed, and hard-linked by the node, so that it costs no
 * space and nothing that the node does meanwhile changes them. Snapshots of processes that died are removed first.
 *
 * @throws BackupError `failed`: nodetool says why; no such data directory
 */
export async function withSnapshot<T>(
  { tools, data, keyspace, log }: { tools: Tools; data: string; keyspace: string; log: Logger },
  work: (tables: SnapshotTable[]) => Promise<T>,
): Promise<T> {
  const clear = (tag: string): Promise<void> =>
    runTool(tools.nodetool, ['clearsnapshot', '-t', tag, '--', keyspace])
  for (const tag of await abandoned(data, keyspace)) {
    // oxlint-disable-next-line no-await-in-loop -- seldom any
    await clear(tag)
  }
  const tag = `cinque-${process.pid}-${Date.now()}`
  await runTool(tools.nodetool, ['snapshot', '-t', tag, '--', keyspace])
  try {
    return await work(await tablesOf(data, keyspace, tag))
  } finally {
    // The next backup removes it otherwise: no reason to throw this one away.
    await clear(tag).catch((err: unknown) => {
      log.warn({ event: 'backup.snapshot_left', tag, err }, `snapshot ${tag} could not be removed`)
    })
  }
}

/** Tables have directories `NAME-ID`; a table that was dropped and made again has two. */
async function tablesOf(data: string, keyspace: string, tag: string): Promise<SnapshotTable[]> {
  const tables: SnapshotTable[] = []
  for (const directory of await tableDirectories(data, keyspace)) {
    const path = join(data, keyspace, directory, 'snapshots', tag)
    // oxlint-disable-next-line no-await-in-loop -- a table after the other
    const files = await readdir(path).catch(() => [])
    const name = directory.slice(0, directory.lastIndexOf('-'))
    // oxlint-disable-next-line no-await-in-loop
    if (files.length > 0) tables.push({ name, units: await sstables(path, files, `${keyspace}/${name}`) })
  }
  if (tables.length > 0) return tables
  throw new BackupError(
    'failed',
    `${data}/${keyspace} has no snapshot ${tag}: is that the data directory of the node that nodetool speaks to?`,
  )
}

async function sstables(path: string, files: readonly string[], prefix: string): Promise<UnitSource[]> {
  const bySstable = new Map<string, UnitSource['files'][number][]>()
  for (const file of files.toSorted()) {
    const name = sstableFile.exec(file)?.[1]
    if (name === undefined) continue
    const from = join(path, file)
    // oxlint-disable-next-line no-await-in-loop -- quick
    const { size, mtimeMs, isFile } = await statOf(from)
    if (!isFile) continue
    const parts = bySstable.get(name) ?? []
    parts.push({ path: `${prefix}/${file}`, from, bytes: size, modified: Math.floor(mtimeMs) })
    bySstable.set(name, parts)
  }
  return [...bySstable].map(([name, parts]) => ({
    name: `${prefix}/${name}`,
    // The large ones first: what repair changes lies behind them, and their chunks stay as they are.
    files: parts.toSorted((one, other) => other.bytes - one.bytes || (one.path < other.path ? -1 : 1)),
    chunkBytes,
    press: false,
  }))
}

async function statOf(path: string): Promise<{ size: number; mtimeMs: number; isFile: boolean }> {
  const found = await stat(path)
  return { size: found.size, mtimeMs: found.mtimeMs, isFile: found.isFile() }
}

async function tableDirectories(data: string, keyspace: string): Promise<string[]> {
  try {
    return (await readdir(join(data, keyspace))).filter((name) => /^\w+-[0-9a-f]{32}$/.test(name)).toSorted()
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new BackupError('failed', `cassandra.data: ${reason}`, { cause: error })
  }
}

/** Tags of snapshots whose process is no more. */
async function abandoned(data: string, keyspace: string): Promise<Set<string>> {
  const tags = new Set<string>()
  for (const directory of await tableDirectories(data, keyspace)) {
    // oxlint-disable-next-line no-await-in-loop -- quick
    for (const tag of await readdir(join(data, keyspace, directory, 'snapshots')).catch(() => [])) {
      const pid = tagPattern.exec(tag)?.[1]
      if (pid !== undefined && !isAlive(Number(pid))) tags.add(tag)
    }
  }
  return tags
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}
