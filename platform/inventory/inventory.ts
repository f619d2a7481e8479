import { z } from 'zod'
import { dnsContradictions } from './dns-contradictions.ts'

/** What a host runs. `db`: Cassandra; `app`: nats-server, brokers, API; `checker`: looks at the others from outside. */
const role = z.enum(['db', 'app', 'checker'])
/** Names end up in DNS, in file names and in those of NATS servers. */
const name = z.string().regex(/^[a-z][a-z0-9-]{0,31}$/, 'must be 1 to 32 of a-z, 0-9 and -, a letter first')

const dc = z.strictObject({
  name,
  /** In the keys of rows and in clocks: never given to another DC, also not after it is gone. */
  number: z.int().min(1).max(255),
  place: z.string().min(1),
  /** Degrees north and east, for the delay between places. */
  location: z.tuple([z.number().min(-90).max(90), z.number().min(-180).max(180)]).optional(),
  /** `live`: devices are sent there; `backup`: only while live ones are down. */
  kind: z.enum(['live', 'backup']),
  /** Copies of every row. */
  replicas: z.int().min(1).max(5),
  /** Who rents the hosts out, for those that do not say it themselves. */
  provider: z.string().min(1).optional(),
})

const host = z.strictObject({
  name,
  /** A checker outside of all DCs says `outside`. */
  dc: z.string(),
  roles: z.array(role).min(1),
  address: z.union([z.ipv4(), z.ipv6()], 'must be an IPv4 or IPv6 address'),
  /** Broker processes, on ports that follow each other. */
  brokers: z.int().min(1).max(64).default(1),
  /** Share of its DC's new connections, of hosts with role app; 0: only when no other is healthy. */
  weight: z.int().min(0).max(255).default(10),
  /** Of a db host whose place in this list is not the one that it had when it was made (docs/operations/verbs/node.md). */
  rack: z.int().min(1).max(999).optional(),
  provider: z.string().min(1).optional(),
  /** EUR a month. */
  price: z.number().min(0).max(10_000).optional(),
})

/** Two letters each, as Route 53 and GeoIP databases have them. */
export const continents = ['AF', 'AN', 'AS', 'EU', 'NA', 'OC', 'SA'] as const
const region = z.strictObject({
  name,
  continents: z.array(z.enum(continents)).default([]),
  /** ISO 3166-1, two letters; a country wins over its continent. */
  countries: z.array(z.string().regex(/^[A-Z]{2}$/, 'must be two capital letters (ISO 3166-1)')).default([]),
  /** All other places, and those that are not known. One region has it. */
  default: z.boolean().default(false),
  /** Degrees north and east of its middle, from which the nearest DCs are found where there is no chain. */
  location: z.tuple([z.number().min(-90).max(90), z.number().min(-180).max(180)]).optional(),
  /** DCs in the order in which they are asked for; all live ones before the backup ones. Default: by distance. */
  chain: z.array(z.string()).min(1).optional(),
})

const dns = z.strictObject({
  /** The zone that the names are in: `iot.example.org`. */
  zone: z
    .string()
    // A name has 253 characters at most (RFC 1035, 2.3.4), and those of chains need 45 before the zone.
    .max(200, 'must have 200 characters at most')
    .regex(
      /^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$/,
      'must be a domain name, without a dot at its end',
    ),
  /** Names of the service in it: what devices and clients connect to. */
  names: z.array(name).min(1).default(['mqtt', 'api']),
  /** Seconds. */
  ttl: z.int().min(5).max(60).default(60),
  /** Default: one for each continent. */
  regions: z.array(region).min(1).optional(),
})

const health = z.strictObject({
  /** Seconds between two looks of a checker at a host. */
  interval: z.number().min(0.5).max(300).default(10),
  /** Votes that it takes to take a DC or host out of DNS. */
  quorum: z.int().min(1).max(32).default(3),
  /** Failed looks in a row after which a checker says down, and good ones after which it says up again. */
  down_after: z.int().min(1).max(100).default(2),
  up_after: z.int().min(1).max(100).default(6),
  /** Percent of its share with which a DC or host comes back, step by step, and seconds that a step takes. */
  failback: z.array(z.int().min(1).max(100)).min(1).max(10).default([25, 50, 100]),
  failback_step: z.number().min(1).max(3600).default(60),
  /** Live DCs that are taken out at the same time at most, without a person's word. */
  max_removed_live: z.int().min(1).max(32).default(1),
})

const port = z.int().min(1).max(65_535)
const ports = z.strictObject({
  /** Of the first broker of a host; the next has the next one. */
  mqtt: port.default(1883),
  /** MQTT over TLS, all brokers of a host on the same. */
  mqtts: port.default(8883),
  /** Of the API, and of MQTT over WebSocket. */
  http: port.default(8080),
  /** The same over TLS. */
  https: port.default(8443),
  nats: port.default(4222),
  gateway: port.default(7222),
  /** What nats-server says of itself, without a password: for the host itself. */
  nats_http: port.default(8222),
  /** Prometheus page of the first broker of a host; the next has the next one. */
  metrics: port.default(9180),
  /** What checkers tell each other, Route 53 and people. */
  checker: port.default(8053),
})
/** Those that a host has one of for each broker. */
const portPerBroker = new Set(['mqtt', 'metrics'])
/** Cassandra's are not to be chosen: its nodes must agree, and its tools expect these. */
const cassandraPorts = [
  ['cql', 9042],
  ['storage', 7000],
] as const

const inventorySchema = z
  .strictObject({
    /** Name of the cell: these DCs as one. */
    cell: name,
    dcs: z.array(dc).min(1).max(32),
    hosts: z.array(host).min(1).max(1000),
    /** One-way delays in milliseconds that are known better than the distance tells. */
    wan: z
      .array(z.strictObject({ between: z.tuple([z.string(), z.string()]), ms: z.number().min(0).max(1000) }))
      .default([]),
    ports: ports.prefault({}),
    /** Without it the cell has no names of its own. */
    dns: dns.optional(),
    health: health.prefault({}),
  })
  .superRefine((inventory, context) => {
    for (const [path, message] of contradictions(inventory)) {
      context.addIssue({ code: 'custom', path: [...path], message })
    }
  })

/** What a cell is made of: its DCs, and the hosts in them. */
export type Inventory = z.output<typeof inventorySchema>
export type Dc = Inventory['dcs'][number]
export type Host = Inventory['hosts'][number]
export type Region = NonNullable<NonNullable<Inventory['dns']>['regions']>[number]
export type Continent = (typeof continents)[number]
/** `dc` of a checker outside of all DCs. */
export const outside = 'outside'
type Role = z.output<typeof role>

/** An inventory that can't be right: one line for each thing that is wrong, with its field and the remedy. */
export class InventoryError extends Error {
  constructor(lines: readonly string[], options?: ErrorOptions) {
    super(lines.join('\n'), options)
    this.name = 'InventoryError'
  }
}

/** Checks what a file says, or fails with InventoryError; `origin` is named in it. */
export function checkInventory(value: unknown, origin: string): Inventory {
  const result = inventorySchema.safeParse(value)
  if (result.success) return result.data
  throw new InventoryError(
    result.error.issues.map(({ path, message }) => `${origin}: ${fieldOf(path)}: ${message}`),
  )
}

function fieldOf(path: readonly PropertyKey[]): string {
  const field = path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`)).join('')
  return field.replace(/^\./, '') || 'the file'
}

type Contradiction = readonly [path: readonly (string | number)[], message: string]

/** What the shape alone can't say. */
function* contradictions(inventory: Inventory): Generator<Contradiction> {
  const { dcs, hosts, wan, ports: all } = inventory
  const known = new Map(dcs.map((one) => [one.name, one]))
  const names = dcs.map((one) => one.name).join(', ')
  yield* repeated(dcs, 'dcs', 'name', (one) => one.name)
  yield* repeated(dcs, 'dcs', 'number', (one) => one.number)
  yield* repeated(hosts, 'hosts', 'name', (one) => one.name)
  yield* repeated(hosts, 'hosts', 'address', (one) => one.address)
  for (const [at, one] of hosts.entries()) {
    if (known.has(one.dc)) continue
    if (one.dc === outside && one.roles.every((each) => each === 'checker')) continue
    yield [['hosts', at, 'dc'], `there is no DC "${one.dc}"; the DCs are ${names}`]
  }
  for (const [at, one] of dcs.entries()) {
    if (one.name === outside) yield [['dcs', at, 'name'], `"${outside}" means no DC at all; choose another`]
    const of = (wanted: Role): number =>
      hosts.filter((each) => each.dc === one.name && each.roles.includes(wanted)).length
    if (of('db') < one.replicas) {
      yield [
        ['dcs', at, 'replicas'],
        `${one.name} has ${of('db')} hosts with role db for ${one.replicas} replicas; add hosts or lower replicas`,
      ]
    }
    const racks = hosts.filter((each) => each.dc === one.name).flatMap(({ rack }) => rack ?? [])
    if (new Set(racks).size < racks.length) {
      yield [['dcs', at], `two hosts of ${one.name} have the same rack; each needs one of its own`]
    }
    if (of('app') === 0) {
      yield [['dcs', at], `${one.name} has no host with role app; give it to one of its hosts`]
    }
  }
  const pairs = new Set<string>()
  for (const [at, { between }] of wan.entries()) {
    for (const [end, dcName] of between.entries()) {
      if (!known.has(dcName)) {
        yield [['wan', at, 'between', end], `there is no DC "${dcName}"; the DCs are ${names}`]
      }
    }
    const pair = between.toSorted().join(' ')
    if (between[0] === between[1]) yield [['wan', at, 'between'], 'must name two DCs']
    else if (pairs.has(pair)) yield [['wan', at, 'between'], 'these two are there already; remove one']
    pairs.add(pair)
  }
  const brokers = Math.max(...hosts.map((one) => one.brokers))
  yield* sharedPorts(all, brokers)
  yield* dnsContradictions(inventory)
}

function* sharedPorts(all: Inventory['ports'], brokers: number): Generator<Contradiction> {
  const taken = new Map<number, string>(cassandraPorts.map(([key, number]) => [number, key]))
  for (const [key, first] of Object.entries(all)) {
    const count = portPerBroker.has(key) ? brokers : 1
    for (let number = first; number < first + count; number++) {
      const other = taken.get(number)
      if (other !== undefined) yield [['ports', key], `${number} is also ${other}'s; choose another`]
      taken.set(number, key)
    }
  }
}

function* repeated<T>(
  list: readonly T[],
  section: string,
  field: string,
  valueOf: (one: T) => string | number,
): Generator<Contradiction> {
  const seen = new Set<string | number>()
  for (const [at, one] of list.entries()) {
    const value = valueOf(one)
    if (seen.has(value)) {
      yield [[section, at, field], `${value} is there twice; each needs one of its own`]
    }
    seen.add(value)
  }
}
