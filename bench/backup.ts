import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
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
import { Batch, type Store, StoreError } from '#platform/store/store.ts'
import { everyTable } from '#platform/tables.ts'
import { telemetry } from '#platform/telemetry/tables.ts'
import { childTime, describeMachine, ownTime, readTaken, stolenSince } from './machine.ts'
import { Share } from './share.ts'
import { median } from './statistics.ts'

const usage = `node bench/backup.ts [options]

Fills a Cassandra node with what does not compress, backs it up to a directory with \`cinque backup run\`, restores it into an
empty node with \`cinque restore all\`, and compares all rows. Then writes measured values at full speed, with and without
a backup that runs beside on the same cores with what its unit has of them (needs root): what it costs while it runs. (In a
cell it runs in a backup datacenter, where no device is.) A second counts as far as the processors were this machine's own:
others of the same host took the rest. Targets: 2 GB restored in 600 s with equal hashes; cost under 5 %.

  --megabytes N     what is backed up, at least (2000)
  --percent N       of one processor that backups have at most beside writes, as the unit's CPUQuota= (10)
  --rounds N        rounds of the cost, each without, twice with, and without (3)
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
const windowMs = 20_000

const { values } = parseArgs({
  options: {
    megabytes: { type: 'string', default: '2000' },
    percent: { type: 'string', default: '10' },
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

type Value = { readonly text: string } | { readonly number: number }

/** What does not compress, and makes a large data set of few rows. */
function large(): Value {
  const from = Math.floor(Math.random() * (noise.length - valueBytes))
  return { text: noise.toString('base64', from, from + valueBytes) }
}

/** As devices send them. */
const measured = (): Value => ({ number: Math.random() })

/** False where the node was too slow to say so: a machine that others hold up. */
async function acknowledged(store: Store, batch: Batch): Promise<boolean> {
  try {
    await store.write(batch)
    return true
  } catch (error) {
    if (error instanceof StoreError && error.code === 'unavailable') return false
    throw error
  }
}

/** Writes until told to stop; returns rows that were acknowledged. */
async function write(store: Store, value: () => Value, goOn: () => boolean): Promise<number> {
  let rows = 0
  const worker = async (): Promise<void> => {
    while (goOn()) {
      const batch = new Batch()
      const device = `d${written % 500}`
      for (let n = 0; n < batchRows; n++)
        batch.put(telemetry, { org: 'o', device, day, key: 'k', ts: ++written, n: 0, ...value() })
      // oxlint-disable-next-line no-await-in-loop -- a bounded number of workers
      if (await acknowledged(store, batch)) rows += batchRows
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
/** A whole number from 1; else it ends with what is wrong. */
function count(name: 'megabytes' | 'rounds' | 'percent'): number {
  const number = Number(values[name])
  if (!Number.isInteger(number) || number < 1) {
    process.stderr.write(`--${name} ${values[name]}: must be a whole number from 1\n`)
    process.exit(2)
  }
  return number
}
const megabytes = count('megabytes')
const rounds = count('rounds')
const percent = count('percent')
const root = mkdtempSync(join(values.directory, 'cinque-bench-'))
const engine = await ensureCassandra({ log })
const nodes: CassandraNode[] = []
const share = Share.of(percent)
process.once('exit', () => {
  share?.remove()
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
async function cinque(args: readonly string[], within: Share | null = null): Promise<unknown> {
  const all = ['scripts/cinque.js', ...args, '--json']
  const [program, words] = within?.command(process.execPath, all) ?? [process.execPath, all]
  const child = spawn(program, words, { stdio: ['ignore', 'pipe', 'inherit'] })
  const end = (): void => void child.kill('SIGKILL')
  process.once('exit', end)
  let printed = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (printed += text))
  const [code] = (await once(child, 'close')) as [number | null]
  process.off('exit', end)
  if (code !== 0) throw new Error(`cinque ${args.join(' ')} ended with ${code}: ${printed}`)
  return JSON.parse(printed)
}

interface Backup {
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
await cinque(['backup', 'init', '--config', config])
const backUp = (more: readonly string[] = [], within: Share | null = null): Promise<Backup> =>
  cinque(['backup', 'run', '--config', config, ...more], within) as Promise<Backup>

const store = await openCassandraStore({
  ...source.connection,
  keyspace,
  tables: everyTable,
  // A machine that others hold up loses nothing.
  readTimeoutMs: 60_000,
})
say(`filling ${megabytes} MB`)
const rowBytes = valueBytes * (4 / 3)
// Compaction makes a little less of it.
const wanted = megabytes * 1.02e6
for (let missing = wanted; missing > 0; missing = wanted - stored()) {
  const until = written + missing / rowBytes
  // oxlint-disable-next-line no-await-in-loop -- until it is enough: some of it is written over or compresses
  await write(store, large, () => written < until)
  // oxlint-disable-next-line no-await-in-loop
  await runTool(tools.nodetool, ['flush', keyspace])
}

say('backing up')
const first = await backUp(['--note'])
const again = await backUp()
const { bytes } = first

say('restoring')
const target = await newNode(join(root, 'target'), 2)
nodes.push(target.node)
const began = performance.now()
await cinque(['restore', 'all', '--config', configure('target', target)])
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

/** Rows acknowledged in a second of own time, for a while. */
async function alone(): Promise<number> {
  const until = performance.now() + windowMs
  return rate(() => performance.now() < until)
}

/** The same while a backup runs, and the processor time of it with all that it starts, seconds. */
async function beside(): Promise<{ rows: number; backup: number }> {
  let over = false
  const before = childTime()
  const backup = backUp(['--no-note'], share).finally(() => (over = true))
  const [rows] = await Promise.all([rate(() => !over), backup])
  return { rows, backup: childTime() - before }
}

async function rate(goOn: () => boolean): Promise<number> {
  const own = ownTime()
  const rows = await write(store, measured, goOn)
  return rows / ((ownTime() - own) / 1000)
}

interface Round {
  readonly alone: number
  readonly beside: number
  readonly cost: number
  readonly stolen: number
  readonly backups: readonly number[]
}

/** What the machine does by itself in its course (a compaction, a slow disk) meets both alike: without, with, with, without. */
async function round(): Promise<Round> {
  const taken = readTaken()
  const before = await alone()
  const one = await beside()
  const two = await beside()
  const after = await alone()
  const without = (before + after) / 2
  const during = (one.rows + two.rows) / 2
  return {
    alone: without,
    beside: during,
    cost: 1 - during / without,
    stolen: stolenSince(taken),
    backups: [one.backup, two.backup],
  }
}

if (share === null)
  say('no group of processes can be made (root is needed): what a backup costs is not measured')
const all: Round[] = []
if (share !== null) await alone()
for (let n = 0; share !== null && n < rounds; n++) {
  // oxlint-disable-next-line no-await-in-loop -- one after the other
  const one = await round()
  all.push(one)
  say(
    `${one.alone.toFixed(0)} rows/s, ${one.beside.toFixed(0)} while backups run: ${(one.cost * 100).toFixed(1)} %; others took ${one.stolen.toFixed(1)} %`,
  )
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
  backupProcessorSeconds: median(all.flatMap((one) => one.backups)),
  percent,
  rounds: all,
  writesAlone: median(all.map((one) => one.alone)),
  cost: median(all.map(({ cost }) => cost)),
}
if (values.json) process.stdout.write(`${JSON.stringify(result)}\n`)
else {
  const lines = [
    `backup      ${(bytes / 1e6).toFixed(0)} MB in ${result.backupSeconds.toFixed(1)} s, rows counted and hashed with it (${result.backupMegabytesPerSecond.toFixed(0)} MB/s)`,
    `next one    ${result.secondBackupSeconds.toFixed(1)} s, nothing new`,
    `restore     ${result.restoreSeconds.toFixed(1)} s into an empty node; ${found.rows} rows, hashes ${equal ? 'equal' : 'DIFFERENT'} (bar: 600 s for 2 GB)`,
    share === null
      ? 'cost        not measured'
      : `cost        ${(result.cost * 100).toFixed(1)} % of ${result.writesAlone.toFixed(0)} rows/s while a backup runs with ${percent} % of one processor at most, median of ${rounds} rounds (bar: 5 %)
            ${result.backupProcessorSeconds.toFixed(1)} s of processor time a backup: ${((result.backupProcessorSeconds / 7200 / result.machine.cores) * 100).toFixed(2)} % of the machine's with one every two hours`,
  ]
  process.stdout.write(`${lines.join('\n')}\n`)
}
process.exit(equal ? 0 : 1)
