/** How long it is remembered that something is gone: longer than rows of an inbox live. */
const KEEP_MS = 10 * 86_400_000
/** Beyond this many the oldest are forgotten. */
const MOST = 1_000_000

/** What was deleted, with its stamp, so that an older row of it does not bring it back. */
export class Marks {
  readonly #stamps = new Map<string, number>()

  /** Remembers that what `key` names was deleted at `stamp`. */
  set(key: string, stamp: number): void {
    // Later ones come behind, so the first is the oldest, about.
    this.#stamps.delete(key)
    this.#stamps.set(key, stamp)
    if (this.#stamps.size > MOST)
      for (const oldest of this.#stamps.keys()) return void this.#stamps.delete(oldest)
  }

  /** Stamp of the deletion; 0: none is known. */
  get(key: string): number {
    return this.#stamps.get(key) ?? 0
  }

  delete(key: string): void {
    this.#stamps.delete(key)
  }

  entries(): Iterable<[string, number]> {
    return this.#stamps
  }

  /** Forgets those older than anything that could come back. `now`: milliseconds since 1970. */
  sweep(now: number): void {
    const oldest = (now - KEEP_MS) * 1024
    for (const [key, stamp] of this.#stamps) {
      if (stamp >= oldest) return
      this.#stamps.delete(key)
    }
  }
}
