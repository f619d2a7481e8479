const MOST = 65_535
/** Identifiers released at a time. */
const AT_A_TIME = 64

interface Used {
  has(id: number): boolean
}

/** Gives out the packet identifiers of one session, round and round. */
export class PacketIds {
  /** The newest. */
  last = 0
  /**
   * So many of the next ones the client may still hold for messages of QoS 2 of which nothing is known here: it would take a
   * new message for the old one. Each has to be released first.
   */
  doubtful = 0
  /** So many of the next ones the client has released. */
  #released = 0
  /** So many of them it was told to release, and which the last one is; 0: none. */
  #asked = 0
  #lastAsked = 0

  /** Which ones another holder has given out is not known. */
  doubt(): void {
    this.doubtful = MOST
    this.forget()
  }

  /** The connection is gone: what was asked of the client may not have reached it. */
  forget(): void {
    this.#released = 0
    this.#asked = 0
    this.#lastAsked = 0
  }

  /** One can be given out now. */
  ready(used: Used): boolean {
    while (this.#released > 0 && used.has(following(this.last))) this.#step()
    return this.doubtful === 0 || this.#released > 0
  }

  /** The next one; only when it is ready. */
  next(used: Used): number {
    do this.#step()
    while (used.has(this.last))
    return this.last
  }

  /** Those that the client has to release now. */
  toRelease(used: Used): number[] {
    if (this.#asked > 0 || this.ready(used)) return []
    this.#asked = Math.min(AT_A_TIME, this.doubtful)
    const ids: number[] = []
    for (let n = 0, id = this.last; n < this.#asked; n++) if (!used.has((id = following(id)))) ids.push(id)
    this.#lastAsked = ids.at(-1) ?? 0
    if (ids.length === 0) this.#allReleased()
    return ids
  }

  /** The client has released one; true: and all those before it. */
  released(id: number): boolean {
    if (this.#asked === 0 || id !== this.#lastAsked) return false
    this.#allReleased()
    return true
  }

  #allReleased(): void {
    const released = this.#asked
    this.forget()
    this.#released = released
  }

  #step(): void {
    this.last = following(this.last)
    if (this.doubtful > 0) this.doubtful--
    if (this.#released > 0) this.#released--
  }
}

function following(id: number): number {
  return id === MOST ? 1 : id + 1
}
