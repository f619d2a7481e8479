import type { MemberInfo } from './peer.ts'

/**
 * A frame on the bus: a header of fixed length, then what its kind says. Numbers are big-endian.
 *
 *     0  magic (2), version (1), kind (1)
 *     4  source incarnation (16), destination incarnation (16; zeros: everybody)
 *    36  stream of the sender (4), stream of the receiver as the sender knows it (4; 0: it does not)
 *    44  number of this frame in the stream (6; 0: none), newest number that was sent (6), acknowledged up to (6)
 *    62  time of sending by the sender's wall clock, ms (6), and by its monotonic clock, ms (8)
 *    76  newest monotonic time of the receiver's that the sender has seen (8; negative: none), and how long ago, ms (4)
 *    88  body
 *
 * A stream frame with a number carries entries: type (2), length (1 to 4, base 128, least significant first), bytes. One
 * without a number carries the ranges of numbers that the sender misses (6 + 6 each). The others carry a MemberInfo.
 * The layout of version 1 is kept for good in `announce` frames, so that versions can hear each other.
 */
export const HEADER_BYTES = 88
const FRAME_VERSION = 1
const MAGIC = 0xc15e

/** Kinds of frame. */
export const KIND = { announce: 1, opening: 2, stream: 3, goodbye: 4 } as const

/** Why a frame was skipped. */
export type FrameFault = 'short' | 'magic' | 'version' | 'kind'

/** Greatest length that four bytes of length can say. */
const LENGTH_MAX = 2 ** 28 - 1

/** The header of a frame; one object is used for all frames that come, and one for all that leave. */
export class FrameHeader {
  kind = 0
  /** Stream that the sender chose; greater numbers are newer streams. */
  from = 0
  /** The receiver's stream as the sender knows it; 0: not known. */
  to = 0
  number = 0
  newest = 0
  ack = 0
  wall = 0
  monotonic = 0
  echo = -1
  held = 0

  /** Reads a header; says what is wrong with it, or null. */
  read(frame: Buffer): FrameFault | null {
    if (frame.length < HEADER_BYTES) return 'short'
    if (frame.readUInt16BE(0) !== MAGIC) return 'magic'
    if (frame[2] !== FRAME_VERSION) return 'version'
    this.kind = frame[3]
    if (this.kind < KIND.announce || this.kind > KIND.goodbye) return 'kind'
    this.from = frame.readUInt32BE(36)
    this.to = frame.readUInt32BE(40)
    this.number = frame.readUIntBE(44, 6)
    this.newest = frame.readUIntBE(50, 6)
    this.ack = frame.readUIntBE(56, 6)
    this.wall = frame.readUIntBE(62, 6)
    this.monotonic = frame.readDoubleBE(68)
    this.echo = frame.readDoubleBE(76)
    this.held = frame.readFloatBE(84)
    return null
  }

  /** Writes the header at `at`. `source` and `destination` are incarnations; null: everybody. */
  write(frame: Buffer, at: number, source: Buffer, destination: Buffer | null): void {
    frame.writeUInt16BE(MAGIC, at)
    frame[at + 2] = FRAME_VERSION
    frame[at + 3] = this.kind
    frame.set(source, at + 4)
    if (destination === null) frame.fill(0, at + 20, at + 36)
    else frame.set(destination, at + 20)
    frame.writeUInt32BE(this.from, at + 36)
    frame.writeUInt32BE(this.to, at + 40)
    frame.writeUIntBE(this.number, at + 44, 6)
    frame.writeUIntBE(this.newest, at + 50, 6)
    frame.writeUIntBE(this.ack, at + 56, 6)
    frame.writeUIntBE(this.wall, at + 62, 6)
    frame.writeDoubleBE(this.monotonic, at + 68)
    frame.writeDoubleBE(this.echo, at + 76)
    frame.writeFloatBE(this.held, at + 84)
  }
}

/** Bytes of an entry before its body. */
export function entryOverhead(length: number): number {
  return length < 0x80 ? 3 : length < 0x4000 ? 4 : length < 0x20_0000 ? 5 : 6
}

/** Writes type and length of an entry at `at`; returns where its body goes. */
export function writeEntry(frame: Buffer, at: number, type: number, length: number): number {
  frame[at] = type >>> 8
  frame[at + 1] = type
  let end = at + 2
  let rest = length
  while (rest >= 0x80) {
    frame[end++] = (rest & 0x7f) | 0x80
    rest >>>= 7
  }
  frame[end++] = rest
  return end
}

/** Steps through the entries of a frame without copying: `next()`, then `type`, `start`, `end`. */
export class EntryReader {
  type = 0
  start = 0
  end = 0
  #frame: Buffer = Buffer.alloc(0)

  open(frame: Buffer, at: number): void {
    this.#frame = frame
    this.end = at
  }

  /** Goes to the next entry; false at the end of the frame, and -1 as `end` when the frame is not whole. */
  next(): boolean {
    const frame = this.#frame
    const at = this.end
    if (at === frame.length) return false
    // Beyond the end of a frame reads give undefined, which counts as 0; the last check finds that.
    let length = frame[at + 2] & 0x7f
    let start = at + 3
    if (frame[at + 2] >= 0x80) {
      length += (frame[at + 3] & 0x7f) << 7
      start++
      if (frame[at + 3] >= 0x80) {
        length += (frame[at + 4] & 0x7f) << 14
        start++
        if (frame[at + 4] >= 0x80) {
          length += (frame[at + 5] & 0x7f) << 21
          start++
        }
      }
    }
    if (start + length > frame.length || length > LENGTH_MAX) {
      this.end = -1
      return false
    }
    this.type = (frame[at] << 8) | frame[at + 1]
    this.start = start
    this.end = start + length
    return true
  }
}

/** Bytes of a range of missing numbers. */
export const RANGE_BYTES = 12

/** Calls `each` for every range of missing numbers in a frame's body; false: it is not whole. */
export function readRanges(frame: Buffer, each: (first: number, last: number) => void): boolean {
  if ((frame.length - HEADER_BYTES) % RANGE_BYTES !== 0) return false
  for (let at = HEADER_BYTES; at < frame.length; at += RANGE_BYTES)
    each(frame.readUIntBE(at, 6), frame.readUIntBE(at + 6, 6))
  return true
}

/** A MemberInfo as the body of a frame. */
export function encodeInfo(info: MemberInfo): Buffer {
  return Buffer.from(JSON.stringify(info))
}

/** The MemberInfo in a frame's body; null: it is none. */
export function decodeInfo(frame: Buffer): MemberInfo | null {
  let value: unknown
  try {
    value = JSON.parse(frame.toString('utf8', HEADER_BYTES))
  } catch {
    return null
  }
  if (typeof value !== 'object' || value === null) return null
  const { incarnation, name, dc, version, protocol } = value as Record<string, unknown>
  if (typeof incarnation !== 'string' || !/^[0-9a-f]{32}$/.test(incarnation)) return null
  if (typeof name !== 'string' || typeof dc !== 'string' || typeof version !== 'string') return null
  if (typeof protocol !== 'number') return null
  return { incarnation, name, dc, version, protocol }
}
