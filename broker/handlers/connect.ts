import { randomUUID } from 'node:crypto'
import type { Credentials, Denial, Principal } from '#platform/auth/principal.ts'
import type { RemoteSession } from '../cluster/remote-session.ts'
import { type Connection, Phase } from '../connection.ts'
import { SCRAM_SHA_256, ScramExchange } from '../enhanced-auth.ts'
import { Message } from '../message.ts'
import { DurableOutbox } from '../outbox/durable-outbox.ts'
import { MemoryOutbox } from '../outbox/memory-outbox.ts'
import { encodeConnack } from '../packets/connack.ts'
import { type ConnectPacket, connectLevel, decodeConnect } from '../packets/connect.ts'
import { noProperties, type Properties } from '../packets/properties.ts'
import { ReasonCode } from '../packets/reason-code.ts'
import { topicLevels } from '../packets/topic.ts'
import { RateLimiter } from '../rate-limiter.ts'
import { NEVER, newSid, Session, sidSince } from '../session.ts'
import type { Space } from '../space.ts'
import { fits, routedTopic } from '../topics.ts'

/** A CONNECT on its way to CONNACK. */
export interface Attempt {
  readonly packet: ConnectPacket
  readonly clientId: string
  readonly assigned: boolean
  /** Enhanced authentication (4.12). */
  exchange: ScramExchange | null
  /** What the last message of the exchange brings back to the client. */
  authenticationData: Buffer | null
  /** Nothing is read until it is answered. */
  held: boolean
}

const DENIALS: Record<Denial['denied'], number> = {
  bad_credentials: ReasonCode.BadUserNameOrPassword,
  not_authorized: ReasonCode.NotAuthorized,
  banned: ReasonCode.Banned,
  unavailable: ReasonCode.ServerUnavailable,
}

/**
 * In which version to answer. A level above 5 is told in the words of the version that its packet is built like: 3.1.1
 * demands return code 0x01 [MQTT-3.1.2-2], MQTT 5 would rather have 0x84.
 */
function answerVersion(d: Buffer, from: number, to: number): 4 | 5 {
  const level = connectLevel(d, from, to)
  if (level <= 5) return level === 5 ? 5 : 4
  const asFive = Buffer.from(d.subarray(from, to))
  asFive[6] = 5
  try {
    decodeConnect(asFive, 0, asFive.length)
    return 5
  } catch {
    return 4
  }
}

/** CONNECT: checks, authentication, the session, its rows on disk, CONNACK. Answers in this turn where nothing must be waited for. */
export function handleConnect(connection: Connection, d: Buffer, from: number, to: number): void {
  connection.version = answerVersion(d, from, to)
  const packet = decodeConnect(d, from, to)
  const { properties } = packet
  connection.version = packet.version
  connection.cleanStart = packet.cleanStart
  connection.problemInformation = properties.requestProblemInformation ?? true
  connection.maximumPacketSize = properties.maximumPacketSize ?? 0
  connection.phase = Phase.CONNECTING
  const { mqtt } = connection.broker.config
  const assigned = packet.clientId === ''
  if (assigned && (!mqtt.allow_empty_client_id || (packet.version === 4 && !packet.cleanStart))) {
    connection.refuse(ReasonCode.ClientIdentifierNotValid, 'an empty client id is not allowed here') // [MQTT-3.1.3-8]
    return
  }
  const attempt: Attempt = {
    packet,
    clientId: assigned ? `auto-${randomUUID()}` : packet.clientId,
    assigned,
    exchange: null,
    authenticationData: null,
    held: false,
  }
  connection.attempt = attempt
  const refusal = check(connection, attempt)
  if (refusal !== null) {
    connection.refuse(refusal[0], refusal[1])
    return
  }
  authenticate(connection, attempt)
  hold(connection, attempt)
}

/** Reads no more while an answer is being worked on. */
function hold(connection: Connection, attempt: Attempt): void {
  if (connection.phase !== Phase.CONNECTING || attempt.held) return
  attempt.held = true
  connection.holdSource()
}

function check(connection: Connection, attempt: Attempt): [number, string] | null {
  if (connection.refusal !== 0) return [connection.refusal, 'no more connections are taken now']
  const { mqtt } = connection.broker.config
  const { will } = attempt.packet
  if (Buffer.byteLength(attempt.clientId) > mqtt.max_client_id_bytes) {
    return [
      ReasonCode.ClientIdentifierNotValid,
      `the client id has more than ${mqtt.max_client_id_bytes} bytes`,
    ]
  }
  if (will === undefined) return null
  if (will.qos > mqtt.maximum_qos)
    return [ReasonCode.QosNotSupported, `will QoS ${will.qos} is above maximum_qos ${mqtt.maximum_qos}`] // [MQTT-3.2.2-12]
  if (will.retain && !mqtt.retain_available)
    return [ReasonCode.RetainNotSupported, 'retained messages are not available'] // [MQTT-3.2.2-13]
  if (
    Buffer.byteLength(will.topic) > mqtt.max_topic_bytes ||
    topicLevels(will.topic) > mqtt.max_topic_levels
  ) {
    return [ReasonCode.TopicNameInvalid, 'the will topic is too long or too deep']
  }
  return null
}

function authenticate(connection: Connection, attempt: Attempt): void {
  const { packet, clientId } = attempt
  const { authenticator } = connection.broker
  const method = packet.properties.authenticationMethod
  if (method !== undefined) {
    if (method !== SCRAM_SHA_256) {
      connection.refuse(
        ReasonCode.BadAuthenticationMethod,
        `the authentication method must be ${SCRAM_SHA_256}`,
      ) // [MQTT-4.12.0-1]
      return
    }
    const exchange = new ScramExchange(authenticator)
    attempt.exchange = exchange
    continueScram(
      connection,
      attempt,
      exchange.start(packet.properties.authenticationData ?? Buffer.alloc(0)),
    )
    return
  }
  const credentials: Credentials = {
    clientId,
    username: packet.username,
    password: packet.password,
    certificate: connection.info.certificate,
    remoteAddress: connection.info.remoteAddress,
  }
  settle(connection, attempt, authenticator.authenticate(credentials))
}

/** Goes on with the answer of the authenticator, now or later. */
function settle(
  connection: Connection,
  attempt: Attempt,
  answer: Principal | Denial | Promise<Principal | Denial>,
): void {
  if (answer instanceof Promise) {
    answer.then(
      (result) => decided(connection, attempt, result),
      (error: unknown) => unavailable(connection, error),
    )
  } else decided(connection, attempt, answer)
}

function unavailable(connection: Connection, error: unknown): void {
  connection.broker.log.error({ event: 'connect.failed', err: error }, 'cannot answer a CONNECT')
  if (connection.phase !== Phase.CLOSED) connection.refuse(ReasonCode.ServerUnavailable, 'try again later')
}

function continueScram(
  connection: Connection,
  attempt: Attempt,
  step: ReturnType<ScramExchange['next']>,
): void {
  step.then(
    (result) => {
      if (connection.phase === Phase.CLOSED) return
      if (result.status === 'failed')
        connection.refuse(result.reason, result.explanation, 'authentication failed')
      else if (result.status === 'continue') connection.challenge(attempt, result.data)
      else {
        attempt.authenticationData = result.data
        const principal = connection.broker.authenticator.scramPrincipal?.(result.username, attempt.clientId)
        settle(connection, attempt, principal ?? { denied: 'not_authorized', explanation: 'no such user' })
      }
    },
    (error: unknown) => unavailable(connection, error),
  )
}

/** AUTH from the client before CONNACK [MQTT-4.12.0-2..4]. */
export function continueAuthentication(connection: Connection, attempt: Attempt, data: Buffer): void {
  connection.phase = Phase.CONNECTING
  continueScram(connection, attempt, (attempt.exchange as ScramExchange).next(data))
  hold(connection, attempt)
}

function decided(connection: Connection, attempt: Attempt, result: Principal | Denial): void {
  if (connection.phase === Phase.CLOSED) return
  if ('denied' in result) {
    connection.refuse(
      DENIALS[result.denied],
      result.explanation,
      'the client may not connect with these credentials',
    )
    return
  }
  const { broker } = connection
  const banned = broker.admission.identify(
    result.org,
    attempt.clientId,
    result.username,
    connection.info.remoteAddress,
  )
  if (banned !== null) {
    connection.refuse(banned, 'this client is banned for a while')
    return
  }
  const { will } = attempt.packet
  if (will !== undefined && !fits(routedTopic(will.topic, result.device?.id ?? null))) {
    connection.refuse(ReasonCode.TopicNameInvalid, 'the will topic is too long')
    return
  }
  if (will !== undefined && !result.acl.check('publish', will.topic)) {
    broker.stats.denied.publish.value++
    connection.refuse(
      ReasonCode.NotAuthorized,
      `will topic denied: ${result.acl.explain('publish', will.topic).reason}`,
    )
    return
  }
  connection.principal = result
  const { quota } = result
  const messageRate = quota.messagesPerSecond ?? broker.config.limits.message_rate
  const byteRate = quota.bytesPerSecond ?? broker.config.limits.byte_rate
  if (messageRate > 0 || byteRate > 0) connection.limiter = new RateLimiter(messageRate, byteRate)
  const { maximum_packet_size } = broker.config.mqtt
  connection.maximumIncoming = Math.min(maximum_packet_size, quota.maxPacketSize ?? maximum_packet_size)
  const space = broker.space(result.org)
  if (space.usage?.full === true) {
    connection.refuse(
      ReasonCode.QuotaExceeded,
      'the organisation has as many connections as its quota allows',
    )
    return
  }
  openSession(connection, attempt, space, result)
}

/** Finds or makes the session; the newest CONNECT of a client id wins [MQTT-3.1.4-3]. */
function openSession(connection: Connection, attempt: Attempt, space: Space, principal: Principal): void {
  const { broker } = connection
  const { packet, clientId } = attempt
  const { commit, disk } = space
  const { staged } = commit
  const { cell } = broker
  const away = space.away.get(clientId)
  if (away !== undefined) {
    if (away.deviceId !== null && away.deviceId !== principal.device?.id) {
      connection.refuse(ReasonCode.NotAuthorized, 'this client id belongs to another device')
      return
    }
    const own = away.deviceId !== null || (principal.device === null && away.username === principal.username)
    const over =
      away.endedAt !== 0 && away.expiry !== NEVER && broker.now >= away.endedAt + away.expiry * 1000
    if (packet.cleanStart || over || !own) broker.lifecycle.endAway(away)
  }
  const old = space.sessions.get(clientId)
  if (old !== undefined) {
    if (old.deviceId !== null && old.deviceId !== principal.device?.id) {
      connection.refuse(ReasonCode.NotAuthorized, 'this client id belongs to another device')
      return
    }
    if (old.connection !== null || old.claimant !== null) {
      broker.stats.takeovers.value++
      old.claimant?.disconnect(ReasonCode.SessionTakenOver, 'another connection took the session over')
      old.connection?.disconnect(ReasonCode.SessionTakenOver, 'another connection took the session over')
    }
    // A restart of the broker is no reason for a will if the client is back.
    if (old.willGrace) broker.lifecycle.discardWill(old)
    // [MQTT-3.1.2-4]; what was to end with its connection has ended; and nobody gets what another user was promised
    const own = old.deviceId !== null || (principal.device === null && old.username === principal.username)
    if (!old.ended && (packet.cleanStart || old.expiry === 0 || !own))
      broker.lifecycle.end(old, 'clean start')
  }
  const wanted =
    packet.version === 5
      ? (packet.properties.sessionExpiryInterval ?? 0)
      : packet.cleanStart
        ? 0
        : broker.config.mqtt.session_expiry_maximum
  const expiry = Math.min(wanted, broker.config.mqtt.session_expiry_maximum)
  const moved = space.away.get(clientId)
  const resumed = moved !== undefined || (old !== undefined && !old.ended)
  if (!resumed && space.sessions.size >= broker.config.limits.max_sessions) {
    connection.refuse(
      ReasonCode.QuotaExceeded,
      'the organisation has as many sessions as limits.max_sessions allows',
    )
    return
  }
  const epoch = broker.nextEpoch(Math.max(away?.epoch ?? 0, old?.epoch ?? 0))
  const session =
    moved !== undefined
      ? movedSession(space, moved)
      : old !== undefined && !old.ended
        ? old
        : newSession(connection, space, attempt, { epoch, expiry }, principal)
  const previousEpoch = resumed ? session.epoch : 0
  broker.lifecycle.cancelTimers(session)
  // A full store gets room when sessions read what waits for them; what CONNACK promises of such a one is there already.
  const nothingNew =
    session.onDisk && session.expiry === expiry && session.will === null && packet.will === undefined
  if (resumed) {
    session.will = null // [MQTT-3.1.3-9] the client is back before the delay has passed
    session.username = principal.username
    dropDenied(session, principal)
  }
  session.epoch = epoch
  session.expiry = expiry
  const { will } = packet
  if (will !== undefined) {
    const { willDelayInterval, ...properties } = will.properties
    const topic = routedTopic(will.topic, session.deviceId)
    session.will = {
      message: new Message(topic, will.payload, will.qos, will.retain, properties),
      delay: willDelayInterval ?? 0,
    }
  }
  session.claimant = connection
  connection.space = space
  space.usage?.connected(1)
  connection.session = session
  if (!session.durable) cell?.claim(session)
  if (!session.durable && session.will === null) {
    // [MQTT-3.1.2-4] an old session has gone from the disk before CONNACK says so: a crash must not bring it back.
    const waits = commit.staged !== staged && !commit.failing
    disk.whenStaged(waits, () => established(connection, attempt, session, resumed, wanted))
    return
  }
  broker.sessionStore.save(session, 'connected', previousEpoch)
  const ticket = nothingNew && commit.failing ? 0 : commit.ticket
  const { outbox } = session
  if (moved !== undefined && outbox instanceof DurableOutbox && moved.lastDc !== 0)
    outbox.lastHolder = { dc: moved.lastDc, epoch: previousEpoch }
  const loaded = !(outbox instanceof DurableOutbox)
    ? Promise.resolve()
    : cell === null
      ? outbox.load()
      : cell.gathering.attach(session, outbox)
  loaded.then(
    () => disk.whenDurable(ticket, () => established(connection, attempt, session, resumed, wanted)),
    (error: unknown) => unavailable(connection, error),
  )
}

/** Rules may have changed since the client subscribed: what they do not allow any more ends here. */
function dropDenied(session: Session, principal: Principal): void {
  const { broker, router } = session.space
  for (const s of Array.from(session.subscriptions())) {
    if (principal.acl.check('subscribe', s.filter)) continue
    session.removeSubscription(s)
    router.remove(s)
    if (session.durable) broker.sessionStore.removeSubscription(s)
    broker.stats.denied.subscribe.value++
    const detail = principal.acl.explain('subscribe', s.filter).reason
    broker.logLimit.warn(
      'subscription ended',
      { event: 'acl.denied', access: 'subscribe', client: session.clientId, filter: s.filter, detail },
      'a subscription of a session is not allowed any more',
    )
  }
}

function newSession(
  connection: Connection,
  space: Space,
  attempt: Attempt,
  { epoch, expiry }: { epoch: number; expiry: number },
  principal: Principal,
): Session {
  const { broker } = connection
  const { clientId, packet } = attempt
  const { mqtt } = broker.config
  const durable = expiry > 0
  const { cell } = broker
  const since = packet.cleanStart ? epoch : (cell?.directory.endOf(space.org, clientId) ?? 0)
  const sid =
    cell !== null && durable
      ? sidSince(space.org, clientId, since)
      : newSid(durable || packet.will !== undefined)
  const outbox = durable
    ? new DurableOutbox(broker, true)
    : new MemoryOutbox(mqtt.max_inflight, broker.queueLimits)
  const session = new Session({
    space,
    clientId,
    sid,
    durable,
    outbox,
    epoch: 0,
    expiry,
    username: principal.username,
    deviceId: principal.device?.id ?? null,
  })
  if (outbox instanceof DurableOutbox) outbox.session = session
  space.sessions.set(clientId, session)
  return session
}

/** A session that this process has not held until now: what an earlier holder knew of it comes by the gather. */
function movedSession(space: Space, moved: RemoteSession): Session {
  const { broker } = space
  const outbox = new DurableOutbox(broker, false)
  const session = new Session({
    space,
    clientId: moved.clientId,
    sid: moved.sid,
    durable: true,
    outbox,
    epoch: moved.epoch,
    expiry: moved.expiry,
    username: moved.username,
    deviceId: moved.deviceId,
  })
  outbox.session = session
  session.onDisk = true
  space.sessions.set(moved.clientId, session)
  broker.cell?.directory.takeOver(moved, session)
  return session
}

/** Everything CONNACK promises is stored: the session has its connection. */
function established(
  connection: Connection,
  attempt: Attempt,
  session: Session,
  present: boolean,
  wanted: number,
): void {
  if (connection.phase === Phase.CLOSED || session.claimant !== connection || session.ended) return
  const { broker, version } = connection
  const { mqtt } = broker.config
  const { packet } = attempt
  session.claimant = null
  session.connection = connection
  session.onDisk = session.durable
  connection.attempt = null
  connection.phase = Phase.OPEN
  connection.traced = broker.trace.wants(connection)
  session.outbox.window = Math.min(packet.properties.receiveMaximum ?? 65_535, mqtt.max_inflight)
  connection.aliasesMaximum = Math.min(
    packet.properties.topicAliasMaximum ?? 0,
    mqtt.outbound_topic_alias_maximum,
  )
  const { maximumPacketSize } = connection
  connection.simple =
    connection.aliasesMaximum === 0 &&
    (maximumPacketSize === 0 || maximumPacketSize >= mqtt.maximum_packet_size)
  const cap = mqtt.server_keep_alive
  const keepAlive = cap !== 0 && (packet.keepAlive === 0 || packet.keepAlive > cap) ? cap : packet.keepAlive
  const properties =
    version === 5 ? connackProperties(connection, attempt, session, wanted, keepAlive) : noProperties
  connection.send(encodeConnack({ sessionPresent: present, reason: ReasonCode.Success, properties }, version))
  connection.watchKeepAlive(keepAlive)
  broker.connected(connection, session, present)
  if (session.outbox instanceof DurableOutbox) broker.cell?.scrubber.attached(session.outbox)
  session.outbox.attach(connection)
  if (attempt.held) connection.resume()
}

/** What differs from the defaults of 3.2.2.3. */
function connackProperties(
  connection: Connection,
  attempt: Attempt,
  session: Session,
  wanted: number,
  keepAlive: number,
): Properties {
  const { mqtt } = connection.broker.config
  const { packet } = attempt
  const properties: Properties = {}
  if (session.expiry !== wanted) properties.sessionExpiryInterval = session.expiry
  if (mqtt.receive_maximum < 65_535) properties.receiveMaximum = mqtt.receive_maximum
  if (mqtt.maximum_qos < 2) properties.maximumQos = mqtt.maximum_qos
  if (!mqtt.retain_available) properties.retainAvailable = false
  properties.maximumPacketSize = connection.maximumIncoming
  if (attempt.assigned) properties.assignedClientIdentifier = attempt.clientId
  if (mqtt.topic_alias_maximum > 0) properties.topicAliasMaximum = mqtt.topic_alias_maximum
  if (!mqtt.wildcard_subscription_available) properties.wildcardSubscriptionAvailable = false
  if (!mqtt.subscription_identifiers_available) properties.subscriptionIdentifiersAvailable = false
  if (!mqtt.shared_subscription_available) properties.sharedSubscriptionAvailable = false
  if (keepAlive !== packet.keepAlive) properties.serverKeepAlive = keepAlive // [MQTT-3.2.2-21]
  if (attempt.exchange !== null) {
    properties.authenticationMethod = SCRAM_SHA_256 // [MQTT-4.12.0-5]
    if (attempt.authenticationData !== null) properties.authenticationData = attempt.authenticationData
  }
  return properties
}
