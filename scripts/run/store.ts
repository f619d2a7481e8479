import type { Logger } from '#platform/log.ts'
import { MemoryStore } from '#platform/store/memory.ts'
import { type Store, StoreError } from '#platform/store/store.ts'
import { isCell } from '#scripts/cell/directory.ts'
import { CliError } from '#scripts/output.ts'

/** The store in a directory, which is made if it is not there; in memory without one. Rejects with CliError. */
export async function openStore(
  directory: string | undefined,
  log: Logger,
  maxBytes = Number.POSITIVE_INFINITY,
): Promise<Store> {
  if (directory === undefined) return new MemoryStore({ maxBytes })
  if (isCell(directory)) {
    throw new CliError(`${directory} has the data of a cell`, {
      remedy: `Start it with \`cinque dev --dcs 5 --data ${directory}\`. Another directory, for one process: --data DIR.`,
    })
  }
  const { openLmdbStore } = await import('#platform/store/lmdb/store.ts')
  try {
    return await openLmdbStore({ directory, log, maxBytes })
  } catch (error) {
    if (!(error instanceof StoreError)) throw error
    throw new CliError(error.message, {
      remedy: 'Nothing was changed. Another directory: --data DIR; keeping nothing: --memory.',
      cause: error,
    })
  }
}
