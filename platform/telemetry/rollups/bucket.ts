import type { TelemetryValue } from '../point.ts'
import { Sketch } from './sketch.ts'

/** A value at one end of a bucket; undefined: too long to be kept here, the stored values have it. */
export interface Edge {
  readonly ts: number
  readonly value: TelemetryValue | undefined
}

/** Aggregates of one key over a span of time. Buckets of disjoint spans merge into that of both. */
export class Bucket {
  /** Values of any type. */
  count = 0
  /** Numbers among them; the rest is about these. */
  numbers = 0
  min = Number.POSITIVE_INFINITY
  max = Number.NEGATIVE_INFINITY
  sum = 0
  first: Edge = none
  last: Edge = none
  /** Kept only if asked for. */
  readonly sketch: Sketch | null

  constructor(sketched: boolean) {
    this.sketch = sketched ? new Sketch() : null
  }

  /** Values of one millisecond come in their order of arrival. */
  add(ts: number, value: TelemetryValue): void {
    this.#ends({ ts, value }, { ts, value })
    this.count++
    if (typeof value !== 'number') return
    this.addNumbers(1, value, value, value)
    this.sketch?.add(value)
  }

  addNumbers(numbers: number, min: number, max: number, sum: number): void {
    this.numbers += numbers
    if (min < this.min) this.min = min
    if (max > this.max) this.max = max
    this.sum += sum
  }

  merge(other: Bucket): void {
    if (other.count === 0) return
    this.#ends(other.first, other.last)
    this.count += other.count
    if (other.numbers === 0) return
    this.addNumbers(other.numbers, other.min, other.max, other.sum)
    if (this.sketch !== null && other.sketch !== null) this.sketch.merge(other.sketch)
  }

  /** Within 1 % of the true one, and never beyond minimum and maximum. */
  quantile(q: number): number {
    return Math.min(Math.max(this.sketch?.quantile(q) ?? Number.NaN, this.min), this.max)
  }

  #ends(first: Edge, last: Edge): void {
    if (this.count === 0 || first.ts < this.first.ts) this.first = first
    if (this.count === 0 || last.ts >= this.last.ts) this.last = last
  }
}

const none: Edge = { ts: 0, value: undefined }
