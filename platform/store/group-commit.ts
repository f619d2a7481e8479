import type { Logger } from '../log.ts'
import { Batch, type Store } from './store.ts'

/**
 * Group commit: everything staged while a batch is in the air goes into the next one, so that one fsync (or one
 * quorum round trip) serves many clients. One batch in the air at a time keeps the order of batches.
 *
 * Users stage rows into `open`, remember `ticket` and hear by `onDurable` when that ticket is on disk:
 *
 *     commit.stage().put(inbox, row)
 *     const ticket = commit.ticket
 *     ...
 *     commit.onDurable((through) => { if (ticket <= through) acknowledge() })
 *
 * A failed batch is repeated as it is until it succeeds (its keys make that harmless); nothing is acknowledged
 * meanwhile and `staged` grows, by which callers slow their sources down.
 */
export class GroupCommit {
  /** Number of the batch that is being filled: what was staged now is durable when `through >= ticket`. */
  ticket = 1
  /** The newest durable batch. */
  through = 0
  /** Writes that failed and were repeated. */
  failures = 0
  #open = new Batch()
  #flying: Batch | null = null
  #scheduled = false
  #closed = false
  #retry: NodeJS.Timeout | null = null
  #failing = false
  readonly #listeners: ((through: number) => void)[] = []
  readonly #beforeLaunch: (() => void)[] = []
  readonly #after: { ticket: number; done: () => void }[] = []
  readonly #store: Store
  readonly #log: Logger
  readonly #retryMs: number
  readonly #startFlight = (): void => {
    this.#scheduled = false
    this.#launch()
  }

  constructor(store: Store, log: Logger, options: { retryMs?: number } = {}) {
    this.#store = store
    this.#log = log
    this.#retryMs = options.retryMs ?? 500
  }

  /** The batch to stage rows into; it leaves at the end of this event-loop turn, or when the one in the air has landed. */
  stage(): Batch {
    if (!this.#scheduled && this.#flying === null) {
      this.#scheduled = true
      setImmediate(this.#startFlight)
    }
    return this.#open
  }

  /** Rows staged but not durable yet, in the open batch and in the one in the air. */
  get staged(): number {
    return this.#open.size + (this.#flying?.size ?? 0)
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

  /** Resolves when everything staged so far is durable. */
  durable(): Promise<void> {
    if (this.#flying === null) for (const listener of this.#beforeLaunch) listener()
    const ticket = this.#open.size > 0 ? this.ticket : this.ticket - 1
    if (ticket <= this.through) return Promise.resolve()
    return new Promise((done) => this.#after.push({ ticket, done }))
  }

  /** Writes what is staged and stops. While the store fails it gives up after one more attempt. */
  async close(): Promise<void> {
    if (!this.#failing) await this.durable()
    this.#closed = true
    if (this.#retry !== null) clearTimeout(this.#retry)
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
      this.#log.info({ event: 'store.recovered' }, 'store writes again')
    }
    this.#flying = null
    this.through = this.ticket - 1
    this.#launch()
    for (const listener of this.#listeners) listener(this.through)
    while (this.#after.length > 0 && this.#after[0].ticket <= this.through) this.#after.shift()?.done()
  }

  #failed(batch: Batch, error: unknown): void {
    this.failures++
    if (!this.#failing) {
      this.#failing = true
      this.#log.error(
        { event: 'store.write_failed', err: error },
        'store cannot write: nothing is acknowledged until it can',
      )
    }
    if (this.#closed) return
    this.#retry = setTimeout(() => this.#fly(batch), this.#retryMs)
  }
}
