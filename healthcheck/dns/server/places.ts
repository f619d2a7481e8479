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
  readonly entries: readonly NetPlace[]
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
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new Error(`cannot read the networks in ${file}: ${reason}`, { cause: error })
  }
  return parsePlaces(text, file)
}

/** What loadPlaces reads; `origin` is named in errors. */
export function parsePlaces(text: string, origin: string): Places {
  const entries: (NetPlace & { line: number })[] = []
  for (const [at, raw] of text.split('\n').entries()) {
    const line = raw.replace(/#.*/, '').trim()
    if (line === '') continue
    const [network, where, ...rest] = line.split(/\s+/)
    const place = parsePlace(where)
    if (place === undefined || rest.length > 0) {
      throw new Error(`${origin}:${at + 1}: must be a network and a place, as "192.0.2.0/24 EU/DE" or "… EU"`)
    }
    if (entries.length === maxEntries) throw new Error(`${origin}: has more than ${maxEntries} networks`)
    entries.push({ network, place, line: at + 1 })
  }
  return placesFrom(entries, origin)
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

function placesFrom(entries: readonly (NetPlace & { line?: number })[], origin: string): Places {
  const tables = { 4: new NetTable<ClientPlace>(), 16: new NetTable<ClientPlace>() }
  for (const { network, place, line } of entries) {
    const where = line === undefined ? origin : `${origin}:${line}`
    const { bytes, prefix } = parseNetwork(network, where)
    const other = tables[bytes.length === 4 ? 4 : 16].set(bytes, prefix, place)
    if (other !== undefined && (other.continent !== place.continent || other.country !== place.country)) {
      throw new Error(`${where}: ${network} is there twice with different places; remove one`)
    }
  }
  return { entries, find: (address, prefix) => tables[address.length === 4 ? 4 : 16].find(address, prefix) }
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
