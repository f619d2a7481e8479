import { checkInventory, type Host, type Inventory } from './inventory.ts'

export interface DevCell {
  /** How many of the five, in their order: three live ones first. */
  readonly dcs?: number | undefined
  /** Live DCs with three Cassandra nodes each; else one everywhere. */
  readonly full?: boolean | undefined
  /** Hosts with brokers and API in each DC: 1 or 2. */
  readonly apps?: number | undefined
  /** Broker processes on each of them. */
  readonly brokers?: number | undefined
  /** A host in each DC that looks at all the others. */
  readonly checkers?: boolean | undefined
  /** Of its checkers, where the defaults do not suit. */
  readonly health?: Partial<Inventory['health']> | undefined
  /** Second number of the loopback addresses, `127.{net}.{dc}.{host}`: cells with another one don't meet. */
  readonly net?: number | undefined
  readonly mqttPort?: number | undefined
  readonly httpPort?: number | undefined
}

/** Nothing else lives there, as far as is known. */
export const devNet = 77

const five = [
  { name: 'dc01', number: 1, place: 'Montreal', location: [45.5, -73.6], kind: 'live' },
  { name: 'dc02', number: 2, place: 'Miami', location: [25.8, -80.2], kind: 'live' },
  { name: 'dc03', number: 3, place: 'Nürnberg', location: [49.5, 11.1], kind: 'live' },
  { name: 'dcb1', number: 4, place: 'London', location: [51.5, -0.1], kind: 'backup' },
  { name: 'dcb2', number: 5, place: 'Munich', location: [48.1, 11.6], kind: 'backup' },
] as const

/** Beside those that a program on all addresses (0.0.0.0) would be likely to have. */
const ports = { nats: 14_222, gateway: 17_222, nats_http: 18_222, metrics: 19_180 }

/** Where the names of a development cell are: nobody else's (RFC 6761, 6.2). */
const zone = 'cell.test'
/** Short, as nobody but this machine asks: seconds. */
const ttl = 20
/** Last number of the address of a checker. */
const checkerAddress = 200

/** The DCs of `cinque dev --dcs 5` on loopback addresses; the first host of each runs everything but spare nodes. */
export function devInventory({
  dcs: count = five.length,
  full = false,
  apps = 1,
  brokers = 1,
  checkers = false,
  health,
  net = devNet,
  mqttPort,
  httpPort,
}: DevCell = {}): Inventory {
  const dcs = five.slice(0, count)
  const replicas = (kind: 'live' | 'backup'): number => (full && kind === 'live' ? 3 : 1)
  const hosts = dcs.flatMap(({ name, number, kind }): Host[] => {
    const address = (at: number): string => `127.${net}.${number}.${at}`
    const common = { dc: name, brokers, weight: 10 }
    const size = Math.max(replicas(kind), apps)
    return [
      ...Array.from({ length: size }, (_, at): Host => {
        const db = at < replicas(kind) ? (['db'] as const) : []
        const app = at < apps ? (['app'] as const) : []
        return { name: `${name}-n${at + 1}`, roles: [...db, ...app], address: address(at + 1), ...common }
      }),
      ...(checkers
        ? [
            {
              name: `${name}-checker`,
              roles: ['checker' as const],
              address: address(checkerAddress),
              ...common,
            },
          ]
        : []),
    ]
  })
  return checkInventory(
    {
      cell: 'dev',
      dcs: dcs.map((one) => ({ ...one, replicas: replicas(one.kind) })),
      hosts,
      ports: { ...ports, mqtt: mqttPort, http: httpPort },
      // Without checkers nobody would answer for the names.
      ...(checkers ? { dns: { zone, ttl } } : {}),
      health: { quorum: Math.min(3, Math.floor(count / 2) + 1), ...health },
    },
    'the inventory of `cinque dev --dcs`',
  )
}
