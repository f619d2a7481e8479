import type { Host, Inventory } from '#platform/inventory/inventory.ts'

/** Below it a majority of a DC's replicas is all of them. */
const replicasToSpareOne = 3

/** What a host takes with it while it is away. */
export interface Reach {
  /** App hosts that serve nobody meanwhile, in the inventory's order. */
  readonly apps: ReadonlySet<string>
  /** What is taken out of DNS for it: the DC where none is left, else the host itself. Null: nothing. */
  readonly subject: string | null
}

/**
 * Brokers and APIs read and write with a majority of the replicas of their DC: where there are fewer than three, all of them
 * stand still while one db host is away.
 */
export function reachOf({ hosts, dcs }: Pick<Inventory, 'hosts' | 'dcs'>, name: string): Reach {
  const host = hosts.find((one) => one.name === name)
  const isApp = ({ roles }: Host): boolean => roles.includes('app')
  const dc = dcs.find((one) => one.name === host?.dc)
  if (host === undefined || dc === undefined) return { apps: new Set(), subject: null }
  const inDc = hosts.filter((one) => one.dc === dc.name && isApp(one))
  const all = host.roles.includes('db') && dc.replicas < replicasToSpareOne
  const apps = new Set((all ? inDc : inDc.filter((one) => one === host)).map((one) => one.name))
  if (apps.size === 0) return { apps, subject: null }
  // The only DC stays: without it there would be no answer at all.
  return { apps, subject: apps.size === inDc.length && dcs.length > 1 ? dc.name : isApp(host) ? name : null }
}
