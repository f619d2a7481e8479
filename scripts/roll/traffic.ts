import { setTimeout as sleep } from 'node:timers/promises'
import { type AnswerOf, ApiError, type CinqueClient } from '#client/index.ts'
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

type Word = AnswerOf<'/v1/overrides/{subject}', 'get'>

/** Whether devices and users are sent to a host, and to those that serve nobody without it. */
export interface Traffic {
  /**
   * Takes them out of DNS until `until` (milliseconds since 1970); resolves when what resolvers know of them has expired.
   */
  away(host: string, until: number, signal: AbortSignal): Promise<void>
  /**
   * Keeps out what `away` took out: until `until`, null: until a person takes it back. Nothing is said anew: what a person
   * took back stays so, and a person's own word is left as it is. False: nobody's word is there.
   */
  extend(host: string, until: number | null): Promise<boolean>
  /** Why they would not serve if they were back: the checkers find one down. Null: they do not. */
  ailment(host: string, signal: AbortSignal): Promise<string | null>
  back(host: string, signal: AbortSignal): Promise<void>
}

/** By a word in the store that the checkers follow, who answer for DNS. Without checkers only the word is kept. */
export function dnsTraffic(client: CinqueClient, inventory: Inventory): Traffic {
  const path = (subject: string) => ({ params: { path: { subject } } })
  const wordOf = async (subject: string): Promise<Word | null> => {
    try {
      return await client.get('/v1/overrides/{subject}', path(subject))
    } catch (error) {
      if (error instanceof ApiError && error.code === 'override_not_found') return null
      throw error
    }
  }
  return {
    async away(host, until, signal) {
      const { subject } = reachOf(inventory, host)
      if (subject === null) return
      await client.put('/v1/overrides/{subject}', { ...path(subject), body: wordAbout(host, until) })
      await untilSaid(inventory, subject, signal)
      await sleep((inventory.dns?.ttl ?? 0) * 1000, undefined, { signal })
    },
    async extend(host, until) {
      const { subject } = reachOf(inventory, host)
      if (subject === null) return true
      const word = await wordOf(subject)
      if (word === null || !isOurs(word.reason)) return word !== null
      await client.put('/v1/overrides/{subject}', {
        params: { path: { subject }, header: { 'if-match': `"${word.version}"` } },
        body: wordAbout(host, until),
      })
      return true
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
      if (subject !== null && word !== null && isOurs(word.reason))
        await client.delete('/v1/overrides/{subject}', path(subject))
    },
  }
}

function wordAbout(host: string, until: number | null) {
  return {
    action: 'out' as const,
    reason: until === null ? `${mark}${host} failed` : `${mark}${host} is being looked after`,
    ...(until === null ? {} : { expires_at: new Date(until).toISOString() }),
  }
}

/** The same cell as it is for a host that leaves: its rows go to the others, so it takes nobody out of service with it. */
export function withoutRows(inventory: Inventory): Inventory {
  const hosts = inventory.hosts.map((host) => ({
    ...host,
    roles: host.roles.filter((role) => role !== 'db'),
  }))
  return { ...inventory, hosts: hosts.filter(({ roles }) => roles.length > 0) }
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
