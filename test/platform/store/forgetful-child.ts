import { MemoryStore } from '#platform/store/memory.ts'
import { Batch } from '#platform/store/store.ts'
import { openLmdbStore } from '#platform/store/lmdb/store.ts'
import { silent } from './lmdb-fixture.ts'
import { single } from './tables.ts'

const batch = new Batch()
batch.put(single, { id: 'a' })
await new MemoryStore().write(batch)
await (await openLmdbStore({ directory: process.argv[2], log: silent })).write(batch)
