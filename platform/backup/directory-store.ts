import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { access, chown, mkdir, open, opendir, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { checkKey, type ObjectStore, ObjectStoreError, type StoredObject } from './object-store.ts'

/** Beside the objects, on the same file system: what is being written. */
const unfinished = '.unfinished'
/** What is older was left by a process that died. */
const abandonedMs = 86_400_000

/** Objects as files of a directory, which must be there: one that is not mounted is not made. */
export class DirectoryStore implements ObjectStore {
  readonly name: string
  readonly #directory: string

  constructor(directory: string) {
    this.name = `directory ${directory}`
    this.#directory = directory
  }

  /** Written beside, flushed, then renamed, and the name flushed too. */
  put(key: string, bytes: Uint8Array): Promise<void> {
    checkKey(key)
    return this.#do(`put ${key}`, async () => {
      const path = join(this.#directory, key)
      await access(this.#directory, constants.W_OK)
      const temporary = join(this.#directory, unfinished, randomBytes(12).toString('hex'))
      await this.#makeDirectory(dirname(temporary))
      try {
        const file = await open(temporary, 'wx', 0o600)
        try {
          await file.writeFile(bytes)
          await file.sync()
        } finally {
          await file.close()
        }
        await this.#give(temporary)
        await this.#makeDirectory(dirname(path))
        await rename(temporary, path)
      } catch (error) {
        await rm(temporary, { force: true })
        throw error
      }
      await syncDirectory(dirname(path))
    })
  }

  get(key: string): Promise<Buffer | undefined> {
    checkKey(key)
    return this.#do(`get ${key}`, async () => {
      try {
        return await readFile(join(this.#directory, key))
      } catch (error) {
        if (codeOf(error) !== 'ENOENT') throw error
        // No object, or no storage?
        await access(this.#directory)
        return undefined
      }
    })
  }

  async *list(prefix: string): AsyncIterable<StoredObject> {
    const at = prefix.lastIndexOf('/')
    const start = at === -1 ? '' : prefix.slice(0, at)
    await this.#do('list', () => access(this.#directory))
    for await (const key of this.#walk(start)) {
      if (!key.startsWith(prefix)) continue
      const found = await this.#do(`list ${key}`, () => statIfThere(join(this.#directory, key)))
      if (found !== undefined) yield { key, bytes: found.size, modified: Math.floor(found.mtimeMs) }
    }
  }

  delete(key: string): Promise<void> {
    checkKey(key)
    return this.#do(`delete ${key}`, async () => {
      await access(this.#directory)
      await rm(join(this.#directory, key), { force: true })
    })
  }

  /** Removes what processes that died have left half written. */
  tidy(now: number): Promise<void> {
    return this.#do('tidy', async () => {
      const directory = join(this.#directory, unfinished)
      for (const name of await readdir(directory).catch(() => [])) {
        const found = await statIfThere(join(directory, name))
        if (found !== undefined && found.mtimeMs < now - abandonedMs)
          await rm(join(directory, name), { force: true })
      }
    })
  }

  async #makeDirectory(path: string): Promise<void> {
    const first = await mkdir(path, { recursive: true, mode: 0o700 })
    if (first === undefined) return
    // oxlint-disable-next-line no-await-in-loop -- two at most
    for (let at = path; at.length >= first.length; at = dirname(at)) await this.#give(at)
  }

  /** What root puts there by hand belongs to whom the directory does, who would be locked out otherwise. */
  async #give(path: string): Promise<void> {
    if (process.getuid?.() !== 0) return
    const { uid, gid } = await stat(this.#directory)
    if (uid !== 0) await chown(path, uid, gid)
  }

  async *#walk(below: string): AsyncIterable<string> {
    const directory = await this.#do('list', async () => {
      try {
        return await opendir(join(this.#directory, below))
      } catch (error) {
        if (codeOf(error) === 'ENOENT') return null
        throw error
      }
    })
    if (directory === null) return
    for await (const entry of directory) {
      if (entry.name.startsWith('.')) continue
      const key = below === '' ? entry.name : `${below}/${entry.name}`
      if (entry.isDirectory()) yield* this.#walk(key)
      else if (entry.isFile()) yield key
    }
  }

  async #do<T>(doing: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      if (error instanceof ObjectStoreError) throw error
      const code = codeOf(error)
      const meaning =
        code === 'ENOSPC' || code === 'EDQUOT'
          ? 'full'
          : code === 'EACCES' || code === 'EPERM' || code === 'EROFS'
            ? 'denied'
            : 'unavailable'
      const reason =
        code === 'ENOENT' ? 'it is not there; is it mounted?' : error instanceof Error ? error.message : code
      throw new ObjectStoreError(meaning, `${this.name}: cannot ${doing}: ${reason}`, { cause: error })
    }
  }
}

async function statIfThere(path: string): Promise<{ size: number; mtimeMs: number } | undefined> {
  try {
    return await stat(path)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}

/** Makes the names in a directory durable. */
async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}
