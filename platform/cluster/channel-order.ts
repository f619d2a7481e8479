/** Where a frame stands in its stream. */
export type Place = 'next' | 'seen' | 'ahead'

/** Ranges named in one request; more wait for the next one. */
const RANGES_MAX = 64
/** Numbers looked ahead; a window of the smallest frames has fewer. */
const AHEAD_MAX = 1 << 16

/** The receiving end of one stream: which number is next, what came too early, what is missing. */
export class ReceiveOrder {
  /** The number that comes next. */
  expected = 1
  /** Newest number that is known to be on the bus. */
  newest = 0
  /** Bytes of frames that came too early and are held. */
  heldBytes = 0
  readonly #held = new Map<number, Buffer>()
  readonly #heldMax: number

  constructor(heldMax: number) {
    this.#heldMax = heldMax
  }

  /** The sender says that frames up to `number` are on the bus. */
  hear(number: number): void {
    if (number > this.newest) this.newest = Math.min(number, this.expected + AHEAD_MAX)
  }

  place(number: number): Place {
    this.hear(number)
    if (number === this.expected) return 'next'
    return number < this.expected || this.#held.has(number) ? 'seen' : 'ahead'
  }

  /** Keeps a copy of a frame that came too early; false: no room, it has to be sent again. */
  hold(number: number, frame: Buffer): boolean {
    if (number > this.newest || this.heldBytes + frame.length > this.#heldMax) return false
    this.#held.set(number, Buffer.from(frame))
    this.heldBytes += frame.length
    return true
  }

  /** The held frame whose turn it is now, taken out; undefined: none. */
  release(): Buffer | undefined {
    const frame = this.#held.get(this.expected)
    if (frame === undefined) return undefined
    this.#held.delete(this.expected)
    this.heldBytes -= frame.length
    return frame
  }

  /** Something that was sent has not come. */
  get gap(): boolean {
    return this.newest >= this.expected
  }

  /** The ranges of numbers from `first` on that have not come. */
  missing(first = this.expected): [first: number, last: number][] {
    const ranges: [number, number][] = []
    let from = Math.max(first, this.expected)
    while (from <= this.newest && ranges.length < RANGES_MAX) {
      while (this.#held.has(from)) from++
      let last = from
      if (this.#held.size === 0) last = this.newest
      else while (last < this.newest && !this.#held.has(last + 1)) last++
      if (from > this.newest) break
      ranges.push([from, last])
      from = last + 1
    }
    return ranges
  }

  clear(): void {
    this.expected = 1
    this.newest = 0
    this.heldBytes = 0
    this.#held.clear()
  }
}
