import { isIPv4 } from 'node:net'
import type { Host, Inventory } from '#platform/inventory/inventory.ts'
import { type RegionChain, regionsOf } from '#platform/inventory/regions.ts'
import type { HealthCheck, RecordSet, RecordTree, Routing } from './record-set.ts'

export interface TreeOptions {
  /** In the path that Route 53 asks checkers at, so that nobody else finds it: `/hc/<secret>/<subject>/down`. */
  readonly secret: string
  /** Hosts have checks of their own beside their DC's. Route 53 wants money for each; default: no. */
  readonly hostChecks?: boolean
  /**
   * Percent of its own share that a DC or host gets, 0 to 100; default: 100 for all. What a DC does not get goes to
   * the rest of the chain, if that is healthy.
   */
  readonly percent?: (subject: string) => number
}

/** Below it are names for aliases only; no DC, host or service can have an underscore in its name. */
const chainLabel = '_chain'

/**
 * The names of a cell:
 * - `<name>.<zone>` for each name of the service: by the client's place, to the region's chain
 * - `<step>.<region>._chain.<zone>`: a DC, or the next step while it is down
 * - `<dc>.<zone>`: one of its app hosts by weight; these records carry the check (AWS advises checks on records that
 *   are no aliases, and aliases that evaluate their target's health)
 * - `<host>.<zone>`: app hosts and checkers, always
 *
 * Error: the inventory has no `dns`.
 */
export function recordTree(inventory: Inventory, options: TreeOptions): RecordTree {
  const { dns } = inventory
  if (dns === undefined) throw new Error('the inventory has no dns: give it a zone')
  const checks = [...healthChecks(inventory, options)]
  const checkNames = new Set(checks.map(({ name }) => name))
  const context: Context = {
    ...dns,
    inventory,
    percent: options.percent ?? (() => 100),
    checkOf: ({ name, dc }) => {
      const wanted = options.hostChecks === true ? name : dc
      return checkNames.has(wanted) ? { check: wanted } : {}
    },
  }
  const regions = regionsOf(inventory)
  const records = (['A', 'AAAA'] as const).flatMap((type) => [
    ...dns.names.flatMap((name) => [...serviceRecords(context, name, type, regions)]),
    ...regions.flatMap((region) => [...chainRecords(context, type, region)]),
    ...inventory.dcs.flatMap((dc) => [...dcRecords(context, type, dc.name)]),
    ...hostRecords(context, type),
  ])
  return { zone: dns.zone, records, checks }
}

/** Names of the hosts that answer for the zone by themselves: the checkers. */
export function nameServersOf({ hosts, dns }: Inventory): string[] {
  if (dns === undefined) return []
  return hosts.filter(({ roles }) => roles.includes('checker')).map(({ name }) => `${name}.${dns.zone}`)
}

type AddressType = 'A' | 'AAAA'

interface Context {
  readonly inventory: Inventory
  readonly zone: string
  readonly ttl: number
  readonly percent: (subject: string) => number
  readonly checkOf: (host: Host) => { check?: string }
}

/** App hosts of a DC that have an address of this kind. */
function appHosts({ inventory }: Context, dc: string, type: AddressType): Host[] {
  return inventory.hosts.filter(
    (one) => one.dc === dc && one.roles.includes('app') && typeOf(one.address) === type,
  )
}

function typeOf(address: string): AddressType {
  return isIPv4(address) ? 'A' : 'AAAA'
}

/** A chain without the DCs that have no address of this kind. */
function chainOf(context: Context, type: AddressType, { chain }: RegionChain): string[] {
  return chain.filter((dc) => appHosts(context, dc, type).length > 0)
}

function* serviceRecords(
  context: Context,
  name: string,
  type: AddressType,
  regions: readonly RegionChain[],
): Generator<RecordSet> {
  for (const region of regions) {
    const first = stepName(context, region, chainOf(context, type, region), 0)
    if (first === undefined) continue
    const places: [string, Extract<Routing, { by: 'place' }>['place']][] = [
      ...region.continents.map(
        (continent) => [`continent-${continent}`, { continent }] as [string, { continent: typeof continent }],
      ),
      ...region.countries.map(
        (country) => [`country-${country}`, { country }] as [string, { country: string }],
      ),
    ]
    if (region.default) places.push(['default', 'default'])
    for (const [id, place] of places) {
      yield {
        name: `${name}.${context.zone}`,
        type,
        id,
        routing: { by: 'place', place },
        answer: { alias: first, evaluateHealth: true },
      }
    }
  }
}

/** Where a chain goes on from this step; the last DC needs no step of its own. */
function stepName(
  { zone }: Context,
  region: RegionChain,
  chain: readonly string[],
  step: number,
): string | undefined {
  if (step >= chain.length) return undefined
  return step === chain.length - 1
    ? `${chain[step]}.${zone}`
    : `${step + 1}.${region.name}.${chainLabel}.${zone}`
}

function* chainRecords(context: Context, type: AddressType, region: RegionChain): Generator<RecordSet> {
  const chain = chainOf(context, type, region)
  for (const [step, dc] of chain.entries()) {
    const name = stepName(context, region, chain, step)
    const next = stepName(context, region, chain, step + 1)
    if (name === undefined || next === undefined) return
    const [first, second] = stepRouting(clampPercent(context.percent(dc)))
    yield {
      name,
      type,
      id: dc,
      routing: first,
      answer: { alias: `${dc}.${context.zone}`, evaluateHealth: true },
    }
    // No DC can have that name.
    yield { name, type, id: '_next', routing: second, answer: { alias: next, evaluateHealth: true } }
  }
}

/** A DC that gets less than its share is weighed against the rest of the chain; 0: only when that is down. */
function stepRouting(percent: number): [Routing, Routing] {
  return percent === 100
    ? [
        { by: 'failover', role: 'primary' },
        { by: 'failover', role: 'secondary' },
      ]
    : [
        { by: 'weight', weight: percent },
        { by: 'weight', weight: 100 - percent },
      ]
}

function* dcRecords(context: Context, type: AddressType, dc: string): Generator<RecordSet> {
  const hosts = appHosts(context, dc, type)
  const weights = hostWeights(context, hosts)
  for (const [at, host] of hosts.entries()) {
    yield {
      name: `${dc}.${context.zone}`,
      type,
      id: host.name,
      routing: { by: 'weight', weight: weights[at] },
      answer: { values: [host.address], ttl: context.ttl },
      ...context.checkOf(host),
    }
  }
}

/** Whole numbers up to 255, as Route 53 has them; nobody who has a share loses it by rounding. */
function hostWeights({ percent }: Context, hosts: readonly Host[]): number[] {
  const percents = hosts.map(({ name }) => clampPercent(percent(name)))
  if (percents.every((one) => one === 100)) return hosts.map(({ weight }) => weight)
  const wanted = hosts.map(({ weight }, at) => weight * percents[at])
  const scale = 255 / Math.max(...wanted, 1)
  return wanted.map((one) => (one === 0 ? 0 : Math.max(1, Math.round(one * scale))))
}

function hostRecords({ inventory, zone, ttl }: Context, type: AddressType): RecordSet[] {
  return inventory.hosts
    .filter(
      ({ roles, address }) =>
        (roles.includes('app') || roles.includes('checker')) && typeOf(address) === type,
    )
    .map(({ name, address }) => ({
      name: `${name}.${zone}`,
      type,
      routing: { by: 'simple' },
      answer: { values: [address], ttl },
    }))
}

/** Whole percents, so that Route 53's weights and ours are the same. */
function clampPercent(percent: number): number {
  return Math.min(100, Math.max(0, Math.round(percent)))
}

/**
 * A DC is unhealthy when `quorum` checkers say that it is down. A checker that says nothing does not answer 200 on
 * `/down`, which is the same as saying up: silence is no failure.
 */
function* healthChecks(
  inventory: Inventory,
  { secret, hostChecks = false }: TreeOptions,
): Generator<HealthCheck> {
  const checkers = inventory.hosts.filter(({ roles }) => roles.includes('checker'))
  if (checkers.length === 0 && !hostChecks) return
  const votesOn = function* (subject: string, name: string): Generator<HealthCheck> {
    for (const checker of checkers) {
      yield {
        name: `${subject}@${checker.name}`,
        kind: 'http',
        address: checker.address,
        port: inventory.ports.checker,
        path: `/hc/${secret}/${subject}/down`,
      }
    }
    yield {
      name,
      kind: 'count',
      children: checkers.map((checker) => `${subject}@${checker.name}`),
      atLeast: inventory.health.quorum,
      inverted: true,
    }
  }
  for (const { name } of inventory.dcs) yield* votesOn(name, name)
  if (!hostChecks) return
  for (const { name, dc, roles } of inventory.hosts) {
    if (!roles.includes('app')) continue
    yield* votesOn(name, `${name}@votes`)
    yield { name, kind: 'count', children: [dc, `${name}@votes`], atLeast: 2, inverted: false }
  }
}
