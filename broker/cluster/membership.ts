import type { Peer } from '#platform/cluster/peer.ts'
import type { Timers } from '#platform/timers.ts'
import { Member } from './member.ts'

/** What a process said of missing DCs counts this long; it says it each second. */
const MISSING_MS = 5000
/** A DC whose store could not be read counts as out of contact for rows this long. */
const UNREADABLE_MS = 5000

/** The other processes of the cell, and which DCs can be reached. */
export class Membership {
  readonly #dc: number
  readonly #timers: Timers
  readonly #members = new Map<string, Member>()
  readonly #deaths = new Map<number, number>()
  readonly #unreadable = new Map<number, number>()
  /** DCs that other processes miss. */
  readonly #missing = new Map<Member, { dcs: ReadonlySet<number>; at: number }>()

  /** `dc`: number of the own DC. */
  constructor(dc: number, timers: Timers) {
    this.#dc = dc
    this.#timers = timers
  }

  get(id: string): Member | undefined {
    return this.#members.get(id)
  }

  all(): Iterable<Member> {
    return this.#members.values()
  }

  /** The stream to this process begins; it is made a member if it is new. */
  opened(peer: Peer): Member {
    const id = peer.info.incarnation
    let member = this.#members.get(id)
    if (member === undefined) this.#members.set(id, (member = new Member(peer, peer.dcNumber === this.#dc)))
    member.opens++
    member.synced = false
    return member
  }

  /** This process is over; `died`: without goodbye. */
  gone(member: Member, died: boolean): void {
    const { dcNumber } = member.peer
    this.#members.delete(member.id)
    this.#missing.delete(member)
    if (died) this.#deaths.set(dcNumber, this.deathsIn(dcNumber) + 1)
  }

  /** Nothing is heard of this process: it may have died. */
  silent({ peer }: Member): void {
    this.#deaths.set(peer.dcNumber, this.deathsIn(peer.dcNumber) + 1)
  }

  /** How many times a process of that DC has fallen silent, or ended without goodbye. */
  deathsIn(dc: number): number {
    return this.#deaths.get(dc) ?? 0
  }

  /** Whether what is in that DC can be had now. */
  reachable(dc: number): boolean {
    if (dc === this.#dc) return true
    const until = this.#unreadable.get(dc)
    if (until !== undefined && this.#timers.monotonic() < until) return false
    for (const { peer } of this.#members.values()) if (peer.dcNumber === dc && peer.inContact) return true
    return false
  }

  /** Somebody is out of contact. */
  get partial(): boolean {
    for (const { peer } of this.#members.values()) if (!peer.inContact) return true
    return false
  }

  /** That DC said that its store cannot be read. */
  storeAway(dc: number): void {
    this.#unreadable.set(dc, this.#timers.monotonic() + UNREADABLE_MS)
  }

  /** A process says which DCs it misses. */
  misses(member: Member, dcs: readonly number[]): void {
    this.#missing.set(member, { dcs: new Set(dcs), at: this.#timers.monotonic() })
  }

  /** How many DCs miss that one, the own one included. */
  missedBy(dc: number): number {
    const by = new Set<number>()
    if (!this.reachable(dc)) by.add(this.#dc)
    const oldest = this.#timers.monotonic() - MISSING_MS
    for (const [{ peer }, { dcs, at }] of this.#missing) if (at > oldest && dcs.has(dc)) by.add(peer.dcNumber)
    return by.size
  }
}
