/** Bytes appended one after the other; it grows as needed. */
export class ByteWriter {
  #buffer = Buffer.allocUnsafe(256)
  #length = 0

  byte(value: number): void {
    this.#reserve(1)
    this.#buffer[this.#length++] = value
  }

  /** A whole number from 0 to 2^53 - 1, seven bits a byte, the lowest first. */
  varint(value: number): void {
    this.#reserve(8)
    let rest = value
    while (rest > 127) {
      this.#buffer[this.#length++] = (rest % 128) + 128
      rest = Math.floor(rest / 128)
    }
    this.#buffer[this.#length++] = rest
  }

  /** A whole number of either sign, small ones short. */
  signed(value: number): void {
    this.varint(value < 0 ? -value * 2 - 1 : value * 2)
  }

  double(value: number): void {
    this.#reserve(8)
    this.#length = this.#buffer.writeDoubleLE(value, this.#length)
  }

  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length)
    this.#buffer.set(bytes, this.#length)
    this.#length += bytes.length
  }

  bytes(): Uint8Array {
    return Buffer.from(this.#buffer.subarray(0, this.#length))
  }

  #reserve(room: number): void {
    if (this.#length + room <= this.#buffer.length) return
    const larger = Buffer.allocUnsafe((this.#length + room) * 2)
    this.#buffer.copy(larger, 0, 0, this.#length)
    this.#buffer = larger
  }
}

/** Reads what a ByteWriter wrote. RangeError: there is less than asked for. */
export class ByteReader {
  at = 0
  readonly #buffer: Buffer

  constructor(bytes: Uint8Array) {
    this.#buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  }

  get ended(): boolean {
    return this.at >= this.#buffer.length
  }

  byte(): number {
    if (this.ended) throw new RangeError('bytes are missing')
    return this.#buffer[this.at++]
  }

  varint(): number {
    let value = 0
    let factor = 1
    for (;;) {
      const byte = this.byte()
      if (byte < 128) return value + byte * factor
      value += (byte - 128) * factor
      factor *= 128
    }
  }

  signed(): number {
    const value = this.varint()
    return value % 2 === 1 ? -(value + 1) / 2 : value / 2
  }

  double(): number {
    const value = this.#buffer.readDoubleLE(this.at)
    this.at += 8
    return value
  }

  text(length: number): string {
    if (this.at + length > this.#buffer.length) throw new RangeError('bytes are missing')
    const text = this.#buffer.toString('utf8', this.at, this.at + length)
    this.at += length
    return text
  }
}
