/**
 * Timers by wheel: everything that waits (keep-alive, session expiry, will delay) sits in the bucket of the tick
 * at which it is due, so that 100 k connections cost one timer. Resolution: one tick.
 */
export interface Timed {
  /** Called once, at or after the time asked for. */
  due(): void
}

export const TICK_MS = 250

export class Wheel {
  /** Ticks since the start; advanced by `advance`. */
  now = 0
  readonly #buckets = new Map<number, Set<Timed>>()

  /**
   * Calls `item.due()` after `ms`; returns the tick, which `cancel` wants. An item may wait at several ticks. The tick
   * under way may be all but over, so it does not count: a will must not come before its delay [MQTT-3.1.3-9].
   */
  after(ms: number, item: Timed): number {
    const tick = this.now + 1 + Math.ceil(ms / TICK_MS)
    const bucket = this.#buckets.get(tick)
    if (bucket === undefined) this.#buckets.set(tick, new Set([item]))
    else bucket.add(item)
    return tick
  }

  cancel(tick: number, item: Timed): void {
    const bucket = this.#buckets.get(tick)
    if (bucket?.delete(item) && bucket.size === 0) this.#buckets.delete(tick)
  }

  /** Goes on to `tick`, calling what is due, in order of time. */
  advance(tick: number): void {
    while (this.now < tick) {
      this.now++
      const bucket = this.#buckets.get(this.now)
      if (bucket === undefined) continue
      this.#buckets.delete(this.now)
      for (const item of bucket) item.due()
    }
  }
}
