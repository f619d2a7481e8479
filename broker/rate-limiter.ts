import { TICK_MS } from './wheel.ts'

/** Token buckets of one client for PUBLISH packets and their bytes; one second's worth may come at once. */
export class RateLimiter {
  readonly #messageRate: number
  readonly #byteRate: number
  #messages: number
  #bytes: number
  #tick = 0

  /** Rates a second; 0: no limit. */
  constructor(messageRate: number, byteRate: number) {
    this.#messageRate = messageRate === 0 ? Number.POSITIVE_INFINITY : messageRate
    this.#byteRate = byteRate === 0 ? Number.POSITIVE_INFINITY : byteRate
    this.#messages = this.#messageRate
    this.#bytes = this.#byteRate
  }

  /** Takes one packet of `bytes` at a tick of the wheel; false: too fast, nothing is taken. */
  take(bytes: number, tick: number): boolean {
    if (!this.allows(bytes, tick)) return false
    this.#messages--
    this.#bytes -= bytes
    return true
  }

  /** Whether `take` would take it. */
  allows(bytes: number, tick: number): boolean {
    if (tick !== this.#tick) {
      const seconds = ((tick - this.#tick) * TICK_MS) / 1000
      this.#tick = tick
      this.#messages = Math.min(this.#messageRate, this.#messages + this.#messageRate * seconds)
      this.#bytes = Math.min(this.#byteRate, this.#bytes + this.#byteRate * seconds)
    }
    // A packet larger than a second's bytes passes when the bucket is full, else never.
    return this.#messages >= 1 && (this.#bytes >= bytes || this.#bytes >= this.#byteRate)
  }
}
