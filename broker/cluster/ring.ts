import type { Timers } from '#platform/timers.ts'
import type { GroupCommit } from '#platform/store/group-commit.ts'
import type { RowOf } from '#platform/store/table.ts'
import type { inbox } from '#platform/store/tables.ts'

/** How long a durable row stays: longer than an answer to a gather may take, so that the store's reader and this overlap. */
const KEEP_MS = 4000

type Row = RowOf<typeof inbox>

interface Kept {
  readonly row: Row
  readonly ticket: number
  /** When it was found durable, milliseconds of the monotonic clock; 0: not yet. */
  durableAt: number
}

/** The rows that this process wrote lately, by inbox: those that a reader of the store may miss. */
export class Ring {
  readonly #commit: GroupCommit
  readonly #timers: Timers
  readonly #kept = new Map<string, Kept[]>()
  /** Rows kept. */
  size = 0

  constructor(commit: GroupCommit, timers: Timers) {
    this.#commit = commit
    this.#timers = timers
  }

  /** Keeps a row that was staged just now. */
  add(row: Row): void {
    const key = sidKey(row.log)
    const kept = { row, ticket: this.#commit.ticket, durableAt: 0 }
    const rows = this.#kept.get(key)
    if (rows === undefined) this.#kept.set(key, [kept])
    else rows.push(kept)
    this.size++
  }

  rowsOf(key: string): Row[] {
    return this.#kept.get(key)?.map(({ row }) => row) ?? []
  }

  /** Forgets what has been durable for long enough; once a second. */
  sweep(): void {
    const now = this.#timers.monotonic()
    const { through } = this.#commit
    for (const [key, rows] of this.#kept) {
      let n = 0
      while (n < rows.length && rows[n].durableAt !== 0 && now - rows[n].durableAt > KEEP_MS) n++
      this.size -= n
      if (n === rows.length) {
        this.#kept.delete(key)
        continue
      }
      if (n > 0) rows.splice(0, n)
      for (const kept of rows) {
        if (kept.ticket > through) break
        if (kept.durableAt === 0) kept.durableAt = now
      }
    }
  }
}

/** Bytes as a string of as many characters, for keys of maps. */
export function sidKey(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
}
