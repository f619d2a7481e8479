/** Something that waits for several peers; `then` is called once, when the last of them has settled. */
export class Wait {
  #open = 1
  readonly #then: () => void

  constructor(then: () => void) {
    this.#then = then
  }

  /** One more to wait for. */
  add(): this {
    this.#open++
    return this
  }

  settle(): void {
    if (--this.#open === 0) this.#then()
  }
}

/**
 * Those who wait for one peer: until it has taken what was sent to it, or until a marker has come back. When the stream
 * begins anew they go on waiting for what is sent at its beginning; a peer out of contact holds nobody up.
 */
export class PeerWaits {
  /** Who waits for a number of entries to be taken, in order of these numbers. */
  #taken: { target: number; wait: Wait }[] = []
  /** Who waits for the marker that leaves at the end of this tick. */
  #asking: Wait[] = []
  /** Markers that have not come back, and who waits for each. */
  readonly #echoes = new Map<number, Wait[]>()
  #nextEcho = 1

  /** `wait` settles when `target` entries have been taken. */
  untilTaken(target: number, wait: Wait): void {
    this.#taken.push({ target, wait: wait.add() })
  }

  /** `wait` settles when the next marker comes back. True: it is the first to wait for that one. */
  untilEcho(wait: Wait): boolean {
    return this.#asking.push(wait.add()) === 1
  }

  /** The marker to send now for all who wait for the next one; null: nobody does. */
  nextMarker(): number | null {
    if (this.#asking.length === 0) return null
    const marker = this.#nextEcho++
    this.#echoes.set(marker, this.#asking)
    this.#asking = []
    return marker
  }

  taken(count: number): void {
    while (this.#taken.length > 0 && this.#taken[0].target <= count) this.#taken.shift()?.wait.settle()
  }

  echoed(marker: number): void {
    const waits = this.#echoes.get(marker)
    if (waits === undefined) return
    this.#echoes.delete(marker)
    for (const wait of waits) wait.settle()
  }

  /** The stream has ended: nothing of it will be taken; `renewed` follows, or `release`. */
  interrupted(): void {
    for (const one of this.#taken) one.target = Infinity
  }

  /** A new stream has begun and `sent` entries are in it: these are waited for now. Returns the markers to send again. */
  renewed(sent: number): number[] {
    for (const one of this.#taken) one.target = sent
    return [...this.#echoes.keys()]
  }

  /** Nobody waits for this peer any more. */
  release(): void {
    const taken = this.#taken
    this.#taken = []
    for (const { wait } of taken) wait.settle()
    const echoes = [...this.#echoes.values(), this.#asking]
    this.#echoes.clear()
    this.#asking = []
    for (const waits of echoes) for (const wait of waits) wait.settle()
  }
}
