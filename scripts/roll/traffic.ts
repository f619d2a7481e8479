import { setTimeout as sleep } from 'node:timers/promises'
import { ApiError, type CinqueClient } from '#client/index.ts'
import type { Inventory } from '#platform/inventory/inventory.ts'
import { askCheckers } from './standings.ts'

/** Marks the words of rolls among those of people. */
const mark = 'roll: '
const lookMs = 1000

/** Whether a word about a host is a roll's, and no person's. */
export function isOurs(reason: string): boolean {
  return reason.startsWith(mark)
}

/** Whether devices and users are sent to a host. */
export interface Traffic {
  /** Takes it out of DNS; resolves when what resolvers know of it has expired. */
  away(host: string, signal: AbortSignal): Promise<void>
  /** Why it would not serve if it were back: the checkers find it down. Null: they do not. */
  ailment(host: string, signal: AbortSignal): Promise<string | null>
  back(host: string, signal: AbortSignal): Promise<void>
}

/** By a word in the store that the checkers follow, who answer for DNS. Without checkers only the word is kept. */
export function dnsTraffic(client: CinqueClient, inventory: Inventory): Traffic {
  const apps = new Set(inventory.hosts.filter(({ roles }) => roles.includes('app')).map(({ name }) => name))
  const path = (subject: string) => ({ params: { path: { subject } } })
  const wordOf = async (subject: string): Promise<string | null> => {
    try {
      return (await client.get('/v1/overrides/{subject}', path(subject))).reason
    } catch (error) {
      if (error instanceof ApiError && error.code === 'override_not_found') return null
      throw error
    }
  }
  return {
    async away(host, signal) {
      if (!apps.has(host)) return
      await client.put('/v1/overrides/{subject}', {
        ...path(host),
        body: { action: 'out', reason: `${mark}it is being looked after` },
      })
      // A DC's last host stays in DNS: a DC without one would be no answer.
      await untilSaid(inventory, host, signal)
      await sleep((inventory.dns?.ttl ?? 0) * 1000, undefined, { signal })
    },
    async ailment(host, signal) {
      if (!apps.has(host)) return null
      const all = await askCheckers(inventory, signal)
      const down = all.flatMap((standings) => {
        const said = standings.get(host)
        return said?.state === 'down' ? [said.reason] : []
      })
      return down.length * 2 > all.length ? `checkers find it down: ${down[0]}` : null
    },
    async back(host) {
      const word = apps.has(host) ? await wordOf(host) : null
      if (word !== null && isOurs(word)) await client.delete('/v1/overrides/{subject}', path(host))
    },
  }
}

/** Until most checkers say that it is out, or why it is kept. */
async function untilSaid(inventory: Inventory, host: string, signal: AbortSignal): Promise<void> {
  for (;;) {
    // oxlint-disable-next-line no-await-in-loop -- until they have read it
    const all = await askCheckers(inventory, signal)
    const known = all.filter((standings) => {
      const one = standings.get(host)
      return one === undefined || !one.serving || one.reason.includes(mark)
    })
    if (known.length * 2 >= all.length) return
    // oxlint-disable-next-line no-await-in-loop
    await sleep(lookMs, undefined, { signal })
  }
}
