import { open as openFile, link, mkdir, rm, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { open } from 'lmdb'
import type { Logger } from '../log.ts'
import { checkFiles } from '../store/lmdb/files.ts'
import { openLmdbStore } from '../store/lmdb/store.ts'
import type { AnyTable } from '../store/table.ts'
import { BackupError } from './backup-error.ts'
import { extraFiles } from './extra-files.ts'
import { fingerprintOf } from './fingerprint.ts'
import type { Manifest, TableBackup } from './manifest.ts'
import type { Repository } from './repository.ts'
import { takeBackup } from './take.ts'
import { fetchUnit } from './units.ts'

const dataFile = 'data.mdb'
/** LMDB changes pages here and there: of what did not change small chunks are found again. */
const chunkBytes = 1024 * 1024

export interface EmbeddedBackup {
  readonly repository: Repository
  /** Of the data; a process may be writing there. */
  readonly directory: string
  /** Empty directory for a copy as large as the data. */
  readonly scratch: string
  readonly tables: readonly AnyTable[]
  /** Whether to count and hash the rows, for drills. */
  readonly note: boolean
  /** Files and directories that go with it. */
  readonly files: readonly string[]
  readonly source: string
  readonly log: Logger
  readonly waitMs: number
}

/** Backs up the embedded store. BackupError, ObjectStoreError, StoreError. */
export async function backupEmbedded(options: EmbeddedBackup): Promise<Manifest> {
  const { repository, scratch, source, log, waitMs } = options
  return takeBackup(repository, { log, waitMs }, async (shipper) => {
    const copy = join(scratch, 'data')
    await mkdir(copy, { recursive: true, mode: 0o700 })
    const taken = Date.now()
    await copyEmbedded(options.directory, copy)
    const path = join(copy, dataFile)
    const { size, mtimeMs } = await stat(path)
    const files = [{ path: dataFile, from: path, bytes: size, modified: Math.floor(mtimeMs) }]
    const data = await shipper.ship({ name: 'data', files, chunkBytes, press: true })
    const tables = options.note ? await noted(copy, options.tables, taken, log) : []
    const extra = await shipper.ship(await extraFiles(options.files))
    return { taken, engine: 'lmdb', source, tables, data, files: extra }
  })
}

/**
 * Copies the data as they were at one moment between two commits (mdb_env_copy), while another process may write: a
 * reader pins its pages. One that is killed is found dead when the data are next opened, by the next copy too.
 *
 * @throws BackupError `missing`: there are none; StoreError
 */
async function copyEmbedded(directory: string, target: string): Promise<void> {
  try {
    await stat(join(directory, dataFile))
  } catch (error) {
    throw new BackupError('missing', `${directory} has no data of the embedded store (${dataFile})`, {
      cause: error,
    })
  }
  checkFiles(directory)
  const database = open({ path: directory, noSubdir: false, readOnly: true, encoding: 'binary', maxDbs: 1 })
  try {
    await database.backup(target, false)
  } finally {
    await database.close()
  }
}

/** Counts and hashes the rows of a copy, as of its time. */
async function noted(
  directory: string,
  tables: readonly AnyTable[],
  taken: number,
  log: Logger,
): Promise<TableBackup[]> {
  const store = await openLmdbStore({ directory, log, clock: { now: () => taken }, sweepMs: 2 ** 31 - 1 })
  try {
    const found: TableBackup[] = []
    for (const table of tables) {
      // oxlint-disable-next-line no-await-in-loop -- one table at a time
      found.push({ name: table.name, units: [], noted: await fingerprintOf(store, table) })
    }
    return found
  } finally {
    await store.close()
  }
}

/**
 * Makes the data of a backup the data of a directory that has none. Cut off it has still none, and can be done again.
 *
 * @throws BackupError `target`: there are data; `corrupt`
 */
export async function restoreEmbedded(
  repository: Repository,
  manifest: Manifest,
  directory: string,
): Promise<number> {
  if (manifest.data === undefined)
    throw new BackupError(
      'target',
      `backup ${manifest.id} is of Cassandra: it cannot be restored to a directory`,
    )
  const root = resolve(directory)
  await refuseData(root)
  const part = join(root, '.restore')
  await rm(part, { recursive: true, force: true })
  await mkdir(part, { recursive: true, mode: 0o700 })
  const bytes = await fetchUnit(repository, manifest.data, part)
  try {
    // A link, not a rename: it replaces nothing that came meanwhile.
    await link(join(part, dataFile), join(root, dataFile))
  } catch (error) {
    await refuseData(root)
    throw error
  }
  const handle = await openFile(root, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rm(part, { recursive: true, force: true })
  return bytes
}

async function refuseData(directory: string): Promise<void> {
  try {
    await stat(join(directory, dataFile))
  } catch {
    return
  }
  throw new BackupError(
    'target',
    `${directory} has data already: nothing was changed; restore into another directory, or move them away first`,
  )
}
