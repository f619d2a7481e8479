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
  /** Markers that have not come back. */
  readonly #echoes = new Map<number, Wait>()
  #nextEcho = 1

  get empty(): boolean {
    return this.#taken.length === 0 && this.#echoes.size === 0
  }

  /** `wait` settles when `target` entries have been taken. */
  untilTaken(target: number, wait: Wait): void {
    this.#taken.push({ target, wait: wait.add() })
  }

  /** `wait` settles when the marker returned comes back. */
  untilEcho(wait: Wait): number {
    const marker = this.#nextEcho++
    this.#echoes.set(marker, wait.add())
    return marker
  }

  taken(count: number): void {
    while (this.#taken.length > 0 && this.#taken[0].target <= count) this.#taken.shift()?.wait.settle()
  }

  echoed(marker: number): void {
    const wait = this.#echoes.get(marker)
    this.#echoes.delete(marker)
    wait?.settle()
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
    const echoes = [...this.#echoes.values()]
    this.#echoes.clear()
    for (const wait of echoes) wait.settle()
  }
}
