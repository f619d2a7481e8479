import { statfsSync } from 'node:fs'
import { StoreError } from '../store.ts'

/** Free bytes under which a failed write is taken for a full disk: LMDB reports a short write as an I/O error. */
const scarceBytes = 1024 * 1024

const lmdbCodes: Record<number, StoreError['code']> = {
  [-30797]: 'corrupt', // MDB_PAGE_NOTFOUND
  [-30796]: 'corrupt', // MDB_CORRUPTED
  [-30794]: 'version', // MDB_VERSION_MISMATCH
  [-30793]: 'corrupt', // MDB_INVALID
  [-30792]: 'full', // MDB_MAP_FULL
  [-30779]: 'corrupt', // MDB_PROBLEM
  1: 'unavailable', // EPERM
  13: 'unavailable', // EACCES
  28: 'full', // ENOSPC
  30: 'readonly', // EROFS
  122: 'full', // EDQUOT on Linux
}

const fileCodes: Record<string, StoreError['code']> = {
  ENOSPC: 'full',
  EDQUOT: 'full',
  EROFS: 'readonly',
}

/** What lmdb-js or the file system threw, as the StoreError that callers know. `wanted`: bytes of the failed write. */
export function storeErrorOf(error: unknown, doing: string, directory: string, wanted = 0): StoreError {
  if (error instanceof StoreError) return error
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  let meaning: StoreError['code'] = 'unavailable'
  if (typeof code === 'string') meaning = fileCodes[code] ?? 'unavailable'
  if (typeof code === 'number') meaning = lmdbCodes[code] ?? 'unavailable'
  if (meaning === 'unavailable' && freeBytes(directory) < scarceBytes + wanted * 4) meaning = 'full'
  const reason = error instanceof Error ? error.message : String(error)
  return new StoreError(meaning, `${doing} ${directory}: ${reason}`, { cause: error })
}

/** Bytes that this process may still write on the directory's file system. */
export function freeBytes(directory: string): number {
  try {
    const { bavail, bsize } = statfsSync(directory)
    return bavail * bsize
  } catch {
    return Number.POSITIVE_INFINITY
  }
}
