import { InvalidArgumentError } from 'commander'
import type { ClientPlace } from '#healthcheck/dns/record-set.ts'
import type { Continent } from '#platform/inventory/inventory.ts'

const continents: readonly string[] = ['AF', 'AN', 'AS', 'EU', 'NA', 'OC', 'SA'] satisfies Continent[]

/** `EU`, `EU/DE`, for commander. */
export function clientPlace(text: string): ClientPlace {
  const [continent, country, ...more] = text.toUpperCase().split('/')
  const good =
    continents.includes(continent) &&
    more.length === 0 &&
    (country === undefined || /^[A-Z]{2}$/.test(country))
  if (!good)
    throw new InvalidArgumentError(
      `Expected a continent (${continents.join(', ')}), and perhaps a country, as EU/DE.`,
    )
  return { continent: continent as Continent, ...(country === undefined ? {} : { country }) }
}
