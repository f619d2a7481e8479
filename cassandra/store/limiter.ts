import { StoreError } from '#platform/store/store.ts'

/** Requests that may wait for their turn; more than that is an overload, said at once. */
const maxWaiting = 10_000

/** At most so many requests under way at a time: a cluster that is slow is not made slower by more of them. */
export class Limiter {
  readonly max: number
  #running = 0
  #waiting: { go: () => void; fail: (error: StoreError) => void }[] = []

  constructor(max: number) {
    this.max = max
  }

  get running(): number {
    return this.#running
  }

  /** StoreError `unavailable` when too many wait already, or what `failWaiting` says. */
  async run<T>(request: () => Promise<T>): Promise<T> {
    if (this.#running < this.max) this.#running++
    else {
      if (this.#waiting.length >= maxWaiting) {
        throw new StoreError(
          'unavailable',
          `Cassandra is too slow: ${maxWaiting} requests wait for their turn`,
        )
      }
      // Who ends hands his place over, so the number of those that run stays.
      await new Promise<void>((go, fail) => this.#waiting.push({ go, fail }))
    }
    try {
      return await request()
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#running--
      else next.go()
    }
  }

  /** In an outage those who wait for their turn need not see for themselves. */
  failWaiting(error: StoreError): void {
    for (const { fail } of this.#waiting.splice(0)) fail(error)
  }
}
