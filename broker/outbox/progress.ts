import type { Outgoing } from '../message.ts'
import { includes, type Span, union } from './spans.ts'

/** One row of an inbox on its way to the client. */
export interface Entry {
  readonly writer: WriterProgress
  readonly seq: number
  readonly day: number
  readonly stored: Uint8Array
  /** The same, decoded, while it is on its way for the first time. */
  out: Outgoing | null
  settled: boolean
  /** Rows between the one before it in memory and this one were settled. */
  settledBefore: boolean
}

/** Settled entries among those in memory before they are cleared out. */
const CLEAR_AT = 256

/**
 * How far a session has come with the rows of one writer (a process incarnation or a stream of QoS 2). Rows are taken
 * into memory in order of seq, so that of those up to `cursor` all are settled but the unsettled ones in memory. So
 * what is held and saved is bounded by what waits for the client, however much is settled around it.
 */
export class WriterProgress {
  readonly writer: Uint8Array
  /** All rows up to this one are settled. */
  floor: number
  /** Rows up to this one have been taken into memory. */
  cursor: number
  /** Newest day of a settled row: what the inbox may forget, and when this record may go. */
  day: number
  /** Rows above this one are not read from the store yet: one between them may still be on its way there. */
  limit = Number.POSITIVE_INFINITY
  /** What it was before it was raised first during the fetch of this number. */
  limitBefore = 0
  raisedIn = -1
  /** Newest row of a stream that anybody has seen. */
  newest = 0
  /** When that was raised last, milliseconds since 1970. */
  raisedAt = 0
  /** Number of the last fetch that found a row which had to wait; -1: none has. */
  heldBackIn = -1
  /** Rows beyond the cursor that an earlier holder has settled. */
  #ahead: readonly Span[]
  /** Rows in memory, in order of seq; settled ones are cleared out now and then. */
  #pending: Entry[] = []
  #head = 0
  #settled = 0
  /** Rows after the last one in memory were settled. */
  #settledLast = false
  /** Rows in memory that were taken without knowing those before them. */
  #loose: Map<number, Entry> | null = null

  constructor(writer: Uint8Array, floor = 0, above: readonly Span[] = [], day = 0) {
    this.writer = writer
    this.floor = floor
    this.cursor = floor
    this.#ahead = above
    this.day = day
  }

  /** No row is in memory. */
  get idle(): boolean {
    return this.#pending.length === 0 && this.#ahead.length === 0 && this.#loose === null
  }

  /** Whether this row was settled or is in memory already. */
  knows(seq: number): boolean {
    return seq <= this.cursor || includes(this.#ahead, seq) || this.#loose?.has(seq) === true
  }

  /** Takes a row into memory; rows come in order of seq. */
  take(seq: number, day: number, stored: Uint8Array): Entry {
    const entry: Entry = { writer: this, seq, day, stored, out: null, settled: false, settledBefore: false }
    this.#append(entry)
    return entry
  }

  /** Rows are in memory that were taken by `takeLoose`. */
  get loose(): boolean {
    return this.#loose !== null
  }

  /** A row taken by `takeLoose` has its place in the order now: all before it have been taken. */
  admit(seq: number): void {
    const entry = this.#loose?.get(seq)
    if (entry === undefined) return
    this.#loose?.delete(seq)
    if (this.#loose?.size === 0) this.#loose = null
    this.#append(entry)
  }

  #append(entry: Entry): void {
    const { seq } = entry
    const passed = this.#ahead.length > 0 && this.#ahead[0][0] < seq
    entry.settledBefore = this.#settledLast || passed
    this.#pending.push(entry)
    this.#settledLast = false
    this.cursor = seq
    if (passed) this.#ahead = this.#ahead.filter(([, to]) => to > seq)
  }

  /**
   * Takes a row into memory of which is not known whether all before it have been seen: it is remembered by itself,
   * and the floor stays.
   */
  takeLoose(seq: number, day: number, stored: Uint8Array): Entry {
    const entry: Entry = { writer: this, seq, day, stored, out: null, settled: false, settledBefore: false }
    ;(this.#loose ??= new Map()).set(seq, entry)
    return entry
  }

  /** What an earlier holder has settled, learned late: rows up to `floor` and those in `above`. */
  learn(floor: number, above: readonly Span[]): void {
    const spans: Span[] = floor > this.cursor ? [[this.cursor + 1, floor], ...above] : [...above]
    this.#ahead = union(this.#ahead, spans, this.cursor)
  }

  /** All rows up to `seq` have been seen: those settled need not be remembered one by one any more. */
  seenThrough(seq: number): void {
    if (seq <= this.cursor || this.#pending.length > 0) return
    let first = seq + 1
    for (const waiting of this.#loose?.keys() ?? []) if (waiting < first) first = waiting
    if (first - 1 <= this.cursor) return
    this.cursor = first - 1
    this.floor = this.cursor
    this.#ahead = union(this.#ahead, [], this.cursor)
  }

  /** Marks a row as done: acknowledged, or dropped by a limit. */
  settle(entry: Entry): void {
    if (entry.settled) return
    entry.settled = true
    if (entry.day > this.day) this.day = entry.day
    if (this.#loose?.delete(entry.seq) === true) {
      if (this.#loose.size === 0) this.#loose = null
      this.#ahead = union(this.#ahead, [[entry.seq, entry.seq]], this.floor)
      return
    }
    this.#settled++
    while (this.#head < this.#pending.length && this.#pending[this.#head].settled) {
      this.#head++
      this.#settled--
    }
    this.#raise()
    if (this.#settled > CLEAR_AT && this.#settled * 2 > this.#pending.length - this.#head) {
      this.#keep(this.#unsettled(this.#head, this.#pending.length))
    } else if (this.#head === this.#pending.length) this.#keep([])
    else if (this.#head > 512) this.#keep(this.#pending.slice(this.#head))
  }

  /** Settled rows above the floor. */
  settledAbove(): readonly Span[] {
    const spans: Span[] = []
    let from = this.floor + 1
    let between = false
    for (let i = this.#head; i < this.#pending.length; i++) {
      const { seq, settled, settledBefore } = this.#pending[i]
      between ||= settled || settledBefore
      if (settled) continue
      if (between && seq > from) spans.push([from, seq - 1])
      from = seq + 1
      between = false
    }
    if (this.cursor >= from && (between || this.#settledLast)) spans.push([from, this.cursor])
    return this.#ahead.length === 0 ? spans : union(spans, this.#ahead, this.floor)
  }

  /** Forgets the rows that wait, not those in flight (`kept`): they will be read again. */
  rewind(kept: ReadonlySet<Entry>): void {
    for (const entry of this.#loose?.values() ?? []) if (!kept.has(entry)) this.#loose?.delete(entry.seq)
    if (this.#loose?.size === 0) this.#loose = null
    let end = this.#pending.length
    while (end > this.#head && !kept.has(this.#pending[end - 1])) end--
    const next = this.#pending.findIndex((entry, i) => i >= end && !entry.settled)
    if (next >= 0) {
      const { seq, settledBefore } = this.#pending[next]
      this.#ahead = union(this.settledAbove(), [], seq)
      this.cursor = seq - 1
      this.#settledLast = settledBefore || next > end
    } else this.#settledLast ||= end < this.#pending.length
    this.#keep(this.#pending.slice(this.#head, end))
    this.#raise()
  }

  /** The unsettled ones of those in memory, each knowing what was settled before it. */
  #unsettled(from: number, to: number): Entry[] {
    const entries: Entry[] = []
    let between = false
    for (let i = from; i < to; i++) {
      const entry = this.#pending[i]
      between ||= entry.settled || entry.settledBefore
      if (entry.settled) continue
      entry.settledBefore = between
      between = false
      entries.push(entry)
    }
    this.#settledLast ||= between
    return entries
  }

  #keep(entries: Entry[]): void {
    this.#pending = entries
    this.#head = 0
    this.#settled = entries.reduce((n, { settled }) => n + (settled ? 1 : 0), 0)
  }

  #raise(): void {
    const next = this.#pending[this.#head]
    this.floor = next === undefined ? this.cursor : next.seq - 1
    if (next === undefined) this.#settledLast = false
  }
}
