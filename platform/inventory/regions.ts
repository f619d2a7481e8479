import { distanceKm, type Location } from './distance.ts'
import type { Continent, Dc, Inventory, Region } from './inventory.ts'

/** A part of the world whose clients get the same DCs in the same order. */
export interface RegionChain {
  readonly name: string
  readonly continents: readonly Continent[]
  /** ISO 3166-1, two letters; a country wins over its continent. */
  readonly countries: readonly string[]
  /** All other places, and those that are not known. */
  readonly default: boolean
  /** Names of all DCs in the order in which they are asked for: live ones first. */
  readonly chain: readonly string[]
}

/** About where the people of a continent are; of Antarctica, where the flights to it start. */
const middles: Readonly<Record<Continent, Location>> = {
  AF: [6, 18],
  AN: [-54, -68],
  AS: [27, 90],
  EU: [50, 12],
  NA: [39, -92],
  OC: [-30, 147],
  SA: [-16, -56],
}

const allContinents = Object.keys(middles) as Continent[]

/**
 * The regions of a cell, each with its chain. Where the inventory names none: one for each continent, and the one
 * whose middle is nearest to the first live DC is the default.
 */
export function regionsOf({ dcs, dns }: Pick<Inventory, 'dcs' | 'dns'>): RegionChain[] {
  return (dns?.regions ?? continentRegions(dcs)).map((region) => ({
    name: region.name,
    continents: region.continents,
    countries: region.countries,
    default: region.default,
    chain: region.chain ?? byDistance(dcs, middleOf(region)),
  }))
}

/** Where a region's distances are measured from; undefined: nothing says it. */
export function middleOf({ location, continents }: Region): Location | undefined {
  if (location !== undefined) return location
  return continents.length === 0 ? undefined : meanLocation(continents.map((one) => middles[one]))
}

/** The continent whose people are nearest. */
export function continentAt(location: Location): Continent {
  return allContinents.reduce((best, one) =>
    distanceKm(location, middles[one]) < distanceKm(location, middles[best]) ? one : best,
  )
}

/** The region that a client is in: its country's, its continent's, or the default one. */
export function regionAt(
  regions: readonly RegionChain[],
  { continent, country }: { readonly continent?: Continent; readonly country?: string },
): RegionChain | undefined {
  return (
    regions.find(({ countries }) => country !== undefined && countries.includes(country)) ??
    regions.find((one) => continent !== undefined && one.continents.includes(continent)) ??
    regions.find((one) => one.default)
  )
}

/** Names of the DCs, nearest first, the live ones before the backups; those without a location last, by number. */
function byDistance(dcs: readonly Dc[], from: Location | undefined): string[] {
  const km = ({ location }: Dc): number =>
    from === undefined || location === undefined ? Number.MAX_VALUE : distanceKm(from, location)
  return dcs
    .toSorted(
      (a, b) =>
        Number(a.kind === 'backup') - Number(b.kind === 'backup') || km(a) - km(b) || a.number - b.number,
    )
    .map((one) => one.name)
}

function continentRegions(dcs: readonly Dc[]): Region[] {
  const first = dcs.toSorted((a, b) => a.number - b.number).find(({ kind }) => kind === 'live') ?? dcs[0]
  const nearest = first.location === undefined ? 'EU' : continentAt(first.location)
  return allContinents.map((one) => ({
    name: one.toLowerCase(),
    continents: [one],
    countries: [],
    default: one === nearest,
  }))
}

/** The mean on the sphere, so that places on both sides of the date line do not meet in Africa. */
function meanLocation(locations: readonly Location[]): Location {
  let [x, y, z] = [0, 0, 0]
  for (const [north, east] of locations) {
    const [phi, lambda] = [(north * Math.PI) / 180, (east * Math.PI) / 180]
    x += Math.cos(phi) * Math.cos(lambda)
    y += Math.cos(phi) * Math.sin(lambda)
    z += Math.sin(phi)
  }
  return [(Math.atan2(z, Math.hypot(x, y)) * 180) / Math.PI, (Math.atan2(y, x) * 180) / Math.PI]
}
