import type { CinqueClient } from '#client/index.ts'
import type { Inventory } from '#platform/inventory/inventory.ts'
import { reachOf } from '../reach.ts'
import { askCheckers, type Standings } from '../standings.ts'
import { isOurs } from '../traffic.ts'
import type { Gate } from './gate.ts'

/** Nobody has taken anything else out, and most checkers find everything else well. */
export function standing(client: CinqueClient, inventory: Inventory): Gate {
  // One that has left the cell keeps nobody from anything, though checkers may still know it.
  const known = new Set([...inventory.dcs, ...inventory.hosts].map(({ name }) => name))
  const checkers = inventory.hosts.filter(({ roles }) => roles.includes('checker')).length
  return {
    name: 'what is in service',
    look: async (host, signal) => {
      const { items } = await client.get('/v1/overrides')
      const { apps, subject: meant } = reachOf(inventory, host)
      const isOwn = (subject: string): boolean => subject === host || subject === meant
      const lines = items
        .filter(
          ({ subject, action, reason }) =>
            action === 'out' && !isOwn(subject) && (known.has(subject) || !isOurs(reason)),
        )
        .map(({ subject, owner, reason }) => `${subject} is out by ${owner}: ${reason}`)
      const own = items.find(({ subject, reason }) => isOwn(subject) && !isOurs(reason))
      if (own !== undefined) lines.push(`${own.subject} is under a word of ${own.owner}: ${own.reason}`)
      const all = await askCheckers(inventory, signal)
      if (checkers > 0 && all.length * 2 <= checkers)
        lines.push(`only ${all.length} of ${checkers} checkers say how the fleet is`)
      // Of its DC the other hosts are looked at one by one.
      const dc = inventory.hosts.find(({ name }) => name === host)?.dc ?? ''
      return [
        ...lines,
        ...poor(all, known, new Set([host, dc, ...apps, ...items.map(({ subject }) => subject)])),
      ]
    },
  }
}

/** Subjects that most checkers find out of DNS or not up. */
function poor(
  all: readonly Standings[],
  known: ReadonlySet<string>,
  excepted: ReadonlySet<string>,
): string[] {
  const names = new Set(all.flatMap((standings) => Array.from(standings.keys())))
  return Array.from(names).flatMap((name) => {
    if (excepted.has(name) || !known.has(name)) return []
    const said = all.flatMap((standings) => {
      const one = standings.get(name)
      return one !== undefined && (one.state === 'down' || !one.serving) ? [one.reason] : []
    })
    return said.length * 2 > all.length ? [`${name}: ${said[0]}`] : []
  })
}
