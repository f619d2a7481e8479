import { MemoryStore } from '#platform/store/memory.ts'
import { type Batch, type Store, StoreError } from '#platform/store/store.ts'
import type { AnyTable, RowOf } from '#platform/store/table.ts'

/**
 * A store as one process sees it, over rows that outlive the process. Writes take as long as the test says; at a crash
 * the one in the air is done or not, and nothing after it.
 */
export class CrashingStore implements Store {
  readonly disk: MemoryStore
  /** Fails the next writes. */
  failing = false
  readonly #pace: () => number
  #crashed = false

  /** `pace`: turns of the event loop that a write takes. */
  constructor(disk: MemoryStore, pace: () => number) {
    this.disk = disk
    this.#pace = pace
  }

  crash(): void {
    this.#crashed = true
  }

  get: Store['get'] = (table, key) => this.disk.get(table, key)
  range: Store['range'] = (table, partition, range) => this.disk.range(table, partition, range)

  scan<T extends AnyTable>(
    table: T,
    cursor: string | null,
    limit: number,
  ): Promise<{ rows: RowOf<T>[]; cursor: string | null }> {
    return this.disk.scan(table, cursor, limit)
  }

  async write(batch: Batch): Promise<void> {
    // Half of the time it takes comes before the rows are there, half of it after.
    await this.#wait(this.#pace())
    if (this.failing) throw new StoreError('full', 'the test says that the disk is full')
    await this.disk.write(batch)
    await this.#wait(this.#pace())
  }

  putIf: Store['putIf'] = (table, row, column, expected) => this.disk.putIf(table, row, column, expected)

  async close(): Promise<void> {}

  async #wait(turns: number): Promise<void> {
    for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve))
    // Nobody is there any more to hear of it.
    if (this.#crashed) await new Promise(() => {})
  }
}
