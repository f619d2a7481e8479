import { hash128 } from '#platform/hash.ts'
import { StoreError } from '#platform/store/store.ts'
import type { RowOf } from '#platform/store/table.ts'
import {
  retained,
  session as sessionTable,
  subscription as subscriptionTable,
} from '#platform/store/tables.ts'
import type { Broker } from './broker.ts'
import type { Cell } from './cluster/cell.ts'
import type { RemoteSession } from './cluster/remote-session.ts'
import { DurableOutbox } from './outbox/durable-outbox.ts'
import { optionsOf, Subscription } from './router/subscription.ts'
import { NEVER, Session } from './session.ts'
import { decodeWill, encodeWill } from './stored-will.ts'
import { parseFilter } from './topics.ts'

const PAGE = 1000
/** Between tries to read the tables at the start of a process. */
const LOAD_RETRY_MS = 1000
/** A client of a crashed broker has this long to come back before its will is published (guarantee G6: within 10 s). */
const CRASH_GRACE_SECONDS = 5
/** A drained broker's clients: a planned restart is no death (guarantee G6). */
const DRAIN_GRACE_SECONDS = 60

/** Sessions and subscriptions on disk. Everything here stages rows; durable with the current ticket of its organisation's lane. */
export class SessionStore {
  readonly #broker: Broker
  readonly #ended: Session[] = []

  constructor(broker: Broker) {
    this.#broker = broker
  }

  /**
   * The session as it is now. `connected`: a connection of this process has it; `drained`: it had one until this
   * process was told to end; `ended`: its client is gone.
   */
  save(session: Session, now: 'connected' | 'drained' | 'ended', previousEpoch = 0): void {
    const batch = session.space.commit.stage()
    const key = { org: session.space.org, client: hash128(session.clientId) }
    session.endedAt = now === 'connected' ? 0 : this.#broker.now
    const stamp = this.#broker.hlc.next()
    const row = {
      ...key,
      epoch: session.epoch,
      client_id: session.clientId,
      sid: session.sid,
      expiry: session.expiry,
      username: session.username,
      device_id: session.deviceId ?? undefined,
      // In a cell the DC of the last holder is where its state is.
      holder: now === 'ended' && this.#broker.cell === null ? undefined : this.#broker.writer,
      ended_at: now === 'connected' ? undefined : session.endedAt,
      will: session.will === null ? undefined : encodeWill(session.will.message, session.will.delay),
      stamp,
    }
    batch.put(sessionTable, row)
    const { cell } = this.#broker
    if (cell !== null) {
      cell.directory.holds(session, stamp)
      // The will is for whoever reads the store when this process is gone.
      cell.sessionRow({ ...row, will: undefined })
    }
    if (previousEpoch !== 0 && previousEpoch !== session.epoch)
      batch.delete(sessionTable, { ...key, epoch: previousEpoch })
  }

  /** The session and all it had. */
  remove(session: Session): void {
    const { commit, org } = session.space
    const batch = commit.stage()
    const { cell } = this.#broker
    const key = { org, client: hash128(session.clientId), epoch: session.epoch }
    if (cell === null) batch.delete(sessionTable, key)
    else {
      // A row without sid: the end of the session, so that no older row of it counts any more.
      const row = { ...key, client_id: session.clientId, stamp: this.#broker.hlc.next() }
      batch.put(sessionTable, row)
      cell.directory.ended(session, row.stamp)
      cell.sessionRow(row)
    }
    if (!session.durable) return
    batch.deletePartition(subscriptionTable, { org, sid: session.sid })
    ;(session.outbox as DurableOutbox).stageDelete()
  }

  /** A session that is not held here, and all it had. */
  removeAway(away: RemoteSession): void {
    const { commit, org } = away.space
    const batch = commit.stage()
    const { cell } = this.#broker
    const row = {
      org,
      client: hash128(away.clientId),
      epoch: away.epoch,
      client_id: away.clientId,
      stamp: this.#broker.hlc.next(),
    }
    batch.put(sessionTable, row)
    cell?.directory.ended(away, row.stamp)
    cell?.sessionRow(row)
    batch.deletePartition(subscriptionTable, { org, sid: away.sid })
  }

  saveSubscription(s: Subscription, options: number): void {
    const stamp = this.#broker.hlc.next()
    const row = {
      org: s.session.space.org,
      sid: s.session.sid,
      filter_hash: hash128(s.filter),
      filter: s.filter,
      options,
      identifier: s.identifier,
      stamp,
    }
    s.session.space.commit.stage().put(subscriptionTable, row)
    const { cell } = this.#broker
    if (cell === null) return
    cell.directory.subscribed(s, stamp)
    cell.subscriptionRow(row)
  }

  removeSubscription(s: Subscription): void {
    const stamp = this.#broker.hlc.next()
    const row = {
      org: s.session.space.org,
      sid: s.session.sid,
      filter_hash: hash128(s.filter),
      filter: s.filter,
      gone: true,
      stamp,
    }
    s.session.space.commit.stage().put(subscriptionTable, row)
    const { cell } = this.#broker
    if (cell === null) return
    cell.directory.unsubscribed(s, stamp)
    cell.subscriptionRow(row)
  }

  /**
   * Reads all sessions, subscriptions and retained messages; before the first connection. Marks of what is gone are
   * cleared away: no other process writes here whose older rows they would have to outdo.
   */
  async load(): Promise<void> {
    const { cell } = this.#broker
    if (cell !== null) return this.#loadCell(cell)
    const bySid = new Map<string, Session>()
    const newest = new Map<string, RowOf<typeof sessionTable>>()
    const older: RowOf<typeof sessionTable>[] = []
    for await (const row of this.#scan(sessionTable)) {
      this.#broker.hlc.see(row.epoch)
      if (row.stamp !== undefined) this.#broker.hlc.see(row.stamp)
      const name = `${row.org}\0${row.client_id}`
      const known = newest.get(name)
      if (known === undefined || known.epoch < row.epoch) newest.set(name, row)
      if (known !== undefined) older.push(known.epoch < row.epoch ? known : row)
    }
    for (const row of newest.values()) this.#restore(row, bySid)
    for await (const row of this.#scan(subscriptionTable)) {
      if (row.stamp !== undefined) this.#broker.hlc.see(row.stamp)
      const session = bySid.get(sidName(row))
      if (session === undefined || row.gone === true || row.filter === undefined) {
        const { org, sid, filter_hash } = row
        this.#broker.space(org).commit.stage().delete(subscriptionTable, { org, sid, filter_hash })
        continue
      }
      const { match, group } = parseFilter(row.filter, session.deviceId)
      const options = optionsOf(row.options ?? 0)
      const s = new Subscription(session, row.filter, match, group, options, row.identifier ?? 0)
      session.addSubscription(s)
      session.space.router.add(s)
    }
    for (const row of older) this.#forget(row, bySid)
    for await (const row of this.#scan(retained)) {
      if (row.stamp !== undefined) this.#broker.hlc.see(row.stamp)
      const { org, bucket, topic_hash, topic, message } = row
      const alive =
        message !== undefined &&
        topic !== undefined &&
        this.#broker.space(org).retained.restore(topic, message)
      if (!alive) this.#broker.space(org).commit.stage().delete(retained, { org, bucket, topic_hash })
    }
  }

  /** In a cell: rows of all sessions, held by whom it may be. Nothing is cleared away: others may know better. */
  async #loadCell({ directory }: Cell): Promise<void> {
    for await (const row of this.#scan(sessionTable)) directory.takeSession(row)
    for await (const row of this.#scan(subscriptionTable)) directory.takeSubscription(row)
    for await (const row of this.#scan(retained)) this.#broker.space(row.org).retained.take(row)
  }

  #restore(row: RowOf<typeof sessionTable>, bySid: Map<string, Session>): void {
    if (row.client_id === undefined || row.sid === undefined) return
    const session = this.#session(row, row.client_id, row.sid)
    const { space, expiry } = session
    const durable = expiry > 0
    space.sessions.set(session.clientId, session)
    bySid.set(sidName({ org: row.org, sid: row.sid }), session)
    const endedAt = row.ended_at ?? this.#broker.now
    const passed = (this.#broker.now - endedAt) / 1000
    if (row.will !== undefined) {
      session.will = decodeWill(row.will)
      session.willGrace = row.holder !== undefined
      const grace =
        row.holder === undefined ? 0 : row.ended_at === undefined ? CRASH_GRACE_SECONDS : DRAIN_GRACE_SECONDS
      const delay = durable ? Math.min(session.will.delay, expiry) : 0
      this.#broker.lifecycle.scheduleWill(session, Math.max(delay - passed, grace))
    }
    // Its time counts from the crash, also over further ones.
    if (row.ended_at === undefined) this.save(session, 'ended')
    if (expiry === NEVER) return
    const left = Math.max(0, expiry - passed)
    // A session that lives on only for its will ends when the will has been published.
    this.#broker.lifecycle.scheduleExpiry(
      session,
      session.will === null ? left : Math.max(left, DRAIN_GRACE_SECONDS + 1),
    )
  }

  #session(row: RowOf<typeof sessionTable>, clientId: string, sid: Uint8Array): Session {
    const outbox = new DurableOutbox(this.#broker, false)
    const session = new Session({
      space: this.#broker.space(row.org),
      clientId,
      sid,
      durable: true,
      outbox,
      epoch: row.epoch,
      expiry: row.expiry ?? 0,
      username: row.username ?? '',
      deviceId: row.device_id ?? null,
    })
    outbox.session = session
    session.onDisk = true
    return session
  }

  /** The row of an older epoch. If it is of another session, that one has ended and a crash came before its removal. */
  #forget(row: RowOf<typeof sessionTable>, bySid: ReadonlyMap<string, Session>): void {
    const { org, client, epoch, client_id, sid } = row
    if (client_id === undefined || sid === undefined || bySid.has(sidName({ org, sid })))
      this.#broker.space(org).commit.stage().delete(sessionTable, { org, client, epoch })
    else this.#ended.push(this.#session(row, client_id, sid))
  }

  /** Goes on with the removal of sessions that a crash has interrupted. */
  removeEnded(): void {
    for (const session of this.#ended.splice(0)) this.#broker.lifecycle.remove(session)
  }

  async *#scan<T extends typeof sessionTable | typeof subscriptionTable | typeof retained>(
    table: T,
  ): AsyncGenerator<RowOf<T>> {
    let cursor: string | null = null
    do {
      const page: Page<T> = await this.#page(table, cursor)
      yield* page.rows
      cursor = page.cursor
    } while (cursor !== null)
  }

  /** In a cell a store that does not answer is waited for: its DC may have come back a moment ago. */
  async #page<T extends typeof sessionTable | typeof subscriptionTable | typeof retained>(
    table: T,
    cursor: string | null,
  ): Promise<Page<T>> {
    const { store, cell, log, timers } = this.#broker
    for (;;) {
      try {
        // oxlint-disable-next-line no-await-in-loop -- one try after the other
        return await store.scan(table, cursor, PAGE)
      } catch (error) {
        if (cell === null || !(error instanceof StoreError) || error.code !== 'unavailable') throw error
        log.warn(
          { event: 'store.waiting', err: error },
          'the store does not answer; sessions are read when it does',
        )
        // oxlint-disable-next-line no-await-in-loop
        await new Promise<void>((resolve) => timers.after(LOAD_RETRY_MS, resolve))
      }
    }
  }
}

function sidName({ org, sid }: { org: string; sid: Uint8Array }): string {
  return `${org}\0${Buffer.from(sid).toString('hex')}`
}

interface Page<T extends typeof sessionTable | typeof subscriptionTable | typeof retained> {
  rows: RowOf<T>[]
  cursor: string | null
}
