import type { Entry } from './progress.ts'

/** Rows of an inbox held in memory beyond those in flight. */
export const MEMORY_ROWS = 512
const MEMORY_BYTES = 262_144

/** Rows in memory that wait for room in flight, the oldest first. Who adds looks first whether it is full. */
export class MemoryQueue {
  #entries: Entry[] = []
  #bytes = 0

  get length(): number {
    return this.#entries.length
  }

  /** What comes now stays in the store. */
  get full(): boolean {
    return this.#entries.length >= MEMORY_ROWS || this.#bytes > MEMORY_BYTES
  }

  /** So few are left that more should be read. */
  get low(): boolean {
    return this.#entries.length < MEMORY_ROWS / 4 && this.#bytes < MEMORY_BYTES / 4
  }

  push(entry: Entry): void {
    this.#entries.push(entry)
    this.#bytes += entry.stored.length
  }

  /** The oldest; undefined: there is none. */
  shift(): Entry | undefined {
    const entry = this.#entries.shift()
    if (entry !== undefined) this.#bytes -= entry.stored.length
    return entry
  }

  clear(): void {
    this.#entries = []
    this.#bytes = 0
  }
}
