import type { KeyRange } from '../key-range.ts'
import { afterPrefix } from '../key-range.ts'
import { type Catalogue, expiryByte } from './catalogue.ts'
import type { Environment, Step } from './environment.ts'

/**
 * How rows with a TTL leave. Each row's value starts with its time of writing: a read drops it when it is too old.
 * To find such rows again without looking at all, an index has one row for each partition and span of time in which
 * that partition was written to: key = FE, time (4 bytes, seconds) at which all rows of the span are expired,
 * partition key. So a write costs a set look-up and, once a span and partition, one small row; and the sweeper reads
 * only partitions that have something to remove. (A row of the index for each row would double the writes.)
 */
const hourMs = 3_600_000
/** Index rows known to be written, kept to save writing them again. */
const knownKept = 100_000
/** Rows that one slice of the sweep looks at: bounds the transaction that other writes wait for. */
const sliceRows = 1_000
const prefixBytes = 5

/** Length of the spans for a TTL: an eighth of it, from an hour to a day. */
function spanMs(ttlMs: number): number {
  return Math.min(Math.max(ttlMs / 8, hourMs), 24 * hourMs)
}

/** Seconds since 1970 at which every row written in the same span as `now` is expired. */
export function expiryOf(ttlMs: number, now: number): number {
  const span = spanMs(ttlMs)
  return Math.ceil(((Math.floor(now / span) + 1) * span + ttlMs) / 1000)
}

/** Writes the index key of a partition (its key is `length` bytes at `from` in `source`) and returns its end. */
export function writeExpiryKey(
  target: Buffer,
  at: number,
  expiry: number,
  source: Buffer,
  from: number,
  to: number,
) {
  target[at] = expiryByte
  target.writeUInt32BE(expiry, at + 1)
  return at + prefixBytes + source.copy(target, at + prefixBytes, from, to)
}

/** Index rows that are on disk, as far as remembered. */
export class KnownExpiries {
  readonly #known = new Set<string>()

  has(key: string): boolean {
    return this.#known.has(key)
  }

  add(keys: Iterable<string>): void {
    if (this.#known.size > knownKept) this.#known.clear()
    for (const key of keys) this.#known.add(key)
  }
}

/** One bounded piece of the sweep. */
export interface Slice {
  steps: Step[]
  /** Rows that the steps remove. */
  removed: number
  /** Whether there may be more to remove. */
  more: boolean
}

/** Finds what is expired, piece by piece; the steps of each piece must be done before the next is asked for. */
export class Sweeper {
  /** Where the walk through a partition of many rows goes on: the index key, and the row after which to look. */
  #partly: { index: Buffer; after: Buffer; oldest: number } | null = null
  readonly #environment: Environment
  readonly #catalogue: Catalogue

  constructor(environment: Environment, catalogue: Catalogue) {
    this.#environment = environment
    this.#catalogue = catalogue
  }

  slice(now: number): Slice {
    const index = this.#partly?.index ?? this.#due(now)
    if (index === undefined) return { steps: [], removed: 0, more: false }
    const partition = index.subarray(prefixBytes)
    const ttlMs = this.#catalogue.ttlOf(partition[0])
    if (ttlMs === 0) return { steps: [index], removed: 0, more: true }
    const range: KeyRange = { start: partition, end: afterPrefix(partition) }
    let oldest = this.#partly?.oldest ?? Number.POSITIVE_INFINITY
    if (this.#partly !== null) range.start = Buffer.concat([this.#partly.after, Buffer.of(0)])
    const steps: Step[] = []
    let looked = 0
    let last: Buffer | null = null
    this.#environment.visit(range, false, (key, value) => {
      last = key
      const writtenAt = value.readUInt32LE(0) * 1000
      if (writtenAt + ttlMs <= now) steps.push(key)
      else oldest = Math.min(oldest, writtenAt)
      return ++looked < sliceRows
    })
    const removed = steps.length
    if (looked >= sliceRows && last !== null) {
      this.#partly = { index, after: last, oldest }
      return { steps, removed, more: true }
    }
    this.#partly = null
    steps.push(index)
    // What is left has index rows of its own, unless the TTL was made longer since.
    if (oldest < Number.POSITIVE_INFINITY) steps.push(indexRow(expiryOf(ttlMs, oldest), partition))
    return { steps, removed, more: true }
  }

  /** Forgets the place in the walk: after a piece that could not be done. */
  restart(): void {
    this.#partly = null
  }

  #due(now: number): Buffer | undefined {
    const end = Buffer.alloc(prefixBytes)
    end[0] = expiryByte
    end.writeUInt32BE(Math.floor(now / 1000) + 1, 1)
    for (const key of this.#environment.keys({ start: Buffer.of(expiryByte), end })) return key
    return undefined
  }
}

function indexRow(expiry: number, partition: Buffer): Step {
  const key = Buffer.alloc(prefixBytes + partition.length)
  writeExpiryKey(key, 0, expiry, partition, 0, partition.length)
  return { key, value: Buffer.alloc(0) }
}
