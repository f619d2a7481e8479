import type { Host, Inventory } from './inventory.ts'

/**
 * The rack of each db host by its name, as numbers from 1: no two hosts of a DC share one, so each replica of a row is on
 * another host. Those that do not say theirs get the lowest that is left, in the inventory's order. A Cassandra never
 * starts in another rack than it had: add db hosts behind the others of their DC, and have the rest say theirs before
 * one is taken out of the middle. Pure.
 */
export function racksOf({ hosts }: Pick<Inventory, 'hosts'>): ReadonlyMap<string, number> {
  const dbs = hosts.filter(({ roles }) => roles.includes('db'))
  return new Map(Array.from(Map.groupBy(dbs, ({ dc }) => dc).values()).flatMap((ofDc) => racksIn(ofDc)))
}

function racksIn(hosts: readonly Host[]): [string, number][] {
  const taken = new Set(hosts.flatMap(({ rack }) => rack ?? []))
  let lowest = 1
  return hosts.map(({ name, rack }) => {
    if (rack !== undefined) return [name, rack]
    while (taken.has(lowest)) lowest++
    taken.add(lowest)
    return [name, lowest]
  })
}
