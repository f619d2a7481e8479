import { Batch, type Conditional, type Range, type Store, StoreError } from '#platform/store/store.ts'
import type { AnyTable, KeyOf, PartitionOf, RowOf } from '#platform/store/table.ts'

/**
 * What happens to a write:
 *
 * | fault    | what is there | what the caller hears       |
 * |----------|---------------|-----------------------------|
 * | `before` | nothing       | rejected                    |
 * | `half`   | the first half | rejected                   |
 * | `after`  | all of it     | rejected (unknown outcome)  |
 * | `held`   | nothing until `release`, then all | resolved |
 */
export type Fault = 'before' | 'half' | 'after' | 'held'

/** A store in front of another that fails as a networked one does. Embedded engines never have unknown outcomes. */
export class FaultyStore implements Store {
  /** Writes asked for so far, failed or not. */
  writes = 0
  /** The error of a failing write. */
  error = new StoreError('unavailable', 'injected')
  readonly #inner: Store
  readonly #faults: (Fault | null)[] = []
  #fate: () => Fault | null = () => null
  readonly #held: (() => void)[] = []

  constructor(inner: Store) {
    this.#inner = inner
  }

  /** Faults of the next writes and conditional puts, in order; null: none. */
  next(...faults: (Fault | null)[]): void {
    this.#faults.push(...faults)
  }

  /** Where no fault is set by `next`: what `fate` says. */
  always(fate: () => Fault | null): void {
    this.#fate = fate
  }

  /** Writes that wait for `release`. */
  get held(): number {
    return this.#held.length
  }

  release(): void {
    for (const go of this.#held.splice(0)) go()
  }

  async write(batch: Batch): Promise<void> {
    const fault = this.#fault()
    if (fault === 'before') throw this.error
    if (fault === 'half') {
      const half = new Batch()
      half.mutations.push(...batch.mutations.slice(0, Math.ceil(batch.size / 2)))
      await this.#inner.write(half)
      throw this.error
    }
    if (fault === 'held') await new Promise<void>((go) => this.#held.push(go))
    await this.#inner.write(batch)
    if (fault === 'after') throw this.error
  }

  async putIf<T extends AnyTable>(
    table: T,
    row: RowOf<T>,
    column: keyof T['columns'] & string,
    expected: string | number | boolean | undefined,
  ): Promise<Conditional> {
    const fault = this.#fault()
    if (fault === 'before') throw this.error
    if (fault === 'held') await new Promise<void>((go) => this.#held.push(go))
    const outcome = await this.#inner.putIf(table, row, column, expected)
    return fault === 'after' || fault === 'half' ? 'unknown' : outcome
  }

  get<T extends AnyTable>(table: T, key: KeyOf<T>): Promise<RowOf<T> | undefined> {
    return this.#inner.get(table, key)
  }

  range<T extends AnyTable>(table: T, partition: PartitionOf<T>, range: Range<T>): Promise<RowOf<T>[]> {
    return this.#inner.range(table, partition, range)
  }

  scan<T extends AnyTable>(
    table: T,
    cursor: string | null,
    limit: number,
  ): Promise<{ rows: RowOf<T>[]; cursor: string | null }> {
    return this.#inner.scan(table, cursor, limit)
  }

  close(): Promise<void> {
    return this.#inner.close()
  }

  #fault(): Fault | null {
    this.writes++
    return this.#faults.shift() ?? this.#fate()
  }
}
