import type { Batch } from '#platform/store/store.ts'
import { state } from '#platform/store/tables.ts'
import type { Session } from '../session.ts'
import type { DurableOutbox } from './durable-outbox.ts'

/** Has the state row of one session written: soon when it has changed, at once when something waits for it. */
export class StateSaver {
  readonly #outbox: DurableOutbox
  #version = 0
  /** Epochs that have a state row. */
  #epochs: readonly number[] = []
  #requested = false
  #dirty = false
  #waiters: (() => void)[] = []

  constructor(outbox: DurableOutbox) {
    this.#outbox = outbox
  }

  get #session(): Session {
    return this.#outbox.session
  }

  /** It has changed: written within a second. */
  markDirty(): void {
    if (this.#dirty) return
    this.#dirty = true
    this.#session.space.disk.saveSoon(this.#outbox)
  }

  /** Written with the open batch. */
  request(): void {
    if (this.#requested || this.#session.ended) return
    this.#requested = true
    this.#session.space.disk.saveWithBatch(this.#outbox)
  }

  /** Calls `then` when the state as it will be in the open batch is durable. */
  whenSaved(then: () => void): void {
    this.#waiters.push(then)
    this.request()
  }

  /** The open batch is about to leave: what was wanted is done with it, or cannot be. */
  begin(): void {
    this.#requested = false
    this.#dirty = false
  }

  /** Writes the state into the open batch; what the rows of earlier epochs said is in this one. */
  stage(batch: Batch, body: Uint8Array): void {
    const { sid, epoch, space } = this.#session
    const { org } = space
    batch.put(state, { org, sid, epoch, version: this.nextVersion(), body })
    for (const old of this.#epochs) if (old !== epoch) batch.delete(state, { org, sid, epoch: old })
    this.#epochs = [epoch]
    const waiters = this.#waiters
    this.#waiters = []
    if (waiters.length > 0) space.disk.whenDurable(space.commit.ticket, () => waiters.forEach((f) => f()))
  }

  nextVersion(): number {
    return ++this.#version
  }

  /** Rows of these epochs are in the store. */
  found(epochs: readonly number[]): void {
    this.#epochs = epochs
  }
}
