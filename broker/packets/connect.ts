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
import { placeOf, WILL } from './property-table.ts'
import { twoBits, type Qos } from './qos.ts'
import { Reader } from './reader.ts'
import { ReasonCode } from './reason-code.ts'
import { isValidTopicName } from './topic.ts'
import { binarySize, stringSize, Writer } from './writer.ts'

const CLEAN_START = 0x02
const WILL_FLAG = 0x04
const WILL_QOS = 0x18
const WILL_RETAIN = 0x20
const PASSWORD = 0x40
const USERNAME = 0x80

/** 'MQTT' with its length prefix, then the protocol level. */
const PROTOCOL_NAME = Buffer.from([0, 4, 0x4d, 0x51, 0x54, 0x54])

export interface Will {
  topic: string
  payload: Buffer
  qos: Qos
  retain: boolean
  properties: Properties
}

export interface ConnectPacket {
  version: ProtocolVersion
  /** Clean Session in 3.1.1. */
  cleanStart: boolean
  /** Seconds; 0: none. */
  keepAlive: number
  /** May be empty; what that means with `cleanStart` is the broker's decision [MQTT-3.1.3-6]. */
  clientId: string
  username?: string
  password?: Buffer
  will?: Will
  properties: Properties
}

/**
 * The protocol level that a CONNECT body names, also an unsupported one; 0 if the body does not begin as MQTT's
 * does. For the answer to a CONNECT that decodeConnect refuses: only a client of level 5 understands its CONNACK.
 */
export function connectLevel(buf: Buffer, from: number, to: number): number {
  if (to - from < 7 || PROTOCOL_NAME.compare(buf, from, from + 6) !== 0) return 0
  return buf[from + 6]
}

/** Decodes the body [from, to) of a CONNECT (3.1). Its buffers are copies, since they outlive the bytes that came in. */
export function decodeConnect(buf: Buffer, from: number, to: number): ConnectPacket {
  const reader = new Reader(buf, from, to)
  const version = decodeLevel(reader)
  const flags = reader.u8()
  checkConnectFlags(flags, version)
  const keepAlive = reader.u16()
  const properties = version === 5 ? decodeProperties(reader, placeOf(PacketType.CONNECT)) : noProperties
  const packet: ConnectPacket = {
    version,
    cleanStart: (flags & CLEAN_START) !== 0,
    keepAlive,
    clientId: reader.string(), // the order of the payload is [MQTT-3.1.3-1]
    properties,
  }
  if ((flags & WILL_FLAG) !== 0) packet.will = decodeWill(reader, flags, version)
  if ((flags & USERNAME) !== 0) packet.username = reader.string() // [MQTT-3.1.2-17]
  if ((flags & PASSWORD) !== 0) packet.password = reader.binary() // [MQTT-3.1.2-19]
  reader.finish('MQTT-3.1.3-1')
  return packet
}

function decodeLevel(reader: Reader): ProtocolVersion {
  if (reader.string() !== 'MQTT') {
    throw new PacketError(
      ReasonCode.UnsupportedProtocolVersion,
      'MQTT-3.1.2-1',
      'the protocol name is not MQTT',
    )
  }
  const level = reader.u8()
  if (level !== 4 && level !== 5) {
    throw new PacketError(
      ReasonCode.UnsupportedProtocolVersion,
      'MQTT-3.1.2-2',
      `protocol level ${level} is neither 4 nor 5`,
    )
  }
  return level
}

/** The rules are the same in both versions, their numbers are not. */
function checkConnectFlags(flags: number, version: ProtocolVersion): void {
  const v5 = version === 5
  if ((flags & 0x01) !== 0) throw malformed('MQTT-3.1.2-3', 'the reserved connect flag is set')
  if ((flags & WILL_FLAG) === 0) {
    if ((flags & WILL_QOS) !== 0) {
      throw malformed(v5 ? 'MQTT-3.1.2-11' : 'MQTT-3.1.2-13', 'a Will QoS without a will')
    }
    if ((flags & WILL_RETAIN) !== 0) {
      throw malformed(v5 ? 'MQTT-3.1.2-13' : 'MQTT-3.1.2-15', 'Will Retain without a will')
    }
  } else if ((flags & WILL_QOS) === WILL_QOS) {
    throw malformed(v5 ? 'MQTT-3.1.2-12' : 'MQTT-3.1.2-14', 'the Will QoS is 3')
  }
  // Only 3.1.1 forbids a password without a user name.
  if (!v5 && (flags & (USERNAME | PASSWORD)) === PASSWORD) {
    throw malformed('MQTT-3.1.2-22', 'a password without a user name')
  }
}

function decodeWill(reader: Reader, flags: number, version: ProtocolVersion): Will {
  const properties = version === 5 ? decodeProperties(reader, WILL) : noProperties
  const topic = reader.string()
  if (!isValidTopicName(topic)) {
    throw new PacketError(
      ReasonCode.TopicNameInvalid,
      topic === '' ? 'MQTT-4.7.3-1' : 'MQTT-4.7.0-1',
      'the will topic is empty or holds a wildcard',
    )
  }
  const payload = reader.binary()
  const qos = twoBits((flags & WILL_QOS) >> 3)
  return { topic, payload, qos, retain: (flags & WILL_RETAIN) !== 0, properties }
}

function malformed(clause: string, message: string): PacketError {
  return new PacketError(ReasonCode.MalformedPacket, clause, message)
}

/** Encodes a CONNECT of the packet's version. Will properties and properties are left out in 3.1.1. */
export function encodeConnect(packet: ConnectPacket): Buffer {
  const { will, username, password } = packet
  const v5 = packet.version === 5
  const propertiesLength = v5 ? propertiesSize(packet.properties) : 0
  const willLength = v5 && will !== undefined ? propertiesSize(will.properties) : 0
  let size = PROTOCOL_NAME.length + 4 + stringSize(packet.clientId)
  if (v5) size += withLength(propertiesLength)
  if (will !== undefined) {
    size += stringSize(will.topic) + binarySize(will.payload)
    if (v5) size += withLength(willLength)
  }
  if (username !== undefined) size += stringSize(username)
  if (password !== undefined) size += binarySize(password)

  const writer = new Writer(PacketType.CONNECT, 0, size)
  writer.bytes(PROTOCOL_NAME)
  writer.u8(packet.version)
  writer.u8(connectFlags(packet))
  writer.u16(packet.keepAlive)
  if (v5) writeProperties(writer, packet.properties, propertiesLength)
  writer.string(packet.clientId)
  if (will !== undefined) {
    if (v5) writeProperties(writer, will.properties, willLength)
    writer.string(will.topic)
    writer.binary(will.payload)
  }
  if (username !== undefined) writer.string(username)
  if (password !== undefined) writer.binary(password)
  return writer.buf
}

function connectFlags({ cleanStart, will, username, password }: ConnectPacket): number {
  let flags = cleanStart ? CLEAN_START : 0
  if (will !== undefined) flags |= WILL_FLAG | (will.qos << 3) | (will.retain ? WILL_RETAIN : 0)
  if (username !== undefined) flags |= USERNAME
  if (password !== undefined) flags |= PASSWORD
  return flags
}
