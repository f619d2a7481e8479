import { randomBytes } from 'node:crypto'
import { z } from 'zod'
import { BackupError } from './backup-error.ts'
import { type Manifest, manifestSchema } from './manifest.ts'
import type { ObjectStore } from './object-store.ts'
import type { Seal } from './seal.ts'

const markKey = 'repository.json'
const chunkPrefix = 'chunks/'
const manifestPrefix = 'manifests/'
const idPattern = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z-[0-9a-f]{8}$/

/** In the clear: whose key the rest needs. */
const mark = z.object({ format: z.number(), keyCheck: z.string() })

/** A backup as its name tells of it, without the key. */
export interface BackupName {
  readonly id: string
  /** Milliseconds since 1970, whole seconds. */
  readonly taken: number
}

/**
 * Backups in a storage:
 *
 * - `repository.json`: format, and a check of the key
 * - `manifests/TIME-RANDOM`: a backup, written last: without it there is none
 * - `chunks/XX/NAME`: contents by their names (restic's and Cassandra Medusa's way: what is there is not put again)
 * - `locks/`: who is at work
 */
export class Repository {
  readonly store: ObjectStore
  readonly #seal: Seal

  private constructor(store: ObjectStore, seal: Seal) {
    this.store = store
    this.#seal = seal
  }

  /** @throws BackupError `missing`, `key`, `version`; ObjectStoreError */
  static async open(store: ObjectStore, seal: Seal): Promise<Repository> {
    const bytes = await store.get(markKey)
    if (bytes === undefined) {
      throw new BackupError(
        'missing',
        `${store.name} has no repository of backups: is it the right place, and mounted? \`cinque backup init\` makes one`,
      )
    }
    let found: z.output<typeof mark>
    try {
      found = mark.parse(JSON.parse(bytes.toString()))
    } catch (error) {
      throw new BackupError('corrupt', `${store.name}: ${markKey} is damaged: it was cut off or altered`, {
        cause: error,
      })
    }
    if (found.format !== 1)
      throw new BackupError('version', `${store.name} has format ${found.format}: upgrade the program`)
    if (found.keyCheck !== seal.check)
      throw new BackupError('key', `${store.name}: the backups were made with another key`)
    return new Repository(store, seal)
  }

  /** Makes an empty one; one that is there with this key is opened. BackupError `key`: it has another. */
  static async init(store: ObjectStore, seal: Seal): Promise<Repository> {
    if ((await store.get(markKey)) === undefined)
      await store.put(markKey, Buffer.from(`${JSON.stringify({ format: 1, keyCheck: seal.check })}\n`))
    return Repository.open(store, seal)
  }

  /** Backups that are whole, the oldest first. */
  async backups(): Promise<BackupName[]> {
    const found: BackupName[] = []
    for await (const { key } of this.store.list(manifestPrefix)) {
      const id = key.slice(manifestPrefix.length)
      const taken = takenOf(id)
      if (taken !== null) found.push({ id, taken })
    }
    return found.toSorted((one, other) => one.taken - other.taken || (one.id < other.id ? -1 : 1))
  }

  /** @throws BackupError `missing`, `corrupt`, `version` */
  async manifest(id: string): Promise<Manifest> {
    const known = takenOf(id) === null ? undefined : await this.store.get(manifestPrefix + id)
    if (known === undefined)
      throw new BackupError(
        'missing',
        `${this.store.name} has no backup ${id}; \`cinque backup list\` shows them`,
      )
    const text = (await this.#seal.open(manifestPrefix + id, known)).toString()
    const result = manifestSchema.safeParse(JSON.parse(text))
    if (result.success) return result.data
    throw new BackupError('version', `backup ${id} was made by another version: use that program`)
  }

  /** The newest of `ids`, or of all. BackupError `missing`: there is none. */
  async newest(): Promise<Manifest> {
    const last = (await this.backups()).at(-1)
    if (last === undefined) throw new BackupError('missing', `${this.store.name} has no backup yet`)
    return this.manifest(last.id)
  }

  /** Makes the backup be. All its chunks must be there. */
  async commit(manifest: Manifest): Promise<void> {
    const name = manifestPrefix + manifest.id
    const bytes = Buffer.from(JSON.stringify(manifest))
    await this.store.put(name, await this.#seal.seal(name, bytes, true))
  }

  /** Forgets a backup; its chunks stay until they are swept. */
  forget(id: string): Promise<void> {
    return this.store.delete(manifestPrefix + id)
  }

  /** Names of all chunks that are there. */
  async chunks(): Promise<Set<string>> {
    const names = new Set<string>()
    for await (const { key } of this.store.list(chunkPrefix)) names.add(key.slice(key.lastIndexOf('/') + 1))
    return names
  }

  nameOf(bytes: Uint8Array): string {
    return this.#seal.nameOf(bytes)
  }

  /** Returns the bytes that it takes. */
  async putChunk(name: string, bytes: Uint8Array, press: boolean): Promise<number> {
    const key = chunkKey(name)
    const sealed = await this.#seal.seal(key, bytes, press)
    await this.store.put(key, sealed)
    return sealed.length
  }

  /** @throws BackupError `corrupt` that names the object: missing, cut off, altered */
  async getChunk(name: string): Promise<Buffer> {
    const key = chunkKey(name)
    const sealed = await this.store.get(key)
    if (sealed === undefined) throw new BackupError('corrupt', `${key} is missing`)
    const bytes = await this.#seal.open(key, sealed)
    if (this.#seal.nameOf(bytes) !== name) throw new BackupError('corrupt', `${key} is another's content`)
    return bytes
  }

  deleteChunk(name: string): Promise<void> {
    return this.store.delete(chunkKey(name))
  }
}

/** A name for a backup that is taken now. */
export function newBackupId(taken: number): string {
  const time = new Date(taken).toISOString().replace(/[-:]|\.\d{3}/g, '')
  return `${time}-${randomBytes(4).toString('hex')}`
}

function takenOf(id: string): number | null {
  const match = idPattern.exec(id)
  if (match === null) return null
  const [, year, month, day, hour, minute, second] = match
  return Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`)
}

function chunkKey(name: string): string {
  return `${chunkPrefix}${name.slice(0, 2)}/${name}`
}
