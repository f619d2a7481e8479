import { readFileSync } from 'node:fs'
import { pino } from 'pino'
import { backupCassandra } from '#cassandra/backup/backup.ts'
import { restoreCassandra } from '#cassandra/backup/restore.ts'
import type { Tools } from '#cassandra/backup/tools.ts'
import { DirectoryStore } from '#platform/backup/directory-store.ts'
import type { ObjectStore } from '#platform/backup/object-store.ts'
import { Repository } from '#platform/backup/repository.ts'
import { everyTable } from '#platform/tables.ts'
import { seal, wrapped } from '../platform/backup/fixture.ts'

export interface KilledWork {
  readonly work: 'backup' | 'restore'
  readonly storage: string
  readonly ip: string
  readonly keyspace: string
  readonly data: string
  readonly tools: Tools
  readonly scratch: string
  /** Killed at this put of a chunk or manifest, or get of a chunk, before it is done. */
  readonly at: number
}

/** `node killed-child.ts FILE`: does the work that the file tells of, and kills itself with SIGKILL half-way. */
const { work, storage, ip, keyspace, data, tools, scratch, at } = JSON.parse(
  readFileSync(process.argv[2], 'utf8'),
) as KilledWork
const log = pino({ level: 'silent' })
const real = new DirectoryStore(storage)
let left = at

function count(key: string): void {
  if (!/^(?:chunks|manifests)\//.test(key)) return
  left--
  if (left === 0) process.kill(process.pid, 'SIGKILL')
}

const store: ObjectStore = wrapped(real, {
  put: (key, bytes) => {
    count(key)
    return real.put(key, bytes)
  },
  get: (key) => {
    if (key.startsWith('chunks/')) count(key)
    return real.get(key)
  },
})
const repository = await Repository.open(store, seal)
const connection = { contactPoints: [ip], localDc: 'dc01', log }
if (work === 'backup') {
  const options = { connection, keyspace, data, tools, tables: everyTable, note: false, files: [], waitMs: 0 }
  await backupCassandra({ repository, ...options })
} else {
  const manifest = await repository.newest()
  await restoreCassandra({ repository, manifest, connection, keyspace, tools, scratch })
}
