import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { stringify } from 'yaml'
import { fingerprintAt } from '#cassandra/backup/fingerprint.ts'
import { engineTools, runTool } from '#cassandra/backup/tools.ts'
import { ensureCassandra } from '#cassandra/local/engine.ts'
import { type CassandraNode, startNode } from '#cassandra/local/node.ts'
import { migrate } from '#cassandra/migrate.ts'
import { connect } from '#cassandra/store/connection.ts'
import { openCassandraStore } from '#cassandra/store/store.ts'
import { createLogger } from '#platform/log.ts'
import { Batch, type Store } from '#platform/store/store.ts'
import { everyTable } from '#platform/tables.ts'
import { telemetry } from '#platform/telemetry/tables.ts'
import { describeMachine } from './machine.ts'
import { median } from './statistics.ts'

const usage = `node bench/backup.ts [options]

Fills a Cassandra node with what does not compress, backs it up to a directory with \`cinque backup run\`, restores it into an
empty node with \`cinque restore all\`, and compares all rows. Then writes at full speed with and without backups that run
beside, one after the other, on the same cores: what they cost. (In a cell they run in a backup datacenter, where no device
is.) Targets: 2 GB restored in 600 s with equal hashes; cost under 5 %.

  --megabytes N     what is backed up, at least (2000)
  --rounds N        rounds of the cost, each with and without (3)
  --directory DIR   the disk to measure (the system's temporary directory)
  --json            everything as JSON
  --help            prints this
`

const keyspace = 'cinque'
const day = Math.floor(Date.now() / 86_400_000)
const log = createLogger({ level: 'silent' })
/** Of a value, before base64. */
const valueBytes = 4_500
/** Values are cut out of it: their making must not be what is measured. */
const noise = randomBytes(4_000_000)
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
        const from = Math.floor(Math.random() * (noise.length - valueBytes))
        const text = noise.toString('base64', from, from + valueBytes)
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
const say = (line: string): void => void process.stderr.write(`${line}\n`)
const source = await newNode(join(root, 'source'), 1, jmxPort)
nodes.push(source.node)
const tools = engineTools(engine, jmxPort, join(root, 'source', 'cassandra.yaml'))
const data = join(root, 'source', 'data', 'data')
mkdirSync(join(root, 'scratch'))

/** As an operator has it, of a node. */
function configure(name: string, { connection }: Target): string {
  const file = join(root, `${name}.yaml`)
  const [address] = connection.contactPoints
  const cassandra = { address, dc: connection.localDc, keyspace, data, ...tools }
  const config = {
    directory: join(root, 'storage'),
    key_file: join(root, 'backup.key'),
    scratch: join(root, 'scratch'),
    cassandra,
  }
  writeFileSync(file, stringify(config))
  return file
}

/** What `cinque ARGUMENTS --json` prints. */
async function cinque(...args: string[]): Promise<unknown> {
  const child = spawn(process.execPath, ['scripts/cinque.js', ...args, '--json'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    // A session of its own: as the scheduler divides time among sessions, its niceness counts for nothing otherwise.
    detached: true,
  })
  try {
    writeFileSync(`/proc/${child.pid}/autogroup`, '15')
  } catch {
    // Not Linux, or time is not divided among sessions.
  }
  let printed = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (printed += text))
  const [code] = (await once(child, 'close')) as [number | null]
  if (code !== 0) throw new Error(`cinque ${args.join(' ')} ended with ${code}: ${printed}`)
  return JSON.parse(printed)
}

interface Taken {
  readonly taken: string
  readonly bytes: number
  readonly tookMs: number
  readonly tables: readonly { name: string; noted?: { rows: number; hash: string } }[]
}

/** Bytes of the SSTables. */
function stored(): number {
  const below = join(data, keyspace)
  return readdirSync(below, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('-Data.db') && !/snapshots|backups/.test(name))
    .reduce((sum, name) => sum + (statSync(join(below, name), { throwIfNoEntry: false })?.size ?? 0), 0)
}

const config = configure('source', source)
await cinque('backup', 'init', '--config', config)
const backUp = (...more: string[]): Promise<Taken> =>
  cinque('backup', 'run', '--config', config, ...more) as Promise<Taken>

const store = await openCassandraStore({ ...source.connection, keyspace, tables: everyTable })
say(`filling ${megabytes} MB`)
const rowBytes = valueBytes * (4 / 3)
// Compaction makes a little less of it.
const wanted = megabytes * 1.02e6
for (let missing = wanted; missing > 0; missing = wanted - stored()) {
  const until = written + missing / rowBytes
  // oxlint-disable-next-line no-await-in-loop -- until it is enough: some of it is written over or compresses
  await write(store, () => written < until)
  // oxlint-disable-next-line no-await-in-loop
  await runTool(tools.nodetool, ['flush', keyspace])
}

say('backing up')
const first = await backUp('--note')
const again = await backUp()
const { bytes } = first

say('restoring')
const target = await newNode(join(root, 'target'), 2)
nodes.push(target.node)
const began = performance.now()
await cinque('restore', 'all', '--config', configure('target', target))
const restoreMs = performance.now() - began
say('comparing')
const client = await connect({ ...target.connection, only: true, readTimeoutMs: 60_000 })
const found = await fingerprintAt(client, keyspace, telemetry, Date.parse(first.taken) + 86_400_000)
await client.shutdown()
const noted = first.tables.find(({ name }) => name === telemetry.name)?.noted
const equal = noted !== undefined && noted.hash === found.hash && noted.rows === found.rows
await target.node.kill()
rmSync(join(root, 'target'), { recursive: true })
say('writing with and without backups')

/** Rows a second; with `beside` under way from its beginning to the end of the window. */
async function rate(beside: boolean): Promise<number> {
  let over = false
  const backups = (async () => {
    let count = 0
    while (beside && !over) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      await backUp()
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
  backupSeconds: first.tookMs / 1000,
  backupMegabytesPerSecond: bytes / 1000 / first.tookMs,
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
