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

export interface UnsubackPacket {
  packetId: number
  /** One for each filter of the UNSUBSCRIBE, in its order [MQTT-3.11.3-1]; none in 3.1.1. */
  reasons: number[]
  properties: Properties
}

/** Table 3-9 of MQTT 5.0. */
const REASONS: ReadonlySet<number> = new Set([
  ReasonCode.Success,
  ReasonCode.NoSubscriptionExisted,
  ReasonCode.UnspecifiedError,
  ReasonCode.ImplementationSpecificError,
  ReasonCode.NotAuthorized,
  ReasonCode.TopicFilterInvalid,
  ReasonCode.PacketIdentifierInUse,
])

/** Decodes the body [from, to) of an UNSUBACK (3.11). */
export function decodeUnsuback(
  buf: Buffer,
  from: number,
  to: number,
  version: ProtocolVersion,
): UnsubackPacket {
  const reader = new Reader(buf, from, to)
  const packetId = reader.packetId()
  const reasons: number[] = []
  if (version === 4) {
    reader.finish('3.11.3')
    return { packetId, reasons, properties: noProperties }
  }
  const properties = decodeProperties(reader, placeOf(PacketType.UNSUBACK))
  while (!reader.done) {
    const reason = reader.u8()
    if (!REASONS.has(reason)) {
      throw new PacketError(
        ReasonCode.ProtocolError,
        'MQTT-3.11.3-2',
        `UNSUBACK reason 0x${reason.toString(16)}`,
      )
    }
    reasons.push(reason)
  }
  if (reasons.length === 0) {
    throw new PacketError(ReasonCode.ProtocolError, '3.11.3', 'UNSUBACK without a reason code')
  }
  return { packetId, reasons, properties }
}

/** Encodes an UNSUBACK; in 3.1.1 it is the packet id alone. */
export function encodeUnsuback(
  packetId: number,
  reasons: readonly number[],
  properties: Properties,
  version: ProtocolVersion,
): Buffer {
  const length = version === 5 ? propertiesSize(properties) : 0
  const writer = new Writer(
    PacketType.UNSUBACK,
    0,
    version === 5 ? 2 + withLength(length) + reasons.length : 2,
  )
  writer.u16(packetId)
  if (version === 5) {
    writeProperties(writer, properties, length)
    for (const reason of reasons) writer.u8(reason)
  }
  return writer.buf
}
