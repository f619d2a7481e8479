import type { Outgoing } from '../message.ts'

/** One row of an inbox on its way to the client. */
export interface Entry {
  readonly writer: WriterProgress
  readonly seq: number
  readonly day: number
  readonly stored: Uint8Array
  /** The same, decoded, while it is on its way for the first time. */
  out: Outgoing | null
  settled: boolean
}

/**
 * How far a session has come with the rows of one writer (a process incarnation or a stream of QoS 2): everything
 * up to `floor` is settled, so are those in `above`; rows up to `cursor` have been taken into memory.
 */
export class WriterProgress {
  readonly writer: Uint8Array
  floor: number
  cursor: number
  /** Settled beyond the floor by an earlier holder. */
  readonly above: Set<number>
  /** Day of the newest settled row: what the inbox may forget, and when this record may go. */
  day: number
  /** Rows in memory, by seq; a settled one leaves when all before it are settled. */
  #pending: Entry[] = []
  #head = 0

  constructor(writer: Uint8Array, floor = 0, above: Iterable<number> = [], day = 0) {
    this.writer = writer
    this.floor = floor
    this.cursor = floor
    this.above = new Set(above)
    this.day = day
  }

  /** Whether this row was settled or is in memory already. */
  knows(seq: number): boolean {
    return seq <= this.cursor || this.above.has(seq)
  }

  /** Takes a row into memory; rows come in order of seq. */
  take(seq: number, day: number, stored: Uint8Array): Entry {
    const entry: Entry = { writer: this, seq, day, stored, out: null, settled: false }
    this.#pending.push(entry)
    this.cursor = seq
    return entry
  }

  /** Marks a row as done: acknowledged, or dropped by a limit. True if the floor has moved. */
  settle(entry: Entry): boolean {
    entry.settled = true
    let moved = false
    while (this.#head < this.#pending.length && this.#pending[this.#head].settled) {
      const done = this.#pending[this.#head++]
      this.floor = done.seq
      this.day = done.day
      moved = true
    }
    for (const seq of this.above) if (seq <= this.floor) this.above.delete(seq)
    if (this.#head === this.#pending.length) {
      this.#pending = []
      this.#head = 0
    } else if (this.#head > 512) {
      this.#pending = this.#pending.slice(this.#head)
      this.#head = 0
    }
    return moved
  }

  /** Rows settled out of order. */
  settledAbove(): number[] {
    const seqs = [...this.above]
    for (let i = this.#head; i < this.#pending.length; i++)
      if (this.#pending[i].settled) seqs.push(this.#pending[i].seq)
    return seqs
  }

  /** Forgets the rows that wait, not those in flight (`kept`): they will be read again. */
  rewind(kept: ReadonlySet<Entry>): void {
    let last = this.#pending.length - 1
    while (last >= this.#head && !this.#pending[last].settled && !kept.has(this.#pending[last])) last--
    this.#pending = this.#pending.slice(this.#head, last + 1)
    this.#head = 0
    this.cursor = this.#pending.at(-1)?.seq ?? this.floor
  }
}
