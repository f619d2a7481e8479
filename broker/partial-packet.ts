/** The beginning of a packet whose rest has not come yet, or packets that must wait for their turn. */
export class PartialPacket {
  #buffer: Buffer
  #length: number
  readonly #needed: number

  /** `needed`: bytes of the whole packet where they are known; else it is looked at with each chunk. */
  constructor(bytes: Buffer, needed: number) {
    // A chunk may be much larger than what is left of it.
    this.#buffer = bytes.length * 4 < bytes.buffer.byteLength ? Buffer.from(bytes) : bytes
    this.#length = bytes.length
    this.#needed = Math.max(needed, bytes.length + 1)
  }

  /** Adds what came; true: there is enough to go on. A packet that comes byte by byte costs no more than twice its bytes. */
  append(chunk: Buffer): boolean {
    const length = this.#length + chunk.length
    if (length > this.#buffer.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(length, Math.min(2 * length, this.#needed)))
      this.#buffer.copy(grown, 0, 0, this.#length)
      this.#buffer = grown
    }
    chunk.copy(this.#buffer, this.#length)
    this.#length = length
    return length >= this.#needed
  }

  get bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length)
  }
}
