import { setImmediate as turn } from 'node:timers/promises'
import type { Batch, Store } from '#platform/store/store.ts'
import type { RowOf } from '#platform/store/table.ts'
import { inbox } from '#platform/store/tables.ts'
import { type Entry, WriterProgress } from './progress.ts'
import { isStream, publisherOf } from './stream-writer.ts'

/** Days a row lives, and one more for clocks. */
const DAYS = 8
const DAY_MS = 86_400_000
/** A writer whose rows are all settled is forgotten when none of them can be in the store any more. */
const FORGET_AFTER_DAYS = DAYS + 1
/**
 * Writers remembered; each connection of each publisher of QoS 2 is one. Beyond that one with nothing new for
 * `FORGET_AFTER_MS`, whose rows have been discarded since, is forgotten early: what is lost with it is that a publisher
 * which comes back later than all the others, after a crash in the middle of a handshake, may be heard twice.
 */
const WRITERS = 1024
const FORGET_AFTER_MS = 60_000
/** Rows read at once, at first and at most; fewer if they are large. */
const FIRST_ROWS = 32
const SLICE_ROWS = 256
/** Rows after which others have their turn. */
const TURN_ROWS = 1024
/** Bytes after which a fetch takes no more. */
const SLICE_BYTES = 262_144

type Row = RowOf<typeof inbox>
type Position = Pick<Row, 'writer' | 'seq'>

/** Rows of one day, in order of writer and seq. */
interface Slice {
  readonly day: number
  readonly rows: Row[]
}

interface Page {
  readonly rows: Row[]
  /** How many there were to be; fewer: there are no more. */
  readonly asked: number
}

/** Whose inbox it is. */
export interface Owner {
  readonly org: string
  readonly session: { readonly sid: Uint8Array }
}

/**
 * How rows of a writer may be taken. `ordered`: in order of seq, up to the writer's limit. `loose`: as they are found, because
 * it cannot be known whether all before have been. `wait`: not yet.
 */
export type Mode = 'ordered' | 'loose' | 'wait'

/** Where rows come from, when several processes write them. */
export interface Sources {
  /** The writer whose rows are in the store in order of seq, because this process is it. */
  readonly own: Uint8Array
  modeOf(progress: WriterProgress): Mode
  /** Whether a row of this stamp was written so lately that its writer may not have sent those before it yet. */
  isYoung(hlc: number): boolean
}

/** Reads the rows of one inbox that are neither settled nor in memory, writer by writer, in order of each writer. */
export class InboxReader {
  /** Appends known when the last read came to the end; the owner's mark. */
  exhausted = -1
  /** The last fetch left rows where they were because they were young. */
  heldYoung = false
  readonly #store: Store
  readonly #owner: Owner
  readonly #sources: Sources | null
  readonly #writers = new Map<string, WriterProgress>()
  readonly #discarded = new Map<WriterProgress, { floor: number; day: number; at: number }>()
  #fromDay = 0
  #sliceRows = FIRST_ROWS
  #last: WriterProgress | null = null
  #generation = 0
  #fetches = 0
  /** The last page looked at had rows of interest. */
  #fresh = true
  /** Publishers of QoS 2 of whom the last fetch left rows where they were. */
  readonly #heldPublishers = new Set<string>()

  /** `sources`: absent where one process writes all rows. */
  constructor(store: Store, owner: Owner, sources: Sources | null = null) {
    this.#store = store
    this.#owner = owner
    this.#sources = sources
  }

  progressOf(writer: Uint8Array): WriterProgress {
    // Nearly always the process's own writer, the same object each time.
    if (this.#last?.writer === writer) return this.#last
    const name = latin1(writer)
    let progress = this.#writers.get(name)
    if (progress === undefined) this.adopt((progress = new WriterProgress(writer)))
    this.#last = progress
    return progress
  }

  adopt(progress: WriterProgress): void {
    this.#last = null
    const name = latin1(progress.writer)
    if (this.#sources !== null && latin1(this.#sources.own) !== name) progress.limit = 0
    this.#writers.set(name, progress)
  }

  /** Rows of this writer up to `seq` are in the store, and none is missing. */
  raise(progress: WriterProgress, seq: number): void {
    if (seq <= progress.limit) return
    if (progress.raisedIn !== this.#fetches) {
      progress.raisedIn = this.#fetches
      progress.limitBefore = progress.limit
    }
    progress.limit = seq
  }

  writers(): Iterable<WriterProgress> {
    return this.#writers.values()
  }

  /** A row of this day was written after the day was found empty. */
  touch(day: number): void {
    if (day < this.#fromDay) this.#fromDay = day
  }

  /** Forgets the rows that wait; a fetch under way takes no more. */
  rewind(kept: ReadonlySet<Entry>): void {
    this.#generation++
    for (const progress of this.#writers.values()) progress.rewind(kept)
    this.exhausted = -1
  }

  /**
   * Takes up to `limit` rows into memory, or fewer large ones, and gives each to `taken` in the same step, so that
   * nothing is in between when the owner rewinds. True: there were no more that are durable now. `durable`: nothing
   * of this session is on its way to the disk, so that an empty day before today stays empty. `before`: a stamp older
   * than all that has landed since this began, because what a publisher sent again has another writer than what it sent
   * then, and must not be missed where this has been already while the other is found.
   */
  async fetch(
    today: number,
    { limit, before, durable }: { limit: number; before: number; durable: boolean },
    taken: (entry: Entry) => void,
  ): Promise<boolean> {
    let left = limit
    let young: WriterProgress | null = null
    let bytes = 0
    const generation = this.#generation
    this.#fetches++
    this.heldYoung = false
    this.#heldPublishers.clear()
    // Before this one no day has rows.
    let firstDay = today
    let raised = false
    for await (const { day, rows } of this.unread(Math.max(this.#fromDay, today - DAYS), today)) {
      if (generation !== this.#generation) return false
      if (day < firstDay) firstDay = day
      for (const row of rows) {
        const progress = this.progressOf(row.writer)
        // Nothing waits behind what a client has already, or an earlier holder has settled.
        if (isStream(row.writer) && progress.knows(row.seq)) continue
        const mode = this.#sources?.modeOf(progress) ?? 'ordered'
        // What was asked for before the limit was raised may lack rows up to it.
        const late = progress.raisedIn === this.#fetches
        if (
          mode === 'wait' ||
          (isStream(row.writer) && this.holdsBack(progress)) ||
          (row.seq > (late ? progress.limitBefore : progress.limit) && this.#waits(mode, row))
        ) {
          this.#holdBack(progress)
          raised ||= late
          continue
        }
        if (mode === 'ordered' && progress.loose && !isStream(row.writer)) progress.admit(row.seq)
        // A live copy may have been taken in while this was read.
        if (progress === young || progress.knows(row.seq) || row.message === undefined) continue
        if ((row.hlc ?? 0) >= before && this.#isHere(progress)) {
          young = progress
          continue
        }
        if (left === 0 || bytes > SLICE_BYTES) return false
        left--
        bytes += row.message.length
        const ordered = mode === 'ordered' && !(this.#sources !== null && isStream(row.writer))
        taken(
          ordered ? progress.take(row.seq, day, row.message) : progress.takeLoose(row.seq, day, row.message),
        )
      }
    }
    if (generation !== this.#generation) return false
    if (durable && this.#sources === null && firstDay > this.#fromDay) this.#fromDay = firstDay
    return !raised
  }

  /** Whether a row beyond what is known to be there without a gap has to wait. */
  #waits(mode: Mode, { writer, hlc = 0 }: RowOf<typeof inbox>): boolean {
    if (!isStream(writer)) return mode === 'ordered'
    // Nobody knows who writes a stream: as long as it may be somebody in contact, those before it may still come.
    if (this.#sources?.isYoung(hlc) !== true) return false
    this.heldYoung = true
    return true
  }

  #holdBack(progress: WriterProgress): void {
    if (isStream(progress.writer)) this.#heldPublishers.add(publisherOf(progress.writer))
    else progress.heldBackIn = this.#fetches
  }

  /**
   * The last fetch left rows of this writer where they were: newer ones must not pass them. A publisher of QoS 2 has a
   * stream for each of its connections: none passes the others.
   */
  holdsBack({ writer, heldBackIn }: WriterProgress): boolean {
    if (!isStream(writer)) return heldBackIn === this.#fetches
    return this.#heldPublishers.size > 0 && this.#heldPublishers.has(publisherOf(writer))
  }

  /**
   * How many rows are neither settled nor in memory, beside those of `writer`, who has counted them; and the newest
   * stamp among them.
   */
  async count(today: number, writer: Uint8Array): Promise<{ rows: number; newest: number }> {
    const own = latin1(writer)
    let n = 0
    let newest = 0
    for await (const { rows: slice } of this.unread(today - DAYS, today, own)) {
      for (const row of slice) {
        if (!this.progressOf(row.writer).knows(row.seq)) n++
        newest = Math.max(newest, row.hlc ?? 0)
      }
    }
    return { rows: n, newest }
  }

  /** Whether rows of this writer may be on their way to the store from this process. */
  #isHere(progress: WriterProgress): boolean {
    return this.#sources === null || progress.limit === Number.POSITIVE_INFINITY || isStream(progress.writer)
  }

  /**
   * The rows of these days beyond the cursors, day by day and writer by writer, in slices; not those of the writer
   * `except`. A slice may be empty: there are rows, but none of interest.
   */
  async *unread(from: number, to: number, except = ''): AsyncGenerator<Slice> {
    const days = Array.from({ length: Math.max(0, to - from + 1) }, (_, n) => from + n)
    // Most days have few rows or none: all are asked for at once.
    const heads = days.map((day) => this.#page(day, undefined, this.#headRows()))
    for (const head of heads) head.catch(() => undefined)
    for (const [n, day] of days.entries()) yield* this.#walk(day, heads[n], except)
  }

  /**
   * Goes through a day in pages. Behind rows that are settled it goes on at the writer's cursor, so that neither many
   * settled rows of one writer nor few rows of each of many writers take many requests.
   */
  async *#walk(day: number, head: Promise<Page>, except: string): AsyncGenerator<Slice> {
    let { rows, asked } = await head
    for (let n = 0; rows.length > 0; ) {
      const fresh = rows.filter(({ writer, seq }) => seq > this.#cursorOf(writer, except))
      this.#fresh = fresh.length > 0
      yield { day, rows: fresh }
      if (rows.length < asked) return
      const last = rows[rows.length - 1]
      const cursor = this.#cursorOf(last.writer, except)
      const jump = cursor > last.seq
      n += rows.length
      if (n >= TURN_ROWS) {
        n = 0
        await turn()
      }
      const settled = jump ? FIRST_ROWS : Math.min(SLICE_ROWS, asked * 2)
      const after = { writer: last.writer, ...(cursor === Infinity ? {} : { seq: jump ? cursor : last.seq }) }
      ;({ rows, asked } = await this.#page(day, after, fresh.length > 0 ? this.#sliceRows : settled))
    }
  }

  /** The rows of one writer and day after `after`, in slices. */
  async *rowsOf(writer: Uint8Array, day: number, after: number): AsyncGenerator<Row[]> {
    const { org, session } = this.#owner
    const partition = { org, log: session.sid, day }
    for (let seq = after; ; ) {
      const limit = SLICE_ROWS
      const rows = await this.#store.range(inbox, partition, {
        after: { writer, seq },
        to: { writer },
        limit,
      })
      yield rows
      if (rows.length < limit) return
      ;({ seq } = rows[rows.length - 1])
    }
  }

  /** The first page of a day is small if the last one looked at had nothing new. */
  #headRows(): number {
    return this.#fresh ? this.#sliceRows : FIRST_ROWS
  }

  #cursorOf(writer: Uint8Array, except: string): number {
    const name = latin1(writer)
    return name === except ? Number.POSITIVE_INFINITY : (this.#writers.get(name)?.cursor ?? 0)
  }

  async #page(day: number, after: Partial<Position> | undefined, asked: number): Promise<Page> {
    const { org, session } = this.#owner
    const rows = await this.#store.range(
      inbox,
      { org, log: session.sid, day },
      { ...(after === undefined ? {} : { after }), limit: asked },
    )
    const bytes = rows.reduce((sum, { message }) => sum + (message?.length ?? 0), 0)
    if (bytes > 0) {
      const fitting = Math.floor((SLICE_BYTES * rows.length) / bytes)
      this.#sliceRows = Math.min(SLICE_ROWS, Math.max(1, fitting))
    }
    return { rows, asked }
  }

  /** Says that settled rows will not be read again, and forgets writers that have no rows any more. */
  discardSettled(batch: Batch, org: string, sid: Uint8Array, now: number): void {
    let crowd = this.#writers.size - WRITERS
    for (const [name, progress] of this.#writers) {
      if (progress.day === 0) continue
      const done = this.#discarded.get(progress)
      if (done?.floor !== progress.floor) {
        for (let day = done?.day ?? progress.day; day <= progress.day; day++) {
          batch.discard(inbox, { org, log: sid, day }, { writer: progress.writer, seq: progress.floor })
        }
        this.#discarded.set(progress, { floor: progress.floor, day: progress.day, at: now })
        continue
      }
      const gone = progress.day < now / DAY_MS - FORGET_AFTER_DAYS
      if (progress.idle && (gone || (crowd > 0 && done.at < now - FORGET_AFTER_MS))) {
        this.#last = null
        this.#writers.delete(name)
        this.#discarded.delete(progress)
        crowd--
      }
    }
  }
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
}
