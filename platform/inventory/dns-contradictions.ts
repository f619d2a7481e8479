import { continentOf } from './countries.ts'
import type { Inventory, Region } from './inventory.ts'
import { middleOf } from './regions.ts'

type Contradiction = readonly [path: readonly (string | number)[], message: string]

/** What is wrong with names, regions, chains and votes, beyond the shape of each. */
export function* dnsContradictions(inventory: Inventory): Generator<Contradiction> {
  yield* clashingNames(inventory)
  yield* tooFewCheckers(inventory)
  const regions = inventory.dns?.regions
  if (regions === undefined) return
  yield* placesTwice(regions)
  yield* noSingleDefault(regions)
  for (const [at, region] of regions.entries()) yield* wrongChain(inventory, region, ['dns', 'regions', at])
}

/** DCs, hosts and the service's names are all names in one zone, and DCs and hosts are voted on by name. */
function* clashingNames({ dcs, hosts, dns }: Inventory): Generator<Contradiction> {
  const taken = new Map<string, string>()
  for (const { name } of dcs) taken.set(name, 'a DC')
  for (const [at, { name }] of hosts.entries()) {
    if (taken.get(name) === 'a DC')
      yield [['hosts', at, 'name'], `${name} is also a DC's name; choose another`]
    else taken.set(name, 'a host')
  }
  const names = dns?.names ?? []
  for (const [at, one] of names.entries()) {
    const other = taken.get(one)
    if (other !== undefined)
      yield [['dns', 'names', at], `${one} is also the name of ${other}; choose another`]
    if (names.indexOf(one) !== at) yield [['dns', 'names', at], `${one} is there twice; remove one`]
  }
}

function* tooFewCheckers({ hosts, health }: Inventory): Generator<Contradiction> {
  const checkers = hosts.filter(({ roles }) => roles.includes('checker')).length
  if (checkers > 0 && health.quorum > checkers) {
    yield [
      ['health', 'quorum'],
      `${health.quorum} votes can't come from ${checkers} hosts with role checker; add checkers or lower the quorum`,
    ]
  }
}

function* placesTwice(regions: readonly Region[]): Generator<Contradiction> {
  const names = new Set<string>()
  const taken = new Map<string, string>()
  for (const [at, region] of regions.entries()) {
    const path = ['dns', 'regions', at] as const
    if (names.has(region.name)) {
      yield [[...path, 'name'], `${region.name} is there twice; each needs one of its own`]
    }
    names.add(region.name)
    // The prefix keeps the continent SA and the country SA apart.
    for (const [field, places] of [
      ['continents', region.continents],
      ['countries', region.countries],
    ] as const) {
      for (const [index, place] of places.entries()) {
        const other = taken.get(`${field} ${place}`)
        if (other !== undefined) {
          yield [[...path, field, index], `${place} is in region ${other} already; a place is in one region`]
        }
        taken.set(`${field} ${place}`, region.name)
      }
    }
    for (const [index, country] of region.countries.entries()) {
      if (continentOf(country) === undefined) {
        yield [
          [...path, 'countries', index],
          `there is no country "${country}"; see ISO 3166-1 (Great Britain is GB)`,
        ]
      }
    }
    if (region.continents.length + region.countries.length === 0 && !region.default) {
      yield [path, `nobody is in region ${region.name}; give it continents or countries, or default: true`]
    }
  }
}

function* noSingleDefault(regions: readonly Region[]): Generator<Contradiction> {
  const defaults = regions.filter((one) => one.default).map(({ name }) => name)
  if (defaults.length === 0) {
    yield [['dns', 'regions'], 'no region is the default for all other places; give one default: true']
  } else if (defaults.length > 1) {
    yield [['dns', 'regions'], `${defaults.join(' and ')} are both the default; leave it to one`]
  }
}

type Path = readonly (string | number)[]

function* wrongChain({ dcs }: Inventory, region: Region, path: Path): Generator<Contradiction> {
  const { chain } = region
  if (chain === undefined) {
    if (middleOf(region) === undefined) {
      yield [
        path,
        `it is not known where region ${region.name} is; give it a location (degrees north and east), continents or a chain`,
      ]
    }
    return
  }
  const known = new Map(dcs.map((one) => [one.name, one]))
  let backup: string | undefined
  for (const [at, name] of chain.entries()) {
    const here = [...path, 'chain', at]
    const dc = known.get(name)
    if (dc === undefined) {
      yield [here, `there is no DC "${name}"; the DCs are ${[...known.keys()].join(', ')}`]
    } else if (chain.indexOf(name) !== at) {
      yield [here, `${name} is there twice; remove one`]
    } else if (dc.kind === 'live' && backup !== undefined) {
      yield [here, `${name} is live and comes after ${backup}, a backup; put live DCs first`]
    }
    if (dc?.kind === 'backup') backup ??= name
  }
  const missing = [...known.keys()].filter((name) => !chain.includes(name))
  if (missing.length > 0) {
    yield [
      [...path, 'chain'],
      `lacks ${missing.join(', ')}; a chain names every DC, so that one always answers`,
    ]
  }
}
