import { PacketType } from './packet-type.ts'
import { ReasonCode } from './reason-code.ts'
import type { Properties } from './properties.ts'

/** How a property's value is written (2.2.2.2). */
export const ValueType = {
  BYTE: 0,
  BOOLEAN: 1,
  TWO_BYTES: 2,
  FOUR_BYTES: 3,
  VARIABLE_BYTE_INTEGER: 4,
  STRING: 5,
  BINARY: 6,
  STRING_PAIR: 7,
} as const

/** A place where properties stand: the bit of a packet type, or WILL for the Will Properties in CONNECT. */
export const WILL = 1 << 0
export const placeOf = (type: number): number => 1 << type

export interface PropertyDefinition {
  readonly id: number
  readonly name: keyof Properties
  readonly type: (typeof ValueType)[keyof typeof ValueType]
  /** Bits of the places where the property is allowed. */
  readonly places: number
  /** Where the specification defines it, with the rules of its value. */
  readonly clause: string
  readonly min: number
  readonly max: number
  /** The reason given for a value outside [min, max]. */
  readonly rangeReason: ReasonCode
  /** May stand several times; its values are an array. */
  readonly repeats: boolean
}

const CONNECT = placeOf(PacketType.CONNECT)
const CONNACK = placeOf(PacketType.CONNACK)
const PUBLISH = placeOf(PacketType.PUBLISH)
const SUBSCRIBE = placeOf(PacketType.SUBSCRIBE)
const UNSUBSCRIBE = placeOf(PacketType.UNSUBSCRIBE)
const DISCONNECT = placeOf(PacketType.DISCONNECT)
const AUTH = placeOf(PacketType.AUTH)
const ACKS =
  placeOf(PacketType.PUBACK) |
  placeOf(PacketType.PUBREC) |
  placeOf(PacketType.PUBREL) |
  placeOf(PacketType.PUBCOMP) |
  placeOf(PacketType.SUBACK) |
  placeOf(PacketType.UNSUBACK)

const { BYTE, BOOLEAN, TWO_BYTES, FOUR_BYTES, VARIABLE_BYTE_INTEGER, STRING, BINARY, STRING_PAIR } = ValueType

function define(
  id: number,
  name: keyof Properties,
  type: PropertyDefinition['type'],
  places: number,
  clause: string,
  rules: Partial<Pick<PropertyDefinition, 'min' | 'max' | 'rangeReason' | 'repeats'>> = {},
): PropertyDefinition {
  const max = type === BOOLEAN ? 1 : Number.POSITIVE_INFINITY
  return {
    id,
    name,
    type,
    places,
    clause,
    min: 0,
    max,
    rangeReason: ReasonCode.ProtocolError,
    repeats: false,
    ...rules,
  }
}

/** Table 2-4 of MQTT 5.0. */
export const propertyDefinitions: readonly PropertyDefinition[] = [
  define(0x01, 'payloadFormatIndicator', BYTE, PUBLISH | WILL, '3.3.2.3.2', { max: 1 }),
  define(0x02, 'messageExpiryInterval', FOUR_BYTES, PUBLISH | WILL, '3.3.2.3.3'),
  define(0x03, 'contentType', STRING, PUBLISH | WILL, '3.3.2.3.9'),
  define(0x08, 'responseTopic', STRING, PUBLISH | WILL, '3.3.2.3.5'),
  define(0x09, 'correlationData', BINARY, PUBLISH | WILL, '3.3.2.3.6'),
  define(0x0b, 'subscriptionIdentifiers', VARIABLE_BYTE_INTEGER, PUBLISH | SUBSCRIBE, '3.8.2.1.2', {
    min: 1,
    repeats: true,
  }),
  define(0x11, 'sessionExpiryInterval', FOUR_BYTES, CONNECT | CONNACK | DISCONNECT, '3.1.2.11.2'),
  define(0x12, 'assignedClientIdentifier', STRING, CONNACK, '3.2.2.3.7'),
  define(0x13, 'serverKeepAlive', TWO_BYTES, CONNACK, '3.2.2.3.14'),
  define(0x15, 'authenticationMethod', STRING, CONNECT | CONNACK | AUTH, '3.1.2.11.9'),
  define(0x16, 'authenticationData', BINARY, CONNECT | CONNACK | AUTH, '3.1.2.11.10'),
  define(0x17, 'requestProblemInformation', BOOLEAN, CONNECT, '3.1.2.11.7'),
  define(0x18, 'willDelayInterval', FOUR_BYTES, WILL, '3.1.3.2.2'),
  define(0x19, 'requestResponseInformation', BOOLEAN, CONNECT, '3.1.2.11.6'),
  define(0x1a, 'responseInformation', STRING, CONNACK, '3.2.2.3.15'),
  define(0x1c, 'serverReference', STRING, CONNACK | DISCONNECT, '3.2.2.3.16'),
  define(0x1f, 'reasonString', STRING, CONNACK | ACKS | DISCONNECT | AUTH, '3.2.2.3.9'),
  define(0x21, 'receiveMaximum', TWO_BYTES, CONNECT | CONNACK, '3.1.2.11.3', { min: 1 }),
  define(0x22, 'topicAliasMaximum', TWO_BYTES, CONNECT | CONNACK, '3.1.2.11.5'),
  define(0x23, 'topicAlias', TWO_BYTES, PUBLISH, 'MQTT-3.3.2-8', {
    min: 1,
    rangeReason: ReasonCode.TopicAliasInvalid,
  }),
  define(0x24, 'maximumQos', BYTE, CONNACK, '3.2.2.3.4', { max: 1 }),
  define(0x25, 'retainAvailable', BOOLEAN, CONNACK, '3.2.2.3.5'),
  define(
    0x26,
    'userProperties',
    STRING_PAIR,
    CONNECT | CONNACK | PUBLISH | WILL | ACKS | SUBSCRIBE | UNSUBSCRIBE | DISCONNECT | AUTH,
    '3.1.2.11.8',
    { repeats: true },
  ),
  define(0x27, 'maximumPacketSize', FOUR_BYTES, CONNECT | CONNACK, '3.1.2.11.4', { min: 1 }),
  define(0x28, 'wildcardSubscriptionAvailable', BOOLEAN, CONNACK, '3.2.2.3.11'),
  define(0x29, 'subscriptionIdentifiersAvailable', BOOLEAN, CONNACK, '3.2.2.3.12'),
  define(0x2a, 'sharedSubscriptionAvailable', BOOLEAN, CONNACK, '3.2.2.3.13'),
]
