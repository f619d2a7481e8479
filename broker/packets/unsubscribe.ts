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
import { stringSize, Writer } from './writer.ts'

export interface UnsubscribePacket {
  packetId: number
  /** Well-formed UTF-8, but possibly no valid filters: ask isValidFilter. */
  filters: string[]
  properties: Properties
}

/** Decodes the body [from, to) of an UNSUBSCRIBE (3.10). */
export function decodeUnsubscribe(
  buf: Buffer,
  from: number,
  to: number,
  version: ProtocolVersion,
): UnsubscribePacket {
  const reader = new Reader(buf, from, to)
  const packetId = reader.packetId()
  const properties = version === 5 ? decodeProperties(reader, placeOf(PacketType.UNSUBSCRIBE)) : noProperties
  const filters: string[] = []
  while (!reader.done) filters.push(reader.string()) // [MQTT-3.10.3-1]
  if (filters.length === 0) {
    throw new PacketError(ReasonCode.ProtocolError, 'MQTT-3.10.3-2', 'UNSUBSCRIBE without a filter')
  }
  return { packetId, filters, properties }
}

/** Encodes an UNSUBSCRIBE. */
export function encodeUnsubscribe(packet: UnsubscribePacket, version: ProtocolVersion): Buffer {
  const length = version === 5 ? propertiesSize(packet.properties) : 0
  let size = 2
  if (version === 5) size += withLength(length)
  for (const filter of packet.filters) size += stringSize(filter)
  const writer = new Writer(PacketType.UNSUBSCRIBE, 2, size) // [MQTT-3.10.1-1]
  writer.u16(packet.packetId)
  if (version === 5) writeProperties(writer, packet.properties, length)
  for (const filter of packet.filters) writer.string(filter)
  return writer.buf
}
