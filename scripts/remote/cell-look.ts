import type { Host, Inventory } from '#platform/inventory/inventory.ts'
import { pause } from '#scripts/pause.ts'
import type { Standings } from '#scripts/roll/standings.ts'
import { type HostLook, type Look, lookAt } from './look.ts'
import type { Remote } from './remote.ts'
import { together } from './together.ts'

/** All hosts of a cell, looked at twice, so that what they count is a rate. */
export interface CellLook {
  readonly inventory: Inventory
  readonly hosts: readonly Host[]
  /** By host. */
  readonly first: ReadonlyMap<string, Look>
  readonly last: ReadonlyMap<string, Look>
  /** What each checker that votes has made of the votes; undefined: nobody was asked. */
  readonly standings?: readonly Standings[]
}

/** Hosts at a time. */
const at = 32
const betweenMs = 2000

export function isLook(look: Look | undefined): look is HostLook {
  return look !== undefined && !('failure' in look)
}

export async function lookAtAll(
  remote: Remote,
  inventory: Inventory,
  hosts: readonly Host[],
  options: { ring: (host: Host) => boolean; signal?: AbortSignal },
): Promise<ReadonlyMap<string, Look>> {
  const { ring, ...rest } = options
  const looks = await together(hosts, at, (host) =>
    lookAt(remote, inventory, host, { ...rest, ring: ring(host) }),
  )
  return new Map(looks.map((look) => [look.host, look]))
}

/** Looks twice, the second time also with the eyes of one Cassandra node of each DC. */
export async function lookTwice(
  remote: Remote,
  inventory: Inventory,
  hosts: readonly Host[],
  signal?: AbortSignal,
): Promise<Omit<CellLook, 'standings'>> {
  const options = signal === undefined ? {} : { signal }
  const first = await lookAtAll(remote, inventory, hosts, { ...options, ring: () => false })
  const witnesses = new Map<string, string>()
  for (const { name, dc } of hosts) {
    const look = first.get(name)
    const runs =
      isLook(look) && look.units.some((unit) => unit.name === 'cassandra' && unit.state === 'active')
    if (runs && !witnesses.has(dc)) witnesses.set(dc, name)
  }
  await pause(betweenMs, signal)
  const ring = ({ name, dc }: Host): boolean => witnesses.get(dc) === name
  return { inventory, hosts, first, last: await lookAtAll(remote, inventory, hosts, { ...options, ring }) }
}

/** How fast something that a host counts grew between both looks, a second; null: not known, or it began anew. */
export function rateOf(
  { first, last }: Pick<CellLook, 'first' | 'last'>,
  host: string,
  count: (look: HostLook) => number | null | undefined,
): number | null {
  const [a, b] = [first.get(host), last.get(host)]
  if (!isLook(a) || !isLook(b)) return null
  const [before, after] = [count(a), count(b)]
  const seconds = b.clock - a.clock
  if (before == null || after == null || after < before || seconds <= 0) return null
  return (after - before) / seconds
}
