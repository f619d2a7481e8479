import { MemoryStore } from '#platform/store/memory.ts'
import { Batch, type Store, StoreError } from '#platform/store/store.ts'
import { everyTable } from '#platform/tables.ts'

/** A DC's side of a store that all share, as long as nothing is cut. */
export interface Side {
  readonly store: Store
  /**
   * From now on the DC is alone: it sees what it had, keeps what it writes to itself, and has no majority for conditional
   * writes.
   */
  cut(): Promise<void>
  /** What it has written meanwhile is forgotten. */
  heal(): void
}

export function sideOf(shared: MemoryStore): Side {
  let own: MemoryStore | null = null
  const at = (): MemoryStore => own ?? shared
  const store: Store = {
    get: (table, key) => at().get(table, key),
    range: (table, partition, range) => at().range(table, partition, range),
    write: (batch) => at().write(batch),
    putIf: (table, row, column, expected) =>
      own === null
        ? shared.putIf(table, row, column, expected)
        : Promise.reject(new StoreError('unavailable', 'no majority of all replicas answers')),
    scan: (table, cursor, limit) => at().scan(table, cursor, limit),
    close: () => Promise.resolve(),
  }
  return {
    store,
    async cut() {
      const copy = new MemoryStore({})
      for (const table of everyTable) {
        // oxlint-disable-next-line no-await-in-loop -- one table after the other
        const { rows } = await shared.scan(table, null, 10_000)
        const batch = new Batch()
        for (const row of rows) batch.put(table, row)
        // oxlint-disable-next-line no-await-in-loop
        if (rows.length > 0) await copy.write(batch)
      }
      own = copy
    },
    heal: () => void (own = null),
  }
}
