import type { GroupCommit } from '#platform/store/group-commit.ts'
import type { DurableOutbox } from '../outbox/durable-outbox.ts'
import type { Cell } from './cell.ts'
import type { Member } from './member.ts'

/** Questions for sessions of which something is not known, at a time in each lane: they end when rows are durable there. */
const SCRUBS = 32
/** A reader of a large inbox needs longer than the first question waits; each that was too short makes the next one twice as long. */
const MOST_PATIENCE = 32

/** The connected sessions, and those of them of which not everything is known: that is asked for until it is. */
export class Scrubber {
  /** Outboxes of connected sessions. */
  readonly held = new Set<DurableOutbox>()
  /** Of these, those of which not everything is known. */
  readonly incomplete = new Set<DurableOutbox>()
  readonly #cell: Cell
  readonly #scrubs = new Map<GroupCommit, number>()
  /** Of those whose last question was not answered in time. */
  readonly #patience = new WeakMap<DurableOutbox, number>()

  constructor(cell: Cell) {
    this.#cell = cell
  }

  attached(outbox: DurableOutbox): void {
    this.held.add(outbox)
    this.#patience.delete(outbox)
    if (outbox.knowledge?.complete === false) this.incomplete.add(outbox)
  }

  detached(outbox: DurableOutbox): void {
    this.held.delete(outbox)
    this.incomplete.delete(outbox)
  }

  /** A stream began: what the other has written before it was not sent here. */
  missed(member: Member): void {
    for (const outbox of this.held) {
      outbox.knowledge?.waiting.add(member)
      outbox.knowledge?.unread.add(member.peer.dcNumber)
      this.incomplete.add(outbox)
    }
  }

  /** Nothing is heard of this process: what it writes now is not sent here. */
  silent(member: Member): void {
    for (const outbox of this.held) {
      outbox.knowledge?.silent.set(member, false)
      this.incomplete.add(outbox)
    }
  }

  /** It is heard again, and its stream goes on without a gap. */
  heard(member: Member): void {
    // What it sent while it was not heard may be read now.
    for (const outbox of this.held) if (outbox.knowledge?.silent.delete(member) === true) outbox.readAgain()
  }

  /** A process is over; `died`: its last rows may have been missed. */
  gone(member: Member, died: boolean): void {
    for (const outbox of this.held) {
      outbox.knowledge?.waiting.delete(member)
      outbox.knowledge?.silent.delete(member)
      if (!died) continue
      outbox.knowledge?.reread.add(member.peer.dcNumber)
      this.incomplete.add(outbox)
    }
  }

  /** Asks again for what is not known; once a second. */
  scrub(): void {
    for (const outbox of this.incomplete) {
      const { knowledge, session } = outbox
      if (knowledge === null || knowledge.complete) {
        this.incomplete.delete(outbox)
        continue
      }
      const { commit } = session.space
      if (this.#scrubsIn(commit) >= SCRUBS) continue
      if (!outbox.loaded || outbox.scrubbing || !this.#askable(outbox)) continue
      this.#scrubs.set(commit, this.#scrubsIn(commit) + 1)
      outbox.scrubbing = true
      // Its next turn is after all others': one that cannot become complete now keeps nobody out.
      this.incomplete.delete(outbox)
      this.incomplete.add(outbox)
      const patience = this.#patience.get(outbox) ?? 1
      this.#cell.gathering
        .scrub(session, outbox, patience)
        .then((inTime) => {
          if (inTime) this.#patience.delete(outbox)
          else this.#patience.set(outbox, Math.min(patience * 2, MOST_PATIENCE))
        })
        .catch((error: unknown) => this.#cell.unreadable(error))
        .finally(() => {
          this.#scrubs.set(commit, this.#scrubsIn(commit) - 1)
          outbox.scrubbing = false
        })
    }
  }

  /** Rows of DCs out of contact come by the own store, if at all. */
  rescan(): void {
    const { dcs, membership } = this.#cell
    const away = membership.partial || dcs.some((dc) => !membership.reachable(dc))
    if (away) for (const outbox of this.held) outbox.readAgain()
  }

  #scrubsIn(commit: GroupCommit): number {
    return this.#scrubs.get(commit) ?? 0
  }

  #askable({ knowledge }: DurableOutbox): boolean {
    const { membership } = this.#cell
    for (const { peer } of knowledge?.waiting ?? []) if (peer.inContact) return true
    for (const dc of knowledge?.unreadDcs() ?? []) if (membership.reachable(dc)) return true
    return false
  }
}
