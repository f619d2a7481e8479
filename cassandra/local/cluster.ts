import { join } from 'node:path'
import type { Logger } from '#platform/log.ts'
import { connect, type ConnectionOptions } from '../store/connection.ts'
import { EngineError } from './engine-error.ts'
import { type CassandraNode, type NodeOptions, startNode } from './node.ts'

export interface LocalDc {
  /** `dc01` */
  readonly name: string
  /** One node each; the first is the DC's seed. */
  readonly ips: readonly string[]
  /** As in NodeOptions, for all nodes of the DC. */
  readonly uid?: number
  readonly spawnPrefix?: readonly string[]
}

export interface ClusterOptions
  extends Omit<
    NodeOptions,
    | 'directory'
    | 'ip'
    | 'dc'
    | 'rack'
    | 'seeds'
    | 'token'
    | 'uid'
    | 'spawnPrefix'
    | 'jmxPort'
    | 'tls'
    | 'writeArchive'
  > {
  /** In order: a DC's place in the list is part of its nodes' tokens, so it must stay the same over restarts. */
  readonly dcs: readonly LocalDc[]
  /** Each node has a directory in it: `dc01-1`. */
  readonly directory: string
  readonly log: Logger
  /** First of the nodes' JMX ports, in the order of nodes; absent: no JMX. */
  readonly firstJmxPort?: number
  readonly tls?: (ip: string) => NonNullable<NodeOptions['tls']>
  /** How we connect to ask whether all are there; for clusters with passwords or TLS. */
  readonly connection?: Pick<ConnectionOptions, 'credentials' | 'tls'>
  /** Called as each node serves CQL. */
  readonly onProgress?: (ready: number, all: number) => void
}

export interface CassandraCluster {
  /** In the order of the DCs and their addresses. */
  readonly nodes: readonly CassandraNode[]
  nodesOf(dc: string): CassandraNode[]
  /** Starts a node that was stopped or killed again, on its data; resolves when it serves CQL. */
  restart(ip: string): Promise<CassandraNode>
  /** SIGTERM to all; resolves when all are gone. */
  stop(): Promise<void>
  /** kill -9 of all. */
  kill(): Promise<void>
}

/** Nodes that start at a time after the first: more is no faster on few cores. */
const atATime = 4

/**
 * Starts a cluster, new or on the data that it had; resolves when every node sees every other as NORMAL. The first
 * node starts alone, with itself as seed: a node whose seeds do not answer waits for ten seconds.
 *
 * @throws EngineError; the nodes that did start are killed
 */
export async function startCluster(options: ClusterOptions): Promise<CassandraCluster> {
  const plan = nodePlan(options)
  const nodes = new Map<string, CassandraNode>()
  let ready = 0
  const start = async (one: NodeOptions): Promise<CassandraNode> => {
    const node = await startNode(one)
    nodes.set(one.ip, node)
    await node.cqlReady
    if (ready < plan.length) options.onProgress?.(++ready, plan.length)
    return node
  }
  const all = (): CassandraNode[] => plan.flatMap(({ ip }) => nodes.get(ip) ?? [])
  try {
    const [first, ...rest] = plan
    await start({ ...first, seeds: [first.ip] })
    const workers = Array.from({ length: atATime }, async () => {
      for (let next = rest.shift(); next !== undefined; next = rest.shift()) {
        // oxlint-disable-next-line no-await-in-loop -- a pool
        await start(next)
      }
    })
    await Promise.all(workers)
    await allNormal(options, all())
  } catch (error) {
    await Promise.all(all().map((node) => node.kill()))
    throw error
  }
  return {
    get nodes() {
      return all()
    },
    nodesOf: (dc) => all().filter((node) => node.options.dc === dc),
    restart: async (ip) => {
      const one = plan.find((node) => node.ip === ip)
      if (one === undefined) throw new EngineError(`no node has the address ${ip}`)
      await nodes.get(ip)?.stop()
      return start(one)
    },
    stop: async () => void (await Promise.all(all().map((node) => node.stop()))),
    kill: async () => void (await Promise.all(all().map((node) => node.kill()))),
  }
}

function nodePlan(options: ClusterOptions): NodeOptions[] {
  const { dcs, directory, log: _, firstJmxPort, tls, connection: __, onProgress: ___, ...common } = options
  const seeds = dcs.map(({ ips }) => ips[0])
  let count = 0
  return dcs.flatMap((dc, place) =>
    dc.ips.map((ip, index) => ({
      ...common,
      directory: join(directory, `${dc.name}-${index + 1}`),
      ip,
      dc: dc.name,
      rack: `r${index + 1}`,
      seeds,
      token: String(
        -(2n ** 63n) + (2n ** 64n / BigInt(dc.ips.length)) * BigInt(index) + BigInt(place + 1) * 1000n,
      ),
      ...(firstJmxPort === undefined ? {} : { jmxPort: firstJmxPort + count++ }),
      ...(tls === undefined ? {} : { tls: tls(ip) }),
      ...(dc.uid === undefined ? {} : { uid: dc.uid }),
      ...(dc.spawnPrefix === undefined ? {} : { spawnPrefix: dc.spawnPrefix }),
    })),
  )
}

/** Waits until each node knows all as members that serve. EngineError after two minutes. */
export async function allNormal(
  options: Pick<ClusterOptions, 'log' | 'connection'>,
  nodes: readonly CassandraNode[],
): Promise<void> {
  const deadline = Date.now() + 120_000
  for (const node of nodes) {
    // oxlint-disable-next-line no-await-in-loop -- one connection at a time is enough
    const client = await connect({
      contactPoints: [node.ip],
      localDc: node.options.dc,
      log: options.log,
      only: true,
      // Nodes that have all just started on few cores answer late.
      readTimeoutMs: 30_000,
      ...options.connection,
    })
    try {
      for (;;) {
        // oxlint-disable-next-line no-await-in-loop -- polling
        const { rows } = await client.execute('SELECT status_with_port FROM system_views.gossip_info', [], {
          prepare: false,
        })
        const normal = rows.filter((row) => String(row.status_with_port).includes('NORMAL')).length
        if (normal >= nodes.length) break
        if (Date.now() > deadline) {
          throw new EngineError(
            `Cassandra node ${node.ip} sees ${normal} of ${nodes.length} nodes after 120 s (log: ${node.logFile})`,
          )
        }
        // oxlint-disable-next-line no-await-in-loop -- polling
        await new Promise((wake) => setTimeout(wake, 200))
      }
    } finally {
      // oxlint-disable-next-line no-await-in-loop
      await client.shutdown()
    }
  }
}
