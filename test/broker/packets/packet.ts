import {
  checkFlags,
  decodeAck,
  decodeAuth,
  decodeConnack,
  decodeConnect,
  decodeDisconnect,
  decodePing,
  decodePublish,
  decodeRemainingLength,
  decodeSuback,
  decodeSubscribe,
  decodeUnsuback,
  decodeUnsubscribe,
  encodeAck,
  encodeAuth,
  encodeConnack,
  encodeConnect,
  encodeDisconnect,
  encodePublish,
  encodeSuback,
  encodeSubscribe,
  encodeUnsuback,
  encodeUnsubscribe,
  PINGREQ,
  PINGRESP,
  remainingLengthBytes,
  type AckPacket,
  type AckType,
  type AuthPacket,
  type ConnackPacket,
  type ConnectPacket,
  type DisconnectPacket,
  type ProtocolVersion,
  type PublishPacket,
  type SubackPacket,
  type SubscribePacket,
  type UnsubackPacket,
  type UnsubscribePacket,
} from '#broker/packets/index.ts'

/** Any packet with its type, so that tests can treat them all alike. */
export type Packet =
  | { type: 1; value: ConnectPacket }
  | { type: 2; value: ConnackPacket }
  | { type: 3; value: PublishPacket }
  | { type: AckType; value: AckPacket }
  | { type: 8; value: SubscribePacket }
  | { type: 9; value: SubackPacket }
  | { type: 10; value: UnsubscribePacket }
  | { type: 11; value: UnsubackPacket }
  | { type: 12 | 13; value: null }
  | { type: 14; value: DisconnectPacket }
  | { type: 15; value: AuthPacket }

/** Decodes one whole packet, fixed header included, from the start of `buf`; null if more bytes are needed. */
export function decodePacket(buf: Buffer, version: ProtocolVersion, end = buf.length): Packet | null {
  if (end < 2) return null
  const length = decodeRemainingLength(buf, 1, end)
  if (length === -1) return null
  const from = 1 + remainingLengthBytes(length)
  if (from + length > end) return null
  checkFlags(buf[0] >> 4, buf[0] & 15)
  return decodeBody(buf[0], buf, from, from + length, version)
}

/** Bytes of the fixed header of a whole packet. */
export function headerSize(packet: Buffer): number {
  return 1 + remainingLengthBytes(decodeRemainingLength(packet, 1, packet.length))
}

/** Decodes the body [from, to) behind a fixed header that begins with `first`. */
export function decodeBody(
  first: number,
  buf: Buffer,
  from: number,
  to: number,
  version: ProtocolVersion,
): Packet {
  const type = first >> 4
  switch (type) {
    case 1:
      return { type, value: decodeConnect(buf, from, to) }
    case 2:
      return { type, value: decodeConnack(buf, from, to, version) }
    case 3:
      return { type, value: decodePublish(first & 15, buf, from, to, version) }
    case 4:
    case 5:
    case 6:
    case 7:
      return { type, value: decodeAck(type, buf, from, to, version) }
    case 8:
      return { type, value: decodeSubscribe(buf, from, to, version) }
    case 9:
      return { type, value: decodeSuback(buf, from, to, version) }
    case 10:
      return { type, value: decodeUnsubscribe(buf, from, to, version) }
    case 11:
      return { type, value: decodeUnsuback(buf, from, to, version) }
    case 12:
    case 13:
      decodePing(from, to)
      return { type, value: null }
    case 14:
      return { type, value: decodeDisconnect(buf, from, to, version) }
    case 15:
      return { type, value: decodeAuth(buf, from, to) }
    default:
      throw new Error(`packet type ${type}`)
  }
}

/** Encodes any packet. */
export function encodePacket({ type, value }: Packet, version: ProtocolVersion): Buffer {
  switch (type) {
    case 1:
      return encodeConnect(value)
    case 2:
      return encodeConnack(value, version)
    case 3:
      return encodePublish(value, version)
    case 4:
    case 5:
    case 6:
    case 7:
      return encodeAck(type, value.packetId, value.reason, value.properties, version)
    case 8:
      return encodeSubscribe(value, version)
    case 9:
      return encodeSuback(value.packetId, value.reasons, value.properties, version)
    case 10:
      return encodeUnsubscribe(value, version)
    case 11:
      return encodeUnsuback(value.packetId, value.reasons, value.properties, version)
    case 12:
      return PINGREQ
    case 13:
      return PINGRESP
    case 14:
      return encodeDisconnect(value.reason, value.properties, version)
    default:
      return encodeAuth(value.reason, value.properties)
  }
}
