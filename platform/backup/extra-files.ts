import { readdir, realpath, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { BackupError } from './backup-error.ts'
import type { UnitSource } from './units.ts'

/** Inventory and secrets are small; a directory given by mistake is not. */
const maxBytes = 64 * 1024 * 1024
const maxFiles = 10_000
const chunkBytes = 1024 * 1024

/**
 * Files and directories beside the data, as one unit; links are followed, so that certificates which a tool renews are in
 * it. They are kept by their paths without the first slash.
 *
 * @throws BackupError `failed`: one cannot be read, or they are too many
 */
export async function extraFiles(paths: readonly string[]): Promise<UnitSource> {
  const files: UnitSource['files'][number][] = []
  let total = 0
  const add = async (path: string, depth: number): Promise<void> => {
    const found = await stat(path)
    if (found.isDirectory()) {
      if (depth > 16) throw new Error('directories lie too deep (a circle of links?)')
      // oxlint-disable-next-line no-await-in-loop -- few
      for (const name of (await readdir(path)).toSorted()) await add(join(path, name), depth + 1)
      return
    }
    if (!found.isFile()) return
    total += found.size
    if (total > maxBytes || files.length >= maxFiles)
      throw new Error(`more than ${maxFiles} files or ${maxBytes / 1024 / 1024} MB`)
    files.push({
      path: path.replace(/^\/+/, ''),
      from: await realpath(path),
      bytes: found.size,
      modified: Math.floor(found.mtimeMs),
    })
  }
  for (const path of paths) {
    try {
      // oxlint-disable-next-line no-await-in-loop -- few
      await add(resolve(path), 0)
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      throw new BackupError('failed', `files: ${path}: ${reason}`, { cause: error })
    }
  }
  return { name: 'files', files, chunkBytes, press: true }
}
