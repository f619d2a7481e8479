import { birthOf, dcOf, incarnationBytes, incarnationHex } from '#platform/cluster/incarnation.ts'
import type { HolderState, Liveness } from '#platform/presence/holders.ts'
import type { Presence } from '#platform/presence/presence.ts'
import { clientOf } from '../device-client.ts'
import type { Cell, CellPart } from './cell.ts'
import { hasDuty, isMissed } from './duty.ts'
import type { Member } from './member.ts'

/** A process that is not heard has no connections any more after this long, beyond the 3 s of being lost. */
const HOST_MS = 5000
/** A whole DC: a cut is more likely than its end. */
const DC_MS = 27_000
/** Processes that nobody knows: after the start of this one all that live are known. */
const START_MS = 30_000
/** A process that said goodbye, and one that was replaced: what it wrote last is everywhere by then. */
const GOODBYE_MS = 60_000
const REPLACED_MS = 1000
/** Between two looks through all connections for those of processes that are gone. */
const SWEEP_MS = 5000
/** Processes remembered as gone. */
const MOST = 4096
/** Connections that are looked up at a time, by a process that others may have taken for lost; each second. */
const AGAIN = 500

/**
 * Knows which processes of the cell have connections still, and ends those of processes that are gone (docs/presence.md). The
 * rules are those of wills: a process that is not heard while its DC is; a whole DC when most others miss it as well.
 */
export class PresenceDuty implements CellPart, Liveness {
  readonly #cell: Cell
  readonly #presence: Presence
  readonly #startedAt: number
  /** Members that are not heard, since when, and whether their whole DC was not. */
  readonly #silent = new Map<string, { at: number; dc: number; whole: boolean }>()
  /** Those whose connections are over. */
  readonly #gone = new Set<string>()
  /** Those of them whose connections may not have been ended in the store, and when that is to be seen to. */
  readonly #unswept = new Map<string, number>()
  #sweptAt = 0
  #sweeping = false
  #orphansSwept = false
  /** Others may have taken this process for lost. */
  #doubted = false
  #again: Iterator<unknown> | null = null

  constructor(cell: Cell, presence: Presence) {
    this.#cell = cell
    this.#presence = presence
    this.#startedAt = cell.timers.monotonic()
  }

  // --- Liveness ---------------------------------------------------------------------------------------

  stateOf(holder: string): HolderState {
    if (holder === this.#cell.id) return 'here'
    const member = this.#cell.member(holder)
    if (member?.peer.inContact === true) return 'alive'
    if (this.#gone.has(holder)) return 'gone'
    const silent = this.#silent.get(holder)
    if (silent !== undefined) return this.#isOver(silent) ? 'gone' : 'unsure'
    if (member !== undefined || !this.#settled()) return 'unsure'
    // Nobody in contact is it: it has ended, or lives where nobody here can see it.
    const dc = dcOf(incarnationBytes(holder))
    return this.#cell.reachable(dc) || isMissed(this.#cell, dc) ? 'gone' : 'unsure'
  }

  // --- CellPart ---------------------------------------------------------------------------------------

  opened(member: Member, again: boolean): void {
    this.#gone.delete(member.id)
    this.#unswept.delete(member.id)
    const silent = this.#silent.get(member.id)
    this.#silent.delete(member.id)
    const late = this.#cell.broker.now - birthOf(Buffer.from(member.id, 'hex')) / 1024 > HOST_MS
    if (again || silent !== undefined || (late && this.#settled())) this.#doubted = true
  }

  gone(member: Member, how: 'goodbye' | 'replaced' | 'silent'): void {
    this.#silent.delete(member.id)
    this.#gone.add(member.id)
    // Who said goodbye has written it down; that may not have come here yet.
    const wait = how === 'goodbye' ? GOODBYE_MS : REPLACED_MS
    this.#unswept.set(member.id, this.#cell.timers.monotonic() + wait)
    if (this.#gone.size > MOST) for (const oldest of this.#gone) return void this.#gone.delete(oldest)
  }

  second(): void {
    this.#watch()
    const now = this.#cell.timers.monotonic()
    const orphans = !this.#orphansSwept && this.#settled()
    if ((orphans || this.#mine().size > 0) && !this.#sweeping && now - this.#sweptAt > SWEEP_MS) {
      this.#sweptAt = now
      void this.#sweep()
    }
    if (this.#doubted) {
      this.#doubted = false
      this.#again = this.#lookAgain()
    }
    if (this.#again?.next().done === true) this.#again = null
  }

  // --- inside -----------------------------------------------------------------------------------------

  /** All that live have been heard since this process began. */
  #settled(): boolean {
    return this.#cell.timers.monotonic() - this.#startedAt > START_MS
  }

  #watch(): void {
    const now = this.#cell.timers.monotonic()
    for (const { id, peer } of this.#cell.members()) {
      const silent = this.#silent.get(id)
      if (peer.inContact) {
        // Whoever did not hear the other may have taken it for lost.
        if (silent !== undefined && now - silent.at > HOST_MS) this.#doubted = true
        this.#silent.delete(id)
      } else if (silent === undefined) {
        this.#silent.set(id, { at: now, dc: peer.dcNumber, whole: !this.#cell.reachable(peer.dcNumber) })
      } else if (this.#isOver(silent)) this.#unswept.set(id, this.#unswept.get(id) ?? now)
    }
  }

  #isOver({ at, dc, whole }: { at: number; dc: number; whole: boolean }): boolean {
    const silence = this.#cell.timers.monotonic() - at
    if (dc === this.#cell.dc || this.#cell.reachable(dc)) return silence > HOST_MS
    return whole && silence > DC_MS && isMissed(this.#cell, dc)
  }

  /** Processes that are gone and whose connections this one has to end. */
  #mine(): Set<string> {
    const mine = new Set<string>()
    const now = this.#cell.timers.monotonic()
    for (const [id, due] of this.#unswept) {
      if (due > now) continue
      const dc = dcOf(incarnationBytes(id))
      if (this.stateOf(id) === 'gone' && hasDuty(this.#cell, { dc, whole: true })) mine.add(id)
    }
    return mine
  }

  async #sweep(): Promise<void> {
    this.#sweeping = true
    const mine = this.#mine()
    const orphans = this.#settled()
    try {
      await this.#presence.sweep((holder) => {
        const id = incarnationHex(Buffer.from(holder.buffer, holder.byteOffset, holder.byteLength))
        if (mine.has(id)) return true
        if (!orphans || this.stateOf(id) !== 'gone') return false
        return hasDuty(this.#cell, { dc: dcOf(holder), whole: true })
      })
      for (const id of mine) this.#unswept.delete(id)
      if (orphans) this.#orphansSwept = true
    } catch (error) {
      // Who reads sees them as not connected all the same; it is tried again.
      this.#cell.unreadable(error)
    } finally {
      this.#sweeping = false
    }
  }

  /** Its connections, some each second: whoever has ended them in the store is overruled. */
  *#lookAgain(): Generator<void> {
    let said = 0
    for (const connection of this.#cell.broker.connections) {
      const { session } = connection
      if (session?.connection !== connection) continue
      const client = clientOf(connection, session)
      if (client === null) continue
      this.#presence.stillConnected(client)
      if (++said % AGAIN === 0) yield
    }
  }
}
