import type { KeyRange } from '../key-range.ts'
import type { Environment, Step } from './environment.ts'
import type { EncodedRange, EncodedRow, Operation } from './prepared.ts'

/** Rows that one `discard` removes at once; the rest follows in transactions of its own. */
const discardRows = 1_000

/**
 * Works out what a transaction does before it begins. No other transaction is under way meanwhile and this process
 * is alone with the data, so what is committed plus what was planned before is what the transaction would find.
 */
export class Plan {
  readonly steps: Step[] = []
  /** Ranges of which more rows are to be discarded later. */
  readonly unfinished: KeyRange[] = []
  /** Newest planned stamp of a row by key, on tables with a stamp. */
  readonly #stamps = new Map<string, number>()
  /** Rows planned by `addIf`, by key. */
  readonly #conditional = new Map<string, EncodedRow>()
  readonly #puts: EncodedRow[] = []
  /** The first `#sorted` of `#puts` by partition: made when a partition is deleted. */
  readonly #byPartition = new Map<string, EncodedRow[]>()
  #sorted = 0
  readonly #environment: Environment
  readonly #now: number

  constructor(environment: Environment, now: number) {
    this.#environment = environment
    this.#now = now
  }

  add(operation: Operation): void {
    switch (operation.kind) {
      case 'put':
        this.#put(operation)
        break
      case 'putIfNewer':
        if (this.#isNewer(operation)) this.#put(operation)
        break
      case 'delete':
        this.steps.push(operation.chunk.subarray(operation.at, operation.keyEnd))
        if (operation.entry.codec.stamped) this.#stamps.set(keyText(operation), Number.NEGATIVE_INFINITY)
        break
      case 'deletePartition':
        this.#deletePartition(operation)
        break
      default:
        this.discard(operation.range)
    }
  }

  /** Plans the row only if the column of the row at its key equals `expected`; says whether it did. */
  addIf(row: EncodedRow, column: string, expected: unknown): boolean {
    const key = keyText(row)
    const planned = this.#conditional.get(key)
    const value =
      planned === undefined ? this.#committed(row) : planned.chunk.subarray(planned.keyEnd, planned.valueEnd)
    if (expected === undefined) {
      if (value !== undefined) return false
    } else if (value === undefined || row.entry.codec.readColumns(value)[column] !== expected) return false
    this.#conditional.set(key, row)
    this.steps.push(row)
    return true
  }

  /** Removes the first rows of a range that nothing will read again. */
  discard(range: KeyRange): void {
    let removed = 0
    for (const key of this.#environment.keys(range)) {
      if (removed++ === discardRows) {
        this.unfinished.push({ start: key, end: range.end })
        return
      }
      this.steps.push(key)
    }
  }

  #put(row: EncodedRow): void {
    this.steps.push(row)
    this.#puts.push(row)
  }

  #isNewer(row: EncodedRow): boolean {
    const key = keyText(row)
    let stamp = this.#stamps.get(key)
    if (stamp === undefined) {
      const value = this.#committed(row)
      const { codec } = row.entry
      stamp = value === undefined ? Number.NEGATIVE_INFINITY : codec.stampOf(codec.readColumns(value))
    }
    if (row.stamp < stamp) return false
    this.#stamps.set(key, row.stamp)
    return true
  }

  #deletePartition({ range, entry }: EncodedRange): void {
    const keys = [...this.#environment.keys(range)]
    for (const row of this.#plannedIn(range.start)) keys.push(row.chunk.subarray(row.at, row.keyEnd))
    for (const key of keys) {
      this.steps.push(key)
      if (entry.codec.stamped) this.#stamps.set(key.toString('latin1'), Number.NEGATIVE_INFINITY)
    }
  }

  #plannedIn(partition: Buffer): EncodedRow[] {
    for (; this.#sorted < this.#puts.length; this.#sorted++) {
      const row = this.#puts[this.#sorted]
      const key = row.chunk.toString('latin1', row.at, row.partitionEnd)
      const rows = this.#byPartition.get(key)
      if (rows === undefined) this.#byPartition.set(key, [row])
      else rows.push(row)
    }
    return this.#byPartition.get(partition.toString('latin1')) ?? []
  }

  /** Value of the row's key on disk, unless expired. */
  #committed(row: EncodedRow): Buffer | undefined {
    const value = this.#environment.get(row.chunk.subarray(row.at, row.keyEnd))
    return value === undefined || row.entry.codec.expired(value, this.#now) ? undefined : value
  }
}

function keyText(row: EncodedRow): string {
  return row.chunk.toString('latin1', row.at, row.keyEnd)
}
