/** An acknowledgement that waits for the disk, or behind one that does. */
export interface PendingAck {
  /** First byte of the packet: PUBACK, PUBREC, PUBCOMP. */
  readonly first: number
  readonly packetId: number
  reason: number
  /** Durable when the group commit has come this far; Infinity while it is not known yet. */
  ticket: number
}

/** Acknowledgements of one connection, sent in the order of their PUBLISH packets [MQTT-4.6.0-2], [MQTT-4.6.0-3]. */
export class AckQueue {
  #items: PendingAck[] = []
  #head = 0

  /** How many of them are PUBACKs. */
  pubacks = 0

  get length(): number {
    return this.#items.length - this.#head
  }

  push(ack: PendingAck): void {
    if (ack.first === 0x40) this.pubacks++
    this.#items.push(ack)
  }

  /** The oldest one if it is durable. */
  shift(through: number): PendingAck | undefined {
    const ack = this.#items[this.#head]
    if (ack === undefined || ack.ticket > through) return undefined
    if (ack.first === 0x40) this.pubacks--
    this.#head++
    if (this.#head === this.#items.length) {
      this.#items = []
      this.#head = 0
    } else if (this.#head > 1024 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head)
      this.#head = 0
    }
    return ack
  }
}
