import { join } from 'node:path'
import { pino } from 'pino'
import { backupEmbedded, restoreEmbedded } from '#platform/backup/embedded.ts'
import type { ObjectStore } from '#platform/backup/object-store.ts'
import { DirectoryStore } from '#platform/backup/directory-store.ts'
import { prune } from '#platform/backup/prune.ts'
import { Repository } from '#platform/backup/repository.ts'
import { everyTable } from '#platform/tables.ts'
import { seal, wrapped } from './fixture.ts'

/**
 * `node killed-child.ts WORK DIRECTORY N`: does the work, and kills itself with SIGKILL at the Nth call of the storage,
 * before it for even numbers and after it for odd ones. Ends with 0 when there are fewer calls.
 */
const [, , work, directory, count] = process.argv
let left = Number(count)

function call<T>(does: () => Promise<T>): Promise<T> {
  left--
  if (left > 0) return does()
  if (Number(count) % 2 === 0) process.kill(process.pid, 'SIGKILL')
  return does().then((value) => {
    process.kill(process.pid, 'SIGKILL')
    return value
  })
}

const real = new DirectoryStore(join(directory, 'storage'))
const store: ObjectStore = wrapped(real, {
  put: (key, bytes) => call(() => real.put(key, bytes)),
  get: (key) => call(() => real.get(key)),
  delete: (key) => call(() => real.delete(key)),
})
const log = pino({ level: 'silent' })
const repository = await Repository.open(store, seal)
if (work === 'backup') {
  await backupEmbedded({
    repository,
    directory: join(directory, 'data'),
    scratch: join(directory, `scratch-${count}`),
    tables: everyTable,
    note: true,
    files: [],
    source: 'test',
    log,
    waitMs: 0,
  })
}
if (work === 'restore') await restoreEmbedded(repository, await repository.newest(), join(directory, 'out'))
if (work === 'prune') await prune(repository, { hours: 1, days: 1, weeks: 1 }, { waitMs: 0 })
