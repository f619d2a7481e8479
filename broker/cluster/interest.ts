import type { Peer } from '#platform/cluster/peer.ts'
import { Subscription } from '../router/subscription.ts'
import type { Space } from '../space.ts'
import type { Cell } from './cell.ts'
import { Entry, readJson, sendJson } from './entries.ts'
import type { Member } from './member.ts'

/** Filters in one entry. */
const SLICE = 500

/** A filter, and the share group it is wanted for; null: for itself. */
type Wanted = readonly [match: string, group: string | null]

interface InterestEntry {
  readonly org: string
  readonly add: readonly Wanted[]
  readonly remove: readonly Wanted[]
}

/**
 * What sessions that end with their connections subscribe to is told to the other processes filter by filter, so that they send
 * what they take; persistent sessions are in the tables of all.
 */
export class Interest {
  readonly #cell: Cell
  /** How many subscriptions here want a filter. */
  readonly #counts = new Map<Space, Map<string, number>>()
  /** What others want. */
  readonly #wanted = new Map<Member, Map<Space, Map<string, Subscription>>>()

  constructor(cell: Cell) {
    this.#cell = cell
  }

  /** Watches an organisation's subscriptions. */
  watch(space: Space): void {
    const counts = new Map<string, number>()
    this.#counts.set(space, counts)
    space.router.observer = ({ session, match, group }, added) => {
      if (session.kind !== 'here' || session.durable) return
      const key = keyOf([match, group])
      const n = (counts.get(key) ?? 0) + (added ? 1 : -1)
      if (n > 0) counts.set(key, n)
      else counts.delete(key)
      const wanted: Wanted[] = [[match, group]]
      if (added && n === 1) this.#tell({ org: space.org, add: wanted, remove: [] })
      else if (!added && n === 0) this.#tell({ org: space.org, add: [], remove: wanted })
    }
  }

  /** A stream begins: everything wanted here. */
  tellAll(peer: Peer): void {
    for (const [space, counts] of this.#counts) {
      const keys = Array.from(counts.keys(), wantedOf)
      for (let i = 0; i < keys.length; i += SLICE)
        sendJson(peer, Entry.INTEREST, { org: space.org, add: keys.slice(i, i + SLICE), remove: [] })
    }
  }

  told(member: Member, body: Buffer): void {
    const { org, add, remove } = readJson(body) as InterestEntry
    const space = this.#cell.broker.space(org)
    const filters = this.#filtersOf(member, space)
    for (const wanted of add) {
      const key = keyOf(wanted)
      if (filters.has(key)) continue
      const [match, group] = wanted
      const s = new Subscription(
        member.receiver(space),
        match,
        match,
        group,
        { qos: 2, noLocal: false, retainAsPublished: true },
        0,
      )
      filters.set(key, s)
      space.router.add(s)
    }
    for (const wanted of remove) {
      const key = keyOf(wanted)
      const s = filters.get(key)
      if (s === undefined) continue
      filters.delete(key)
      space.router.remove(s)
    }
  }

  /** The process is gone, or its stream begins anew. */
  forget(member: Member): void {
    for (const [space, filters] of this.#wanted.get(member) ?? [])
      for (const s of filters.values()) space.router.remove(s)
    this.#wanted.delete(member)
  }

  #filtersOf(member: Member, space: Space): Map<string, Subscription> {
    let spaces = this.#wanted.get(member)
    if (spaces === undefined) this.#wanted.set(member, (spaces = new Map()))
    let filters = spaces.get(space)
    if (filters === undefined) spaces.set(space, (filters = new Map()))
    return filters
  }

  #tell(entry: InterestEntry): void {
    this.#cell.tell(Entry.INTEREST, Buffer.from(JSON.stringify(entry)))
  }
}

function keyOf([match, group]: Wanted): string {
  return group === null ? match : `${group}\0${match}`
}

function wantedOf(key: string): Wanted {
  const at = key.indexOf('\0')
  return at < 0 ? [key, null] : [key.slice(at + 1), key.slice(0, at)]
}
