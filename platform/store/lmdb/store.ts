import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  statSync,
} from 'node:fs'
import { dirname, resolve } from 'node:path'
import { type Clock, systemClock } from '../../clock.ts'
import type { Logger } from '../../log.ts'
import { StoreError } from '../store.ts'
import { Catalogue } from './catalogue.ts'
import { Environment } from './environment.ts'
import { storeErrorOf } from './failures.ts'
import { lockDirectory } from './lock.ts'
import { LmdbStore } from './lmdb-store.ts'

const defaultSweepMs = 60_000

export interface LmdbOptions {
  /** Made if it is not there. Holds `data.mdb`, `lock.mdb` and `owner.lock`. */
  directory: string
  log: Logger
  /** Time for the TTL of rows. */
  clock?: Clock
  /** Limit of the pages that hold rows, in bytes; writes beyond it reject with `full`. Default: the disk's. */
  maxBytes?: number
  /** Milliseconds between sweeps for expired rows; default one minute. */
  sweepMs?: number
}

/**
 * Opens the embedded store. Its writes resolve when they are on disk: fdatasynced, and the LMDB meta page that makes
 * them visible written with O_DSYNC.
 *
 * @throws StoreError `unavailable` (not a directory, no permission, in use by another process), `readonly`, `full`,
 * `corrupt`, `version` (data of a newer version); nothing is changed then
 */
export async function openLmdbStore(options: LmdbOptions): Promise<LmdbStore> {
  const { log, clock = systemClock, maxBytes = Number.POSITIVE_INFINITY, sweepMs = defaultSweepMs } = options
  const directory = resolve(options.directory)
  makeDirectory(directory)
  const unlock = lockDirectory(directory)
  let environment: Environment | null = null
  try {
    environment = new Environment(directory, log)
    const catalogue = await Catalogue.open(environment)
    syncNames(directory)
    const { identity } = catalogue
    log.info({ event: 'store.open', directory, identity, bytes: environment.usedBytes() }, 'data opened')
    return new LmdbStore({ environment, catalogue, clock, log, maxBytes, sweepMs, unlock })
  } catch (error) {
    await environment?.close()
    unlock()
    throw error
  }
}

function makeDirectory(directory: string): void {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 })
  } catch (error) {
    const taken =
      error instanceof Error && 'code' in error && (error.code === 'EEXIST' || error.code === 'ENOTDIR')
    if (taken) throw new StoreError('unavailable', `${directory} is not a directory`, { cause: error })
    throw storeErrorOf(reasonOf(error, directory), 'cannot make the data directory', directory)
  }
  if (!statSync(directory).isDirectory())
    throw new StoreError('unavailable', `${directory} is not a directory`)
  try {
    accessSync(directory, constants.R_OK | constants.X_OK)
  } catch (error) {
    throw storeErrorOf(error, 'cannot read the data directory', directory)
  }
  try {
    accessSync(directory, constants.W_OK)
  } catch (cause) {
    throw new StoreError('readonly', `cannot write to the data directory ${directory}`, { cause })
  }
}

/** A recursive mkdir says ENOENT for whatever kept it from making a parent: ask the parent that is there. */
function reasonOf(error: unknown, directory: string): unknown {
  for (let parent = dirname(directory); ; parent = dirname(parent)) {
    if (!existsSync(parent)) continue
    try {
      accessSync(parent, constants.W_OK)
      return error
    } catch (reason) {
      return reason
    }
  }
}

/** Makes the names of new files and of the directory durable; fdatasync of a file does not promise its name. */
function syncNames(directory: string): void {
  for (const path of [directory, dirname(directory)]) {
    try {
      const descriptor = openSync(path, 'r')
      fsyncSync(descriptor)
      closeSync(descriptor)
    } catch {
      // A parent that may not be read was there before.
    }
  }
}
