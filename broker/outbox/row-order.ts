import type { GroupCommit } from '#platform/store/group-commit.ts'
import type { Broker } from '../broker.ts'
import { Knowledge } from '../cluster/knowledge.ts'
import { InboxReader, type Mode, type Owner, type Sources } from './inbox-reader.ts'
import type { WriterProgress } from './progress.ts'
import { isStream } from './stream-writer.ts'
import { WriterMap } from './writer-map.ts'

/** A row whose writer is in contact has come from there by then. */
export const YOUNG_MS = 5000
/** Stamps of the hybrid clock in a millisecond. */
const STAMPS_PER_MS = 1024
/** A row of a stream this old is in every store that can be reached, or will never come. */
const STREAM_AGE_MS = 10_000

/** Which rows of each writer may be read, so that none passes another one that is still on its way to the store. */
export class RowOrder implements Sources {
  /** What is known of rows that other processes write; null: there are none. */
  readonly knowledge: Knowledge | null
  /** Of all that was written before this stamp, what could be had is here. */
  gathered = 0
  /** Reads what may be read. */
  readonly reader: InboxReader
  readonly #broker: Broker
  /** Rows that came live, in order, and were copied; they may be read when they are durable. */
  readonly #copies = new WriterMap<{ ticket: number; seq: number }[]>()

  constructor(broker: Broker, owner: Owner) {
    this.#broker = broker
    this.knowledge = broker.cell === null ? null : new Knowledge(broker.cell)
    this.reader = new InboxReader(broker.store, owner, this.knowledge === null ? null : this)
  }

  get own(): Uint8Array {
    return this.#broker.writer
  }

  modeOf(progress: WriterProgress): Mode {
    return this.knowledge?.modeOf(progress.writer) ?? 'ordered'
  }

  isYoung(hlc: number): boolean {
    return hlc > this.gathered && hlc / STAMPS_PER_MS > this.#broker.now - YOUNG_MS
  }

  /**
   * Rows of this writer must not pass those in the store. Where a stream begins, its publisher has had another connection:
   * what it sent there may be on its way from whoever is not complete.
   */
  holdsBack(progress: WriterProgress): boolean {
    if (this.reader.holdsBack(progress)) return true
    return progress.newest === 0 && isStream(progress.writer) && this.modeOf(progress) === 'wait'
  }

  /** Rows of this writer up to `seq` are in the own store or here, and none is missing. */
  raise(writer: Uint8Array, seq: number): void {
    const progress = this.reader.progressOf(writer)
    this.reader.raise(progress, seq)
    if (isStream(writer)) this.#seen(progress, seq)
  }

  /** The same, told by another process: of a stream it knows no more than that there is such a row. */
  allow(writer: Uint8Array, seq: number): void {
    if (!isStream(writer)) this.raise(writer, seq)
    else this.#seen(this.reader.progressOf(writer), seq)
  }

  /** A row of a stream was seen by somebody; which were before it can be told when all is quiet. */
  #seen(progress: WriterProgress, seq: number): void {
    if (seq <= progress.newest) return
    progress.newest = seq
    progress.raisedAt = this.#broker.now
  }

  /** A row that came live was copied into the batch of this ticket. */
  copied(writer: Uint8Array, seq: number, ticket: number): void {
    const copies = this.#copies.get(writer)
    if (copies === undefined) this.#copies.set(writer, [{ ticket, seq }])
    else copies.push({ ticket, seq })
  }

  /** Rows that were copied here in order, and are durable now, may be read. */
  allowCopies({ through }: GroupCommit): void {
    for (const [writer, copies] of this.#copies) {
      let n = 0
      while (n < copies.length && copies[n].ticket <= through) n++
      if (n === 0) continue
      const mode = this.modeOf(this.reader.progressOf(writer))
      if (mode === 'ordered' || (mode === 'loose' && isStream(writer))) {
        for (let i = 0; i < n; i++) this.raise(writer, copies[i].seq)
        copies.splice(0, n)
        if (copies.length === 0) this.#copies.delete(writer)
      } else if (n > 1)
        copies.splice(0, n, { ticket: through, seq: Math.max(...copies.slice(0, n).map(({ seq }) => seq)) })
    }
  }

  /**
   * Streams of which nothing more can come need not be remembered row by row. Only where all of the store has been read: a
   * row that was missing before may be among the rest.
   */
  foldStreams(): void {
    if (this.knowledge?.complete !== true) return
    const settled = this.#broker.now - STREAM_AGE_MS
    for (const progress of this.reader.writers()) {
      if (!isStream(progress.writer) || progress.raisedAt >= settled) continue
      if (!this.reader.holdsBack(progress)) progress.seenThrough(progress.newest)
    }
  }
}
