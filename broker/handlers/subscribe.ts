import type { Connection } from '../connection.ts'
import type { Qos } from '../message.ts'
import { PacketError } from '../packets/packet-error.ts'
import { noProperties } from '../packets/properties.ts'
import { ReasonCode } from '../packets/reason-code.ts'
import { encodeSuback } from '../packets/suback.ts'
import { decodeSubscribe, type SubscriptionRequest } from '../packets/subscribe.ts'
import { isValidFilter, topicLevels } from '../packets/topic.ts'
import { RetainedReplay } from '../retained-replay.ts'
import { Subscription } from '../router/subscription.ts'
import type { Session } from '../session.ts'
import { fits, parseFilter } from '../topics.ts'

/** SUBSCRIBE: each filter passes the gates below; SUBACK when the granted ones are on disk, retained messages after it. */
export function handleSubscribe(connection: Connection, d: Buffer, from: number, to: number): void {
  const { broker, version } = connection
  const packet = decodeSubscribe(d, from, to, version)
  const session = connection.session as Session
  const identifier = packet.properties.subscriptionIdentifiers?.[0] ?? 0
  if (identifier !== 0 && !broker.config.mqtt.subscription_identifiers_available) {
    throw new PacketError(
      ReasonCode.SubscriptionIdentifiersNotSupported,
      '3.2.2.3.12',
      'subscription identifiers are not available',
    )
  }
  const granted: { subscription: Subscription; replay: boolean; fresh: boolean }[] = []
  const reasons = packet.subscriptions.map((request) => {
    const refusal = gates(connection, session, request)
    if (refusal !== 0) return refusal
    const qos = Math.min(request.qos, broker.config.mqtt.maximum_qos) as Qos
    const existed = session.subscription(request.filter) !== undefined
    const subscription = subscribe(session, request, qos, identifier)
    if (session.durable) broker.sessionStore.saveSubscription(subscription, (request.options & ~3) | qos)
    // [MQTT-3.3.1-9..11]; nothing is replayed to a shared subscription [MQTT-4.8.2]
    const replay = request.retainHandling === 0 || (request.retainHandling === 1 && !existed)
    const fresh = !existed || qos === 0
    granted.push({ subscription, replay: replay && subscription.group === null, fresh })
    return qos
  })
  const answer = encodeSuback(packet.packetId, reasons, noProperties, version)
  broker.whenPromised(session.space, session.durable && granted.length > 0, () => {
    if (connection.session !== session || session.connection !== connection) return
    connection.send(answer)
    for (const { subscription, replay, fresh } of granted) {
      if (replay) (connection.replay ??= new RetainedReplay(connection, session)).add(subscription)
      if (session.deviceId !== null && subscription.group === null)
        broker.follower?.subscribed(session.space.org, session.deviceId, subscription.match, fresh)
    }
  })
  session.space.disk.holdIfBehind(connection)
}

/** Why a filter is refused: its reason code, or 0. A 3.1.1 client that breaks the filter rules is disconnected. */
function gates(connection: Connection, session: Session, request: SubscriptionRequest): number {
  const { broker, version } = connection
  const { mqtt } = broker.config
  const { filter } = request
  if (!isValidFilter(filter)) {
    if (version === 4)
      throw new PacketError(
        ReasonCode.TopicFilterInvalid,
        'MQTT-4.7.1-1',
        'SUBSCRIBE with an invalid topic filter',
      )
    return ReasonCode.TopicFilterInvalid
  }
  const { match, group } = parseFilter(filter, session.deviceId)
  const tooLong = Buffer.byteLength(filter) > mqtt.max_topic_bytes || !fits(match, group)
  if (tooLong || topicLevels(filter) > mqtt.max_topic_levels) {
    return failure(version, ReasonCode.TopicFilterInvalid)
  }
  if (group !== null && !mqtt.shared_subscription_available)
    return failure(version, ReasonCode.SharedSubscriptionsNotSupported)
  if (!mqtt.wildcard_subscription_available && /[+#]/.test(match)) {
    return failure(version, ReasonCode.WildcardSubscriptionsNotSupported)
  }
  const bare = group === null ? filter : filter.slice(filter.indexOf('/', 7) + 1)
  const decision = connection.principal?.acl.check('subscribe', bare) ?? false
  if (!decision) {
    broker.stats.denied.subscribe.value++
    const detail = connection.principal?.acl.explain('subscribe', bare).reason
    broker.logLimit.warn(
      'subscribe denied',
      { event: 'acl.denied', access: 'subscribe', client: session.clientId, filter, detail },
      'subscribe denied',
    )
    return failure(version, ReasonCode.NotAuthorized)
  }
  const full =
    (session.subscriptionCount >= mqtt.max_subscriptions || !session.space.router.takes(match)) &&
    session.subscription(filter) === undefined
  return full ? failure(version, ReasonCode.QuotaExceeded) : 0
}

/** 3.1.1 knows one failure code [MQTT-3.9.3-2]. */
function failure(version: number, reason: number): number {
  return version === 5 ? reason : ReasonCode.UnspecifiedError
}

/** Adds the subscription, or replaces the one with the same filter [MQTT-3.8.4-3]. */
function subscribe(
  session: Session,
  request: SubscriptionRequest,
  qos: Qos,
  identifier: number,
): Subscription {
  const options = { qos, noLocal: request.noLocal, retainAsPublished: request.retainAsPublished }
  const old = session.subscription(request.filter)
  if (old !== undefined) {
    old.ask(options, identifier)
    session.space.router.changed(old.match)
    return old
  }
  const { match, group } = parseFilter(request.filter, session.deviceId)
  const subscription = new Subscription(session, request.filter, match, group, options, identifier)
  session.addSubscription(subscription)
  session.space.router.add(subscription)
  return subscription
}
