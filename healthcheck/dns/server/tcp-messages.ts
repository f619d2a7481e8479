/** Questions are short; what is longer is no question. */
const maxMessage = 4096

/** Takes messages with their length in front (RFC 1035, 4.2.2) out of a stream. */
export class TcpMessages {
  #rest = Buffer.alloc(0)

  /** The messages that are complete now; undefined: one is longer than questions are. */
  push(chunk: Buffer): Buffer[] | undefined {
    let rest = Buffer.concat([this.#rest, chunk])
    const complete: Buffer[] = []
    while (rest.length >= 2) {
      const length = rest.readUInt16BE(0)
      if (length > maxMessage) return undefined
      if (rest.length < 2 + length) break
      complete.push(rest.subarray(2, 2 + length))
      rest = rest.subarray(2 + length)
    }
    this.#rest = rest
    return complete
  }
}
