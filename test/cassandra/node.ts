import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type cassandra from 'cassandra-driver'
import { pino } from 'pino'
import { migrate } from '#cassandra/migrate.ts'
import { ensureCassandra } from '#cassandra/local/engine.ts'
import { type CassandraNode, startNode } from '#cassandra/local/node.ts'
import { connect } from '#cassandra/store/connection.ts'

export const silent = pino({ level: 'silent' })
export const keyspace = 'cinque'
/** The first time fetches Cassandra. */
export const startTimeoutMs = 300_000

/** Addresses that other runs of the tests on this machine are not likely to have. */
export function address(last: number): string {
  return `127.${64 + (process.pid % 128)}.${1 + ((process.pid >> 7) % 250)}.${last}`
}

/** A real node for all tests of a run that do it no harm, started when the first asks for it. */
export interface SharedNode {
  readonly node: CassandraNode
  readonly ip: string
  /** Connected to our keyspace, which has our schema. */
  readonly admin: cassandra.Client
}

let shared: Promise<SharedNode> | undefined
const directories: string[] = []
const nodes: CassandraNode[] = []

export function sharedNode(): Promise<SharedNode> {
  shared ??= start()
  return shared
}

async function start(): Promise<SharedNode> {
  const node = await newNode(1)
  await node.cqlReady
  const at = { contactPoints: [node.ip], localDc: 'dc01', log: silent }
  await migrate({ ...at, keyspace, replication: { dc01: 1 } })
  return { node, ip: node.ip, admin: await connect({ ...at, keyspace }) }
}

/** A node of a test's own; it is killed and its data are removed at the end of the run. */
export async function newNode(
  last: number,
  options: Partial<Parameters<typeof startNode>[0]> = {},
): Promise<CassandraNode> {
  const engine = await ensureCassandra({ log: silent })
  const directory = options.directory ?? newDirectory()
  const node = await startNode({ engine, ip: address(last), dc: 'dc01', heapMb: 256, ...options, directory })
  nodes.push(node)
  return node
}

export function newDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'cinque-cassandra-'))
  directories.push(directory)
  return directory
}

/** Nodes outlive a run that is ended from outside. */
function killAll(): void {
  for (const node of nodes) {
    if (node.running) process.kill(node.pid, 'SIGKILL')
  }
}
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => {
    killAll()
    process.exit(1)
  })
}
process.once('exit', killAll)

after(async function () {
  this.timeout(30_000)
  await (await shared?.catch(() => undefined))?.admin.shutdown()
  await Promise.all(nodes.map((node) => node.kill()))
  for (const directory of directories) rmSync(directory, { recursive: true, force: true })
})
