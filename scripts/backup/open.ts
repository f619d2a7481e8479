import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { BackupError } from '#platform/backup/backup-error.ts'
import type { Manifest } from '#platform/backup/manifest.ts'
import { ObjectStoreError } from '#platform/backup/object-store.ts'
import { Repository } from '#platform/backup/repository.ts'
import { readKeyFile, secretBytes } from '#platform/backup/seal.ts'
import { StoreError } from '#platform/store/store.ts'
import { CliError } from '#scripts/output.ts'
import { type BackupConfig, loadBackupConfig, storageOf } from './config.ts'

export interface Opened {
  readonly config: BackupConfig
  readonly repository: Repository
}

/** Reads the configuration and opens the repository that it names. */
export async function openRepository(file: string): Promise<Opened> {
  const config = loadBackupConfig(file)
  return { config, repository: await Repository.open(storageOf(config), readKeyFile(config.key_file)) }
}

/** Makes what is missing: the key, the directory, the repository. Says whether a key was made. */
export async function initRepository(file: string): Promise<{ keyMade: boolean; where: string }> {
  const config = loadBackupConfig(file)
  const keyMade = !existsSync(config.key_file)
  const store = storageOf(config)
  if (config.directory !== undefined) mkdirSync(config.directory, { recursive: true, mode: 0o700 })
  if (keyMade) {
    // With another key the backups that are there could not be read.
    if ((await store.get('repository.json')) !== undefined)
      throw new BackupError(
        'key',
        `${store.name} has backups, but ${config.key_file} is not there: bring the key back`,
      )
    mkdirSync(dirname(config.key_file), { recursive: true, mode: 0o700 })
    writeFileSync(config.key_file, `${randomBytes(secretBytes).toString('hex')}\n`, {
      mode: 0o600,
      flag: 'wx',
    })
  }
  await Repository.init(store, readKeyFile(config.key_file))
  return { keyMade, where: store.name }
}

/** The backup of this id; the newest without one. */
export function chosen(repository: Repository, id: string | undefined): Promise<Manifest> {
  return id === undefined ? repository.newest() : repository.manifest(id)
}

/** Runs a verb; what backups, storages and stores say of failures becomes CliError. */
export async function said<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const known =
      error instanceof BackupError || error instanceof ObjectStoreError || error instanceof StoreError
    if (!known) throw error
    throw new CliError(error.message, { cause: error, details: { code: error.code } })
  }
}
