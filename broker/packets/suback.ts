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

export interface SubackPacket {
  packetId: number
  /** One for each filter of the SUBSCRIBE, in its order [MQTT-3.9.3-1]. */
  reasons: number[]
  properties: Properties
}

/** Table 3-8 of MQTT 5.0; 3.1.1 has the first four [MQTT-3.9.3-2]. */
const REASONS: readonly number[] = [
  ReasonCode.GrantedQos0,
  ReasonCode.GrantedQos1,
  ReasonCode.GrantedQos2,
  ReasonCode.UnspecifiedError,
  ReasonCode.ImplementationSpecificError,
  ReasonCode.NotAuthorized,
  ReasonCode.TopicFilterInvalid,
  ReasonCode.PacketIdentifierInUse,
  ReasonCode.QuotaExceeded,
  ReasonCode.SharedSubscriptionsNotSupported,
  ReasonCode.SubscriptionIdentifiersNotSupported,
  ReasonCode.WildcardSubscriptionsNotSupported,
]
const REASONS_V5: ReadonlySet<number> = new Set(REASONS)
const REASONS_V4: ReadonlySet<number> = new Set(REASONS.slice(0, 4))

/** Decodes the body [from, to) of a SUBACK (3.9). */
export function decodeSuback(buf: Buffer, from: number, to: number, version: ProtocolVersion): SubackPacket {
  const reader = new Reader(buf, from, to)
  const packetId = reader.packetId()
  const properties = version === 5 ? decodeProperties(reader, placeOf(PacketType.SUBACK)) : noProperties
  const known = version === 5 ? REASONS_V5 : REASONS_V4
  const reasons: number[] = []
  while (!reader.done) {
    const reason = reader.u8()
    if (!known.has(reason)) {
      throw new PacketError(
        ReasonCode.ProtocolError,
        'MQTT-3.9.3-2',
        `SUBACK reason 0x${reason.toString(16)}`,
      )
    }
    reasons.push(reason)
  }
  if (reasons.length === 0) {
    throw new PacketError(ReasonCode.ProtocolError, 'MQTT-3.8.4-6', 'SUBACK without a reason code')
  }
  return { packetId, reasons, properties }
}

/** Encodes a SUBACK; in 3.1.1 every failure is 0x80. */
export function encodeSuback(
  packetId: number,
  reasons: readonly number[],
  properties: Properties,
  version: ProtocolVersion,
): Buffer {
  const length = version === 5 ? propertiesSize(properties) : 0
  const size = 2 + (version === 5 ? withLength(length) : 0) + reasons.length
  const writer = new Writer(PacketType.SUBACK, 0, size)
  writer.u16(packetId)
  if (version === 5) writeProperties(writer, properties, length)
  for (const reason of reasons) {
    writer.u8(version === 4 && reason >= 0x80 ? ReasonCode.UnspecifiedError : reason)
  }
  return writer.buf
}
