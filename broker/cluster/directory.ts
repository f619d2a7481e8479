import { dcOf, incarnationHex } from '#platform/cluster/incarnation.ts'
import { hash128 } from '#platform/hash.ts'
import type { RowOf } from '#platform/store/table.ts'
import { session as sessionTable, subscription as subscriptionTable } from '#platform/store/tables.ts'
import type { Broker } from '../broker.ts'
import { ReasonCode } from '../packets/reason-code.ts'
import { optionsOf, Subscription } from '../router/subscription.ts'
import type { Session } from '../session.ts'
import type { Space } from '../space.ts'
import { parseFilter } from '../topics.ts'
import type { Cell } from './cell.ts'
import { Marks } from './marks.ts'
import { RemoteSession } from './remote-session.ts'
import { sidKey } from './ring.ts'
import { StringIndex } from './string-index.ts'
import { bucketOf, Sums } from './sums.ts'

export type SessionRow = RowOf<typeof sessionTable>
export type SubscriptionRow = RowOf<typeof subscriptionTable>
type Known = Session | RemoteSession

/** Filters of which one string is kept for all. */
const FILTERS = 1024
/** Subscriptions that came before their session. */
const ORPHANS = 10_000
/** Those who do not decide on the end of a session by expiry let go of it this much later. */
const EXPIRY_SLACK_MS = 10_000

/**
 * The tables `session` and `subscription` as this process knows them: all persistent sessions of the cell. Rows come from the
 * store at start, from peers, and from what happens here; the newest wins.
 */
export class Directory {
  readonly sessionSums = new Sums()
  readonly subscriptionSums = new Sums()
  readonly #cell: Cell
  readonly #broker: Broker
  readonly #bySid = new StringIndex<Known>((known) => known.sidKey)
  readonly #endedSessions = new Marks()
  readonly #gone = new Marks()
  readonly #filters = new Map<string, string>()
  readonly #orphans = new Map<string, SubscriptionRow[]>()

  constructor(cell: Cell, broker: Broker) {
    this.#cell = cell
    this.#broker = broker
  }

  bySid(sid: Uint8Array): Known | undefined {
    return this.#bySid.get(sidKey(sid))
  }

  /** Persistent sessions known. */
  get size(): number {
    return this.#bySid.size
  }

  // --- changes made here ------------------------------------------------------------------------------

  /** A session that is held here has a new row. */
  holds(session: Session, stamp: number): void {
    this.#sum(session)
    session.stamp = stamp
    this.#sum(session)
    if (session.durable) this.#bySid.set(session)
  }

  /** A session held here has ended at `epoch`. */
  ended(session: Known, stamp: number): void {
    this.#sum(session)
    session.stamp = 0
    if (this.#bySid.get(session.sidKey) === session) this.#bySid.delete(session.sidKey)
    for (const s of session.subscriptions()) this.#subscriptionSum(s)
    this.#endedSessions.set(sessionKey(session.space.org, session.clientId), Math.max(session.epoch, stamp))
  }

  /** Stamp at which the last session of this client ended, as far as is known; 0: never. */
  endOf(org: string, clientId: string): number {
    return this.#endedSessions.get(sessionKey(org, clientId))
  }

  subscribed(s: Subscription, stamp: number): void {
    this.#subscriptionSum(s)
    s.stamp = stamp
    this.#subscriptionSum(s)
    this.#gone.delete(subscriptionKey(s))
  }

  unsubscribed(s: Subscription, stamp: number): void {
    this.#subscriptionSum(s)
    s.stamp = 0
    this.#gone.set(subscriptionKey(s), stamp)
  }

  // --- rows from elsewhere ----------------------------------------------------------------------------

  /** Takes a session's row from the store or another process; false: an older one than what is known. */
  takeSession(row: SessionRow): boolean {
    const { org, client_id: clientId, epoch, stamp } = row
    if (clientId === undefined || stamp === undefined) return false
    const space = this.#broker.space(org)
    const held = space.sessions.get(clientId)
    const known = held ?? space.away.get(clientId)
    if (known !== undefined && (known.epoch - epoch || known.stamp - stamp) >= 0) return false
    if (held !== undefined && held.epoch === epoch) {
      // Another process took this one for dead and has published the will: the client comes back and says that it is there.
      if (row.ended_at !== undefined)
        held.connection?.disconnect(ReasonCode.ServerBusy, 'the cell had lost this server')
      return false
    }
    const gone = row.sid === undefined || (row.expiry ?? 0) === 0
    if (gone) {
      if (this.endOf(org, clientId) >= epoch) return false
      if (known !== undefined) this.#forget(known)
      this.#endedSessions.set(sessionKey(org, clientId), Math.max(epoch, stamp))
      return true
    }
    if (known === undefined && this.endOf(org, clientId) > epoch) return false
    this.#place(space, clientId, row, held ?? null, space.away.get(clientId) ?? null)
    return true
  }

  /** Takes a subscription's row. */
  takeSubscription(row: SubscriptionRow): boolean {
    const { sid, filter, stamp = 0 } = row
    if (filter === undefined) return false
    const session = this.#bySid.get(sidKey(sid))
    if (session === undefined) {
      this.#keepOrphan(row)
      return false
    }
    const old = session.subscription(filter)
    const gone = this.#gone.get(`${sidKey(sid)}\0${filter}`)
    if (stamp <= Math.max(old?.stamp ?? 0, gone)) return false
    if (row.gone === true) {
      if (old !== undefined) {
        this.#subscriptionSum(old)
        session.removeSubscription(old)
        session.space.router.remove(old)
      }
      this.#gone.set(`${sidKey(sid)}\0${filter}`, stamp)
      return true
    }
    const s = old ?? this.#newSubscription(session, this.#shared(filter))
    this.#subscriptionSum(s)
    s.stamp = stamp
    s.ask(optionsOf(row.options ?? 0), row.identifier ?? 0)
    this.#subscriptionSum(s)
    if (old === undefined) {
      session.addSubscription(s)
      session.space.router.add(s)
    } else session.space.router.changed(s.match)
    return true
  }

  /** Makes a session that was held elsewhere, or by nobody, one that is held here: its subscriptions go with it. */
  takeOver(remote: RemoteSession, session: Session): void {
    this.#sum(remote)
    remote.space.away.delete(remote.clientId)
    session.stamp = remote.stamp
    this.#sum(session)
    this.#bySid.set(session)
    move(remote, session)
  }

  /** A session was held here and is no more: another process has it, or will. */
  letGo(
    session: Session,
    holder: { epoch: number; stamp: number; holder: string; endedAt: number },
  ): RemoteSession {
    this.#sum(session)
    const { space, clientId } = session
    const remote = new RemoteSession({
      space,
      clientId,
      sidKey: session.sidKey,
      deviceId: session.deviceId,
      username: session.username,
      expiry: session.expiry,
      ...holder,
    })
    space.sessions.delete(clientId)
    space.away.set(remote)
    this.#sum(remote)
    this.#bySid.set(remote)
    move(session, remote)
    return remote
  }

  // --- time -------------------------------------------------------------------------------------------

  /** Forgets what has expired; sessions whose holder is gone count from now on. Once a minute. */
  sweep(now: number): void {
    this.#endedSessions.sweep(now)
    this.#gone.sweep(now)
    for (const space of this.#broker.spaces()) {
      for (const remote of space.away.values()) {
        const { holder, expiry, endedAt } = remote
        if (holder !== '' && this.#cell.member(holder) === undefined && endedAt === 0) remote.endedAt = now
        if (remote.endedAt === 0 || expiry === 0xffff_ffff) continue
        if (now > remote.endedAt + expiry * 1000 + EXPIRY_SLACK_MS) this.#forget(remote)
      }
    }
  }

  // --- comparing --------------------------------------------------------------------------------------

  /** Rows of these buckets, with the marks of what is gone in them. */
  *sessionRows(buckets: ReadonlySet<number>): Iterable<SessionRow> {
    for (const space of this.#broker.spaces()) {
      const { org } = space
      for (const session of space.sessions.values())
        if (session.durable && session.stamp > 0 && buckets.has(bucketOf(sessionKey(org, session.clientId))))
          yield this.#rowOf(session)
      for (const remote of space.away.values())
        if (buckets.has(bucketOf(sessionKey(org, remote.clientId)))) yield this.#rowOf(remote)
    }
    for (const [key, stamp] of this.#endedSessions.entries()) {
      if (!buckets.has(bucketOf(key))) continue
      const [org, client_id] = split(key)
      yield { org, client: hash128(client_id), client_id, epoch: stamp, stamp }
    }
  }

  *subscriptionRows(buckets: ReadonlySet<number>): Iterable<SubscriptionRow> {
    for (const session of this.#bySid.values()) {
      const { org } = session.space
      for (const s of session.subscriptions()) {
        if (s.stamp > 0 && buckets.has(bucketOf(subscriptionKey(s)))) yield subscriptionRow(org, s)
      }
    }
    for (const [key, stamp] of this.#gone.entries()) {
      if (!buckets.has(bucketOf(key))) continue
      const sid = Buffer.from(key.slice(0, 16), 'latin1')
      const filter = key.slice(17)
      const session = this.#bySid.get(key.slice(0, 16))
      if (session === undefined) continue
      yield { org: session.space.org, sid, filter_hash: hash128(filter), filter, gone: true, stamp }
    }
  }

  // --- inside -----------------------------------------------------------------------------------------

  #place(
    space: Space,
    clientId: string,
    row: SessionRow,
    held: Session | null,
    away: RemoteSession | null,
  ): void {
    const holder = row.holder === undefined || row.ended_at !== undefined ? '' : hexOf(row.holder)
    const place = { epoch: row.epoch, stamp: row.stamp ?? 0, holder, endedAt: row.ended_at ?? 0 }
    const key = sidKey(row.sid as Uint8Array)
    let remote: RemoteSession
    if (held !== null) {
      this.#cell.release(held)
      if (held.durable && !held.ended && held.sidKey === key) remote = this.letGo(held, place)
      else {
        this.#forget(held)
        remote = this.#newRemote(space, clientId, row, key, place)
      }
    } else if (away !== null && away.sidKey === key) {
      remote = away
      this.#sum(remote)
      if (remote.holder !== place.holder) remote.appended = 0
      Object.assign(remote, place)
      this.#sum(remote)
    } else {
      if (away !== null) this.#forget(away)
      remote = this.#newRemote(space, clientId, row, key, place)
    }
    remote.lastDc = row.holder === undefined ? 0 : dcOf(row.holder)
    remote.expiry = row.expiry ?? 0
    // Most devices have one name for all three: one string of it is enough.
    remote.username = same(row.username ?? '', clientId)
    remote.deviceId = row.device_id === undefined ? null : same(row.device_id, remote.username)
    const orphans = this.#orphans.get(key)
    if (orphans === undefined) return
    this.#orphans.delete(key)
    for (const orphan of orphans) this.takeSubscription(orphan)
  }

  #newRemote(
    space: Space,
    clientId: string,
    row: SessionRow,
    key: string,
    place: { epoch: number; stamp: number; holder: string; endedAt: number },
  ): RemoteSession {
    const remote = new RemoteSession({
      space,
      clientId,
      sidKey: key,
      deviceId: row.device_id ?? null,
      username: row.username ?? '',
      expiry: row.expiry ?? 0,
      ...place,
    })
    space.away.set(remote)
    this.#bySid.set(remote)
    this.#sum(remote)
    return remote
  }

  /** Takes a session out of all tables here; its rows in the store are somebody else's. */
  #forget(known: Known): void {
    if (known.kind === 'here') {
      this.#cell.release(known)
      this.#broker.lifecycle.overElsewhere(known)
      known.space.sessions.delete(known.clientId)
    } else known.space.away.delete(known.clientId)
    if (known.stamp > 0) this.#sum(known)
    if (this.#bySid.get(known.sidKey) === known) this.#bySid.delete(known.sidKey)
    for (const s of Array.from(known.subscriptions())) {
      this.#subscriptionSum(s)
      known.removeSubscription(s)
      known.space.router.remove(s)
    }
  }

  #newSubscription(session: Known, filter: string): Subscription {
    const { match, group } = parseFilter(filter, session.deviceId)
    return new Subscription(session, filter, match, group, optionsOf(0), 0)
  }

  /** One string for a filter that many devices have, such as `v1/devices/me/#`. */
  #shared(filter: string): string {
    const known = this.#filters.get(filter)
    if (known !== undefined) return known
    if (this.#filters.size < FILTERS) this.#filters.set(filter, filter)
    return filter
  }

  #keepOrphan(row: SubscriptionRow): void {
    const key = sidKey(row.sid)
    const rows = this.#orphans.get(key)
    if (rows !== undefined) rows.push(row)
    else this.#orphans.set(key, [row])
    if (this.#orphans.size > ORPHANS)
      for (const oldest of this.#orphans.keys()) return void this.#orphans.delete(oldest)
  }

  #sum(session: Known): void {
    if (!session.durable || session.stamp === 0) return
    const key = sessionKey(session.space.org, session.clientId)
    this.sessionSums.toggle(key, session.stamp)
  }

  #subscriptionSum(s: Subscription): void {
    if (s.stamp > 0) this.subscriptionSums.toggle(subscriptionKey(s), s.stamp)
  }

  #rowOf(known: Known): SessionRow {
    const here = known.kind === 'here'
    const connected = here ? known.connection !== null || known.claimant !== null : known.holder !== ''
    const holder = here ? this.#cell.incarnation : holderOf(known)
    return {
      org: known.space.org,
      client: hash128(known.clientId),
      epoch: known.epoch,
      client_id: known.clientId,
      sid: known.sid,
      expiry: known.expiry,
      username: known.username,
      device_id: known.deviceId ?? undefined,
      holder,
      ended_at: connected ? undefined : known.endedAt,
      stamp: known.stamp,
    }
  }
}

/** The holder, or what is left to know of it: its DC. */
function holderOf({ holder, lastDc }: RemoteSession): Uint8Array {
  if (holder !== '') return Buffer.from(holder, 'hex')
  const last = Buffer.alloc(16)
  last[8] = lastDc
  return last
}

function subscriptionRow(org: string, s: Subscription): SubscriptionRow {
  return {
    org,
    sid: s.session.sid,
    filter_hash: hash128(s.filter),
    filter: s.filter,
    options: s.options,
    identifier: s.identifier,
    stamp: s.stamp,
  }
}

/** `text`, as the object `other` if that is the same. */
function same(text: string, other: string): string {
  return text === other ? other : text
}

function move(from: Known, to: Known): void {
  for (const s of Array.from(from.subscriptions())) {
    from.removeSubscription(s)
    s.session = to
    to.addSubscription(s)
    to.space.router.changed(s.match)
  }
}

function sessionKey(org: string, clientId: string): string {
  return `${org}\0${clientId}`
}

function subscriptionKey(s: Subscription): string {
  return `${sidKey(s.session.sid)}\0${s.filter}`
}

function split(key: string): [string, string] {
  const at = key.indexOf('\0')
  return [key.slice(0, at), key.slice(at + 1)]
}

function hexOf(bytes: Uint8Array): string {
  return incarnationHex(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))
}
