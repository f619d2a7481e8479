/** Time as the code sees it; the simulator and unit tests bring their own. */
export interface Clock {
  /** Wall clock, milliseconds since 1970. */
  now(): number
}

export const systemClock: Clock = { now: () => Date.now() }

/**
 * Hybrid logical clock: milliseconds times 1024 plus a counter, one safe integer (until the year 2248) that never
 * repeats or goes back within a process, even when the wall clock does.
 * (Kulkarni et al., "Logical Physical Clocks", 2014.)
 */
export class HybridClock {
  #last = 0
  readonly #clock: Clock
  /** Where this process begins in each millisecond, so that two seldom give the same stamp; 0 to 1023. */
  salt = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** A stamp greater than every one given or seen before. */
  next(): number {
    this.#last = Math.max(this.#last + 1, this.#clock.now() * 1024 + this.salt)
    return this.#last
  }

  /** Makes later stamps greater than `stamp`, which came from elsewhere or from before a restart. */
  see(stamp: number): void {
    if (stamp > this.#last) this.#last = stamp
  }
}
