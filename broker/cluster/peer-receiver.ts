import type { Peer } from '#platform/cluster/peer.ts'
import type { Connection } from '../connection.ts'
import type { Message, Qos } from '../message.ts'
import type { Source } from '../output.ts'
import type { Receiver } from '../receiver.ts'
import type { Route } from '../router/route.ts'
import type { Subscription } from '../router/subscription.ts'
import type { SharedGroup } from '../router/shared-group.ts'
import type { Space } from '../space.ts'
import { encodeStored } from '../stored-message.ts'
import { Entry } from './entries.ts'
import type { Member } from './member.ts'
import { RemoteSession } from './remote-session.ts'

const NO_SID = new Uint8Array(0)
const found: PeerReceiver[] = []
let mark = 0

/** Another process, as one receiver of an organisation's messages. */
export class PeerReceiver implements Receiver {
  readonly space: Space
  readonly member: Member
  readonly org: Buffer
  /** Which look-up has found it already. */
  mark = 0

  constructor(space: Space, member: Member) {
    this.space = space
    this.member = member
    this.org = Buffer.from(space.org)
  }

  get kind(): 'peer' {
    return 'peer'
  }

  get clientId(): string {
    return this.member.peer.info.name
  }

  get sid(): Uint8Array {
    return NO_SID
  }

  get deviceId(): null {
    return null
  }

  get durable(): boolean {
    return false
  }

  get connection(): null {
    return null
  }

  get outbox(): this {
    return this
  }

  get full(): boolean {
    return this.member.peer.pressed
  }

  get pressing(): boolean {
    return this.member.peer.pressed
  }

  get peer(): Peer {
    return this.member.peer
  }

  /** Never a target of a route: messages go by `message`, `run` and `shared`. */
  deliver(): void {
    throw new Error('a process is not a session')
  }

  /** Sends a message, encoded as on disk, for whoever there wants it. */
  message(stored: Buffer, from: Connection | null): void {
    const { peer, org } = this
    if (this.#out(1, (stored[1] & 3) as Qos)) return
    const at = peer.reserve(Entry.MESSAGE, 1 + org.length + stored.length)
    const out = peer.buffer
    out[at] = org.length
    org.copy(out, at + 1)
    stored.copy(out, at + 1 + org.length)
    this.#hold(from)
  }

  /** Sends `n` PUBLISH packets of QoS 0 of one topic, as they came: d[start, end). */
  run(d: Buffer, start: number, end: number, n: number, from: Connection): void {
    const { peer, org } = this
    if (this.#out(n, 0)) return
    const { version } = from
    const at = peer.reserve(Entry.RUN, 2 + org.length + end - start)
    const out = peer.buffer
    out[at] = version
    out[at + 1] = org.length
    org.copy(out, at + 2)
    d.copy(out, at + 2 + org.length, start, end)
    this.#hold(from)
  }

  /** Sends a message for one of its members of a shared group. */
  shared(group: SharedGroup, message: Message, from: Connection | null): void {
    if (this.#out(1, message.qos)) return
    const stored = encodeStored(
      { message, qos: message.qos, retain: message.retain, identifiers: null, topic: null },
      `$share/${group.name}/${group.match}`,
    )
    const { peer, org } = this
    const at = peer.reserve(Entry.SHARED, 1 + org.length + stored.length)
    const out = peer.buffer
    out[at] = org.length
    org.copy(out, at + 1)
    stored.copy(out, at + 1 + org.length)
    this.#hold(from)
  }

  /** It is out of contact: QoS 0 is not kept for it, the rest as long as that does not crowd out what is promised. */
  #out(n: number, qos: Qos): boolean {
    const { inContact, pressed } = this.peer
    if (inContact || (qos > 0 && !pressed)) return false
    this.space.broker.stats.dropped.peerLost.value += n
    return true
  }

  /** What comes faster than the other process takes it makes its publisher wait. */
  #hold(from: Source | null): void {
    if (from !== null && this.peer.pressed && this.peer.inContact) this.member.hold(from)
  }
}

/** The processes that get one copy of a message of this QoS: valid until the next call. */
export function peersOf(route: Route, qos: Qos): readonly PeerReceiver[] {
  found.length = 0
  mark++
  for (const peer of route.peers) {
    peer.mark = mark
    found.push(peer)
  }
  for (const target of route.away) {
    if (qos > 0 && target.qos > 0) continue
    const peer = holderOf(target.session)
    if (peer === null || peer.mark === mark) continue
    peer.mark = mark
    found.push(peer)
  }
  return found
}

/** The process to which a message for this member of a shared group goes; null: the member's session is the receiver. */
export function sharedPeer(member: Subscription, message: Message): PeerReceiver | null {
  const { session } = member
  if (session instanceof PeerReceiver) return session
  // A persistent session is promised QoS 1 and 2 only.
  const promised = message.qos > 0 && member.qos > 0
  return session.kind === 'away' && !promised ? holderOf(session) : null
}

/** Whether a session elsewhere has a connection, as far as is known. */
export function isConnected(session: Receiver): boolean {
  return holderOf(session) !== null
}

/** Of two members elsewhere the one in the own DC, else the first. */
export function nearer(one: Subscription | null, other: Subscription): Subscription {
  if (one === null || isNear(one.session) || !isNear(other.session)) return one ?? other
  return other
}

function isNear(session: Receiver): boolean {
  const peer = session instanceof PeerReceiver ? session : holderOf(session)
  return peer?.member.near ?? false
}

function holderOf(session: Receiver): PeerReceiver | null {
  return session instanceof RemoteSession ? session.holderReceiver : null
}
