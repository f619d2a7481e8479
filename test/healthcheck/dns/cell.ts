import type { ClientPlace } from '#healthcheck/dns/record-set.ts'
import type { Continent, Inventory } from '#platform/inventory/inventory.ts'
import { loadInventory } from '#platform/inventory/load.ts'

/** The example of the documentation, whose regions differ in continents and countries. */
export function exampleCell(): Inventory {
  return loadInventory('docs/cell.example.yaml')
}

const continents: Continent[] = ['AF', 'AN', 'AS', 'EU', 'NA', 'OC', 'SA']

/** A client in each continent, in some countries, and one that nobody knows. */
export const clientPlaces: readonly ClientPlace[] = [
  ...continents.map((continent) => ({ continent })),
  { continent: 'NA', country: 'CA' },
  { continent: 'NA', country: 'JM' },
  { continent: 'NA', country: 'MX' },
  { continent: 'EU', country: 'DE' },
  { continent: 'EU', country: 'GB' },
  { country: 'ZZ' },
  {},
]

/** All states of DCs: each a set of the names of those that are up. */
export function* dcStates({ dcs }: Inventory): Generator<ReadonlySet<string>> {
  for (let state = 0; state < 1 << dcs.length; state++) {
    yield new Set(dcs.filter((_, at) => (state & (1 << at)) !== 0).map(({ name }) => name))
  }
}

/** DC of an app host's address. */
export function dcOfAddress({ hosts }: Inventory, address: string): string | undefined {
  return hosts.find((one) => one.address === address)?.dc
}

/** How a place is called in a test's message. */
export function placeName({ continent, country }: ClientPlace): string {
  return [continent ?? '-', country].filter((one) => one !== undefined).join('/')
}
