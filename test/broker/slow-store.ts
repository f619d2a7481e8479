import { MemoryStore } from '#platform/store/memory.ts'
import type { Batch } from '#platform/store/store.ts'

/** A store in memory whose writes wait until the test lets them through. */
export class SlowStore extends MemoryStore {
  #held = false
  readonly #waiting: (() => void)[] = []

  hold(): void {
    this.#held = true
  }

  /** Lets `count` writes through, or all of them from now on. */
  release(count = Number.POSITIVE_INFINITY): void {
    if (count === Number.POSITIVE_INFINITY) this.#held = false
    for (const go of this.#waiting.splice(0, count)) go()
  }

  /** Writes that wait. */
  get waiting(): number {
    return this.#waiting.length
  }

  override async write(batch: Batch): Promise<void> {
    if (this.#held) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    await super.write(batch)
  }
}
