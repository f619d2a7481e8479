import { incarnationHex } from '#platform/cluster/incarnation.ts'
import type { RowOf } from '#platform/store/table.ts'
import { session as sessionTable } from '#platform/store/tables.ts'
import type { Broker } from '../broker.ts'
import { Message } from '../message.ts'
import { decodeWill } from '../stored-will.ts'
import { willStream } from '../outbox/stream-writer.ts'
import type { Cell } from './cell.ts'
import { hasDuty } from './duty.ts'

type SessionRow = RowOf<typeof sessionTable>

/** A process that is not heard is dead for its clients' wills after this long, beyond the 3 s of being lost. */
const HOST_GRACE_MS = 5000
/** A whole DC: a cut is more likely than its end. */
const DC_GRACE_MS = 27_000
/** A process that said goodbye: its clients are about to come back elsewhere. */
const DRAIN_GRACE_MS = 60_000
/** After a start: holders that nobody has heard of. */
const START_GRACE_MS = 30_000
/** Rows read at once. */
const PAGE = 1000
/** Holders remembered. */
const MOST = 1024
/** Clients remembered that have connected since. */
const CLAIMS = 200_000
/** What was silent for this long has no client any more that was not seen elsewhere. */
const FORGET_MS = 3_600_000

interface Silent {
  readonly id: string
  readonly dc: number
  /** Monotonic milliseconds from which on their wills are due. */
  readonly at: number
  readonly whole: boolean
  scanned: boolean
}

/**
 * Publishes the wills of clients whose process has died (docs/cluster.md, section 10). They are in the store; of the processes that
 * are left one has the duty. Two that both believe so publish under one number, so that the copies in inboxes fall together.
 */
export class SilentWills {
  readonly #cell: Cell
  readonly #broker: Broker
  readonly #silent = new Map<string, Silent>()
  readonly #due: { row: SessionRow; holder: string; at: number }[] = []
  /** Epochs of clients that connected while somebody was silent. */
  readonly #claims = new Map<string, number>()
  #startAt = Number.POSITIVE_INFINITY

  constructor(cell: Cell, broker: Broker) {
    this.#cell = cell
    this.#broker = broker
  }

  /** This process takes connections: in a while it looks for holders that nobody knows. */
  joined(): void {
    this.#startAt = this.#cell.timers.monotonic() + START_GRACE_MS
  }

  lost(id: string, dc: number, how: 'silent' | 'goodbye'): void {
    const now = this.#cell.timers.monotonic()
    const whole = how === 'silent' && !this.#cell.reachable(dc)
    const grace = how === 'goodbye' ? DRAIN_GRACE_MS : whole ? DC_GRACE_MS : HOST_GRACE_MS
    if (this.#silent.has(id) && how === 'silent') return
    this.#silent.set(id, { id, dc, at: now + grace, whole, scanned: false })
    if (this.#silent.size > MOST)
      for (const oldest of this.#silent.keys()) return void this.#silent.delete(oldest)
  }

  back(id: string): void {
    this.#silent.delete(id)
  }

  /** A client has connected somewhere. */
  connected(org: string, clientId: string, epoch: number): void {
    if (this.#silent.size > 0 || this.#due.length > 0) this.#claims.set(`${org}\0${clientId}`, epoch)
    if (this.#claims.size > CLAIMS)
      for (const oldest of this.#claims.keys()) return void this.#claims.delete(oldest)
  }

  /** Once a second. */
  second(): void {
    const now = this.#cell.timers.monotonic()
    if (now >= this.#startAt) {
      this.#startAt = Number.POSITIVE_INFINITY
      void this.#scan(null)
    }
    for (const silent of this.#silent.values()) {
      if (now > silent.at + FORGET_MS) {
        this.#silent.delete(silent.id)
        if (this.#silent.size === 0) this.#claims.clear()
        continue
      }
      if (silent.scanned || now < silent.at || !hasDuty(this.#cell, silent)) continue
      silent.scanned = true
      void this.#scan(silent)
    }
    for (let i = this.#due.length - 1; i >= 0; i--) {
      const { row, holder, at } = this.#due[i]
      if (at > now) continue
      this.#due.splice(i, 1)
      if (this.#cell.member(holder)?.peer.inContact !== true) this.#publish(row)
    }
  }

  /** Wills of one holder, or of all that nobody knows. */
  async #scan(silent: Silent | null): Promise<void> {
    try {
      let cursor: string | null = null
      do {
        const page: { rows: SessionRow[]; cursor: string | null } = await this.#broker.store.scan(
          sessionTable,
          cursor,
          PAGE,
        )
        for (const row of page.rows) this.#found(row, silent)
        cursor = page.cursor
      } while (cursor !== null)
    } catch (error) {
      this.#cell.unreadable(error)
      if (silent !== null) silent.scanned = false
    }
  }

  #found(row: SessionRow, silent: Silent | null): void {
    if (row.will === undefined || row.holder === undefined || row.client_id === undefined) return
    const holder = incarnationHex(Buffer.from(row.holder))
    if (silent !== null ? holder !== silent.id : !this.#isOrphan(holder, row.holder[8])) return
    const { delay } = decodeWill(row.will)
    const passed = row.ended_at === undefined ? 0 : this.#broker.now - row.ended_at
    const wait = (row.expiry ?? 0) === 0 ? 0 : Math.min(delay, row.expiry ?? 0) * 1000 - passed
    this.#due.push({ row, holder, at: this.#cell.timers.monotonic() + Math.max(0, wait) })
  }

  /** A holder that is neither there nor among those whose silence is being waited out. */
  #isOrphan(holder: string, dc: number): boolean {
    if (holder === this.#cell.id || this.#cell.member(holder) !== undefined || this.#silent.has(holder))
      return false
    return hasDuty(this.#cell, { dc, whole: true })
  }

  #publish(row: SessionRow): void {
    const { org, client_id: clientId = '', epoch, will, sid } = row
    if (will === undefined || sid === undefined) return
    const space = this.#broker.space(org)
    const known = space.sessions.get(clientId) ?? space.away.get(clientId)
    const back = Math.max(known?.epoch ?? 0, this.#claims.get(`${org}\0${clientId}`) ?? 0)
    // Who is back has not died: its "offline" must not come behind its "online".
    if (back > epoch) return
    const { message } = decodeWill(will)
    const { topic, payload, qos, retain, properties } = message
    const expiresAt = this.#broker.expiresAt(properties.messageExpiryInterval)
    const published = new Message(topic, payload, qos, retain, properties, expiresAt)
    published.stream = { writer: willStream(sid, epoch), seq: 1 }
    this.#broker.stats.willsPublished.value++
    this.#broker.publish(space, published)
    const stamp = this.#broker.hlc.next()
    const fired: SessionRow = { ...row, will: undefined, ended_at: row.ended_at ?? this.#broker.now, stamp }
    space.commit.stage().put(sessionTable, fired)
    this.#cell.directory.takeSession(fired)
    // If its holder lives after all, it closes the client, which then says that it is there.
    this.#cell.sessionRow(fired)
  }
}
