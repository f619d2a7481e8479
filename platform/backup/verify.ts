import { BackupError } from './backup-error.ts'
import { type Manifest, unitsOf } from './manifest.ts'
import type { Repository } from './repository.ts'
import { readUnit } from './units.ts'

export interface Verified {
  readonly backups: number
  readonly chunks: number
  /** One line for each thing that is wrong, with the backups that need it. */
  readonly damage: string[]
}

/**
 * Sees whether every backup can be restored: its manifest can be read, and all its chunks are there; with `read` also
 * whether each of them is what was put.
 */
export async function verify(
  repository: Repository,
  options: { read: boolean; ids?: readonly string[] },
): Promise<Verified> {
  const names = await repository.backups()
  const wanted = options.ids === undefined ? names : names.filter(({ id }) => options.ids?.includes(id))
  const there = await repository.chunks()
  const damage = new Map<string, string[]>()
  const note = (what: string, id: string): void => void damage.set(what, [...(damage.get(what) ?? []), id])
  const sound = new Set<string>()
  for (const { id } of wanted) {
    let manifest: Manifest
    try {
      // oxlint-disable-next-line no-await-in-loop -- one manifest in memory
      manifest = await repository.manifest(id)
    } catch (error) {
      if (!(error instanceof BackupError)) throw error
      note(error.message, id)
      continue
    }
    for (const unit of unitsOf(manifest)) {
      for (const chunk of unit.chunks) {
        if (!there.has(chunk)) note(`chunks/${chunk.slice(0, 2)}/${chunk} is missing`, id)
      }
      if (!options.read || !unit.chunks.every((chunk) => there.has(chunk))) continue
      const key = unit.chunks.join(' ')
      if (sound.has(key)) continue
      try {
        // oxlint-disable-next-line no-await-in-loop -- one chunk in memory
        await readUnit(repository, unit)
        sound.add(key)
      } catch (error) {
        if (!(error instanceof BackupError)) throw error
        note(error.message, id)
      }
    }
  }
  return {
    backups: wanted.length,
    chunks: there.size,
    damage: [...damage].map(([what, ids]) => `${what}; needed by ${ids.join(', ')}`),
  }
}
