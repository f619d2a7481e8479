import { mkdirSync, openSync, closeSync, fsyncSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import type { z } from 'zod'
import type { Logger } from '#platform/log.ts'

/** Writes the whole file or nothing: whoever reads it sees the old one or the new one. Throws what the system says. */
export function writeWhole(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true })
  const fresh = `${path}.new`
  const file = openSync(fresh, 'w', 0o644)
  try {
    writeFileSync(file, text)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  renameSync(fresh, path)
}

/** What was kept, or undefined. A file that can't be understood is put aside, so that it can be looked at. */
export function readKept<T extends z.ZodType>(path: string, schema: T, log: Logger): z.output<T> | undefined {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT'))
      log.warn({ event: 'status.unread', path, err: error }, 'what was kept can not be read; beginning anew')
    return undefined
  }
  try {
    return schema.parse(JSON.parse(text))
  } catch (error) {
    log.warn(
      { event: 'status.damaged', path, err: error },
      `${path} is damaged; it is put aside as ${path}.bad`,
    )
    try {
      renameSync(path, `${path}.bad`)
    } catch {
      // It will be written over.
    }
    return undefined
  }
}
