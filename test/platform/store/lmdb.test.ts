import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { openLmdbStore } from '#platform/store/lmdb/store.ts'
import { storeContract } from './contract.ts'

storeContract({
  name: 'LMDB',
  ordered: true,
  open: async (clock) => {
    const directory = mkdtempSync(join(tmpdir(), 'cinque-store-'))
    const store = await openLmdbStore({ directory, clock, log: pino({ level: 'silent' }) })
    return { store, remove: async () => rmSync(directory, { recursive: true, force: true }) }
  },
})
