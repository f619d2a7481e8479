import type { Batch, Conditional, Range, Store } from '#platform/store/store.ts'
import type { AnyTable, KeyOf, PartitionOf, RowOf } from '#platform/store/table.ts'

/** A process's way to a store: its writes may wait until the test lets them through, and end with the process. */
export class SlowStore implements Store {
  readonly #inner: Store
  #held = false
  #dead = false
  #waiting: (() => void)[] = []

  constructor(inner: Store) {
    this.#inner = inner
  }

  hold(): void {
    this.#held = true
  }

  /** Lets `count` writes through, or all of them from now on. */
  release(count = Number.POSITIVE_INFINITY): void {
    if (count === Number.POSITIVE_INFINITY) this.#held = false
    for (const go of this.#waiting.splice(0, count)) go()
  }

  /** The process is no more: what waits is never written. */
  die(): void {
    this.#dead = true
    this.#waiting = []
  }

  /** Writes that wait. */
  get waiting(): number {
    return this.#waiting.length
  }

  async write(batch: Batch): Promise<void> {
    if (this.#held || this.#dead) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    await this.#inner.write(batch)
  }

  get<T extends AnyTable>(table: T, key: KeyOf<T>): Promise<RowOf<T> | undefined> {
    return this.#inner.get(table, key)
  }

  range<T extends AnyTable>(table: T, partition: PartitionOf<T>, range: Range<T>): Promise<RowOf<T>[]> {
    return this.#inner.range(table, partition, range)
  }

  putIf<T extends AnyTable>(
    table: T,
    row: RowOf<T>,
    column: keyof T['columns'] & string,
    expected: string | number | boolean | undefined,
  ): Promise<Conditional> {
    return this.#inner.putIf(table, row, column, expected)
  }

  scan<T extends AnyTable>(
    table: T,
    cursor: string | null,
    limit: number,
  ): Promise<{ rows: RowOf<T>[]; cursor: string | null }> {
    return this.#inner.scan(table, cursor, limit)
  }

  /** The store itself stays: what comes after a crash opens it again. */
  async close(): Promise<void> {}
}
