import { PacketError } from './packet-error.ts'
import { PacketType } from './packet-type.ts'
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

export interface AuthPacket {
  reason: number
  properties: Properties
}

/** Table 3-11 of MQTT 5.0. */
const REASONS: ReadonlySet<number> = new Set([
  ReasonCode.Success,
  ReasonCode.ContinueAuthentication,
  ReasonCode.Reauthenticate,
])

/** Decodes the body [from, to) of an AUTH (3.15), which only MQTT 5 has. */
export function decodeAuth(buf: Buffer, from: number, to: number): AuthPacket {
  const reader = new Reader(buf, from, to)
  if (reader.done) return { reason: ReasonCode.Success, properties: noProperties } // 3.15.2.1
  const reason = reader.u8()
  if (!REASONS.has(reason)) {
    throw new PacketError(ReasonCode.ProtocolError, 'MQTT-3.15.2-1', `AUTH reason 0x${reason.toString(16)}`)
  }
  const properties = decodeProperties(reader, placeOf(PacketType.AUTH))
  reader.finish('3.15.3')
  if (properties.authenticationMethod === undefined) {
    throw new PacketError(ReasonCode.ProtocolError, '3.15.2.2.2', 'AUTH without authentication method')
  }
  return { reason, properties }
}

/** Encodes an AUTH, without reason and properties where they say nothing (3.15.2.1). */
export function encodeAuth(reason: number, properties: Properties): Buffer {
  const length = propertiesSize(properties)
  const empty = reason === ReasonCode.Success && length === 0
  const writer = new Writer(PacketType.AUTH, 0, empty ? 0 : 1 + withLength(length))
  if (!empty) {
    writer.u8(reason)
    writeProperties(writer, properties, length)
  }
  return writer.buf
}
