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
import { connackReturnCode, ReasonCode, returnCodeReasons } from './reason-code.ts'
import { Writer } from './writer.ts'

export interface ConnackPacket {
  sessionPresent: boolean
  /** A reason code, in 3.1.1 too: the one that its return code stands for. */
  reason: number
  properties: Properties
}

const SESSION_PRESENT = 0x01

/** Table 3-1 of MQTT 5.0. */
const REASONS: ReadonlySet<number> = new Set([
  ReasonCode.Success,
  ReasonCode.UnspecifiedError,
  ReasonCode.MalformedPacket,
  ReasonCode.ProtocolError,
  ReasonCode.ImplementationSpecificError,
  ReasonCode.UnsupportedProtocolVersion,
  ReasonCode.ClientIdentifierNotValid,
  ReasonCode.BadUserNameOrPassword,
  ReasonCode.NotAuthorized,
  ReasonCode.ServerUnavailable,
  ReasonCode.ServerBusy,
  ReasonCode.Banned,
  ReasonCode.BadAuthenticationMethod,
  ReasonCode.TopicNameInvalid,
  ReasonCode.PacketTooLarge,
  ReasonCode.QuotaExceeded,
  ReasonCode.PayloadFormatInvalid,
  ReasonCode.RetainNotSupported,
  ReasonCode.QosNotSupported,
  ReasonCode.UseAnotherServer,
  ReasonCode.ServerMoved,
  ReasonCode.ConnectionRateExceeded,
])

/** Decodes the body [from, to) of a CONNACK (3.2). */
export function decodeConnack(
  buf: Buffer,
  from: number,
  to: number,
  version: ProtocolVersion,
): ConnackPacket {
  const reader = new Reader(buf, from, to)
  const flags = reader.u8()
  const code = reader.u8()
  const reason = version === 5 ? code : returnCodeReasons[code]
  const properties = version === 5 ? decodeProperties(reader, placeOf(PacketType.CONNACK)) : noProperties
  reader.finish('3.2.3')
  if (flags > SESSION_PRESENT) {
    throw new PacketError(ReasonCode.MalformedPacket, 'MQTT-3.2.2-1', 'reserved CONNACK flags are set')
  }
  if (reason === undefined || !REASONS.has(reason)) {
    throw new PacketError(ReasonCode.ProtocolError, 'MQTT-3.2.2-8', `CONNACK reason 0x${code.toString(16)}`)
  }
  if (flags === SESSION_PRESENT && reason !== ReasonCode.Success) {
    throw new PacketError(ReasonCode.ProtocolError, 'MQTT-3.2.2-6', 'session present in a refusing CONNACK')
  }
  return { sessionPresent: flags === SESSION_PRESENT, reason, properties }
}

/** Encodes a CONNACK. A refusal never says session present [MQTT-3.2.2-6]; in 3.1.1 the reason becomes a return code. */
export function encodeConnack(packet: ConnackPacket, version: ProtocolVersion): Buffer {
  const { reason, properties } = packet
  const length = version === 5 ? propertiesSize(properties) : 0
  const writer = new Writer(PacketType.CONNACK, 0, version === 5 ? 2 + withLength(length) : 2)
  writer.u8(packet.sessionPresent && reason === ReasonCode.Success ? SESSION_PRESENT : 0)
  writer.u8(version === 5 ? reason : connackReturnCode(reason))
  if (version === 5) writeProperties(writer, properties, length)
  return writer.buf
}
