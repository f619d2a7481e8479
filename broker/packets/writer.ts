import { MAX_VARIABLE_BYTE_INTEGER, remainingLengthBytes } from './fixed-header.ts'

const MAX_FIELD = 65_535

/** Bytes that a string takes with its length prefix. Throws RangeError above 65,535 bytes (1.5.4). */
export function stringSize(value: string): number {
  return fieldSize(Buffer.byteLength(value))
}

/** Bytes that binary data takes with its length prefix. Throws RangeError above 65,535 bytes (1.5.6). */
export function binarySize(value: Uint8Array): number {
  return fieldSize(value.length)
}

function fieldSize(length: number): number {
  if (length > MAX_FIELD) throw new RangeError(`a field of ${length} bytes exceeds ${MAX_FIELD}`)
  return length + 2
}

/** Writes one packet into a buffer of its exact size. */
export class Writer {
  readonly buf: Buffer
  private at: number

  /** Begins a packet: first byte and remaining length are written. Throws RangeError if the body is too long for MQTT. */
  constructor(type: number, flags: number, bodySize: number) {
    if (bodySize > MAX_VARIABLE_BYTE_INTEGER) {
      throw new RangeError(`a packet body of ${bodySize} bytes exceeds ${MAX_VARIABLE_BYTE_INTEGER}`)
    }
    this.buf = Buffer.allocUnsafe(1 + remainingLengthBytes(bodySize) + bodySize)
    this.buf[0] = (type << 4) | flags
    this.at = 1
    this.variableByteInteger(bodySize)
  }

  u8(value: number): void {
    this.buf[this.at++] = value
  }

  u16(value: number): void {
    this.buf[this.at++] = value >>> 8
    this.buf[this.at++] = value
  }

  u32(value: number): void {
    this.at = this.buf.writeUInt32BE(value, this.at)
  }

  variableByteInteger(value: number): void {
    let rest = value
    while (rest > 0x7f) {
      this.buf[this.at++] = (rest & 0x7f) | 0x80
      rest >>>= 7
    }
    this.buf[this.at++] = rest
  }

  string(value: string): void {
    const length = this.buf.write(value, this.at + 2)
    this.u16(length)
    this.at += length
  }

  binary(value: Uint8Array): void {
    this.u16(value.length)
    this.bytes(value)
  }

  bytes(value: Uint8Array): void {
    this.buf.set(value, this.at)
    this.at += value.length
  }
}
