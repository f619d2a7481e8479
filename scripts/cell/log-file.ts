import { closeSync, fstatSync, openSync, readSync } from 'node:fs'

/** Most that is read of one start's log: what says that it is ready, or why not, is near the ends. */
const maxBytes = 4_194_304

/** Size of a file; 0 if it is not there. */
export function endOf(file: string): number {
  return withFile(file, 0, (fd) => fstatSync(fd).size)
}

/** What was written to a file from an offset on; its last part if that is very long. */
export function textFrom(file: string, offset: number): string {
  return withFile(file, '', (fd) => {
    const { size } = fstatSync(fd)
    const from = Math.max(offset, size - maxBytes)
    const bytes = Buffer.alloc(Math.max(0, size - from))
    return bytes.toString('utf8', 0, readSync(fd, bytes, 0, bytes.length, from))
  })
}

function withFile<T>(file: string, missing: T, use: (fd: number) => T): T {
  let fd: number
  try {
    fd = openSync(file, 'r')
  } catch {
    return missing
  }
  try {
    return use(fd)
  } finally {
    closeSync(fd)
  }
}
