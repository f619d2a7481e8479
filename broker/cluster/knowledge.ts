import { dcOf, incarnationHex } from '#platform/cluster/incarnation.ts'
import { isStream } from '../outbox/stream-writer.ts'
import type { Mode } from '../outbox/inbox-reader.ts'
import type { Cell } from './cell.ts'
import type { Member } from './member.ts'

/**
 * Of which processes and DCs the holder of a session has seen all rows (docs/cluster.md, section 6). Nothing is known at
 * first; a gather makes it complete, the end of a stream or of a process takes it back.
 */
export class Knowledge {
  /** Processes that have to say what they wrote lately. */
  readonly waiting = new Set<Member>()
  /** DCs whose store has to be read before any of its writers is complete. */
  readonly unread = new Set<number>()
  /** DCs of which a process ended since their store was read: its last rows may have been missed. */
  readonly reread = new Set<number>()
  /** Processes of which nothing is heard; whether their DC's store was read since. What they write now is not sent here. */
  readonly silent = new Map<Member, boolean>()
  readonly #cell: Cell

  constructor(cell: Cell) {
    this.#cell = cell
  }

  get complete(): boolean {
    return (
      this.waiting.size === 0 && this.unread.size === 0 && this.reread.size === 0 && this.silent.size === 0
    )
  }

  /** DCs whose store has to be read, be it again. */
  *unreadDcs(): Iterable<number> {
    yield* this.unread
    yield* this.reread
    for (const [{ peer }, read] of this.silent) if (!read) yield peer.dcNumber
  }

  /** The store of a DC was read; `quiet`: nobody there fell silent or ended meanwhile. */
  read(dc: number, quiet: boolean): void {
    this.unread.delete(dc)
    if (quiet) this.reread.delete(dc)
    else this.reread.add(dc)
    if (quiet)
      for (const member of this.silent.keys()) if (member.peer.dcNumber === dc) this.silent.set(member, true)
  }

  /** Forgets processes that have ended: their last rows are in the store of their DC. */
  prune(): void {
    for (const members of [this.waiting, this.silent]) {
      for (const member of members.keys()) {
        if (this.#cell.member(member.id) === member) continue
        members.delete(member)
        this.reread.add(member.peer.dcNumber)
      }
    }
  }

  /** Nothing is known any more: the session has a new connection. */
  forget(): void {
    this.waiting.clear()
    this.reread.clear()
    this.silent.clear()
    for (const dc of this.#cell.dcs) this.unread.add(dc)
    for (const member of this.#cell.members()) this.waiting.add(member)
  }

  /** Whether all rows of this process have been seen, those before its stream and those in it. */
  isComplete(member: Member): boolean {
    return !this.waiting.has(member) && !this.unread.has(member.peer.dcNumber)
  }

  modeOf(writer: Uint8Array): Mode {
    if (isStream(writer)) return this.#streams()
    const id = incarnationHex(asBuffer(writer))
    if (id === this.#cell.id) return 'ordered'
    const member = this.#cell.member(id)
    const dc = dcOf(writer)
    if (member?.peer.inContact === true) return this.isComplete(member) ? 'ordered' : 'wait'
    if (!this.#cell.reachable(dc)) return 'loose'
    if (this.unread.has(dc) || this.reread.has(dc)) return 'wait'
    if (member === undefined) return 'ordered'
    return this.silent.get(member) === false ? 'wait' : 'loose'
  }

  /** A stream may have been written anywhere. */
  #streams(): Mode {
    for (const member of this.waiting) if (member.peer.inContact) return 'wait'
    for (const dc of this.unreadDcs()) if (this.#cell.reachable(dc)) return 'wait'
    return this.complete ? 'ordered' : 'loose'
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
