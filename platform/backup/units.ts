import { constants } from 'node:fs'
import { type FileHandle, mkdir, open } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { BackupError } from './backup-error.ts'
import type { Unit } from './manifest.ts'
import type { Repository } from './repository.ts'

/** A chunk is held in memory three times while it is sealed; so many are at a time. */
const parallel = 3

export interface UnitSource {
  readonly name: string
  /** `path` is what the backup calls it, `from` where it is read. */
  readonly files: readonly { path: string; from: string; bytes: number; modified: number }[]
  /** Bytes of a chunk: large ones for what never changes in the middle. */
  readonly chunkBytes: number
  /** Whether it is worth compressing. */
  readonly press: boolean
}

/** Puts units into a repository, and only what it does not have. */
export class Shipper {
  shippedBytes = 0
  shippedChunks = 0
  readonly #repository: Repository
  readonly #there: Set<string>
  readonly #earlier: ReadonlyMap<string, Unit>

  private constructor(repository: Repository, there: Set<string>, earlier: ReadonlyMap<string, Unit>) {
    this.#repository = repository
    this.#there = there
    this.#earlier = earlier
  }

  /** `earlier`: units of the last backup; one with the same files, sizes and times is not read again. */
  static async open(repository: Repository, earlier: readonly Unit[]): Promise<Shipper> {
    return new Shipper(
      repository,
      await repository.chunks(),
      new Map(earlier.map((unit) => [identity(unit), unit])),
    )
  }

  /** @throws BackupError `failed` when a file changes while it is read; ObjectStoreError */
  async ship(source: UnitSource): Promise<Unit> {
    const files = source.files.map(({ path, bytes, modified }) => ({ path, bytes, modified }))
    const known = this.#earlier.get(identity({ name: source.name, files }))
    if (known?.chunks.every((chunk) => this.#there.has(chunk)) === true) return known
    const chunks: string[] = []
    for await (const bytes of contents(source)) chunks.push(await this.#put(bytes, source.press))
    return { name: source.name, files, chunks }
  }

  /** Several at a time, in their order. */
  async shipAll(sources: readonly UnitSource[]): Promise<Unit[]> {
    const units: Unit[] = []
    let next = 0
    const work = async (): Promise<void> => {
      while (next < sources.length) {
        const at = next++
        // oxlint-disable-next-line no-await-in-loop -- a bounded number of workers
        units[at] = await this.ship(sources[at])
      }
    }
    await Promise.all(Array.from({ length: parallel }, work))
    return units
  }

  async #put(bytes: Buffer, press: boolean): Promise<string> {
    const name = this.#repository.nameOf(bytes)
    if (this.#there.has(name)) return name
    this.shippedBytes += await this.#repository.putChunk(name, bytes, press)
    this.shippedChunks++
    this.#there.add(name)
    return name
  }
}

function identity(unit: Pick<Unit, 'name' | 'files'>): string {
  return JSON.stringify([unit.name, unit.files.map(({ path, bytes, modified }) => [path, bytes, modified])])
}

/** The contents of the files one behind the other, in chunks. */
async function* contents({ files, chunkBytes }: UnitSource): AsyncIterable<Buffer> {
  let chunk = Buffer.allocUnsafe(chunkBytes)
  let filled = 0
  for (const { from, bytes } of files) {
    const file = await open(from, constants.O_RDONLY | constants.O_NOFOLLOW)
    try {
      let left = bytes
      while (left > 0) {
        // oxlint-disable-next-line no-await-in-loop -- a file is read in order
        const { bytesRead } = await file.read(chunk, filled, Math.min(left, chunkBytes - filled), null)
        if (bytesRead === 0) throw new BackupError('failed', `${from} became shorter while it was read`)
        left -= bytesRead
        filled += bytesRead
        if (filled < chunkBytes) continue
        yield chunk
        chunk = Buffer.allocUnsafe(chunkBytes)
        filled = 0
      }
    } finally {
      // oxlint-disable-next-line no-await-in-loop
      await file.close()
    }
  }
  if (filled > 0) yield chunk.subarray(0, filled)
}

/**
 * Writes the files of a unit under a directory, flushed; each chunk is checked. Returns the bytes.
 *
 * @throws BackupError `corrupt`, `target`
 */
export async function fetchUnit(repository: Repository, unit: Unit, directory: string): Promise<number> {
  const root = resolve(directory)
  const left = unit.files.map(({ path, bytes }) => ({ path: inside(root, path), bytes }))
  let total = 0
  let file: FileHandle | null = null
  let room = 0
  const next = async (): Promise<boolean> => {
    for (;;) {
      if (room > 0) return true
      await finish(file)
      file = null
      const one = left.shift()
      if (one === undefined) return false
      await mkdir(dirname(one.path), { recursive: true, mode: 0o700 })
      file = await open(one.path, 'w', 0o600)
      room = one.bytes
    }
  }
  try {
    for (const chunk of unit.chunks) {
      // oxlint-disable-next-line no-await-in-loop -- in order
      let rest = await repository.getChunk(chunk)
      while (rest.length > 0) {
        // oxlint-disable-next-line no-await-in-loop
        if (!(await next()) || file === null)
          throw new BackupError('corrupt', `${unit.name}: more data than files`)
        const part = rest.subarray(0, room)
        // oxlint-disable-next-line no-await-in-loop
        await (file as FileHandle).writeFile(part)
        room -= part.length
        total += part.length
        rest = rest.subarray(part.length)
      }
    }
    if (await next()) throw new BackupError('corrupt', `${unit.name}: fewer data than its files have`)
  } finally {
    await (file as FileHandle | null)?.close()
  }
  return total
}

/** The same for many, some at a time. */
export async function fetchAll(
  repository: Repository,
  units: readonly Unit[],
  directory: string,
): Promise<number> {
  let next = 0
  let total = 0
  const work = async (): Promise<void> => {
    while (next < units.length) {
      // oxlint-disable-next-line no-await-in-loop -- a bounded number of workers
      const bytes = await fetchUnit(repository, units[next++], directory)
      total += bytes
    }
  }
  await Promise.all(Array.from({ length: parallel }, work))
  return total
}

/** Reads all of a unit without keeping it: what is wrong is thrown. */
export async function readUnit(repository: Repository, unit: Unit): Promise<void> {
  let bytes = 0
  for (const chunk of unit.chunks) {
    // oxlint-disable-next-line no-await-in-loop -- one chunk in memory
    bytes += (await repository.getChunk(chunk)).length
  }
  if (bytes !== unit.files.reduce((sum, file) => sum + file.bytes, 0))
    throw new BackupError('corrupt', `${unit.name}: its chunks are not as long as its files`)
}

async function finish(file: FileHandle | null): Promise<void> {
  if (file === null) return
  await file.sync()
  await file.close()
}

/** A path of a backup under a directory; BackupError for one that leads out of it. */
function inside(root: string, path: string): string {
  const target = resolve(join(root, path))
  if (target.startsWith(`${root}/`)) return target
  throw new BackupError('corrupt', `file ${path} of the backup leads out of the directory`)
}
