import { PacketError } from './packet-error.ts'
import { PacketType } from './packet-type.ts'
import { ReasonCode } from './reason-code.ts'

/** Largest value of a Variable Byte Integer, four bytes (1.5.5), and so the longest body a packet can have. */
export const MAX_VARIABLE_BYTE_INTEGER = 268_435_455

/** Throws PacketError for a reserved packet type or wrong reserved flags [MQTT-2.1.3-1]. PUBLISH flags are checked by decodePublish. */
export function checkFlags(type: number, flags: number): void {
  let expected = 0
  let clause = 'MQTT-2.1.3-1'
  switch (type) {
    case PacketType.PUBLISH:
      return
    case PacketType.PUBREL:
      expected = 2
      clause = 'MQTT-3.6.1-1'
      break
    case PacketType.SUBSCRIBE:
      expected = 2
      clause = 'MQTT-3.8.1-1'
      break
    case PacketType.UNSUBSCRIBE:
      expected = 2
      clause = 'MQTT-3.10.1-1'
      break
    case PacketType.DISCONNECT:
      clause = 'MQTT-3.14.1-1'
      break
    case PacketType.AUTH:
      clause = 'MQTT-3.15.1-1'
      break
    case 0:
      throw new PacketError(ReasonCode.MalformedPacket, '2.1.2', 'packet type 0 is reserved')
  }
  if (flags !== expected) {
    throw new PacketError(
      ReasonCode.MalformedPacket,
      clause,
      `flags of packet type ${type} are ${flags}, not ${expected}`,
    )
  }
}

/**
 * The Variable Byte Integer that begins at `at`, or -1 if it does not end before `end`. Throws PacketError if it has
 * more than four bytes or more than it needs [MQTT-1.5.5-1]; so its size is `remainingLengthBytes` of the value.
 */
export function decodeRemainingLength(buf: Buffer, at: number, end: number): number {
  let value = 0
  for (let i = 0; i < 4; i++) {
    if (at + i >= end) return -1
    const byte = buf[at + i]
    value |= (byte & 0x7f) << (7 * i)
    if (byte < 0x80) {
      if (byte === 0 && i > 0) {
        throw new PacketError(
          ReasonCode.MalformedPacket,
          'MQTT-1.5.5-1',
          'a variable byte integer is longer than needed',
        )
      }
      return value
    }
  }
  throw new PacketError(
    ReasonCode.MalformedPacket,
    '1.5.5',
    'a variable byte integer has more than four bytes',
  )
}

/** Bytes that a Variable Byte Integer takes. */
export function remainingLengthBytes(length: number): number {
  if (length < 0x80) return 1
  if (length < 0x4000) return 2
  return length < 0x20_0000 ? 3 : 4
}
