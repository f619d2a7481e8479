import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { backupCassandra } from '#cassandra/backup/backup.ts'
import { fingerprintAt } from '#cassandra/backup/fingerprint.ts'
import { restoreCassandra } from '#cassandra/backup/restore.ts'
import { engineTools, runTool } from '#cassandra/backup/tools.ts'
import { ensureCassandra } from '#cassandra/local/engine.ts'
import { type CassandraNode, startNode } from '#cassandra/local/node.ts'
import { migrate } from '#cassandra/migrate.ts'
import { connect } from '#cassandra/store/connection.ts'
import { openCassandraStore } from '#cassandra/store/store.ts'
import { DirectoryStore } from '#platform/backup/directory-store.ts'
import { bytesOf, type Manifest } from '#platform/backup/manifest.ts'
import { Repository } from '#platform/backup/repository.ts'
import { Seal } from '#platform/backup/seal.ts'
import { createLogger } from '#platform/log.ts'
import { Batch, type Store } from '#platform/store/store.ts'
import { everyTable } from '#platform/tables.ts'
import { telemetry } from '#platform/telemetry/tables.ts'
import { describeMachine } from './machine.ts'
import { median } from './statistics.ts'

const usage = `node bench/backup.ts [options]

Fills a Cassandra node, backs it up to a directory, restores it into an empty node, and compares all rows. Then writes at
full speed with and without a backup that runs beside, on the same cores: what it costs. (In a cell it runs in a backup
datacenter, where no device is.) Targets: 2 GB restored in 600 s with equal hashes; cost under 5 %.

  --megabytes N     (2000)
  --rounds N        rounds of the cost, each with and without (3)
  --directory DIR   the disk to measure (the system's temporary directory)
  --json            everything as JSON
  --help            prints this
`

const keyspace = 'cinque'
const day = Math.floor(Date.now() / 86_400_000)
const log = createLogger({ level: 'silent' })
/** Bytes of a value, which compress by a quarter at most. */
const valueBytes = 6_000
const batchRows = 8
const inFlight = 16
/** Writes are measured for so long. */
const windowMs = 8_000

const { values } = parseArgs({
  options: {
    megabytes: { type: 'string', default: '2000' },
    rounds: { type: 'string', default: '3' },
    directory: { type: 'string', default: tmpdir() },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

interface Target {
  readonly node: CassandraNode
  readonly connection: { contactPoints: string[]; localDc: string; log: typeof log }
}

async function newNode(directory: string, last: number, jmxPort?: number): Promise<Target> {
  mkdirSync(directory, { recursive: true })
  const ip = `127.${1 + (process.pid % 250)}.${1 + ((process.pid >> 8) % 250)}.${last}`
  const jmx = jmxPort === undefined ? {} : { jmxPort }
  const node = await startNode({ engine, directory, ip, dc: 'dc01', heapMb: 1024, full: true, ...jmx })
  await node.cqlReady
  const connection = { contactPoints: [ip], localDc: 'dc01', log }
  await migrate({ ...connection, keyspace, replication: { dc01: 1 } })
  return { node, connection }
}

let written = 0

/** Writes until told to stop; returns rows that were acknowledged. */
async function write(store: Store, goOn: () => boolean): Promise<number> {
  let rows = 0
  const worker = async (): Promise<void> => {
    while (goOn()) {
      const batch = new Batch()
      const device = `d${written % 500}`
      for (let n = 0; n < batchRows; n++) {
        const text = randomBytes(valueBytes)
          .toString('latin1')
          .replace(/[^ -~]/g, '~')
        batch.put(telemetry, { org: 'o', device, day, key: 'k', ts: ++written, n: 0, text })
      }
      // oxlint-disable-next-line no-await-in-loop -- a bounded number of workers
      await store.write(batch)
      rows += batchRows
    }
  }
  await Promise.all(Array.from({ length: inFlight }, worker))
  return rows
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

if (values.help) {
  process.stdout.write(usage)
  process.exit(0)
}
const megabytes = Number(values.megabytes)
const rounds = Number(values.rounds)
const root = mkdtempSync(join(values.directory, 'cinque-bench-'))
const engine = await ensureCassandra({ log })
const nodes: CassandraNode[] = []
process.once('exit', () => {
  for (const node of nodes) if (node.running) process.kill(node.pid, 'SIGKILL')
  rmSync(root, { recursive: true, force: true })
})
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => process.exit(1))

const jmxPort = await freePort()
const source = await newNode(join(root, 'source'), 1, jmxPort)
nodes.push(source.node)
const tools = engineTools(engine, jmxPort, join(root, 'source', 'cassandra.yaml'))
mkdirSync(join(root, 'storage'))
const repository = await Repository.init(
  new DirectoryStore(join(root, 'storage')),
  new Seal(Buffer.alloc(32, 1)),
)
const data = join(root, 'source', 'data', 'data')

function backUp(note: boolean): Promise<Manifest> {
  const { connection } = source
  const rest = { files: [], waitMs: 0, tables: everyTable }
  return backupCassandra({ repository, connection, keyspace, data, tools, note, ...rest })
}

const store = await openCassandraStore({ ...source.connection, keyspace, tables: everyTable })
await write(store, () => written * valueBytes < megabytes * 1_000_000)
await runTool(tools.nodetool, ['flush', keyspace])

const manifest = await backUp(true)
const again = await backUp(false)
const bytes = bytesOf(manifest)

const target = await newNode(join(root, 'target'), 2)
nodes.push(target.node)
mkdirSync(join(root, 'scratch'))
const began = performance.now()
const { connection } = target
await restoreCassandra({ repository, manifest, connection, keyspace, tools, scratch: join(root, 'scratch') })
const restoreMs = performance.now() - began
const client = await connect({ ...target.connection, only: true, readTimeoutMs: 60_000 })
const found = await fingerprintAt(client, keyspace, telemetry, manifest.taken + 86_400_000)
await client.shutdown()
const noted = manifest.tables.find(({ name }) => name === telemetry.name)?.noted
const equal = noted !== undefined && noted.hash === found.hash && noted.rows === found.rows
await target.node.kill()
rmSync(join(root, 'target'), { recursive: true })

/** Rows a second; with `beside` under way from its beginning to the end of the window. */
async function rate(beside: boolean): Promise<number> {
  let over = false
  const backups = (async () => {
    let count = 0
    while (beside && !over) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      await backUp(false)
      count++
    }
    return count
  })()
  const start = performance.now()
  const rows = await write(store, () => performance.now() - start < windowMs)
  const seconds = (performance.now() - start) / 1000
  over = true
  await backups
  await delay(1_000)
  return rows / seconds
}

const costs: number[] = []
const rates: { alone: number; beside: number }[] = []
await rate(false)
for (let round = 0; round < rounds; round++) {
  // oxlint-disable-next-line no-await-in-loop -- one after the other
  const one = { alone: await rate(false), beside: await rate(true) }
  rates.push(one)
  costs.push(1 - one.beside / one.alone)
}
await store.close()

const result = {
  machine: describeMachine(),
  bytes,
  backupSeconds: manifest.tookMs / 1000,
  backupMegabytesPerSecond: bytes / 1000 / manifest.tookMs,
  secondBackupSeconds: again.tookMs / 1000,
  restoreSeconds: restoreMs / 1000,
  rows: found.rows,
  equal,
  writesAlone: rates.map(({ alone }) => Math.round(alone)),
  writesBeside: rates.map(({ beside }) => Math.round(beside)),
  cost: median(costs),
}
if (values.json) process.stdout.write(`${JSON.stringify(result)}\n`)
else {
  const lines = [
    `backup      ${(bytes / 1e6).toFixed(0)} MB in ${result.backupSeconds.toFixed(1)} s, rows counted and hashed with it (${result.backupMegabytesPerSecond.toFixed(0)} MB/s)`,
    `next one    ${result.secondBackupSeconds.toFixed(1)} s, nothing new`,
    `restore     ${result.restoreSeconds.toFixed(1)} s into an empty node; ${found.rows} rows, hashes ${equal ? 'equal' : 'DIFFERENT'} (bar: 600 s for 2 GB)`,
    `cost        ${(result.cost * 100).toFixed(1)} % of ${median(result.writesAlone)} rows/s while backups run without a pause (bar: 5 %)`,
  ]
  process.stdout.write(`${lines.join('\n')}\n`)
}
process.exit(equal ? 0 : 1)
