import { pino } from 'pino'
import { openLmdbStore } from '#platform/store/lmdb/store.ts'
import { Batch } from '#platform/store/store.ts'
import { inbox } from '#platform/store/tables.ts'

/** `node busy-child.ts DIRECTORY`: writes batches of a hundred rows until it is killed. */
const store = await openLmdbStore({ directory: process.argv[2], log: pino({ level: 'silent' }) })
const day = Math.floor(Date.now() / 86_400_000)
for (let round = 0; ; round++) {
  const batch = new Batch()
  for (let n = 0; n < 100; n++) {
    const log = Buffer.from(`l${n}`)
    batch.put(inbox, { org: 'o', log, day, writer: Buffer.from('w'), seq: round, message: Buffer.alloc(100) })
  }
  await store.write(batch)
  if (round === 20) process.stdout.write('writing\n')
}
