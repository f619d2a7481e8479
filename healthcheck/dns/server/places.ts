import { readFileSync } from 'node:fs'
import { type Continent, continents, type Inventory } from '#platform/inventory/inventory.ts'
import { continentAt } from '#platform/inventory/regions.ts'
import type { ClientPlace } from '../record-set.ts'
import { type AddressBytes, addressBytes, bitAt } from './address.ts'
import { type NetMatch, NetTable } from './net-table.ts'

/** A network and where it is. */
export interface NetPlace {
  /** `192.0.2.0/24`. */
  readonly network: string
  readonly place: ClientPlace
}

/** Where clients are, by their addresses. */
export interface Places {
  find(address: AddressBytes, prefix: number): NetMatch<ClientPlace>
}

/** A table of the world has about 600,000; one more than this is a wrong file. */
const maxEntries = 2_000_000

/** Nobody's place is known: all clients are in the default region. */
export const noPlaces: Places = placesFrom([], 'no file')

/**
 * Reads a file of networks: `192.0.2.0/24 EU/DE` or `2001:db8::/32 NA`, one a line, the continent's two letters and
 * perhaps the country's (ISO 3166-1); `#` begins a comment. The smallest network that holds an address counts.
 *
 * @throws Error of one line with the file, the line and what is wrong in it
 */
export function loadPlaces(file: string): Places {
  return parsePlaces(readPlaces(file), file)
}

/** The networks of a file in its order, checked as loadPlaces does. */
export function loadNetPlaces(file: string): NetPlace[] {
  const text = readPlaces(file)
  parsePlaces(text, file)
  return Array.from(linesOf(text, file), ({ network, place }) => ({ network, place }))
}

/** What loadPlaces reads; `origin` is named in errors. */
export function parsePlaces(text: string, origin: string): Places {
  return placesFrom(linesOf(text, origin), origin)
}

function readPlaces(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new Error(`cannot read the networks in ${file}: ${reason}`, { cause: error })
  }
}

interface NetLine extends NetPlace {
  readonly line: number
}

function* linesOf(text: string, origin: string): Generator<NetLine> {
  const known = new Map<string, ClientPlace>()
  let entries = 0
  for (const [at, raw] of text.split('\n').entries()) {
    const line = raw.replace(/#.*/, '').trim()
    if (line === '') continue
    const [network, where, ...rest] = line.split(/\s+/)
    // One object for each place, however many networks are there.
    const place = known.get(where) ?? parsePlace(where)
    if (place === undefined || rest.length > 0) {
      throw new Error(`${origin}:${at + 1}: must be a network and a place, as "192.0.2.0/24 EU/DE" or "… EU"`)
    }
    known.set(where, place)
    if (++entries > maxEntries) throw new Error(`${origin}: has more than ${maxEntries} networks`)
    yield { network, place, line: at + 1 }
  }
}

/** For clients and DCs on one machine: those on the loopback network of a host are where its DC is. */
export function loopbackPlaces({ dcs, hosts }: Inventory): Places {
  const byNetwork = new Map<string, NetPlace>()
  for (const { dc: name, address } of hosts) {
    const location = dcs.find((one) => one.name === name)?.location
    if (location === undefined || !address.startsWith('127.')) continue
    const network = `${address.split('.').slice(0, 3).join('.')}.0/24`
    byNetwork.set(network, { network, place: { continent: continentAt(location) } })
  }
  return placesFrom([...byNetwork.values()], 'the inventory')
}

function placesFrom(entries: Iterable<NetPlace & { line?: number }>, origin: string): Places {
  const tables = { 4: new NetTable<ClientPlace>(), 16: new NetTable<ClientPlace>() }
  for (const { network, place, line } of entries) {
    const where = line === undefined ? origin : `${origin}:${line}`
    const { bytes, prefix } = parseNetwork(network, where)
    const other = tables[bytes.length === 4 ? 4 : 16].set(bytes, prefix, place)
    if (other !== undefined && (other.continent !== place.continent || other.country !== place.country)) {
      throw new Error(`${where}: ${network} is there twice with different places; remove one`)
    }
  }
  return { find: (address, prefix) => tables[address.length === 4 ? 4 : 16].find(address, prefix) }
}

function parsePlace(text: string | undefined): ClientPlace | undefined {
  const match = /^([A-Z]{2})(?:\/([A-Z]{2}))?$/.exec(text ?? '')
  const continent = continents.find((one) => one === match?.[1])
  if (match === null || continent === undefined) return undefined
  return placeOf(continent, match[2])
}

function placeOf(continent: Continent, country: string | undefined): ClientPlace {
  return country === undefined ? { continent } : { continent, country }
}

function parseNetwork(text: string, where: string): { bytes: AddressBytes; prefix: number } {
  const [address, length, ...rest] = text.split('/')
  const bytes = addressBytes(address)
  const prefix = /^\d{1,3}$/.test(length ?? '') ? Number(length) : Number.NaN
  if (bytes === undefined || rest.length > 0 || !(prefix <= bytes.length * 8)) {
    throw new Error(`${where}: "${text}" must be a network, as 192.0.2.0/24 or 2001:db8::/32`)
  }
  for (let at = prefix; at < bytes.length * 8; at++) {
    if (bitAt(bytes, at) === 1) {
      throw new Error(
        `${where}: ${text} is one address in a network; only its first ${prefix} bits may be set`,
      )
    }
  }
  return { bytes, prefix }
}
