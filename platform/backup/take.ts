import type { Logger } from '../log.ts'
import { VERSION } from '../version.ts'
import { BackupError } from './backup-error.ts'
import { Lock } from './lock.ts'
import { type Manifest, type Unit, unitsOf } from './manifest.ts'
import { newBackupId, type Repository } from './repository.ts'
import { Shipper } from './units.ts'

/** What a backup holds, as the one who makes it says. */
export type Content = Pick<
  Manifest,
  'taken' | 'engine' | 'source' | 'cell' | 'schema' | 'tables' | 'data' | 'files'
>

/**
 * Makes a backup: `work` ships what is in it, then the manifest is put. Killed before that there is no backup, only
 * chunks that the next one uses.
 *
 * @throws BackupError, ObjectStoreError
 */
export async function takeBackup(
  repository: Repository,
  options: { log: Logger; waitMs: number },
  work: (shipper: Shipper) => Promise<Content>,
): Promise<Manifest> {
  const began = Date.now()
  const lock = await Lock.take(repository.store, { kind: 'writer', waitMs: options.waitMs })
  try {
    const shipper = await Shipper.open(repository, await earlierUnits(repository, options.log))
    const content = await work(shipper)
    const manifest: Manifest = {
      format: 1,
      id: newBackupId(content.taken),
      tookMs: Date.now() - began,
      shippedBytes: shipper.shippedBytes,
      program: VERSION,
      ...content,
    }
    await allThere(repository, manifest)
    await lock.held()
    await repository.commit(manifest)
    try {
      // Who stood still for so long that others took the lock for nobody's may name what was deleted meanwhile.
      await lock.held()
    } catch (error) {
      await repository.forget(manifest.id)
      throw error
    }
    return manifest
  } finally {
    // What is left of it is nobody's after a quarter of an hour, or at once on this machine.
    await lock.release().catch(() => undefined)
  }
}

/** Units of the newest backup that can be read: without any all is read anew. */
async function earlierUnits(repository: Repository, log: Logger): Promise<Unit[]> {
  const last = (await repository.backups()).at(-1)
  if (last === undefined) return []
  try {
    return unitsOf(await repository.manifest(last.id))
  } catch (error) {
    if (!(error instanceof BackupError)) throw error
    log.warn(
      { event: 'backup.earlier_unreadable', err: error },
      `the last backup cannot be read: ${error.message}`,
    )
    return []
  }
}

async function allThere(repository: Repository, manifest: Manifest): Promise<void> {
  const there = await repository.chunks()
  const missing = unitsOf(manifest)
    .flatMap(({ chunks }) => chunks)
    .find((chunk) => !there.has(chunk))
  if (missing === undefined) return
  throw new BackupError('failed', `chunk ${missing} was deleted while the backup was made: run it again`)
}
