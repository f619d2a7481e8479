import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { StoreError } from '../store.ts'

/**
 * Takes the data directory for this process; a second taker is refused at once. LMDB itself lets processes share
 * its files, but this engine decides what a write does before its transaction begins, so it must be alone.
 *
 * Node has no call for file locks. SQLite has: an exclusive transaction on an empty database holds a POSIX record
 * lock that the operating system drops when the process ends, however it ends.
 *
 * @returns what gives the lock back
 * @throws StoreError `unavailable` when another process (or this one) holds it
 */
export function lockDirectory(directory: string): () => void {
  const database = new DatabaseSync(join(directory, 'owner.lock'), { timeout: 0 })
  try {
    database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE')
  } catch (cause) {
    database.close()
    const busy = cause instanceof Error && 'errcode' in cause && (cause.errcode === 5 || cause.errcode === 6)
    const reason = busy ? 'is in use by another process' : 'cannot be locked'
    throw new StoreError('unavailable', `data directory ${directory} ${reason}`, { cause })
  }
  return () => database.close()
}
