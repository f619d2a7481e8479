import * as fc from 'fast-check'
import {
  noProperties,
  ReasonCode,
  type Properties,
  type ProtocolVersion,
  type Will,
} from '#broker/packets/index.ts'
import type { Packet } from './packet.ts'

/** Any string that MQTT can carry: all of Unicode but surrogates and U+0000. */
export const text = fc.string({ unit: 'binary', maxLength: 12 }).map((value) => value.replaceAll('\0', ''))
const binary = fc.uint8Array({ maxLength: 20 }).map((value) => Buffer.from(value))
const u16 = fc.integer({ min: 0, max: 65_535 })
const u32 = fc.integer({ min: 0, max: 4_294_967_295 })
const positive16 = fc.integer({ min: 1, max: 65_535 })
const packetId = positive16
const qos = fc.constantFrom(0, 1, 2)
const topic = fc.oneof(
  text.map((value) => value.replaceAll(/[+#]/g, '')).filter((value) => value !== ''),
  fc.constantFrom('a', 'a/b', '/', '$SYS/x', 'sensor/küche/temperatur'),
)
const filter = fc.oneof(topic, fc.constantFrom('#', '+', 'a/+/b', 'a/#', '$share/g/a/#', '', 'not#valid'))

/** An object with some of the keys. */
const some = <T extends object>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }) =>
  fc.record(model, { requiredKeys: [] })

const userProperties = fc.array(fc.tuple(text, text), { minLength: 1, maxLength: 3 })
const told = { reasonString: text, userProperties }
const publication = {
  payloadFormatIndicator: fc.constantFrom(0, 1),
  messageExpiryInterval: u32,
  contentType: text,
  responseTopic: topic,
  correlationData: binary,
  userProperties,
}
const method = fc.oneof(
  fc.constant({}),
  fc.record({ authenticationMethod: text }),
  fc.record({ authenticationMethod: text, authenticationData: binary }),
)
const merged = (...parts: fc.Arbitrary<Properties>[]) =>
  fc.tuple(...parts).map((values): Properties => Object.assign({}, ...values))

const connectProperties = merged(
  method,
  some<Properties>({
    sessionExpiryInterval: u32,
    requestProblemInformation: fc.boolean(),
    requestResponseInformation: fc.boolean(),
    receiveMaximum: positive16,
    topicAliasMaximum: u16,
    userProperties,
    maximumPacketSize: fc.integer({ min: 1, max: 4_294_967_295 }),
  }),
)
const connackProperties = merged(
  method,
  some<Properties>({
    ...told,
    sessionExpiryInterval: u32,
    assignedClientIdentifier: text,
    serverKeepAlive: u16,
    responseInformation: text,
    serverReference: text,
    receiveMaximum: positive16,
    topicAliasMaximum: u16,
    maximumQos: fc.constantFrom(0, 1),
    retainAvailable: fc.boolean(),
    maximumPacketSize: fc.integer({ min: 1, max: 4_294_967_295 }),
    wildcardSubscriptionAvailable: fc.boolean(),
    subscriptionIdentifiersAvailable: fc.boolean(),
    sharedSubscriptionAvailable: fc.boolean(),
  }),
)
const identifier = fc.integer({ min: 1, max: 268_435_455 })

const none = fc.constant(noProperties)
/** Properties exist in MQTT 5 only. */
const inV5 = (version: ProtocolVersion, properties: fc.Arbitrary<Properties>) =>
  version === 5 ? properties : none

const optional = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined })

function connect(version: ProtocolVersion): fc.Arbitrary<Packet> {
  const will: fc.Arbitrary<Will> = fc.record({
    topic,
    payload: binary,
    qos,
    retain: fc.boolean(),
    properties: inV5(version, some<Properties>({ ...publication, willDelayInterval: u32 })),
  })
  return fc
    .record({
      cleanStart: fc.boolean(),
      keepAlive: u16,
      clientId: text,
      will: optional(will),
      username: optional(text),
      password: optional(binary),
      properties: inV5(version, connectProperties),
    })
    .map(({ will: last, username, password, ...rest }) => ({
      type: 1,
      value: {
        version,
        ...rest,
        ...(last === undefined ? {} : { will: last }),
        ...(username === undefined ? {} : { username }),
        ...(password === undefined || (version === 4 && username === undefined) ? {} : { password }),
      },
    }))
}

function publish(version: ProtocolVersion): fc.Arbitrary<Packet> {
  return fc
    .record({
      topic,
      packetId,
      qos,
      retain: fc.boolean(),
      dup: fc.boolean(),
      payload: fc.uint8Array({ maxLength: 200 }).map((value) => Buffer.from(value)),
      properties: inV5(
        version,
        some<Properties>({
          ...publication,
          topicAlias: positive16,
          subscriptionIdentifiers: fc.array(identifier, { minLength: 1, maxLength: 3 }),
        }),
      ),
      aliasOnly: fc.boolean(),
    })
    .map(({ aliasOnly, ...value }) => ({
      type: 3,
      value: {
        ...value,
        topic: aliasOnly && value.properties.topicAlias !== undefined ? '' : value.topic,
        packetId: value.qos === 0 ? 0 : value.packetId,
        dup: value.qos > 0 && value.dup,
        payloadAt: -1, // what comes back says where it was read; see withoutPlace
      },
    }))
}

function subscribe(version: ProtocolVersion): fc.Arbitrary<Packet> {
  const v5 = version === 5
  const subscription = fc
    .record({
      filter,
      qos,
      noLocal: v5 ? fc.boolean() : fc.constant(false),
      retainAsPublished: v5 ? fc.boolean() : fc.constant(false),
      retainHandling: v5 ? qos : fc.constant<0>(0),
    })
    .map((one) => {
      const noLocal = one.noLocal && !one.filter.startsWith('$share/')
      const options =
        one.qos | (noLocal ? 4 : 0) | (one.retainAsPublished ? 8 : 0) | (one.retainHandling << 4)
      return { ...one, noLocal, options }
    })
  return fc
    .record({
      packetId,
      subscriptions: fc.array(subscription, { minLength: 1, maxLength: 4 }),
      properties: inV5(
        version,
        some<Properties>({ userProperties, subscriptionIdentifiers: identifier.map((id) => [id]) }),
      ),
    })
    .map((value) => ({ type: 8, value }))
}

const released = fc.constantFrom(0, ReasonCode.PacketIdentifierNotFound)
const taken = fc.constantFrom(0, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99)

function ack(version: ProtocolVersion): fc.Arbitrary<Packet> {
  const v5 = version === 5
  const properties = inV5(version, some<Properties>(told))
  const make = (types: (4 | 5 | 6 | 7)[], reason: fc.Arbitrary<number>) =>
    fc.record({
      type: fc.constantFrom(...types),
      value: fc.record({ packetId, reason: v5 ? reason : fc.constant(0), properties }),
    })
  return fc.oneof(make([4, 5], taken), make([6, 7], released))
}

function answers(version: ProtocolVersion): fc.Arbitrary<Packet> {
  const v5 = version === 5
  const properties = inV5(version, some<Properties>(told))
  const granted = v5
    ? fc.constantFrom(0, 1, 2, 0x80, 0x83, 0x87, 0x8f, 0x91, 0x97, 0x9e, 0xa1, 0xa2)
    : fc.constantFrom(0, 1, 2, 0x80)
  const removed = fc.constantFrom(0, 0x11, 0x80, 0x83, 0x87, 0x8f, 0x91)
  const list = { minLength: 1, maxLength: 5 }
  return fc.oneof(
    fc.record({
      type: fc.constant<9>(9),
      value: fc.record({ packetId, reasons: fc.array(granted, list), properties }),
    }),
    fc.record({
      type: fc.constant<11>(11),
      value: fc.record({
        packetId,
        reasons: v5 ? fc.array(removed, list) : fc.constant<number[]>([]),
        properties,
      }),
    }),
  )
}

function others(version: ProtocolVersion): fc.Arbitrary<Packet>[] {
  const v5 = version === 5
  const refusals = v5 ? [0, 0x80, 0x84, 0x88, 0x8a, 0x97, 0x9f] : [0, 0x84, 0x85, 0x86, 0x87, 0x88]
  const packets: fc.Arbitrary<Packet>[] = [
    fc
      .record({
        sessionPresent: fc.boolean(),
        reason: fc.constantFrom(...refusals),
        properties: inV5(version, connackProperties),
      })
      .map((value) => ({
        type: 2,
        value: { ...value, sessionPresent: value.sessionPresent && value.reason === 0 },
      })),
    fc.record({
      type: fc.constant<10>(10),
      value: fc.record({
        packetId,
        filters: fc.array(filter, { minLength: 1, maxLength: 4 }),
        properties: inV5(version, some<Properties>({ userProperties })),
      }),
    }),
    fc.record({
      type: fc.constant<14>(14),
      value: fc.record({
        reason: v5 ? fc.constantFrom(0, 4, 0x82, 0x8e, 0x9c, 0xa2) : fc.constant(0),
        properties: inV5(
          version,
          some<Properties>({ ...told, sessionExpiryInterval: u32, serverReference: text }),
        ),
      }),
    }),
    fc.record({ type: fc.constantFrom(12, 13), value: fc.constant(null) }),
  ]
  if (v5) {
    const properties = merged(
      fc.record({ authenticationMethod: text }),
      some<Properties>({ ...told, authenticationData: binary }),
    )
    packets.push(
      fc.record({
        type: fc.constant<15>(15),
        value: fc.record({ reason: fc.constantFrom(0, 0x18, 0x19), properties }),
      }),
    )
  }
  return packets
}

/** Any valid packet of a version, each type about as often. */
export function anyPacket(version: ProtocolVersion): fc.Arbitrary<Packet> {
  return fc.oneof(
    connect(version),
    publish(version),
    subscribe(version),
    ack(version),
    answers(version),
    ...others(version),
  )
}
