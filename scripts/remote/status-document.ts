import { type CellLook, isLook, rateOf } from './cell-look.ts'
import { canonical } from './ring.ts'
import { mostSay, ringBy, type Verdict } from './verdict.ts'

/** The same for programs. */
export function statusDocument(cell: CellLook, { problems, notes }: Verdict): Record<string, unknown> {
  const { inventory, hosts, last, standings = [] } = cell
  const rings = ringBy(cell)
  return {
    cell: inventory.cell,
    well: problems.length === 0,
    problems,
    notes,
    dcs: inventory.dcs.map(({ name, kind }) => ({ name, kind, standing: mostSay(standings, name) ?? null })),
    hosts: hosts.map(({ name, dc, roles, address }) => {
      const look = last.get(name)
      const host = { name, dc, roles, address }
      if (!isLook(look)) return { ...host, failure: look?.failure ?? null }
      const { host: _, ring: __, metrics, ...said } = look
      return {
        ...host,
        failure: null,
        ...said,
        ring: Array.from(rings, ([by, ring]) => ({
          by,
          ...(ring.find((entry) => entry.address === canonical(address)) ?? { up: false, state: 'unknown' }),
        })).filter(() => roles.includes('db')),
        metrics: Object.fromEntries(metrics),
        rates: Object.fromEntries(
          Array.from(metrics.keys(), (metric) => [
            metric,
            rateOf(cell, name, (one) => one.metrics.get(metric)),
          ]).filter(([metric]) => String(metric).endsWith('_total')),
        ),
      }
    }),
  }
}
