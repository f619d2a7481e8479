import { checkInventory, type Host, type Inventory } from './inventory.ts'

export interface DevCell {
  /** How many of the five, in their order: three live ones first. */
  readonly dcs?: number | undefined
  /** Live DCs with three Cassandra nodes each; else one everywhere. */
  readonly full?: boolean | undefined
  /** Broker processes in each DC. */
  readonly brokers?: number | undefined
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

/** The DCs of `cinque dev --dcs 5` on loopback addresses; the first host of each runs everything but spare nodes. */
export function devInventory({
  dcs: count = five.length,
  full = false,
  brokers = 1,
  net = devNet,
  mqttPort,
  httpPort,
}: DevCell = {}): Inventory {
  const dcs = five.slice(0, count)
  const replicas = (kind: 'live' | 'backup'): number => (full && kind === 'live' ? 3 : 1)
  const hosts = dcs.flatMap(({ name, number, kind }) =>
    Array.from(
      { length: replicas(kind) },
      (_, at): Host => ({
        name: `${name}-n${at + 1}`,
        dc: name,
        roles: at === 0 ? ['db', 'app'] : ['db'],
        address: `127.${net}.${number}.${at + 1}`,
        brokers,
        weight: 10,
      }),
    ),
  )
  return checkInventory(
    {
      cell: 'dev',
      dcs: dcs.map((one) => ({ ...one, replicas: replicas(one.kind) })),
      hosts,
      ports: { ...ports, mqtt: mqttPort, http: httpPort },
    },
    'the inventory of `cinque dev --dcs`',
  )
}
