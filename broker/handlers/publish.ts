import { crc32 } from 'node:zlib'
import type { Connection } from '../connection.ts'
import { deliverAll } from '../deliver.ts'
import { Message } from '../message.ts'
import { DurableOutbox, type InboundFlight } from '../outbox/durable-outbox.ts'
import { streamWriter } from '../outbox/stream-writer.ts'
import { PacketIds } from '../packet-ids.ts'
import { PacketError } from '../packets/packet-error.ts'
import { noProperties, type Properties } from '../packets/properties.ts'
import { decodePublish, type PublishPacket } from '../packets/publish.ts'
import { ReasonCode } from '../packets/reason-code.ts'
import type { Session } from '../session.ts'
import type { TopicEntry } from '../topic-entry.ts'

const PUBACK = 0x40
const PUBREC = 0x50

/**
 * PUBLISH, the long way (`Connection` and `forwardRun` are the short one for what needs nothing of this). A message
 * passes the gates in the order of their calls; what it promises is staged, and the acknowledgement waits for it.
 */
export function handlePublish(
  connection: Connection,
  flags: number,
  d: Buffer,
  from: number,
  to: number,
): void {
  const { broker } = connection
  const session = connection.session as Session
  broker.stats.received.value++
  const packet = decodePublish(flags, d, from, to, connection.version)
  gateAvailable(connection, packet)
  const entry = gateTopic(connection, packet, d, from)
  if (packet.qos === 2 && repeated(connection, session, packet, entry)) return
  gateReceiveMaximum(connection, session, packet)
  const message = new Message(
    entry.topic,
    packet.payload,
    packet.qos,
    packet.retain,
    forwarded(packet.properties),
    broker.expiresAt(packet.properties.messageExpiryInterval),
  )
  const refusal =
    gateQuota(session) ||
    gateRate(connection, to - from) ||
    gateAccess(connection, entry) ||
    gateRetained(connection, session, message)
  if (refusal !== 0) {
    refuse(connection, session, packet, refusal)
    return
  }
  session.space.usage?.add('messages', 1)
  if (connection.traced)
    broker.trace.packet(connection, 'in', `PUBLISH ${entry.topic} qos ${packet.qos} id ${packet.packetId}`)
  if (packet.qos === 2 && session.outbox instanceof DurableOutbox)
    acceptExactlyOnce(connection, session, session.outbox, entry, message, packet.packetId)
  else accept(connection, session, entry, message, packet)
  session.space.disk.holdIfBehind(connection)
}

/** [MQTT-3.2.2-11], [MQTT-3.2.2-14]: what CONNACK said is not available. [MQTT-3.3.4-6]: no subscription identifier. */
function gateAvailable(connection: Connection, packet: PublishPacket): void {
  const { mqtt } = connection.broker.config
  if (packet.qos > mqtt.maximum_qos) {
    throw new PacketError(
      ReasonCode.QosNotSupported,
      'MQTT-3.2.2-11',
      `QoS ${packet.qos} is above maximum_qos ${mqtt.maximum_qos}`,
    )
  }
  if (packet.retain && !mqtt.retain_available) {
    throw new PacketError(
      ReasonCode.RetainNotSupported,
      'MQTT-3.2.2-14',
      'retained messages are not available',
    )
  }
  if (packet.properties.subscriptionIdentifiers !== undefined) {
    throw new PacketError(
      ReasonCode.ProtocolError,
      'MQTT-3.3.4-6',
      'a client sent a subscription identifier in PUBLISH',
    )
  }
}

/** The topic by its bytes or its alias (3.3.2.3.4), and what is known about it. */
function gateTopic(connection: Connection, packet: PublishPacket, d: Buffer, from: number): TopicEntry {
  const alias = packet.properties.topicAlias
  let entry: TopicEntry | null
  if (alias === undefined) entry = connection.entryFor(d, from + 2, from + 2 + d.readUInt16BE(from))
  else {
    const { topic_alias_maximum } = connection.broker.config.mqtt
    if (alias === 0 || alias > topic_alias_maximum) {
      throw new PacketError(
        ReasonCode.TopicAliasInvalid,
        'MQTT-3.3.2-9',
        `topic alias ${alias}, at most ${topic_alias_maximum} are allowed`,
      )
    }
    const aliases = (connection.aliasesIn ??= new Map())
    if (packet.topic !== '') aliases.set(alias, Buffer.from(packet.topic))
    const bytes = aliases.get(alias)
    if (bytes === undefined)
      throw new PacketError(ReasonCode.ProtocolError, '3.3.2.3.4', `topic alias ${alias} was never set`)
    entry = connection.entryFor(bytes, 0, bytes.length)
  }
  if (entry !== null) return entry
  const { max_topic_bytes, max_topic_levels } = connection.broker.config.mqtt
  throw new PacketError(
    ReasonCode.TopicNameInvalid,
    '4.7.3',
    `topics have at most ${max_topic_bytes} bytes and ${max_topic_levels} levels`,
  )
}

/** A QoS 2 message that is here already: only its PUBREC is repeated [MQTT-4.3.3-10]. */
function repeated(
  connection: Connection,
  session: Session,
  packet: PublishPacket,
  { topic }: TopicEntry,
): boolean {
  const { packetId } = packet
  if (session.outbox instanceof DurableOutbox) {
    const { inbound } = session.outbox
    const known = inbound.get(packetId)
    if (known === undefined) return false
    // [MQTT-3.3.1-1] what is sent again has DUP. Some clients forget it; what has another content, too, comes from one
    // that has lost its memory and gives the identifier to a new message.
    if (
      !packet.dup &&
      known.epoch !== session.epoch &&
      known.checksum !== checksumOf(topic, packet.payload)
    ) {
      inbound.delete(packetId)
      return false
    }
    // Found on disk after a crash: it may not have been routed, so it is routed again under the same number.
    if (!known.done && known.routing === null) return false
    if (known.done) connection.acknowledge(PUBREC, packetId, 0, 0)
    // The connection that it came by was replaced meanwhile: the answer goes to this one.
    else if (known.routing?.connection !== connection) known.routing = pubrecLater(connection, packetId)
    return true
  }
  if (session.inbound?.get(packetId) !== 1) return false
  connection.acknowledge(PUBREC, packetId, 0, 0)
  return true
}

/** [MQTT-3.3.4-9] no more than Receive Maximum unacknowledged; a 3.1.1 client, which was not told, is slowed down. */
function gateReceiveMaximum(connection: Connection, session: Session, packet: PublishPacket): void {
  if (packet.qos === 0) return
  const { receive_maximum, receive_maximum_policy } = connection.broker.config.mqtt
  const durable = session.outbox instanceof DurableOutbox ? session.outbox.inbound : null
  // One that is known from before a crash takes no more room now that it comes again.
  if (packet.qos === 2 && durable?.has(packet.packetId) === true) return
  const inbound = durable?.size ?? session.inbound?.count ?? 0
  if (connection.waitingPubacks + inbound < receive_maximum) return
  if (connection.version === 5 && receive_maximum_policy === 'disconnect') {
    throw new PacketError(
      ReasonCode.ReceiveMaximumExceeded,
      'MQTT-3.3.4-9',
      `more than ${receive_maximum} unacknowledged PUBLISH packets`,
    )
  }
  connection.holdUntilAcknowledged()
}

/** The client's own rate: MQTT 5 is told at QoS 1 and 2; everybody else has been slowed down before it came here. */
function gateRate(connection: Connection, bytes: number): number {
  if (connection.limiter === null || connection.limiter.take(bytes, connection.broker.wheel.now)) return 0
  connection.broker.stats.rateLimited.value++
  connection.broker.stats.dropped.rate.value++
  return ReasonCode.QuotaExceeded
}

/** What the organisation may publish in a day. */
function gateQuota({ space }: Session): number {
  if (space.usage?.exhausted('messages') !== true) return 0
  space.broker.stats.dropped.quota.value++
  return ReasonCode.QuotaExceeded
}

function gateAccess(connection: Connection, entry: TopicEntry): number {
  if (entry.allowed) return 0
  connection.broker.stats.denied.publish.value++
  connection.broker.stats.dropped.denied.value++
  return ReasonCode.NotAuthorized
}

function gateRetained(connection: Connection, session: Session, message: Message): number {
  if (!message.retain || !session.space.retained.full(message)) return 0
  connection.broker.stats.dropped.retainedLimit.value++
  return ReasonCode.QuotaExceeded
}

/**
 * Answers a message that is not taken. 3.1.1 has no word for that but closing or a plain acknowledgement
 * [MQTT-3.3.5-2]: it gets the acknowledgement, the drop is counted.
 */
function refuse(connection: Connection, session: Session, packet: PublishPacket, reason: number): void {
  if (packet.qos === 0) return
  if (connection.version === 5) {
    connection.acknowledge(packet.qos === 1 ? PUBACK : PUBREC, packet.packetId, reason, 0)
    return
  }
  if (packet.qos === 2 && !session.durable) inboundOf(session).set(packet.packetId, 1)
  connection.acknowledge(packet.qos === 1 ? PUBACK : PUBREC, packet.packetId, 0, 0)
}

function accept(
  connection: Connection,
  session: Session,
  entry: TopicEntry,
  message: Message,
  packet: PublishPacket,
): void {
  const { stats } = connection.broker
  const { commit } = session.space
  const { mark } = commit
  if (entry.sink !== null) {
    const refusal = entry.sink.accept(packet.payload, connection.broker.now, packet.properties.responseTopic)
    if (refusal !== undefined) {
      stats.dropped.refused.value++
      connection.payloadRefused(entry.topic, refusal)
      refuse(
        connection,
        session,
        packet,
        refusal.code === 'quota_exceeded' ? ReasonCode.QuotaExceeded : ReasonCode.PayloadFormatInvalid,
      )
      return
    }
  }
  if (message.retain) session.space.retained.set(message)
  deliverAll(entry.route, message, connection)
  if (packet.qos === 0) return
  if (packet.qos === 2) inboundOf(session).set(packet.packetId, 1)
  const nobody = connection.version === 5 && entry.route.empty && entry.sink === null && !message.retain
  connection.acknowledge(
    packet.qos === 1 ? PUBACK : PUBREC,
    packet.packetId,
    nobody ? ReasonCode.NoMatchingSubscribers : 0,
    commit.stagedSince(mark) ? commit.ticket : 0,
  )
}

/**
 * QoS 2 from a session on disk: first the packet identifier with its number in the session's stream is saved, then the
 * message is stored under that number, then PUBREC. After a crash in between the repeated PUBLISH gets the same
 * number, so that the copies fall together (cluster protocol, rule 13).
 */
function acceptExactlyOnce(
  connection: Connection,
  session: Session,
  outbox: DurableOutbox,
  entry: TopicEntry,
  message: Message,
  packetId: number,
): void {
  const { broker } = connection
  const { commit, disk } = session.space
  let flight = outbox.inbound.get(packetId)
  if (flight === undefined) {
    const checksum = checksumOf(message.topic, message.payload)
    const seq = ++outbox.streamSeq
    outbox.inbound.set(
      packetId,
      (flight = { seq, epoch: session.epoch, checksum, done: false, routing: null }),
    )
  }
  const inbound = flight
  inbound.routing = pubrecLater(connection, packetId)
  message.detach()
  message.stream = { writer: streamWriter(session, inbound.epoch), seq: inbound.seq }
  disk.carried += message.size
  outbox.requestSave()
  const route = (): void => {
    disk.carried -= message.size
    // Another process has taken the session over meanwhile: the publisher sends it again there.
    if (!session.ended && session.space.sessions.get(session.clientId) !== session) return
    const { mark } = commit
    const refusal = entry.sink?.accept(message.payload, broker.now, message.properties.responseTopic)
    if (refusal === undefined) {
      if (message.retain) session.space.retained.set(message)
      if (!entry.route.valid) entry.route = session.space.router.route(entry.topic)
      deliverAll(entry.route, message, connection)
    } else {
      broker.stats.dropped.refused.value++
      connection.payloadRefused(entry.topic, refusal)
      if (inbound.routing !== null) inbound.routing.ack.reason = ReasonCode.PayloadFormatInvalid
      if (connection.version === 5) outbox.inbound.delete(packetId)
    }
    disk.whenStaged(commit.stagedSince(mark), () => {
      const { routing } = inbound
      inbound.done = true
      inbound.routing = null
      if (routing === null) return
      routing.ack.ticket = 0
      routing.connection.sendDurableAcks()
    })
  }
  disk.whenDurable(commit.ticket, () => broker.whenAwake(route))
}

/** A place among the acknowledgements of a connection for a PUBREC that waits for more than one write. */
function pubrecLater(connection: Connection, packetId: number): NonNullable<InboundFlight['routing']> {
  const ack = { first: PUBREC, packetId, reason: 0, ticket: Number.POSITIVE_INFINITY }
  connection.queueAck(ack)
  return { connection, ack }
}

function checksumOf(topic: string, payload: Uint8Array): number {
  return crc32(payload, crc32(topic))
}

function inboundOf(session: Session): PacketIds {
  return (session.inbound ??= new PacketIds())
}

/** What receivers get of the properties: all but the publisher's topic alias [MQTT-3.3.2-7]. */
function forwarded(properties: Properties): Properties {
  if (properties === noProperties || properties.topicAlias === undefined) return properties
  const { topicAlias: _, ...rest } = properties
  return rest
}
