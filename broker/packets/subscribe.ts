import { PacketError } from './packet-error.ts'
import { PacketType, type ProtocolVersion } from './packet-type.ts'
import {
  decodeProperties,
  noProperties,
  propertiesSize,
  withLength,
  writeProperties,
  type Properties,
} from './properties.ts'
import { placeOf } from './property-table.ts'
import { twoBits, type Qos } from './qos.ts'
import { Reader } from './reader.ts'
import { ReasonCode } from './reason-code.ts'
import { stringSize, Writer } from './writer.ts'

const QOS = 0x03
const NO_LOCAL = 0x04
const RETAIN_AS_PUBLISHED = 0x08
const RETAIN_HANDLING = 0x30

export interface SubscriptionRequest {
  /** Well-formed UTF-8, but possibly no valid filter: ask isValidFilter. */
  filter: string
  qos: Qos
  noLocal: boolean
  retainAsPublished: boolean
  /** Retained messages are sent 0: always, 1: if the subscription is new, 2: never. */
  retainHandling: 0 | 1 | 2
  /** The options byte that says all this (3.8.3.1). */
  options: number
}

export interface SubscribePacket {
  packetId: number
  subscriptions: SubscriptionRequest[]
  properties: Properties
}

/** Decodes the body [from, to) of a SUBSCRIBE (3.8). An invalid filter is no error here: each gets its own answer. */
export function decodeSubscribe(
  buf: Buffer,
  from: number,
  to: number,
  version: ProtocolVersion,
): SubscribePacket {
  const reader = new Reader(buf, from, to)
  const packetId = reader.packetId()
  const properties = version === 5 ? decodeProperties(reader, placeOf(PacketType.SUBSCRIBE)) : noProperties
  const subscriptions: SubscriptionRequest[] = []
  while (!reader.done) {
    const filter = reader.string() // [MQTT-3.8.3-1]
    subscriptions.push(decodeOptions(filter, reader.u8(), version))
  }
  if (subscriptions.length === 0) {
    throw new PacketError(
      ReasonCode.ProtocolError,
      version === 5 ? 'MQTT-3.8.3-2' : 'MQTT-3.8.3-3',
      'SUBSCRIBE without a filter',
    )
  }
  return { packetId, subscriptions, properties }
}

function decodeOptions(filter: string, options: number, version: ProtocolVersion): SubscriptionRequest {
  const qos = options & QOS
  if (version === 4) {
    if (options > 2) throw malformed('MQTT-3.8.3-4', options)
  } else {
    if ((options & 0xc0) !== 0) throw malformed('MQTT-3.8.3-5', options)
    if (qos === 3) throw new PacketError(ReasonCode.ProtocolError, '3.8.3.1', 'SUBSCRIBE with QoS 3')
    if ((options & RETAIN_HANDLING) === RETAIN_HANDLING) {
      throw new PacketError(ReasonCode.ProtocolError, '3.8.3.1', 'SUBSCRIBE with Retain Handling 3')
    }
    if ((options & NO_LOCAL) !== 0 && filter.startsWith('$share/')) {
      throw new PacketError(ReasonCode.ProtocolError, 'MQTT-3.8.3-4', 'No Local on a shared subscription')
    }
  }
  return {
    filter,
    qos: twoBits(qos),
    noLocal: (options & NO_LOCAL) !== 0,
    retainAsPublished: (options & RETAIN_AS_PUBLISHED) !== 0,
    retainHandling: twoBits((options & RETAIN_HANDLING) >> 4),
    options,
  }
}

function malformed(clause: string, options: number): PacketError {
  return new PacketError(ReasonCode.MalformedPacket, clause, `subscription options 0x${options.toString(16)}`)
}

/** What encodeSubscribe takes: the options byte is made from the other fields; 3.1.1 has only the QoS. */
export type Subscribe = Omit<SubscribePacket, 'subscriptions'> & {
  subscriptions: Omit<SubscriptionRequest, 'options'>[]
}

/** Encodes a SUBSCRIBE. */
export function encodeSubscribe(packet: Subscribe, version: ProtocolVersion): Buffer {
  const length = version === 5 ? propertiesSize(packet.properties) : 0
  let size = 2
  if (version === 5) size += withLength(length)
  for (const { filter } of packet.subscriptions) size += stringSize(filter) + 1
  const writer = new Writer(PacketType.SUBSCRIBE, 2, size) // [MQTT-3.8.1-1]
  writer.u16(packet.packetId)
  if (version === 5) writeProperties(writer, packet.properties, length)
  for (const subscription of packet.subscriptions) {
    writer.string(subscription.filter)
    writer.u8(version === 5 ? optionsByte(subscription) : subscription.qos)
  }
  return writer.buf
}

function optionsByte(subscription: Omit<SubscriptionRequest, 'options'>): number {
  return (
    subscription.qos |
    (subscription.noLocal ? NO_LOCAL : 0) |
    (subscription.retainAsPublished ? RETAIN_AS_PUBLISHED : 0) |
    (subscription.retainHandling << 4)
  )
}
