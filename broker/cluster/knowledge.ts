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
  readonly #cell: Cell

  constructor(cell: Cell) {
    this.#cell = cell
  }

  get complete(): boolean {
    return this.waiting.size === 0 && this.unread.size === 0 && this.reread.size === 0
  }

  /** Nothing is known any more: the session has a new connection. */
  forget(): void {
    this.waiting.clear()
    this.reread.clear()
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
    if (member !== undefined || !this.#cell.reachable(dc)) return 'loose'
    return this.unread.has(dc) || this.reread.has(dc) ? 'wait' : 'ordered'
  }

  /** A stream may have been written anywhere. */
  #streams(): Mode {
    for (const member of this.waiting) if (member.peer.inContact) return 'wait'
    for (const dc of this.unread) if (this.#cell.reachable(dc)) return 'wait'
    for (const dc of this.reread) if (this.#cell.reachable(dc)) return 'wait'
    return this.complete ? 'ordered' : 'loose'
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
