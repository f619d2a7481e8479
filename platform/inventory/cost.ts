import { providerOf } from './concerns.ts'
import type { Host, Inventory } from './inventory.ts'

/** What is paid for each month. */
interface CostItem {
  readonly what: string
  /** DC, `outside`, or `dns`. */
  readonly where: string
  readonly count: number
  /** EUR a month for one. */
  readonly each: number
  /** EUR a month. */
  readonly total: number
}

export interface Cost {
  readonly items: readonly CostItem[]
  /** EUR a month, without VAT. */
  readonly total: number
  /** Hosts whose price is not known: not in the total. */
  readonly unpriced: readonly string[]
}

export interface CostOptions {
  /** EUR for one USD. */
  readonly usd: number
  /** DNS questions that reach the zone's servers, millions a month. */
  readonly queries: number
}

/** USD a month, as https://aws.amazon.com/route53/pricing/ has them. */
const route53 = {
  zone: 0.5,
  /** Plain HTTP to an address outside of AWS, every 30 s. */
  endpointCheck: 0.75,
  /** Counts other checks; priced as one of an endpoint in AWS. */
  calculatedCheck: 0.5,
  /** A million, answered by place. */
  geoQueries: 0.7,
}

/** Itemised EUR a month: hosts by DC and price, and what the names cost at Route 53. Pure. */
export function costOf(inventory: Inventory, options: CostOptions): Cost {
  const items = [...hostItems(inventory), ...dnsItems(inventory, options)]
  return {
    items,
    total: items.reduce((sum, { total }) => sum + total, 0),
    unpriced: inventory.hosts.filter(({ price }) => price === undefined).map(({ name }) => name),
  }
}

/** Route 53's health checks for each DC: one for each checker that is asked, and one that counts these. */
function checksOf({ hosts, dcs, dns }: Inventory): { endpoint: number; calculated: number } {
  if (dns === undefined) return { endpoint: 0, calculated: 0 }
  const checkers = hosts.filter(({ roles }) => roles.includes('checker')).length
  return { endpoint: checkers * dcs.length, calculated: checkers === 0 ? 0 : dcs.length }
}

function hostItems(inventory: Inventory): CostItem[] {
  const groups = new Map<string, Host[]>()
  for (const host of inventory.hosts) {
    const key = JSON.stringify([
      host.dc,
      host.price ?? null,
      [...host.roles].toSorted(),
      providerOf(inventory, host),
    ])
    groups.set(key, [...(groups.get(key) ?? []), host])
  }
  return [...groups.values()].map((hosts) => {
    const [first] = hosts
    const each = first.price ?? 0
    const provider = providerOf(inventory, first)
    return {
      what: `${first.roles.join('+')} host${provider === undefined ? '' : ` (${provider})`}`,
      where: first.dc,
      count: hosts.length,
      each,
      total: each * hosts.length,
    }
  })
}

function dnsItems(inventory: Inventory, { usd, queries }: CostOptions): CostItem[] {
  if (inventory.dns === undefined) return []
  const { endpoint, calculated } = checksOf(inventory)
  const item = (what: string, count: number, dollars: number): CostItem => ({
    what: `Route 53: ${what}`,
    where: 'dns',
    count,
    each: dollars * usd,
    total: count * dollars * usd,
  })
  return [
    item('hosted zone', 1, route53.zone),
    item('health check of a checker for a DC', endpoint, route53.endpointCheck),
    item('calculated health check of a DC', calculated, route53.calculatedCheck),
    item('million questions', queries, route53.geoQueries),
  ].filter(({ count }) => count > 0)
}
