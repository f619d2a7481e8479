import { setTimeout as sleep } from 'node:timers/promises'
import { ApiError, type CinqueClient } from '#client/index.ts'
import type { Inventory } from '#platform/inventory/inventory.ts'
import { reachOf } from './reach.ts'
import { askCheckers } from './standings.ts'

/** Marks the words of rolls among those of people. */
const mark = 'roll: '
const lookMs = 1000

/** Whether a word about a host is a roll's, and no person's. */
export function isOurs(reason: string): boolean {
  return reason.startsWith(mark)
}

/** Whether devices and users are sent to a host, and to those that serve nobody without it. */
export interface Traffic {
  /**
   * Takes them out of DNS; resolves when what resolvers know of them has expired. `alone`: none but the host itself; those
   * that it serves do without it.
   */
  away(host: string, signal: AbortSignal, alone?: boolean): Promise<void>
  /** Why they would not serve if they were back: the checkers find one down. Null: they do not. */
  ailment(host: string, signal: AbortSignal): Promise<string | null>
  back(host: string, signal: AbortSignal): Promise<void>
}

/** By a word in the store that the checkers follow, who answer for DNS. Without checkers only the word is kept. */
export function dnsTraffic(client: CinqueClient, inventory: Inventory): Traffic {
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
    async away(host, signal, alone = false) {
      const { subject } = reachOf(alone ? withoutRows(inventory) : inventory, host)
      if (subject === null) return
      await client.put('/v1/overrides/{subject}', {
        ...path(subject),
        body: { action: 'out', reason: `${mark}${host} is being looked after` },
      })
      await untilSaid(inventory, subject, signal)
      await sleep((inventory.dns?.ttl ?? 0) * 1000, undefined, { signal })
    },
    async ailment(host, signal) {
      const { apps } = reachOf(inventory, host)
      if (apps.size === 0) return null
      const all = await askCheckers(inventory, signal)
      for (const app of apps) {
        const down = all.flatMap((standings) => {
          const said = standings.get(app)
          return said?.state === 'down' ? [said.reason] : []
        })
        if (down.length * 2 > all.length) return `checkers find ${app} down: ${down[0]}`
      }
      return null
    },
    async back(host) {
      const { subject } = reachOf(inventory, host)
      const word = subject === null ? null : await wordOf(subject)
      if (subject !== null && word !== null && isOurs(word))
        await client.delete('/v1/overrides/{subject}', path(subject))
    },
  }
}

function withoutRows({ dcs, hosts }: Inventory): Pick<Inventory, 'dcs' | 'hosts'> {
  const apps = hosts.filter(({ roles }) => roles.includes('app'))
  return { dcs, hosts: apps.map((host) => ({ ...host, roles: ['app'] })) }
}

/** Until most checkers say that it is out, or why it is kept. */
async function untilSaid(inventory: Inventory, subject: string, signal: AbortSignal): Promise<void> {
  for (;;) {
    // oxlint-disable-next-line no-await-in-loop -- until they have read it
    const all = await askCheckers(inventory, signal)
    const known = all.filter((standings) => {
      const one = standings.get(subject)
      return one === undefined || !one.serving || one.reason.includes(mark)
    })
    if (known.length * 2 >= all.length) return
    // oxlint-disable-next-line no-await-in-loop
    await sleep(lookMs, undefined, { signal })
  }
}
