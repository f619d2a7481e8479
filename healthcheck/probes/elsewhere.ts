import type { Target } from './probe.ts'

/**
 * The host of another DC with which a host is tried: the first host of a DC with the next DC, the second with the one
 * after it, so that five DCs of two hosts try all pairs. Hosts that fail by themselves are passed by.
 */
export function elsewhereOf(
  targets: readonly Target[],
  failing: (host: string) => boolean,
): (from: Target) => Target | undefined {
  const byDc = Map.groupBy(targets, ({ dc }) => dc.name)
  const dcs = [...byDc.keys()]
  return (from) => {
    const at = byDc.get(from.dc.name)?.indexOf(from) ?? 0
    const own = dcs.indexOf(from.dc.name)
    for (let step = 0; step < dcs.length - 1; step++) {
      const distance = 1 + ((at + step) % (dcs.length - 1))
      const found = byDc.get(dcs[(own + distance) % dcs.length])?.find(({ host }) => !failing(host.name))
      if (found !== undefined) return found
    }
    return undefined
  }
}
