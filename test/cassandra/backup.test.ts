import { expect } from 'chai'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { backupCassandra } from '#cassandra/backup/backup.ts'
import { fingerprintAt } from '#cassandra/backup/fingerprint.ts'
import { restoreCassandra } from '#cassandra/backup/restore.ts'
import { withScratchNode } from '#cassandra/backup/scratch-node.ts'
import { engineTools, type Tools } from '#cassandra/backup/tools.ts'
import { ensureCassandra } from '#cassandra/local/engine.ts'
import type { CassandraNode } from '#cassandra/local/node.ts'
import { migrate } from '#cassandra/migrate.ts'
import { connect } from '#cassandra/store/connection.ts'
import { openCassandraStore } from '#cassandra/store/store.ts'
import type { Manifest } from '#platform/backup/manifest.ts'
import type { Repository } from '#platform/backup/repository.ts'
import { verify } from '#platform/backup/verify.ts'
import { device } from '#platform/registry/tables.ts'
import { Batch } from '#platform/store/store.ts'
import { everyTable } from '#platform/tables.ts'
import { telemetry } from '#platform/telemetry/tables.ts'
import { Place } from '../platform/backup/fixture.ts'
import type { KilledWork } from './killed-child.ts'
import { keyspace, newDirectory, newNode, silent, startTimeoutMs } from './node.ts'

const child = fileURLToPath(new URL('killed-child.ts', import.meta.url))
const day = Math.floor(Date.now() / 86_400_000)
/** Of JMX, on 127.0.0.1: one that no other run has. */
const jmxPort = 20_000 + (process.pid % 20_000)

/** A real node is backed up, and its rows come back in another. */
describe('backup of Cassandra', function () {
  this.timeout(200_000)
  let node: CassandraNode
  let tools: Tools
  let repository: Repository
  let place: Place
  let connection: { contactPoints: string[]; localDc: string; log: typeof silent }

  before(async function () {
    this.timeout(startTimeoutMs)
    place = new Place(newDirectory())
    repository = await place.init()
    node = await newNode(41, { jmxPort })
    await node.cqlReady
    connection = { contactPoints: [node.ip], localDc: 'dc01', log: silent }
    await migrate({ ...connection, keyspace, replication: { dc01: 1 } })
    tools = toolsOf(node, await ensureCassandra({ log: silent }))
    await write(0, 2_000)
  })

  function toolsOf({ options }: CassandraNode, engine: Awaited<ReturnType<typeof ensureCassandra>>): Tools {
    return engineTools(engine, jmxPort, join(options.directory, 'cassandra.yaml'))
  }

  async function write(from: number, to: number): Promise<void> {
    const store = await openCassandraStore({ ...connection, keyspace, tables: everyTable })
    for (let at = from; at < to; at += 100) {
      const batch = new Batch()
      for (let n = at; n < at + 100; n++) {
        batch.put(device, { org: 'o', id: `d${n}`, name: `device ${n}`, version: n })
        batch.put(telemetry, { org: 'o', device: `d${n % 10}`, day, key: 'k', ts: n, n: 0, number: n / 3 })
      }
      await store.write(batch)
    }
    await store.close()
  }

  function backUp(): Promise<Manifest> {
    const data = join(node.options.directory, 'data', 'data')
    const options = {
      connection,
      keyspace,
      data,
      tools,
      tables: everyTable,
      note: true,
      files: [],
      waitMs: 0,
    }
    return backupCassandra({ repository, ...options })
  }
  /** Whether it was killed with SIGKILL half-way. */
  async function kill(work: KilledWork['work'], at: number, ip: string): Promise<boolean> {
    const scratch = newDirectory()
    const data = join(node.options.directory, 'data', 'data')
    const file = join(newDirectory(), 'work.json')
    const told: KilledWork = { work, storage: place.storage, ip, keyspace, data, tools, scratch, at }
    writeFileSync(file, JSON.stringify(told))
    const [code, signal] = (await once(
      spawn(process.execPath, [child, file], { stdio: ['ignore', 'ignore', 'inherit'] }),
      'exit',
    )) as [number | null, string | null]
    if (signal === null) expect(code).to.equal(0)
    return signal === 'SIGKILL'
  }
  const snapshots = (): string[] =>
    readdirSync(join(node.options.directory, 'data', 'data', keyspace), {
      recursive: true,
      encoding: 'utf8',
    }).filter((path) => path.includes('cinque-'))
  const failure = (work: Promise<unknown>): Promise<string> => work.then(() => 'done', String)
  const noted = (manifest: Manifest, table: string) =>
    manifest.tables.find(({ name }) => name === table)?.noted

  it('comes back in a scratch node, all rows as they were; the second backup ships what is new', async () => {
    const first = await backUp()
    expect(noted(first, 'device')?.rows).to.equal(2_000)
    expect(noted(first, 'telemetry')?.rows).to.equal(2_000)
    await write(2_000, 2_100)
    const second = await backUp()
    expect(second.shippedBytes).to.be.below(first.shippedBytes)
    const chunks = (manifest: Manifest): string[] =>
      manifest.tables.flatMap(({ units }) => units.flatMap((unit) => unit.chunks))
    for (const chunk of chunks(first)) expect(chunks(second)).to.include(chunk)
    expect((await verify(repository, { read: true })).damage).to.deep.equal([])
    expect(snapshots()).to.deep.equal([])

    const scratch = newDirectory()
    await withScratchNode({ repository, manifest: second, scratch, log: silent }, async (restored) => {
      const client = await connect({ ...restored.connection, only: true })
      for (const table of [device, telemetry]) {
        const found = await fingerprintAt(client, keyspace, table, second.taken + 86_400_000)
        expect(found, table.name).to.deep.equal(noted(second, table.name))
        expect(found.rows).to.equal(2_100)
      }
      await client.shutdown()
    })
  })

  it('killed while it ships it is no backup; the next one is whole, and takes the snapshot away', async () => {
    await write(2_100, 2_200)
    const before = await repository.backups()
    expect(await kill('backup', 1, node.ip)).to.equal(true)
    expect(snapshots()).to.not.deep.equal([])
    expect(await kill('backup', 2, node.ip)).to.equal(true)
    expect(await repository.backups()).to.deep.equal(before)
    expect((await verify(repository, { read: true })).damage).to.deep.equal([])
    expect(noted(await backUp(), 'device')?.rows).to.be.above(2_099)
    expect(snapshots()).to.deep.equal([])
  })

  it('is loaded into an empty cluster; killed it is run again; over rows it is refused', async () => {
    const manifest = await repository.newest()
    const target = await newNode(42)
    await target.cqlReady
    const there = { contactPoints: [target.ip], localDc: 'dc01', log: silent }
    const restore = (table?: string): Promise<number> => {
      const scratch = newDirectory()
      mkdirSync(scratch, { recursive: true })
      const only = table === undefined ? {} : { table }
      const options = { connection: there, keyspace, tools, scratch, ...only }
      return restoreCassandra({ repository, manifest, ...options })
    }
    expect(await failure(restore())).to.match(/cinque schema apply|does not exist/)
    await migrate({ ...there, keyspace, replication: { dc01: 1 } })

    // Before a table is loaded, and when the first has been.
    const chunks = manifest.tables.find(({ units }) => units.length > 0)?.units.flatMap((unit) => unit.chunks)
    expect(chunks).to.not.equal(undefined)
    for (const at of [1, (chunks?.length ?? 0) + 1])
      expect(await kill('restore', at, target.ip)).to.equal(true)
    await restore()
    const client = await connect({ ...there, only: true })
    for (const table of [device, telemetry]) {
      const found = await fingerprintAt(client, keyspace, table, manifest.taken + 86_400_000)
      expect(found, table.name).to.deep.equal(noted(manifest, table.name))
    }
    expect(await failure(restore())).to.match(
      /^BackupError: keyspace cinque is not empty: table \w+ has rows; nothing was changed$/,
    )
    await client.execute(`TRUNCATE ${keyspace}.device`)
    await restore('device')
    const again = await fingerprintAt(client, keyspace, device, 0)
    expect(again).to.deep.equal(noted(manifest, 'device'))
    await client.shutdown()
  })
})
