import { isIPv4 } from 'node:net'
import { continentOf } from '#platform/inventory/countries.ts'
import type { Host, Inventory } from '#platform/inventory/inventory.ts'
import { regionAt, regionsOf } from '#platform/inventory/regions.ts'
import type { NetPlace } from '../server/places.ts'
import { nameServersOf } from '../tree.ts'
import { quote, renderVscf, type Vscf } from './vscf.ts'

export interface GdnsdOptions {
  /** `192.0.2.1` or `127.0.0.1:5353`, IPv6 as `[2001:db8::1]:53`; `any`: port 53 of all addresses. */
  readonly listen: readonly string[] | 'any'
  /** Must exist. Default: gdnsd's own. */
  readonly runDirectory?: string
  readonly stateDirectory?: string
  /** Networks whose place is known; they win over the database. */
  readonly places?: readonly NetPlace[]
  /** Path of a GeoIP2 or GeoLite2 database of countries or cities. */
  readonly geoip2?: string
}

/** In the state directory's `extfile`, see gdnsdStates. */
export const gdnsdStateFile = 'cinque'
const serviceType = 'checkers'
const map = 'regions'
const resource = 'service'
/** How often gdnsd looks whether the states changed, seconds; it is the shortest that it takes. */
const statesInterval = 2
/** Of what has just changed, seconds. */
const leastTtl = 10

/**
 * gdnsd's configuration directory, by path: `config`, `geoip/nets` and the zone. It has the same answers as the record
 * tree: by place to the region's chain, a DC while one of its hosts is up, a host by weight.
 *
 * Error: the cell has no zone or no name servers, or its DCs have no kind of address in common.
 */
export function gdnsdFiles(inventory: Inventory, options: GdnsdOptions): Map<string, string> {
  const { dns } = inventory
  if (dns === undefined) throw new Error('the inventory has no dns: give it a zone')
  if (nameServersOf(inventory).length === 0) {
    throw new Error('the zone has no name servers: give some hosts the role checker')
  }
  const files = new Map([
    ['config', renderVscf(config(inventory, options))],
    [`zones/${dns.zone}`, zone(inventory)],
  ])
  if (options.places !== undefined) files.set('geoip/nets', nets(inventory, options.places))
  return files
}

function config(inventory: Inventory, options: GdnsdOptions): Vscf {
  const { runDirectory, stateDirectory, listen } = options
  const groups = hostGroups(inventory)
  return {
    options: {
      listen,
      ...(runDirectory === undefined ? {} : { run_dir: runDirectory }),
      ...(stateDirectory === undefined ? {} : { state_dir: stateDirectory }),
      edns_client_subnet: 'true',
      udp_threads: '1',
      tcp_threads: '1',
    },
    service_types: {
      [serviceType]: {
        plugin: 'extfile',
        file: gdnsdStateFile,
        // Votes are counted and damped already.
        direct: 'true',
        interval: `${statesInterval}`,
        def_ttl: `${inventory.dns?.ttl ?? 60}`,
      },
    },
    plugins: {
      weighted: {
        service_types: serviceType,
        // A DC is up while one of its hosts is; by itself gdnsd wants half of the weight.
        up_thresh: '0.000001',
        ...Object.fromEntries(groups.map((group) => [group.name, weights(group)])),
      },
      metafo: {
        resources: Object.fromEntries(
          inventory.dcs.map(({ name }) => [
            name,
            { datacenters: groupsOf(groups, [name]), dcmap: dcmap(groups, name) },
          ]),
        ),
      },
      geoip: {
        maps: { [map]: geoMap(inventory, groups, options) },
        resources: { [resource]: { map, dcmap: dcmap(groups) } },
      },
    },
  }
}

/** What gdnsd calls a datacenter: hosts of a DC that are asked for together. */
interface HostGroup {
  readonly name: string
  readonly dc: string
  readonly hosts: readonly Host[]
}

/**
 * Each DC, and behind it its hosts of weight 0, if it has others: gdnsd knows no weight 0, and this is what it means.
 * No name of an inventory has an underscore.
 */
function hostGroups(inventory: Inventory): HostGroup[] {
  const isCommon = commonFamilies(inventory)
  return inventory.dcs.flatMap(({ name: dc }) => {
    const hosts = inventory.hosts.filter((one) => one.dc === dc && one.roles.includes('app') && isCommon(one))
    const weighed = hosts.filter(({ weight }) => weight > 0)
    if (weighed.length === 0) return [{ name: dc, dc, hosts }]
    const spare = hosts.filter(({ weight }) => weight === 0)
    const group = { name: dc, dc, hosts: weighed }
    return spare.length === 0 ? [group] : [group, { name: `${dc}_spare`, dc, hosts: spare }]
  })
}

/** gdnsd fails over by name, not by kind of address: a DC without IPv6 would leave its clients without an answer. */
function commonFamilies({ dcs, hosts }: Inventory): (host: Host) => boolean {
  const hasAll = (family: boolean): boolean =>
    dcs.every(({ name }) =>
      hosts.some((one) => one.dc === name && one.roles.includes('app') && isIPv4(one.address) === family),
    )
  const common = [true, false].filter(hasAll)
  if (common.length === 0) {
    throw new Error(
      'hosts: some DCs have app hosts with IPv4 only and others with IPv6 only; gdnsd needs one kind in all',
    )
  }
  return ({ address }) => common.includes(isIPv4(address))
}

function weights({ hosts }: HostGroup): Vscf {
  const family = (wanted: boolean): Vscf =>
    Object.fromEntries(
      hosts
        .filter(({ address }) => isIPv4(address) === wanted)
        .map(({ name, address, weight }) => [name, [address, `${Math.max(weight, 1)}`]]),
    )
  const families = { addrs_v4: family(true), addrs_v6: family(false) }
  return Object.fromEntries(
    Object.entries(families).filter(([, addresses]) => Object.keys(addresses).length > 0),
  )
}

/** Names of the groups of DCs, in the order of the DCs. */
function groupsOf(groups: readonly HostGroup[], dcs: readonly string[]): string[] {
  return dcs.flatMap((dc) => groups.filter((group) => group.dc === dc).map(({ name }) => name))
}

function dcmap(groups: readonly HostGroup[], dc?: string): Vscf {
  return Object.fromEntries(
    groups
      .filter((group) => dc === undefined || group.dc === dc)
      .map(({ name }) => [name, `%weighted!${name}`]),
  )
}

function geoMap(inventory: Inventory, groups: readonly HostGroup[], { places, geoip2 }: GdnsdOptions): Vscf {
  const regions = regionsOf(inventory)
  const chain = (place: Parameters<typeof regionAt>[1]): string[] =>
    groupsOf(groups, regionAt(regions, place)?.chain ?? [])
  const byPlace = new Map<string, Record<string, Vscf>>()
  for (const { continents, countries } of regions) {
    for (const continent of [...continents, ...countries.map(continentOf)]) {
      if (continent !== undefined) byPlace.set(continent, { default: chain({ continent }) })
    }
  }
  for (const country of regions.flatMap(({ countries }) => countries)) {
    const inside = byPlace.get(continentOf(country) ?? '')
    if (inside !== undefined) inside[country] = chain({ country })
  }
  return {
    // Their order is that of places which nobody knows.
    datacenters: chain({}),
    ...(places === undefined ? {} : { nets: 'nets' }),
    ...(geoip2 === undefined
      ? {}
      : { geoip2_db: geoip2, map: { default: chain({}), ...Object.fromEntries(byPlace) } }),
  }
}

/** Networks with the chain of their region; gdnsd reads the file again when it changes. */
function nets(inventory: Inventory, places: readonly NetPlace[]): string {
  const groups = hostGroups(inventory)
  const regions = regionsOf(inventory)
  return places
    .map(({ network, place }) => {
      const chain = groupsOf(groups, regionAt(regions, place)?.chain ?? [])
      return `${quote(network)} => [ ${chain.map(quote).join(', ')} ]\n`
    })
    .join('')
}

function zone(inventory: Inventory): string {
  const { hosts, dcs, dns } = inventory
  if (dns === undefined) return ''
  const servers = nameServersOf(inventory)
  const dynamic = (name: string, how: string): string =>
    `${name} ${dns.ttl}/${Math.min(dns.ttl, leastTtl)} DYNA ${how}`
  const lines = [
    `@ 3600 SOA ${servers[0]}. hostmaster.${dns.zone}. ( 1 7200 1800 1209600 60 )`,
    ...servers.map((server) => `@ 3600 NS ${server}.`),
    ...dns.names.map((name) => dynamic(name, `geoip!${resource}`)),
    ...dcs.map(({ name }) => dynamic(name, `metafo!${name}`)),
    ...hosts
      .filter(({ roles }) => roles.includes('app') || roles.includes('checker'))
      .map(({ name, address }) => `${name} ${dns.ttl} ${isIPv4(address) ? 'A' : 'AAAA'} ${address}`),
  ]
  return `${lines.join('\n')}\n`
}
