import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { type LmdbOptions, openLmdbStore } from '#platform/store/lmdb/store.ts'
import type { LmdbStore } from '#platform/store/lmdb/lmdb-store.ts'

export const silent = pino({ level: 'silent' })

/** Directories and stores of one test, removed by `clean`. */
export class LmdbFixture {
  readonly #directories: string[] = []
  readonly #stores: LmdbStore[] = []

  directory(): string {
    const directory = mkdtempSync(join(tmpdir(), 'cinque-store-'))
    this.#directories.push(directory)
    return directory
  }

  async open(directory: string, options: Partial<LmdbOptions> = {}): Promise<LmdbStore> {
    const store = await openLmdbStore({ directory, log: silent, ...options })
    this.#stores.push(store)
    return store
  }

  async clean(): Promise<void> {
    await Promise.all(this.#stores.splice(0).map((store) => store.close()))
    for (const directory of this.#directories.splice(0)) rmSync(directory, { recursive: true, force: true })
  }
}
