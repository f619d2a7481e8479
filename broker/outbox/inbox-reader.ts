import type { Batch, Store } from '#platform/store/store.ts'
import type { RowOf } from '#platform/store/table.ts'
import { inbox } from '#platform/store/tables.ts'
import { type Entry, WriterProgress } from './progress.ts'

/** Days a row lives, and one more for clocks. */
const DAYS = 8
/** A writer whose rows are all settled is forgotten when none of them can be in the store any more. */
const FORGET_AFTER_DAYS = DAYS + 1

interface Owner {
  readonly org: string
  readonly session: { readonly sid: Uint8Array }
}

/** Reads the rows of one inbox that are neither settled nor in memory, writer by writer, in order of each writer. */
export class InboxReader {
  /** Appends known when the last read came to the end; the owner's mark. */
  exhausted = -1
  readonly #store: Store
  readonly #owner: Owner
  readonly #writers = new Map<string, WriterProgress>()
  readonly #discarded = new Map<WriterProgress, { floor: number; day: number }>()
  #fromDay = 0
  #last: WriterProgress | null = null
  #generation = 0

  constructor(store: Store, owner: Owner) {
    this.#store = store
    this.#owner = owner
  }

  progressOf(writer: Uint8Array): WriterProgress {
    // Nearly always the process's own writer, the same object each time.
    if (this.#last?.writer === writer) return this.#last
    const name = latin1(writer)
    let progress = this.#writers.get(name)
    if (progress === undefined) this.#writers.set(name, (progress = new WriterProgress(writer)))
    this.#last = progress
    return progress
  }

  adopt(progress: WriterProgress): void {
    this.#last = null
    this.#writers.set(latin1(progress.writer), progress)
  }

  writers(): Iterable<WriterProgress> {
    return this.#writers.values()
  }

  /** Forgets the rows that wait; a fetch under way ends empty-handed. */
  rewind(kept: ReadonlySet<Entry>): void {
    this.#generation++
    for (const progress of this.#writers.values()) progress.rewind(kept)
    this.exhausted = -1
  }

  /** Takes up to `limit` rows into memory. Fewer than that: there are no more that are durable now. */
  async fetch(today: number, limit: number): Promise<Entry[]> {
    const entries: Entry[] = []
    const { org, session } = this.#owner
    const generation = this.#generation
    for (let day = Math.max(this.#fromDay, today - DAYS); day <= today; day++) {
      const partition = { org, log: session.sid, day }
      let empty = true
      let after: { writer: Uint8Array } | undefined
      for (;;) {
        const heads: RowOf<typeof inbox>[] = await this.#store.range(inbox, partition, {
          ...(after === undefined ? {} : { after }),
          limit: 1,
        })
        if (generation !== this.#generation) return []
        if (heads.length === 0) break
        empty = false
        const { writer } = heads[0]
        after = { writer }
        const progress = this.progressOf(writer)
        const room = limit - entries.length
        const rows = await this.#store.range(inbox, partition, {
          after: { writer, seq: progress.cursor },
          to: { writer },
          limit: room,
        })
        if (generation !== this.#generation) return []
        for (const row of rows) {
          // A live copy may have been taken in while this was read.
          if (row.seq <= progress.cursor || progress.knows(row.seq) || row.message === undefined) continue
          entries.push(progress.take(row.seq, day, row.message))
        }
        if (rows.length === room) return entries
      }
      if (empty && day < today && entries.length === 0) this.#fromDay = day + 1
    }
    return entries
  }

  /** Says that settled rows will not be read again, and forgets writers of long ago. */
  discardSettled(batch: Batch, org: string, sid: Uint8Array): void {
    for (const [name, progress] of this.#writers) {
      if (progress.day === 0) continue
      const done = this.#discarded.get(progress)
      if (done?.floor !== progress.floor) {
        for (let day = done?.day ?? progress.day; day <= progress.day; day++) {
          batch.discard(inbox, { org, log: sid, day }, { writer: progress.writer, seq: progress.floor })
        }
        this.#discarded.set(progress, { floor: progress.floor, day: progress.day })
      } else if (progress.day < Date.now() / 86_400_000 - FORGET_AFTER_DAYS) {
        this.#last = null
        this.#writers.delete(name)
        this.#discarded.delete(progress)
      }
    }
  }
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
}
