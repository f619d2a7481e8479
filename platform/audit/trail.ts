import { z } from 'zod'
import type { Store } from '../store/store.ts'
import type { RowOf } from '../store/table.ts'
import { dayMs, type Outcome } from './audit.ts'
import { audit, auditDay } from './tables.ts'

/** An entry as it is read. */
export interface Entry {
  readonly id: string
  readonly org: string
  /** Milliseconds since 1970. */
  readonly at: number
  /** `begun`: it is under way, or its process died before it knew what came of it. */
  readonly outcome: Outcome
  readonly actor: { readonly kind: string; readonly id: string; readonly name: string }
  readonly address: string | null
  readonly operation: string
  readonly targets: readonly string[]
  readonly before: unknown
  readonly after: unknown
  readonly problem: string | null
  readonly request: string | null
  readonly dc: string | null
  readonly process: string | null
}

export interface Place {
  readonly at: number
  readonly id: string
}

export interface Span {
  /** Inclusive, milliseconds since 1970. */
  readonly from: number
  /** Exclusive. */
  readonly to: number
  readonly order: 'asc' | 'desc'
  /** Only what comes after this entry. */
  readonly after?: Place | undefined
}

/** Rows read from one bucket at a time; a row has up to some 35 KB. */
const step = 100
/** Days that an organisation can have, times buckets. */
const maxDays = 402 * 8
const texts = z.array(z.string())

/** Reads what `Audit` has written, merged in order of time. Rejects with StoreError. */
export class Trail {
  readonly #store: Store

  constructor(store: Store) {
    this.#store = store
  }

  /** All entries of a span, as they are asked for: some hundred are in memory at a time. */
  async *entries(org: string, span: Span): AsyncGenerator<Entry> {
    const listed = await this.#store.range(
      auditDay,
      { org },
      { from: { day: dayOf(span.from) }, to: { day: dayOf(span.to) }, limit: maxDays },
    )
    const days = [...Map.groupBy(listed, ({ day }) => day)].toSorted(([a], [b]) => a - b)
    if (span.order === 'desc') days.reverse()
    for (const [day, rows] of days) {
      if (passed(day, span)) continue
      yield* this.#day(
        org,
        day,
        rows.map(({ bucket }) => bucket),
        span,
      )
    }
  }

  async *#day(org: string, day: number, buckets: readonly number[], span: Span): AsyncGenerator<Entry> {
    const readers = buckets.map((bucket) => new BucketReader(this.#store, { org, day, bucket }, span))
    // oxlint-disable-next-line no-await-in-loop -- the next of each, then the first of them
    for (;;) {
      // oxlint-disable-next-line no-await-in-loop
      const heads = await Promise.all(readers.map((reader) => reader.peek()))
      let first = -1
      for (const [index, head] of heads.entries()) {
        const best = heads[first]
        if (head !== undefined && (best === undefined || isBefore(head, best, span.order))) first = index
      }
      const row = heads[first]
      if (row === undefined) return
      readers[first].take()
      yield entryOf(row)
    }
  }
}

type Row = RowOf<typeof audit>

/** Rows of one bucket in order, some at a time. */
class BucketReader {
  #rows: Row[] = []
  #next = 0
  #ended = false
  #last: Place | undefined
  readonly #store: Store
  readonly #partition: { org: string; day: number; bucket: number }
  readonly #span: Span

  constructor(store: Store, partition: { org: string; day: number; bucket: number }, span: Span) {
    this.#store = store
    this.#partition = partition
    this.#span = span
    this.#last = span.after
  }

  async peek(): Promise<Row | undefined> {
    if (this.#next === this.#rows.length && !this.#ended) await this.#read()
    return this.#rows[this.#next]
  }

  take(): void {
    this.#next++
  }

  async #read(): Promise<void> {
    const { from, to, order } = this.#span
    const last = this.#last
    const bounds =
      order === 'asc'
        ? { ...(last === undefined ? { from: { at: from } } : { after: last }), before: { at: to } }
        : { from: { at: from }, before: last ?? { at: to }, reverse: true }
    this.#rows = await this.#store.range(audit, this.#partition, { ...bounds, limit: step })
    this.#next = 0
    this.#ended = this.#rows.length < step
    this.#last = this.#rows.at(-1) ?? last
    if (this.#last !== undefined) this.#last = { at: this.#last.at, id: this.#last.id }
  }
}

function dayOf(at: number): number {
  return Math.floor(at / dayMs)
}

/** Whether all of the day comes before what was asked for. */
function passed(day: number, { order, after }: Span): boolean {
  if (after === undefined) return false
  return order === 'asc' ? day < dayOf(after.at) : day > dayOf(after.at)
}

function isBefore(a: Row, b: Row, order: 'asc' | 'desc'): boolean {
  const earlier = a.at === b.at ? a.id < b.id : a.at < b.at
  return order === 'asc' ? earlier : !earlier
}

function entryOf(row: Row): Entry {
  return {
    id: row.id,
    org: row.org,
    at: row.at,
    outcome: (row.outcome ?? 'begun') as Outcome,
    actor: { kind: row.actor_kind ?? '', id: row.actor_id ?? '', name: row.actor_name ?? '' },
    address: row.address ?? null,
    operation: row.operation ?? '',
    targets: row.targets === undefined ? [] : texts.parse(JSON.parse(row.targets)),
    before: json(row.before),
    after: json(row.after),
    problem: row.problem ?? null,
    request: row.request ?? null,
    dc: row.dc ?? null,
    process: row.process ?? null,
  }
}

function json(text: string | undefined): unknown {
  return text === undefined ? null : (JSON.parse(text) as unknown)
}
