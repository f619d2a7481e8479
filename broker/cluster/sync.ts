import {
  retained as retainedTable,
  session as sessionTable,
  subscription as subscriptionTable,
} from '#platform/store/tables.ts'
import type { Cell } from './cell.ts'
import { Entry, readJson, sendJson } from './entries.ts'
import type { Member } from './member.ts'
import { encodeRow } from './rows.ts'

/** Who has just told what it has is not asked for that of the other side at once. */
const ASK_AGAIN_MS = 1000

interface SumsEntry {
  readonly session: string
  readonly subscription: string
  readonly retained: string
}

/**
 * Makes the tables of two processes equal: each tells the checksums of its buckets, the other answers with its rows of
 * those that differ. When a stream begins, and now and then.
 */
export class Sync {
  readonly #cell: Cell
  /** Members who asked before this process had read its own tables. */
  readonly #waiting = new Map<Member, SumsEntry>()
  #loaded = false

  constructor(cell: Cell) {
    this.#cell = cell
  }

  /** The own tables have been read from the store: who asked is answered now. */
  loaded(): void {
    this.#loaded = true
    for (const [member, sums] of this.#waiting) this.#answer(member, sums)
    this.#waiting.clear()
    for (const member of this.#cell.members()) this.ask(member)
  }

  ask(member: Member): void {
    if (!this.#loaded) return
    const { directory, retainedSums } = this.#cell
    const sums: SumsEntry = {
      session: directory.sessionSums.encode(),
      subscription: directory.subscriptionSums.encode(),
      retained: retainedSums.encode(),
    }
    member.askedAt = this.#cell.timers.monotonic()
    sendJson(member.peer, Entry.SUMS, sums)
  }

  asked(member: Member, body: Buffer): void {
    const sums = readJson(body) as SumsEntry
    if (this.#loaded) this.#answer(member, sums)
    else this.#waiting.set(member, sums)
  }

  forget(member: Member): void {
    this.#waiting.delete(member)
  }

  #answer(member: Member, sums: SumsEntry): void {
    this.#send(member, sums).catch((error: unknown) =>
      this.#cell.broker.log.error({ event: 'cell.sync_failed', err: error }, 'tables were not sent'),
    )
  }

  /** Sends the rows that differ, no faster than they are taken; a stream that begins anew asks anew. */
  async #send(member: Member, sums: SumsEntry): Promise<void> {
    const { peer, opens } = member
    let differ = false
    for (const [type, bytes] of this.#rows(sums)) {
      differ = true
      if (peer.pressed) await member.room()
      if (member.opens !== opens) return
      peer.send(type, bytes)
    }
    sendJson(peer, Entry.SYNCED, {})
    // The other one may have what this one lacks.
    if (differ && this.#cell.timers.monotonic() - member.askedAt > ASK_AGAIN_MS) this.ask(member)
  }

  *#rows(sums: SumsEntry): Iterable<[type: number, row: Buffer]> {
    const { directory, retainedSums, broker } = this.#cell
    const sessions = directory.sessionSums.differing(sums.session)
    const subscriptions = directory.subscriptionSums.differing(sums.subscription)
    const retained = retainedSums.differing(sums.retained)
    if (sessions.size > 0)
      for (const row of directory.sessionRows(sessions)) yield [Entry.SESSION, encodeRow(sessionTable, row)]
    if (subscriptions.size > 0)
      for (const row of directory.subscriptionRows(subscriptions))
        yield [Entry.SUBSCRIPTION, encodeRow(subscriptionTable, row)]
    if (retained.size === 0) return
    for (const space of broker.spaces())
      for (const row of space.retained.rows(retained)) yield [Entry.RETAINED, encodeRow(retainedTable, row)]
  }
}
