import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { DirectoryStore } from '#platform/backup/directory-store.ts'
import type { Manifest } from '#platform/backup/manifest.ts'
import type { ObjectStore } from '#platform/backup/object-store.ts'
import { Repository } from '#platform/backup/repository.ts'
import { Seal } from '#platform/backup/seal.ts'
import { takeBackup } from '#platform/backup/take.ts'
import { silent } from '../store/lmdb-fixture.ts'

export const seal = new Seal(Buffer.alloc(32, 7))
const chunkBytes = 1_000

/** A repository in a directory, and files to be backed up in another. */
export class Place {
  readonly storage: string
  readonly files: string
  readonly store: DirectoryStore

  constructor(directory: string) {
    this.storage = join(directory, 'storage')
    this.files = join(directory, 'files')
    mkdirSync(this.storage, { recursive: true })
    mkdirSync(this.files, { recursive: true })
    this.store = new DirectoryStore(this.storage)
  }

  init(): Promise<Repository> {
    return Repository.init(this.store, seal)
  }

  write(name: string, content: string | Uint8Array): void {
    writeFileSync(join(this.files, name), content)
  }

  remove(name: string): void {
    rmSync(join(this.files, name))
  }

  /** All files as units of one table. */
  backUp(
    store: ObjectStore = this.store,
    options: { taken?: number; waitMs?: number } = {},
  ): Promise<Manifest> {
    return Repository.open(store, seal).then((repository) =>
      takeBackup(repository, { log: silent, waitMs: options.waitMs ?? 0 }, async (shipper) => {
        const units = readdirSync(this.files).map((name) => {
          const from = join(this.files, name)
          const bytes = readFileSync(from).length
          return {
            name,
            files: [{ path: name, from, bytes, modified: 1 }],
            chunkBytes,
            press: true,
          }
        })
        return {
          taken: options.taken ?? Date.now(),
          engine: 'lmdb',
          source: 'test',
          tables: [{ name: 't', units: await shipper.shipAll(units) }],
        }
      }),
    )
  }

  /** Paths of stored chunks, within the storage. */
  chunks(): string[] {
    return readdirSync(join(this.storage, 'chunks'), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .toSorted()
  }
}

/** A storage of which some calls are others. */
export function wrapped(store: ObjectStore, other: Partial<ObjectStore>): ObjectStore {
  return {
    name: store.name,
    put: (key, bytes) => store.put(key, bytes),
    get: (key) => store.get(key),
    list: (prefix) => store.list(prefix),
    delete: (key) => store.delete(key),
    ...other,
  }
}
