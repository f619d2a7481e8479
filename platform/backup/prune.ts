import { Lock, type LockOptions } from './lock.ts'
import { unitsOf } from './manifest.ts'
import type { Repository } from './repository.ts'
import { apply, type Retention } from './retention.ts'

export interface Pruned {
  readonly kept: number
  readonly forgotten: string[]
  readonly deletedChunks: number
}

/** Deletions between two looks whether we may go on. */
const stretch = 200
const parallel = 8

/**
 * Forgets backups that the retention does not keep, then deletes chunks that no backup names. Alone: a backup under way
 * relies on chunks that only its manifest, written last, will name. Killed at any time it leaves whole backups, and
 * chunks that the next run deletes.
 *
 * @throws BackupError `busy`; `corrupt` when a kept manifest can't be read: then no chunk is deleted
 */
export async function prune(
  repository: Repository,
  retention: Retention,
  wait: Omit<LockOptions, 'kind'> = { waitMs: 60_000 },
): Promise<Pruned> {
  const lock = await Lock.take(repository.store, { ...wait, kind: 'sweeper' })
  try {
    const { kept, dropped } = apply(retention, await repository.backups())
    // No backup at all is rather a storage that is ill than one where everything is useless.
    if (kept.length === 0) return { kept: 0, forgotten: [], deletedChunks: 0 }
    const named = new Set<string>()
    for (const { id } of kept) {
      // oxlint-disable-next-line no-await-in-loop -- one manifest in memory
      for (const unit of unitsOf(await repository.manifest(id))) {
        for (const chunk of unit.chunks) named.add(chunk)
      }
    }
    for (const { id } of dropped) {
      // oxlint-disable-next-line no-await-in-loop -- few
      await lock.held()
      // oxlint-disable-next-line no-await-in-loop
      await repository.forget(id)
    }
    const useless = [...(await repository.chunks())].filter((chunk) => !named.has(chunk))
    for (let at = 0; at < useless.length; at += stretch) {
      // oxlint-disable-next-line no-await-in-loop
      await lock.held()
      // oxlint-disable-next-line no-await-in-loop
      await deleteAll(repository, useless.slice(at, at + stretch))
    }
    return { kept: kept.length, forgotten: dropped.map(({ id }) => id), deletedChunks: useless.length }
  } finally {
    await lock.release()
  }
}

async function deleteAll(repository: Repository, chunks: readonly string[]): Promise<void> {
  let next = 0
  const work = async (): Promise<void> => {
    // oxlint-disable-next-line no-await-in-loop -- a bounded number of workers
    while (next < chunks.length) await repository.deleteChunk(chunks[next++])
  }
  await Promise.all(Array.from({ length: parallel }, work))
}
