/** Cuts a byte stream into control packets, so that a test can look at the bytes as they came. */
export class FrameSplitter {
  #rest: Buffer = Buffer.alloc(0)

  /** The packets completed by this chunk. */
  push(chunk: Buffer): Buffer[] {
    this.#rest = Buffer.concat([this.#rest, chunk])
    const frames: Buffer[] = []
    for (let size = frameSize(this.#rest); size !== undefined && size <= this.#rest.length; ) {
      frames.push(Buffer.from(this.#rest.subarray(0, size)))
      this.#rest = this.#rest.subarray(size)
      size = frameSize(this.#rest)
    }
    return frames
  }
}

const frameSize = (bytes: Buffer): number | undefined => {
  let length = 0
  for (let at = 1; at < bytes.length; at++) {
    const byte = bytes[at] ?? 0
    length += (byte & 0x7f) * 128 ** (at - 1)
    if ((byte & 0x80) === 0) return at + 1 + length
    if (at === 4) throw new Error(`the broker sent a malformed remaining length: ${bytes.toString('hex')}`)
  }
  return undefined
}
