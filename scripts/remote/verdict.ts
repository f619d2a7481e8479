import type { Host } from '#platform/inventory/inventory.ts'
import type { Standings } from '#scripts/roll/standings.ts'
import { type CellLook, isLook } from './cell-look.ts'
import type { HostLook } from './look.ts'
import { canonical, type RingEntry } from './ring.ts'

/** Least share of a disk and of memory that is free. */
const minFree = { disk: 0.1, memory: 0.05 }
/** Seconds; brokers stop taking messages at 5. */
const maxSkew = 1

export interface Verdict {
  /** What is not as it should be, a line each; none: all is well. */
  readonly problems: readonly string[]
  /** What is worth knowing, and may well be meant. */
  readonly notes: readonly string[]
}

/** What a look at a cell means. Pure. */
export function verdictOf(cell: CellLook): Verdict {
  const problems = [
    ...cell.hosts.flatMap((host) => {
      const look = cell.last.get(host.name)
      if (isLook(look)) return Array.from(hostProblems(cell, host, look), (line) => `${host.name}: ${line}`)
      return [`${host.name}: ${look?.failure ?? 'it was not looked at'}`]
    }),
    ...ringProblems(cell),
    ...standingProblems(cell),
  ]
  return { problems, notes: versionNotes(cell) }
}

function* hostProblems(cell: CellLook, host: Host, look: HostLook): Generator<string> {
  for (const { name, state } of look.units) if (state !== 'active') yield `${name} is ${state}`
  const own = new Set(look.units.map(({ name }) => `${name}.service`))
  for (const unit of look.failed) if (!own.has(unit)) yield `${unit} has failed`
  if (host.roles.includes('app')) {
    if (look.unready === null) yield 'its API does not answer'
    else if (look.unready !== '') yield `its API does not take requests: ${look.unready}`
    yield* gatewayProblems(cell, host, look)
    const [peers, inContact] = [
      look.metrics.get('cinque_cluster_peers'),
      look.metrics.get('cinque_cluster_peers_in_contact'),
    ]
    if (peers !== undefined && inContact !== undefined && inContact < peers) {
      yield `its processes are out of contact with ${peers - inContact} of ${peers} others`
    }
  }
  for (const { mount, size, available } of look.disks) {
    if (available < size * minFree.disk) yield `${mount} has ${percent(available / size)} free`
  }
  if (look.memory !== null && look.memory.available < look.memory.total * minFree.memory) {
    yield `it has ${percent(look.memory.available / look.memory.total)} of its memory free`
  }
  if (look.skew > maxSkew) yield `its clock is ${look.skew.toFixed(1)} s off`
}

function* gatewayProblems({ inventory }: CellLook, host: Host, look: HostLook): Generator<string> {
  if (look.gateways === null) {
    yield 'its nats-server does not answer'
    return
  }
  const known = new Set(look.gateways)
  const others = inventory.hosts.filter(({ name, roles }) => roles.includes('app') && name !== host.name)
  const missing = others.filter(({ name }) => !known.has(name)).map(({ name }) => name)
  if (missing.length > 0) yield `its nats-server has no gateway to ${missing.join(', ')}`
}

/** Who sees whom, of those that were asked for the ring. */
export function ringBy({ last }: CellLook): ReadonlyMap<string, readonly RingEntry[]> {
  return new Map(
    Array.from(last.values()).flatMap((look) =>
      isLook(look) && look.ring !== null ? [[look.host, look.ring] as const] : [],
    ),
  )
}

function* ringProblems(cell: CellLook): Generator<string> {
  const { inventory, hosts } = cell
  const witnesses = ringBy(cell)
  const dbs = inventory.hosts.filter(({ roles }) => roles.includes('db'))
  if (witnesses.size === 0) {
    if (hosts.some(({ roles }) => roles.includes('db')))
      yield 'no Cassandra can be asked how it sees the others'
    return
  }
  for (const { name, address } of dbs) {
    const seen = new Map<string, string[]>()
    for (const [witness, ring] of witnesses) {
      const how = stateOf(ring.find((entry) => entry.address === canonical(address)))
      if (how !== null) seen.set(how, [...(seen.get(how) ?? []), witness])
    }
    for (const [how, by] of seen) yield `${name}: Cassandra ${how}, as ${by.join(', ')} sees it`
  }
  const known = new Set(dbs.map(({ address }) => canonical(address)))
  const strangers = new Set(
    Array.from(witnesses.values())
      .flat()
      .map(({ address }) => address)
      .filter((address) => !known.has(address)),
  )
  for (const address of strangers) yield `${address} is a Cassandra of the cell and not in the inventory`
}

/** Null: as it should be. */
function stateOf(entry: RingEntry | undefined): string | null {
  if (entry === undefined) return 'is no member'
  if (!entry.up) return 'is down'
  return entry.state === 'normal' ? null : `is ${entry.state}`
}

/** What most checkers say of a DC or host; undefined: none says anything. */
export function mostSay(standings: readonly Standings[], subject: string) {
  const said = standings.flatMap((one) => one.get(subject) ?? [])
  const ill = said.filter(({ state, serving }) => state === 'down' || !serving)
  return ill.length * 2 > said.length ? ill[0] : said.find(({ state }) => state !== 'down')
}

function* standingProblems({ inventory, standings }: CellLook): Generator<string> {
  if (standings === undefined) return
  const checkers = inventory.hosts.filter(({ roles }) => roles.includes('checker')).length
  if (checkers > 0 && standings.length === 0) yield 'no checker answers'
  const subjects = new Set(standings.flatMap((one) => Array.from(one.keys())))
  for (const subject of subjects) {
    const said = mostSay(standings, subject)
    if (said === undefined || (said.state !== 'down' && said.serving)) continue
    yield `${subject}: checkers find it ${said.state}${said.serving ? '' : ', and it is out of DNS'}: ${said.reason}`
  }
}

function versionNotes({ last }: CellLook): string[] {
  const looks = Array.from(last.values()).filter((look) => isLook(look))
  const kinds = [
    ['releases', 'release'],
    ['Cassandras', 'cassandraVersion'],
    ['nats-servers', 'natsVersion'],
  ] as const
  return kinds.flatMap(([what, field]) => {
    const by = Map.groupBy(
      looks.filter((look) => look[field] !== null),
      (look) => look[field],
    )
    if (by.size < 2) return []
    const all = Array.from(by, ([version, of]) => `${version} on ${of.map(({ host }) => host).join(', ')}`)
    return [`different ${what}: ${all.join('; ')}`]
  })
}

export function percent(share: number): string {
  return `${Math.round(share * 100)} %`
}
