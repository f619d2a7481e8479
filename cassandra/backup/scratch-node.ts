import { randomInt } from 'node:crypto'
import { mkdir, readdir, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { BackupError } from '#platform/backup/backup-error.ts'
import type { Manifest } from '#platform/backup/manifest.ts'
import type { Repository } from '#platform/backup/repository.ts'
import { fetchAll } from '#platform/backup/units.ts'
import type { Logger } from '#platform/log.ts'
import { ensureCassandra } from '../local/engine.ts'
import { startNode } from '../local/node.ts'
import { migrate } from '../migrate.ts'
import type { ConnectionOptions } from '../store/connection.ts'

const scratchDc = 'scratch'
const heapMb = 512

export interface ScratchNode {
  readonly connection: Omit<ConnectionOptions, 'keyspace' | 'only'>
  readonly keyspace: string
  /** Bytes that were restored, and how long it took until they could be read. */
  readonly bytes: number
  readonly restoreMs: number
}

/**
 * Runs `work` with a Cassandra node of this machine's own that has the rows of a backup, on a loopback address: made with
 * our schema, then the SSTables put in place while it is down. It ends with the work.
 *
 * @throws BackupError, EngineError, StoreError
 */
export async function withScratchNode<T>(
  options: {
    repository: Repository
    manifest: Manifest
    /** Empty directory with room for all of it. */
    scratch: string
    log: Logger
    /** Only these. */
    tables?: readonly string[]
  },
  work: (node: ScratchNode) => Promise<T>,
): Promise<T> {
  const { repository, manifest, scratch, log } = options
  const { schema } = manifest
  if (schema === undefined) throw new BackupError('corrupt', `backup ${manifest.id} has no schema`)
  const { keyspace } = schema
  const began = performance.now()
  const fetched = join(scratch, 'fetched')
  const units = manifest.tables
    .filter(({ name }) => options.tables?.includes(name) ?? true)
    .flatMap((table) => table.units)
  await mkdir(fetched, { recursive: true })
  const bytes = await fetchAll(repository, units, fetched)
  const engine = await ensureCassandra({ log })
  const ip = `127.${randomInt(2, 250)}.${randomInt(1, 250)}.${randomInt(1, 250)}`
  const settings = { engine, directory: join(scratch, 'node'), ip, dc: scratchDc, heapMb }
  const connection = { contactPoints: [ip], localDc: scratchDc, log, readTimeoutMs: 60_000 }
  let node = await startNode(settings)
  try {
    await node.cqlReady
    await migrate({ ...connection, keyspace, replication: { [scratchDc]: 1 } })
    await node.stop()
    await place(join(fetched, keyspace), join(settings.directory, 'data', 'data', keyspace))
    node = await startNode(settings)
    await node.cqlReady
    const restoreMs = performance.now() - began
    return await work({ connection, keyspace, bytes, restoreMs })
  } finally {
    await node.kill()
  }
}

/** Moves SSTables into the directories of the tables that were made for them. */
async function place(from: string, to: string): Promise<void> {
  const directories = await readdir(to)
  for (const table of await readdir(from).catch(() => [])) {
    const directory = directories.find((name) => name.slice(0, name.lastIndexOf('-')) === table)
    if (directory === undefined)
      throw new BackupError(
        'version',
        `the schema of this program has no table ${table}: use a newer program`,
      )
    // oxlint-disable-next-line no-await-in-loop -- renames
    // oxlint-disable-next-line no-await-in-loop
    for (const file of await readdir(join(from, table)))
      await rename(join(from, table, file), join(to, directory, file))
  }
}
