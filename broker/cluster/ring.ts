import type { Timers } from '#platform/timers.ts'
import type { GroupCommit } from '#platform/store/group-commit.ts'
import type { RowOf } from '#platform/store/table.ts'
import type { inbox } from '#platform/store/tables.ts'

/** How long a durable row stays: longer than an answer to a gather may take, so that the store's reader and this overlap. */
const KEEP_MS = 4000

type Row = RowOf<typeof inbox>

interface Kept {
  readonly row: Row
  /** Of its inbox's commit. */
  readonly ticket: number
  /** When it was found durable, milliseconds of the monotonic clock; 0: not yet. */
  durableAt: number
}

/** What is kept of one inbox. All of it is one organisation's, so it went through one group commit. */
interface Log {
  readonly commit: GroupCommit
  readonly rows: Kept[]
}

/** The rows that this process wrote lately, by inbox: those that a reader of the store may miss. */
export class Ring {
  readonly #timers: Timers
  readonly #kept = new Map<string, Log>()
  /** Rows kept. */
  size = 0

  constructor(timers: Timers) {
    this.#timers = timers
  }

  /** Keeps a row that was staged into this commit just now. */
  add(row: Row, commit: GroupCommit): void {
    const key = sidKey(row.log)
    const kept = { row, ticket: commit.ticket, durableAt: 0 }
    const log = this.#kept.get(key)
    if (log === undefined) this.#kept.set(key, { commit, rows: [kept] })
    else log.rows.push(kept)
    this.size++
  }

  rowsOf(key: string): Row[] {
    return this.#kept.get(key)?.rows.map(({ row }) => row) ?? []
  }

  /** Forgets what has been durable for long enough; once a second. */
  sweep(): void {
    const now = this.#timers.monotonic()
    for (const [key, { commit, rows }] of this.#kept) {
      let n = 0
      while (n < rows.length && rows[n].durableAt !== 0 && now - rows[n].durableAt > KEEP_MS) n++
      this.size -= n
      if (n === rows.length) {
        this.#kept.delete(key)
        continue
      }
      if (n > 0) rows.splice(0, n)
      for (const kept of rows) {
        if (kept.ticket > commit.through) break
        if (kept.durableAt === 0) kept.durableAt = now
      }
    }
  }
}

/** Bytes as a string of as many characters, for keys of maps. */
export function sidKey(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
}
