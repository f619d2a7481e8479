/** A half of the window, ms. */
const HALF_MS = 5000

/**
 * By how much another's wall clock is ahead of the own one, from the times in its frames. A frame that was long on its
 * way makes the other clock look late, so that the greatest difference of the last 5 to 10 s is the best.
 */
export class ClockOffset {
  #current = -Infinity
  #previous = -Infinity
  #since = -Infinity

  /** A frame sent at `theirs` (wall clock) came at `ours`; `now` is monotonic. */
  add(theirs: number, ours: number, now: number): void {
    if (now - this.#since > HALF_MS) {
      this.#previous = now - this.#since > 2 * HALF_MS ? -Infinity : this.#current
      this.#current = -Infinity
      this.#since = now
    }
    if (theirs - ours > this.#current) this.#current = theirs - ours
  }

  /** ms, negative when the other is behind; -Infinity: nothing is known. */
  get value(): number {
    return Math.max(this.#current, this.#previous)
  }
}

/**
 * What is wrong with the own clock, by the offsets of the others; null: nothing, or fewer than two others, who could
 * not say which of the clocks is the wrong one.
 */
export function clockTrouble(offsets: number[], most: number): string | null {
  const known = offsets.filter(Number.isFinite)
  if (known.length < 2) return null
  const all = [0, ...known].toSorted((a, b) => a - b)
  const middle = all.length >> 1
  const median = all.length % 2 === 1 ? all[middle] : (all[middle - 1] + all[middle]) / 2
  if (Math.abs(median) <= most) return null
  const seconds = (Math.abs(median) / 1000).toFixed(1)
  return `the clock of this host is ${seconds} s ${median > 0 ? 'behind' : 'ahead of'} the median of ${all.length} members: check its time synchronisation`
}
