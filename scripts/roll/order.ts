import type { Host, Inventory } from '#platform/inventory/inventory.ts'

/** Who is least missed comes first: what shows there, does little harm. Then by load, where it is known. */
const kinds = ['backup', 'live'] as const

/**
 * The order in which hosts are done: those of backup DCs first, then by `load` (MQTT connections by host; lowest first,
 * of what is not known as if it were most), then one of each DC in turn, so that what a DC's second host shows is seen
 * before everybody's first is done.
 */
export function rollingOrder(
  { dcs, hosts: all }: Inventory,
  hosts: readonly Host[],
  load: ReadonlyMap<string, number> = new Map(),
): Host[] {
  const kindOf = (host: Host): number => {
    const kind = dcs.find(({ name }) => name === host.dc)?.kind
    return kind === undefined ? -1 : kinds.indexOf(kind)
  }
  const turnOf = (host: Host): number => hosts.filter(({ dc }) => dc === host.dc).indexOf(host)
  const keysOf = (host: Host): readonly number[] => [
    kindOf(host),
    load.get(host.name) ?? Number.MAX_SAFE_INTEGER,
    turnOf(host),
    all.indexOf(host),
  ]
  return hosts
    .map((host) => ({ host, keys: keysOf(host) }))
    .toSorted((a, b) => {
      const at = a.keys.findIndex((key, i) => key !== b.keys[i])
      return at === -1 ? 0 : a.keys[at] - b.keys[at]
    })
    .map(({ host }) => host)
}
