import type { Logger } from '../log.ts'
import { systemTimers, type Timer, type Timers } from '../timers.ts'
import { Batch, type Store, StoreError } from './store.ts'

/**
 * Group commit: everything staged while a batch is in the air goes into the next one, so that one fsync (or one
 * quorum round trip) serves many clients. One batch in the air at a time keeps the order of batches.
 *
 * Users stage rows into `stage()`, remember `ticket` and hear by `onDurable` when that ticket is on disk:
 *
 *     commit.stage().put(inbox, row)
 *     const ticket = commit.ticket
 *     ...
 *     commit.onDurable((through) => { if (ticket <= through) acknowledge() })
 *
 * A failed batch is repeated as it is until it succeeds (its keys make that harmless); nothing is acknowledged
 * meanwhile. `staged` and `stagedBytes` grow, by which callers slow their sources down; their wait ends at a call of
 * `onDurable`'s listeners.
 */
export class GroupCommit {
  /** Number of the batch that is being filled: what was staged now is durable when `through >= ticket`. */
  ticket = 1
  /** The newest durable batch. */
  through = 0
  /** Writes that failed. */
  failures = 0
  /** Whose rows it takes, see Lanes. */
  readonly lane: 'local' | 'geo'
  #stagings = 0
  #open = new Batch()
  #flying: Batch | null = null
  #scheduled = false
  /** `close` was called: the next failure ends it. */
  #closing = false
  #closed = false
  #retry: Timer | null = null
  #failing = false
  readonly #listeners: ((through: number) => void)[] = []
  readonly #beforeLaunch: (() => void)[] = []
  readonly #waiting: { ticket: number; durable: () => void; failed: (error: StoreError) => void }[] = []
  readonly #store: Store
  readonly #log: Logger
  readonly #retryMs: number
  readonly #timers: Timers
  readonly #startFlight = (): void => {
    this.#scheduled = false
    this.#launch()
  }

  constructor(
    store: Store,
    log: Logger,
    options: { lane?: 'local' | 'geo'; retryMs?: number; timers?: Timers } = {},
  ) {
    this.lane = options.lane ?? 'local'
    this.#store = store
    this.#log = log
    this.#retryMs = options.retryMs ?? 500
    this.#timers = options.timers ?? systemTimers
  }

  /**
   * The batch to stage rows into; it leaves at the end of this event-loop turn, or when the one in the air has landed.
   * What is staged after `close` is never written and never acknowledged.
   */
  stage(): Batch {
    this.#stagings++
    if (!this.#scheduled && this.#flying === null) {
      this.#scheduled = true
      this.#timers.soon(this.#startFlight)
    }
    return this.#open
  }

  /** Goes on with every `stage()`, for `stagedSince`. */
  get mark(): number {
    return this.#stagings
  }

  /**
   * Whether something of the open batch is from after `mark`: a new row, or a change of one that is in it already (so
   * comparing `staged` would not do). If so, it is durable with `ticket`.
   */
  stagedSince(mark: number): boolean {
    return this.#stagings !== mark && this.#open.size > 0
  }

  /** Rows staged but not durable yet, in the open batch and in the one in the air. */
  get staged(): number {
    return this.#open.size + (this.#flying?.size ?? 0)
  }

  /** Bytes of these rows, about. */
  get stagedBytes(): number {
    return this.#open.bytes + (this.#flying?.bytes ?? 0)
  }

  /** Whether the last attempt to write failed (disk full, store away): nothing is acknowledged now. */
  get failing(): boolean {
    return this.#failing
  }

  /** Calls `listener` with the newest durable ticket after each landed batch. */
  onDurable(listener: (through: number) => void): void {
    this.#listeners.push(listener)
  }

  /**
   * Calls `listener` just before a batch leaves; what it stages goes with that batch (state that changes many times a
   * turn is written once). It has asked for a batch by `stage()`.
   */
  beforeLaunch(listener: () => void): void {
    this.#beforeLaunch.push(listener)
  }

  /** Resolves when everything staged so far is durable; rejects with StoreError if `close` gave up on it. */
  durable(): Promise<void> {
    for (const listener of this.#beforeLaunch) listener()
    const ticket = this.#open.size > 0 ? this.ticket : this.ticket - 1
    if (ticket <= this.through) return Promise.resolve()
    if (this.#closed) return Promise.reject(gaveUp())
    return new Promise((durable, failed) => this.#waiting.push({ ticket, durable, failed }))
  }

  /**
   * Writes what is staged and stops; resolves either way. A write that fails now is not repeated, and while the store
   * is failing one more attempt is made: what is still not durable was never acknowledged.
   */
  async close(): Promise<void> {
    if (this.#closing) return
    this.#closing = true
    if (this.#retry !== null && this.#flying !== null) {
      this.#retry.cancel()
      this.#retry = null
      this.#fly(this.#flying)
    }
    try {
      await this.durable()
    } catch {
      this.#log.error(
        { event: 'store.unwritten', lane: this.lane, rows: this.staged },
        'closed with rows that were never acknowledged',
      )
    }
    this.#closed = true
  }

  #launch(): void {
    if (this.#flying !== null || this.#closed) return
    for (const listener of this.#beforeLaunch) listener()
    if (this.#open.size === 0) return
    this.#flying = this.#open
    this.#open = new Batch()
    this.ticket++
    this.#fly(this.#flying)
  }

  #fly(batch: Batch): void {
    this.#store.write(batch).then(
      () => this.#landed(),
      (error: unknown) => this.#failed(batch, error),
    )
  }

  #landed(): void {
    if (this.#failing) {
      this.#failing = false
      this.#log.info({ event: 'store.recovered', lane: this.lane }, 'store writes again')
    }
    this.#flying = null
    this.through = this.ticket - 1
    this.#launch()
    for (const listener of this.#listeners) listener(this.through)
    while (this.#waiting.length > 0 && this.#waiting[0].ticket <= this.through)
      this.#waiting.shift()?.durable()
  }

  #failed(batch: Batch, error: unknown): void {
    this.failures++
    if (!this.#failing) {
      this.#failing = true
      this.#log.error(
        { event: 'store.write_failed', lane: this.lane, err: error },
        this.lane === 'local'
          ? 'store cannot write: nothing is acknowledged until it can'
          : 'rows of organisations with durability geo cannot be written: nothing of theirs is acknowledged until they can',
      )
    }
    if (this.#closing) {
      this.#closed = true
      for (const { failed } of this.#waiting.splice(0)) failed(gaveUp(error))
      return
    }
    this.#retry = this.#timers.after(this.#retryMs, () => void this.#repeat(batch, error))
  }

  /** Repeats a batch. In a full store what is to be discarded goes first, because it makes room. */
  async #repeat(batch: Batch, error: unknown): Promise<void> {
    this.#retry = null
    if (error instanceof StoreError && error.code === 'full') {
      // What was settled meanwhile is discarded with the state that says so.
      for (const listener of this.#beforeLaunch) listener()
      const room = new Batch()
      const staged = [...batch.mutations, ...this.#open.mutations]
      room.mutations.push(...staged.filter(({ kind }) => kind === 'discard'))
      // Advice, and repeated with its batch: it does not matter whether it works.
      if (room.size > 0) await this.#store.write(room).catch(() => undefined)
    }
    if (!this.#closed) this.#fly(batch)
  }
}

function gaveUp(cause?: unknown): StoreError {
  return new StoreError('closed', 'closed before it was written', { cause })
}
