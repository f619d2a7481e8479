import { decodeRemainingLength, remainingLengthBytes } from './fixed-header.ts'
import { PacketError } from './packet-error.ts'
import { ReasonCode } from './reason-code.ts'
import { readString } from './utf8.ts'

/** Reads a packet's fields in order from [at, end); whatever would reach beyond throws PacketError. */
export class Reader {
  readonly buf: Buffer
  at: number
  end: number

  constructor(buf: Buffer, from: number, to: number) {
    this.buf = buf
    this.at = from
    this.end = to
  }

  /** Moves past `count` bytes and returns where they began. */
  private take(count: number): number {
    const from = this.at
    if (count > this.end - from) {
      throw new PacketError(ReasonCode.MalformedPacket, 'MQTT-4.13.1-1', 'the packet ends inside a field')
    }
    this.at = from + count
    return from
  }

  u8(): number {
    return this.buf[this.take(1)]
  }

  u16(): number {
    const at = this.take(2)
    return (this.buf[at] << 8) | this.buf[at + 1]
  }

  u32(): number {
    const at = this.take(4)
    return this.u16At(at) * 0x1_0000 + this.u16At(at + 2)
  }

  private u16At(at: number): number {
    return (this.buf[at] << 8) | this.buf[at + 1]
  }

  variableByteInteger(): number {
    const value = decodeRemainingLength(this.buf, this.at, this.end)
    this.take(value === -1 ? this.end - this.at + 1 : remainingLengthBytes(value))
    return value
  }

  string(): string {
    const length = this.u16()
    const from = this.take(length)
    return readString(this.buf, from, from + length)
  }

  /** Binary data (1.5.6), copied: what is read this way outlives the bytes that came in. */
  binary(): Buffer {
    const length = this.u16()
    const from = this.take(length)
    return Buffer.from(this.buf.subarray(from, from + length))
  }

  /** A packet identifier, which is never 0 [MQTT-2.2.1-3]. */
  packetId(): number {
    const id = this.u16()
    if (id === 0) throw new PacketError(ReasonCode.ProtocolError, 'MQTT-2.2.1-3', 'packet identifier 0')
    return id
  }

  get done(): boolean {
    return this.at >= this.end
  }

  /** Throws PacketError if bytes are left over. */
  finish(clause: string): void {
    if (this.at < this.end) {
      throw new PacketError(
        ReasonCode.MalformedPacket,
        clause,
        `${this.end - this.at} bytes too many in the packet`,
      )
    }
  }
}
