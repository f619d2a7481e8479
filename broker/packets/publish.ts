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
import { isValidTopicName } from './topic.ts'
import { stringSize, Writer } from './writer.ts'

const RETAIN = 0x01
const DUP = 0x08

export interface PublishPacket {
  /** Empty only where a topic alias stands for it (MQTT 5). */
  topic: string
  /** 0 at QoS 0. */
  packetId: number
  qos: Qos
  retain: boolean
  dup: boolean
  /** A view of the bytes that came in: copy it to keep it. */
  payload: Buffer
  properties: Properties
  /** Where the payload begins in the decoded buffer. */
  payloadAt: number
}

/**
 * Decodes the body [from, to) of a PUBLISH (3.3); `flags` are the low four bits of its first byte. Direction is not
 * known here: that a client sends no subscription identifier [MQTT-3.3.4-6] is for the broker to check.
 */
export function decodePublish(
  flags: number,
  buf: Buffer,
  from: number,
  to: number,
  version: ProtocolVersion,
): PublishPacket {
  const qos = (flags >> 1) & 3
  if (qos === 3) throw new PacketError(ReasonCode.MalformedPacket, 'MQTT-3.3.1-4', 'PUBLISH with QoS 3')
  const dup = (flags & DUP) !== 0
  if (dup && qos === 0) {
    throw new PacketError(ReasonCode.MalformedPacket, 'MQTT-3.3.1-2', 'PUBLISH with QoS 0 and DUP')
  }
  const reader = new Reader(buf, from, to)
  const topic = reader.string() // [MQTT-3.3.2-1]
  const packetId = qos === 0 ? 0 : reader.packetId() // [MQTT-2.2.1-2]
  const properties = version === 5 ? decodeProperties(reader, placeOf(PacketType.PUBLISH)) : noProperties
  checkTopic(topic, version, properties)
  const payloadAt = reader.at
  return {
    topic,
    packetId,
    qos: twoBits(qos),
    retain: (flags & RETAIN) !== 0,
    dup,
    payload: buf.subarray(payloadAt, to),
    properties,
    payloadAt,
  }
}

function checkTopic(topic: string, version: ProtocolVersion, properties: Properties): void {
  if (isValidTopicName(topic)) return
  if (topic !== '') {
    throw new PacketError(ReasonCode.TopicNameInvalid, 'MQTT-3.3.2-2', 'PUBLISH to a topic with a wildcard')
  }
  if (version === 4) {
    throw new PacketError(ReasonCode.TopicNameInvalid, 'MQTT-4.7.3-1', 'PUBLISH to an empty topic')
  }
  if (properties.topicAlias === undefined) {
    throw new PacketError(ReasonCode.ProtocolError, '3.3.2.1', 'PUBLISH with neither topic nor topic alias')
  }
}

/** What encodePublish takes: a PublishPacket or the parts of one. */
export type Publish = Omit<PublishPacket, 'payload' | 'payloadAt'> & { payload: Uint8Array }

/** Encodes a PUBLISH. QoS 0 carries neither packet id [MQTT-2.2.1-2] nor DUP [MQTT-3.3.1-2]. */
export function encodePublish(packet: Publish, version: ProtocolVersion): Buffer {
  const { topic, qos, payload, properties } = packet
  const length = version === 5 ? propertiesSize(properties) : 0
  let size = stringSize(topic) + payload.length
  if (qos > 0) size += 2
  if (version === 5) size += withLength(length)
  const flags = (packet.dup && qos > 0 ? DUP : 0) | (qos << 1) | (packet.retain ? RETAIN : 0)
  const writer = new Writer(PacketType.PUBLISH, flags, size)
  writer.string(topic)
  if (qos > 0) writer.u16(packet.packetId)
  if (version === 5) writeProperties(writer, properties, length)
  writer.bytes(payload)
  return writer.buf
}
