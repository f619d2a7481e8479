import { PeerReceiver } from '../cluster/peer-receiver.ts'
import type { Receiver } from '../receiver.ts'
import type { Subscription } from './subscription.ts'
import type { SharedGroup } from './shared-group.ts'

/** One session that gets a topic's messages, all its matching subscriptions taken together (3.3.4). */
export interface Target {
  readonly session: Receiver
  /** The highest QoS of the matching subscriptions [MQTT-3.3.4-2]. */
  readonly qos: 0 | 1 | 2
  readonly retainAsPublished: boolean
  /** All matching subscription identifiers [MQTT-3.3.4-3]; null: none. */
  readonly identifiers: readonly number[] | null
  /** The topic as this client writes it, where that differs (`v1/devices/me/...`). */
  readonly topic: string | null
  /** Nothing but the packet identifier differs from what the publisher sent. */
  readonly plain: boolean
  /** What remains when the session itself publishes: without its No Local subscriptions; `this`: all of it. */
  readonly own: Target | null
}

const NONE: readonly never[] = []

/** Who gets the messages of one topic. Replaced, never changed: whoever holds one checks `valid` before each use. */
export class Route {
  valid = true
  /** Sessions: those held here, and persistent ones elsewhere. */
  targets: readonly Target[]
  groups: readonly SharedGroup[]
  /** Processes that want every message of the topic. */
  peers: readonly PeerReceiver[]
  /** Of the targets, those held elsewhere: what is not promised to them goes to their holders. */
  away: readonly Target[]
  /** A session on disk is among the receivers: acknowledgements wait. */
  readonly durable: boolean

  constructor(
    targets: readonly Target[],
    groups: readonly SharedGroup[],
    peers: readonly PeerReceiver[] = NONE,
  ) {
    this.targets = targets
    this.groups = groups
    this.peers = peers
    this.away = targets.some((t) => t.session.kind === 'away')
      ? targets.filter((t) => t.session.kind === 'away')
      : NONE
    this.durable = targets.some((t) => t.session.durable && t.qos > 0)
  }

  /** Somebody may hold it for long, so it lets go of the receivers. */
  invalidate(): void {
    this.valid = false
    this.targets = this.groups = this.peers = this.away = NONE
  }

  /** No receiver at all [MQTT5 0x10, No matching subscribers]. */
  get empty(): boolean {
    return this.targets.length === 0 && this.groups.length === 0 && this.peers.length === 0
  }
}

/** Makes one target a session out of the matching subscriptions. `deviceTopic` is the topic with `me`, for filters that say so. */
export function buildRoute(
  subscriptions: readonly Subscription[],
  groups: readonly SharedGroup[],
  deviceTopic: (s: Subscription) => string | null,
): Route {
  if (subscriptions.length === 1 && subscriptions[0].session.kind !== 'peer')
    return new Route([target(subscriptions, deviceTopic)], groups)
  const bySession = new Map<Receiver, Subscription[]>()
  const peers = new Set<PeerReceiver>()
  for (const s of subscriptions) {
    if (s.session instanceof PeerReceiver) {
      peers.add(s.session)
      continue
    }
    const own = bySession.get(s.session)
    if (own === undefined) bySession.set(s.session, [s])
    else own.push(s)
  }
  return new Route(
    Array.from(bySession.values(), (own) => target(own, deviceTopic)),
    groups,
    Array.from(peers),
  )
}

/** The target of one session's matching subscriptions; also used for a shared group's chosen member. */
export function target(
  own: readonly Subscription[],
  deviceTopic: (s: Subscription) => string | null,
): Target {
  let qos: 0 | 1 | 2 = 0
  let retainAsPublished = false
  let identifiers: number[] | null = null
  let topic: string | null = null
  let local = 0
  for (const s of own) {
    if (s.qos > qos) qos = s.qos
    if (s.retainAsPublished) retainAsPublished = true
    if (s.identifier !== 0 && !identifiers?.includes(s.identifier)) (identifiers ??= []).push(s.identifier)
    if (s.mapped) topic = deviceTopic(s)
    if (s.noLocal) local++
  }
  const made = {
    session: own[0].session,
    qos,
    retainAsPublished,
    identifiers,
    topic,
    plain: identifiers === null && topic === null,
    own: null as Target | null,
  }
  if (local === 0) made.own = made
  else if (local < own.length)
    made.own = target(
      own.filter((s) => !s.noLocal),
      deviceTopic,
    )
  return made
}
