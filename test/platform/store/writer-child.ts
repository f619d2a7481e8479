import { writeSync } from 'node:fs'
import { openLmdbStore } from '#platform/store/lmdb/store.ts'
import { Batch } from '#platform/store/store.ts'
import { silent } from './lmdb-fixture.ts'
import { numbered, numberedPartitions } from './numbered.ts'

/** Batches on their way at a time. */
const window = 3
const rowsPerBatch = 20

const store = await openLmdbStore({ directory: process.argv[2], log: silent })
let next = 0
for (const partition of numberedPartitions) {
  const [last] = await store.range(numbered, { partition }, { reverse: true, limit: 1 })
  if (last !== undefined) next = Math.max(next, last.n + 1)
}

async function writeOn(): Promise<void> {
  for (;;) {
    const batch = new Batch()
    const first = next
    for (let n = first; n < first + rowsPerBatch; n++) {
      for (const partition of numberedPartitions) {
        batch.put(numbered, { partition, n, value: Buffer.alloc(20 + (n % 7) ** 4, n) })
        // Keep the tree changing: every row but the newest thousand goes again.
        if (n >= 1_000) batch.delete(numbered, { partition, n: n - 1_000 })
      }
    }
    next += rowsPerBatch
    await store.write(batch)
    writeSync(1, `${first + rowsPerBatch - 1}\n`)
  }
}

await Promise.all(Array.from({ length: window }, writeOn))
