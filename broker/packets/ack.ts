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
import { Reader } from './reader.ts'
import { ReasonCode } from './reason-code.ts'
import { Writer } from './writer.ts'

/** PUBACK, PUBREC, PUBREL and PUBCOMP have one format (3.4 to 3.7). */
export type AckType =
  | typeof PacketType.PUBACK
  | typeof PacketType.PUBREC
  | typeof PacketType.PUBREL
  | typeof PacketType.PUBCOMP

export interface AckPacket {
  packetId: number
  /** 0 in 3.1.1. */
  reason: number
  properties: Properties
}

/** Reason codes of PUBACK and PUBREC (tables 3-4 and 3-5). */
const TAKEN: ReadonlySet<number> = new Set([
  ReasonCode.Success,
  ReasonCode.NoMatchingSubscribers,
  ReasonCode.UnspecifiedError,
  ReasonCode.ImplementationSpecificError,
  ReasonCode.NotAuthorized,
  ReasonCode.TopicNameInvalid,
  ReasonCode.PacketIdentifierInUse,
  ReasonCode.QuotaExceeded,
  ReasonCode.PayloadFormatInvalid,
])
/** Reason codes of PUBREL and PUBCOMP (tables 3-6 and 3-7). */
const RELEASED: ReadonlySet<number> = new Set([ReasonCode.Success, ReasonCode.PacketIdentifierNotFound])

/** Decodes the body [from, to) of a PUBACK, PUBREC, PUBREL or PUBCOMP. */
export function decodeAck(
  type: AckType,
  buf: Buffer,
  from: number,
  to: number,
  version: ProtocolVersion,
): AckPacket {
  const reader = new Reader(buf, from, to)
  const packetId = reader.packetId()
  let reason = 0
  let properties = noProperties
  if (version === 5 && !reader.done) {
    reason = reader.u8()
    checkReason(type, reason)
    if (!reader.done) properties = decodeProperties(reader, placeOf(type)) // may be left out (3.4.2.2.1)
  }
  reader.finish('3.4.3')
  return { packetId, reason, properties }
}

function checkReason(type: AckType, reason: number): void {
  const released = type === PacketType.PUBREL || type === PacketType.PUBCOMP
  if ((released ? RELEASED : TAKEN).has(reason)) return
  // [MQTT-3.4.2-1], [MQTT-3.5.2-1], [MQTT-3.6.2-1], [MQTT-3.7.2-1]: PUBACK is type 4, and so on.
  throw new PacketError(
    ReasonCode.ProtocolError,
    `MQTT-3.${type}.2-1`,
    `reason 0x${reason.toString(16)} in packet type ${type}`,
  )
}

/** Encodes a PUBACK, PUBREC, PUBREL or PUBCOMP, without reason and properties where they say nothing (3.4.2.1). */
export function encodeAck(
  type: AckType,
  packetId: number,
  reason: number,
  properties: Properties,
  version: ProtocolVersion,
): Buffer {
  const length = version === 5 ? propertiesSize(properties) : 0
  const withReason = version === 5 && (reason !== 0 || length > 0)
  const size = 2 + (withReason ? 1 : 0) + (length > 0 ? withLength(length) : 0)
  const writer = new Writer(type, type === PacketType.PUBREL ? 2 : 0, size) // [MQTT-3.6.1-1]
  writer.u16(packetId)
  if (withReason) writer.u8(reason)
  if (length > 0) writeProperties(writer, properties, length)
  return writer.buf
}
