import type { Clock } from '../../clock.ts'
import type { Logger } from '../../log.ts'
import { boundedRange, type KeyRange, rowKey, tableRange } from '../key-range.ts'
import { type Batch, type Conditional, type Range, type Store, StoreError } from '../store.ts'
import type { AnyTable, KeyOf, PartitionOf, RowOf } from '../table.ts'
import { Arena } from './arena.ts'
import type { Catalogue } from './catalogue.ts'
import type { Environment } from './environment.ts'
import { KnownExpiries, Sweeper } from './expiry.ts'
import { Pipeline } from './pipeline.ts'
import { type Encoding, Prepared } from './prepared.ts'

/** Rows that a call of `scan` looks at for each row it was asked for, at most: expired ones may lie between. */
const scanLooksPerRow = 4

/** What the store is made of; `openLmdbStore` puts it together. */
export interface Parts {
  environment: Environment
  catalogue: Catalogue
  clock: Clock
  log: Logger
  /** Limit of the pages that hold rows, in bytes. */
  maxBytes: number
  /** Milliseconds between sweeps for expired rows. */
  sweepMs: number
  /** Gives the lock of the directory back. */
  unlock: () => void
}

/**
 * The embedded store on LMDB. Reads are synchronous look-ups in the memory map within one event-loop turn, so no
 * read transaction outlives a call. Batches are atomic as a whole; batches that wait for the disk together share a
 * transaction. Nothing that a rejected call asked for is there.
 */
export class LmdbStore implements Store {
  /** Random name of these data, made with them. */
  readonly identity: string
  readonly #environment: Environment
  readonly #catalogue: Catalogue
  readonly #clock: Clock
  readonly #log: Logger
  readonly #unlock: () => void
  readonly #encoding: Encoding
  readonly #pipeline: Pipeline
  readonly #sweeper: Sweeper
  readonly #timer: NodeJS.Timeout
  #sweeping: Promise<number> | null = null
  #closed: Promise<void> | null = null

  constructor(parts: Parts) {
    const { environment, catalogue, clock, log } = parts
    this.identity = catalogue.identity
    this.#environment = environment
    this.#catalogue = catalogue
    this.#clock = clock
    this.#log = log
    this.#unlock = parts.unlock
    const known = new KnownExpiries()
    this.#encoding = { arena: new Arena(), catalogue, known }
    this.#pipeline = new Pipeline({ environment, catalogue, known, clock, maxBytes: parts.maxBytes })
    this.#sweeper = new Sweeper(environment, catalogue)
    this.#timer = setInterval(() => void this.#sweepQuietly(), parts.sweepMs).unref()
  }

  async get<T extends AnyTable>(table: T, key: KeyOf<T>): Promise<RowOf<T> | undefined> {
    await this.#readable()
    const { id, codec } = this.#catalogue.entry(table)
    const bytes = rowKey(codec, id, key)
    const value = this.#environment.get(bytes)
    if (value === undefined || codec.expired(value, this.#clock.now())) return undefined
    return codec.read(bytes, 1, value)
  }

  async range<T extends AnyTable>(table: T, partition: PartitionOf<T>, range: Range<T>): Promise<RowOf<T>[]> {
    await this.#readable()
    const { id, codec } = this.#catalogue.entry(table)
    const bounds = boundedRange(codec, id, partition, range)
    return this.#collect(table, bounds, range.reverse ?? false, range.limit, Number.POSITIVE_INFINITY).rows
  }

  async scan<T extends AnyTable>(
    table: T,
    cursor: string | null,
    limit: number,
  ): Promise<{ rows: RowOf<T>[]; cursor: string | null }> {
    await this.#readable()
    const bounds = tableRange(this.#catalogue.entry(table).id)
    if (cursor !== null) bounds.start = Buffer.from(`${cursor}00`, 'hex')
    const { rows, last } = this.#collect(table, bounds, false, limit, limit * scanLooksPerRow)
    return { rows, cursor: last?.toString('hex') ?? null }
  }

  async write(batch: Batch): Promise<void> {
    this.#refuseClosed()
    if (batch.size === 0) return
    const prepared = new Prepared(this.#encoding, this.#clock.now())
    try {
      for (const mutation of batch.mutations) prepared.add(mutation)
      await this.#pipeline.write(prepared)
    } finally {
      prepared.release()
    }
  }

  async putIf<T extends AnyTable>(
    table: T,
    row: RowOf<T>,
    column: keyof T['columns'] & string,
    expected: string | number | boolean | undefined,
  ): Promise<Conditional> {
    this.#refuseClosed()
    const prepared = new Prepared(this.#encoding, this.#clock.now())
    try {
      const encoded = prepared.put(table, row, false)
      return (await this.#pipeline.putIf(prepared, encoded, column, expected)) ? 'applied' : 'rejected'
    } finally {
      prepared.release()
    }
  }

  /**
   * Removes what is expired, in bounded transactions between those of the writers, and returns the number of rows.
   * It runs by itself once a minute.
   */
  sweep(): Promise<number> {
    this.#sweeping ??= this.#sweepAll().finally(() => {
      this.#sweeping = null
    })
    return this.#sweeping
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    clearInterval(this.#timer)
    await this.#sweeping?.catch(() => undefined)
    await this.#pipeline.close()
    await this.#environment.close()
    this.#unlock()
  }

  /** Rows of a range; `last`: where to go on when it stopped before the end. */
  #collect<T extends AnyTable>(
    table: T,
    bounds: KeyRange,
    reverse: boolean,
    limit: number,
    looks: number,
  ): { rows: RowOf<T>[]; last: Buffer | null } {
    const { codec } = this.#catalogue.entry(table)
    const now = this.#clock.now()
    const reader = codec.reader()
    const rows: RowOf<T>[] = []
    let last: Buffer | null = null
    let looked = 0
    if (limit <= 0) return { rows, last }
    this.#environment.visit(bounds, reverse, (key, value) => {
      if (!codec.expired(value, now)) rows.push(reader.read(key, 1, value))
      if (rows.length < limit && ++looked < looks) return true
      last = key
      return false
    })
    return { rows, last }
  }

  async #readable(): Promise<void> {
    this.#refuseClosed()
    await this.#environment.ready
  }

  #refuseClosed(): void {
    if (this.#closed !== null) throw new StoreError('closed', 'the store is closed')
  }

  async #sweepAll(): Promise<number> {
    let removed = 0
    while (this.#closed === null) {
      const slice = await this.#pipeline
        .maintain((now) => this.#sweeper.slice(now))
        .catch((error: unknown) => {
          this.#sweeper.restart()
          throw error
        })
      removed += slice.removed
      if (!slice.more) break
    }
    return removed
  }

  async #sweepQuietly(): Promise<void> {
    try {
      const removed = await this.sweep()
      if (removed > 0) this.#log.debug({ event: 'store.swept', removed }, 'expired rows removed')
    } catch (err) {
      this.#log.warn({ event: 'store.sweep_failed', err }, 'expired rows could not be removed')
    }
  }
}
