import { PacketError } from './packet-error.ts'
import { ReasonCode } from './reason-code.ts'

/**
 * Whether the bytes [from, to) are well-formed UTF-8 (RFC 3629: no overlong forms, no surrogates, nothing above
 * U+10FFFF) [MQTT-1.5.4-1]. U+0000 is allowed here, as it is in a payload; strings forbid it in addition.
 */
export function isWellFormedUtf8(buf: Buffer, from: number, to: number): boolean {
  let at = from
  while (at < to) {
    const lead = buf[at++]
    if (lead < 0x80) continue
    // The second byte's range is narrower than 80..BF after E0, ED, F0 and F4 (RFC 3629, section 4).
    let low = 0x80
    let high = 0xbf
    let more: number
    if (lead < 0xc2) return false
    if (lead < 0xe0) more = 1
    else if (lead < 0xf0) {
      more = 2
      if (lead === 0xe0) low = 0xa0
      else if (lead === 0xed) high = 0x9f
    } else if (lead < 0xf5) {
      more = 3
      if (lead === 0xf0) low = 0x90
      else if (lead === 0xf4) high = 0x8f
    } else return false
    if (to - at < more) return false
    const second = buf[at++]
    if (second < low || second > high) return false
    for (let i = 1; i < more; i++) if ((buf[at++] & 0xc0) !== 0x80) return false
  }
  return true
}

/** The string in the bytes [from, to). Throws PacketError if it is not well-formed UTF-8 or holds U+0000. */
export function readString(buf: Buffer, from: number, to: number): string {
  let at = from
  while (at < to && buf[at] < 0x80 && buf[at] !== 0) at++
  if (at === to) return buf.toString('latin1', from, to) // all ASCII: no decoding
  for (let i = at; i < to; i++) {
    if (buf[i] === 0) {
      throw new PacketError(ReasonCode.MalformedPacket, 'MQTT-1.5.4-2', 'a string holds U+0000')
    }
  }
  if (!isWellFormedUtf8(buf, at, to)) {
    throw new PacketError(ReasonCode.MalformedPacket, 'MQTT-1.5.4-1', 'a string is not well-formed UTF-8')
  }
  return buf.toString('utf8', from, to) // keeps U+FEFF [MQTT-1.5.4-3]
}
