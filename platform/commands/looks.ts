/** How often it is looked whether something is due. */
export const lookMs = 1000

/** What is looked at again at a time, to the second. One thing has one time. */
export class Looks<T extends { second: number }> {
  readonly #seconds = new Map<number, Set<T>>()
  #last = 0

  /** `time`: milliseconds since 1970; one that has passed is due at the next look. */
  at(thing: T, time: number): void {
    const second = Math.max(Math.ceil(time / lookMs), this.#last + 1)
    if (thing.second === second) return
    this.cancel(thing)
    thing.second = second
    const due = this.#seconds.get(second)
    if (due === undefined) this.#seconds.set(second, new Set([thing]))
    else due.add(thing)
  }

  cancel(thing: T): void {
    const due = this.#seconds.get(thing.second)
    due?.delete(thing)
    if (due?.size === 0) this.#seconds.delete(thing.second)
    thing.second = 0
  }

  /** Gives what is due to `look`. */
  due(now: number, look: (thing: T) => void): void {
    this.#last = Math.floor(now / lookMs)
    for (const [second, things] of this.#seconds) {
      if (second > this.#last) continue
      this.#seconds.delete(second)
      for (const thing of things) {
        thing.second = 0
        look(thing)
      }
    }
  }
}
