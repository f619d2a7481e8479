import type { Host, Inventory } from '#platform/inventory/inventory.ts'
import { isLook, lookAtAll } from '#scripts/remote/cell-look.ts'
import type { Remote } from '#scripts/remote/remote.ts'
import { besides } from '#scripts/remote/look-script.ts'
import { verdictOf } from '#scripts/remote/verdict.ts'
import { reachOf } from './reach.ts'

/** What is worth a look, and no reason to leave a host out of service: units that failed at their time, or that no client needs. */
const isPassing = (line: string): boolean =>
  line.endsWith(' has failed') || besides.some((unit) => line.includes(`: ${unit} is `))

/**
 * What is wrong with all hosts but one and those that serve nobody without it, a line each, as `cinque status` finds it.
 * Never rejects.
 */
export async function othersAilments(
  remote: Remote,
  inventory: Inventory,
  host: Host,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const { apps } = reachOf(inventory, host.name)
  const hosts = inventory.hosts.filter(({ name }) => name !== host.name && !apps.has(name))
  // The others know that it is there; how it is, does not count here.
  const without = { ...inventory, hosts }
  const witness = hosts.find(({ roles }) => roles.includes('db'))
  const last = await lookAtAll(remote, without, hosts, { ring: ({ name }) => name === witness?.name, signal })
  const { problems } = verdictOf({ inventory: without, hosts, first: new Map(), last })
  return problems.filter((line) => !line.startsWith(`${host.address} `) && !isPassing(line))
}

/** A service that is started again so often while it is waited for will not stay. */
const maxRestarts = 4

/**
 * A service of a host that ends again and again; null: none. `least`: how often each was started again, as low as it was
 * seen; kept from look to look. Never rejects.
 */
export async function crashingOf(
  remote: Remote,
  inventory: Inventory,
  host: Host,
  least: Map<string, number>,
  signal: AbortSignal,
): Promise<string | null> {
  const look = (await lookAtAll(remote, inventory, [host], { ring: () => false, signal })).get(host.name)
  const units = isLook(look) ? look.units.filter(({ name }) => !besides.includes(name)) : []
  for (const { name, restarts } of units) least.set(name, Math.min(restarts, least.get(name) ?? restarts))
  const unit = units.find(
    ({ name, state, restarts }) => state !== 'active' && restarts - (least.get(name) ?? 0) > maxRestarts,
  )
  if (unit === undefined) return null
  const said = await remote.run(
    host,
    `journalctl _SYSTEMD_UNIT=${unit.name}.service --lines 3 --output cat --no-pager`,
    {
      signal,
      timeoutMs: 20_000,
    },
  )
  const why = said.stdout.trim().split('\n').at(-1) ?? ''
  return `${host.name}: ${unit.name} was started again ${unit.restarts} times: ${why}`
}

/** What is wrong with one host, by itself and as every Cassandra sees its own; null: nothing. Never rejects. */
export async function ailmentOf(
  remote: Remote,
  inventory: Inventory,
  host: Host,
  signal: AbortSignal,
): Promise<string | null> {
  const keepsRows = (one: Host): boolean => one.roles.includes('db')
  const look = (hosts: readonly Host[]) => lookAtAll(remote, inventory, hosts, { ring: keepsRows, signal })
  const own = await look([host])
  const cell = { inventory, hosts: [host], first: new Map<string, never>() }
  const mine = (line: string): boolean => line.startsWith(`${host.name}: `) && !isPassing(line)
  // Those of others are not asked while it is not well itself.
  const first = verdictOf({ ...cell, last: own }).problems.find(mine)
  if (first !== undefined || !keepsRows(host)) return first ?? null
  const others = inventory.hosts.filter((one) => keepsRows(one) && one.name !== host.name)
  const last = await look(others)
  const silent = others.find(({ name }) => {
    const one = last.get(name)
    return !isLook(one) || one.ring === null
  })
  if (silent !== undefined) return `${silent.name} cannot be asked how it sees ${host.name}`
  return verdictOf({ ...cell, last: new Map([...last, ...own]) }).problems.find(mine) ?? null
}
