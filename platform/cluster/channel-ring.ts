/** A frame that was closed and not acknowledged yet. */
export interface KeptFrame {
  readonly bytes: Buffer
  readonly number: number
  /** Entries of the stream up to the end of this frame. */
  readonly through: number
  /** Monotonic time at which it was last put on the bus. */
  sentAt: number
}

/** Memory that a frame takes besides its bytes, about. */
const FRAME_COST = 256

/** Empty places at the front of the list before it is moved. */
const SLACK = 256

/**
 * The frames of one stream that the receiver has not acknowledged: first those on the bus, then those that wait for
 * room in the window. Numbers are contiguous.
 */
export class SendRing {
  /** Memory that all frames take. */
  bytes = 0
  /** Bytes of those on the bus. */
  onWire = 0
  /** Number of the newest frame that was put on the bus. */
  newestSent = 0
  #frames: (KeptFrame | null)[] = []
  #head = 0
  /** Index of the first frame that has not been on the bus. */
  #unsent = 0

  push(frame: KeptFrame): void {
    this.#frames.push(frame)
    this.bytes += frame.bytes.length + FRAME_COST
  }

  /** The next frame to put on the bus; the caller does it. */
  launch(now: number): KeptFrame | null {
    if (this.#unsent === this.#frames.length) return null
    const frame = this.#frames[this.#unsent++]
    if (frame === null) return null
    frame.sentAt = now
    this.onWire += frame.bytes.length
    this.newestSent = frame.number
    return frame
  }

  get waiting(): boolean {
    return this.#unsent < this.#frames.length
  }

  /** Lets go of all frames up to `number`; returns how many entries of the stream have arrived, or -1: no news. */
  acknowledge(number: number): number {
    let through = -1
    while (this.#head < this.#unsent) {
      const frame = this.#frames[this.#head]
      if (frame === null || frame.number > number) break
      through = frame.through
      this.bytes -= frame.bytes.length + FRAME_COST
      this.onWire -= frame.bytes.length
      this.#frames[this.#head++] = null
    }
    if (this.#head === this.#frames.length) {
      this.#frames.length = 0
      this.#head = 0
      this.#unsent = 0
    } else if (this.#head >= SLACK) {
      this.#frames = this.#frames.slice(this.#head)
      this.#unsent -= this.#head
      this.#head = 0
    }
    return through
  }

  /**
   * Calls `send` for the frames from `first` to `last` that were last on the bus before `since`: a younger copy may
   * still be on its way.
   */
  again(first: number, last: number, since: number, now: number, send: (frame: KeptFrame) => void): void {
    const oldest = this.#frames[this.#head]
    if (oldest === undefined || oldest === null) return
    const start = this.#head + Math.max(first - oldest.number, 0)
    const end = Math.min(this.#head + last - oldest.number, this.#unsent - 1)
    for (let i = start; i <= end; i++) {
      const frame = this.#frames[i]
      if (frame === null || frame.sentAt > since) continue
      frame.sentAt = now
      send(frame)
    }
  }

  clear(): void {
    this.bytes = 0
    this.onWire = 0
    this.newestSent = 0
    this.#frames = []
    this.#head = 0
    this.#unsent = 0
  }
}
