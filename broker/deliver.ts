import type { Connection } from './connection.ts'
import { tellSentUnacknowledged } from './followed.ts'
import type { Message, Outgoing } from './message.ts'
import { peersOf, sharedPeer } from './cluster/peer-receiver.ts'
import { countDrop } from './drops.ts'
import type { Session } from './session.ts'
import { MemoryOutbox, type SharedOutgoing } from './outbox/memory-outbox.ts'
import type { Route, Target } from './router/route.ts'
import { memberTarget } from './router/router.ts'
import { encodeStored } from './stored-message.ts'
import type { SharedGroup } from './router/shared-group.ts'

/** Gives a message to everybody on a route: each session once, each shared group one member (4.8.2). */
export function deliverAll(route: Route, message: Message, from: Connection | null): void {
  for (const target of route.targets) deliver(target, message, from)
  for (const group of route.groups) deliverShared(group, message, from)
  if (route.peers.length > 0 || route.away.length > 0) deliverToPeers(route, message, from)
}

/** Gives a message that another process has taken to those held here to whom nothing was promised by a row. */
export function deliverHere(route: Route, message: Message): void {
  for (const target of route.targets) {
    if (target.session.kind !== 'here') continue
    if (target.session.durable && message.qos > 0 && target.qos > 0) continue
    deliver(target, message, null)
  }
}

/** One copy to each process that wants the topic, or holds a persistent session to which nothing is promised. */
export function deliverToPeers(route: Route, message: Message, from: Connection | null): void {
  const peers = peersOf(route, message.qos)
  if (peers.length === 0) return
  const bytes = encodeStored(
    { message, qos: message.qos, retain: message.retain, identifiers: null, topic: null },
    null,
  )
  for (const peer of peers) peer.message(bytes, from)
}

/** Gives a message to one session. What is promised to a session on disk is staged before this returns. */
export function deliver(target: Target, message: Message, from: Connection | null): void {
  // [MQTT-3.8.3-3] No Local
  const mine = from !== null && target.session === from.session ? target.own : target
  if (mine !== null) send(mine, outgoing(mine, message), from)
}

/** Gives a message to one member of a shared group. */
export function deliverShared(group: SharedGroup, message: Message, from: Connection | null): void {
  const member = group.pick(message.qos > 0)
  if (member === null) return
  const peer = sharedPeer(member, message)
  if (peer !== null) {
    peer.shared(group, message, from)
    return
  }
  const target = memberTarget(member, message.topic)
  const out: SharedOutgoing = { ...outgoing(target, message), group }
  send(target, out, from)
}

function outgoing(target: Target, message: Message): Outgoing {
  return {
    message,
    // [MQTT-3.8.4-8] the lower of the publisher's and the granted QoS
    qos: message.qos < target.qos ? message.qos : target.qos,
    // [MQTT-3.3.1-12], [MQTT-3.3.1-13]
    retain: target.retainAsPublished && message.retain,
    identifiers: target.identifiers,
    topic: target.topic,
  }
}

function send(target: Target, out: Outgoing, from: Connection | null): void {
  const { session } = target
  const connection = session.connection
  if (out.qos > 0) {
    session.outbox.deliver(out)
    if (connection === null || from === null) return
    connection.holdFor(from)
    // Who publishes to itself is not kept from sending the acknowledgements that would make room.
    if (connection !== from && session.outbox instanceof MemoryOutbox && session.outbox.pressing)
      connection.holdWhilePressing(from)
    return
  }
  if (session.kind !== 'here') return // one copy goes to its holder for all
  if (connection === null) {
    session.space.broker.stats.dropped.offline.value++
    countDrop(session as Session, 'qos0_offline')
    return
  }
  if (connection.choked) {
    connection.broker.stats.dropped.slow.value++
    countDrop(connection.session, 'slow_receiver')
    return
  }
  if (connection.sendPublish(out, 0, false) && out.message.properties.responseTopic !== undefined)
    tellSentUnacknowledged(session, out)
  if (from !== null) connection.holdFor(from)
}
