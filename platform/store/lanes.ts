import type { Logger } from '../log.ts'
import type { Timers } from '../timers.ts'
import { GroupCommit } from './group-commit.ts'
import type { Store } from './store.ts'

export interface LanesOptions {
  /** How far an organisation's rows must go before they count. Absent: all alike, in one lane. */
  readonly durability?: ((org: string) => 'local' | 'geo') | undefined
  readonly retryMs?: number
  readonly timers?: Timers
}

/**
 * The group commits of a process. Rows of organisations with durability `geo` take a round trip between DCs, and wait
 * while most DCs are out of contact; they have a lane of their own, so that nobody else waits for them.
 *
 * An organisation keeps the lane that it had when it was first asked for: its rows stay in order, and its tickets are
 * of one group commit. How far a row goes is the store's to decide as it is written, in either lane, so a durability
 * that changes meanwhile is kept at once; only who waits for whom stays as it was until the next start.
 *
 * A ticket means nothing in the other lane. So whoever keeps one belongs to one organisation, or keeps the commit
 * with it.
 */
export class Lanes {
  /** Of organisations with durability `local`; of all, if there is no other lane. */
  readonly local: GroupCommit
  /** Each lane once. */
  readonly all: readonly GroupCommit[]
  readonly #geo: GroupCommit
  readonly #durability: (org: string) => 'local' | 'geo'
  /** Lanes of the organisations that were asked for; null: there is one only. */
  readonly #lanes: Map<string, GroupCommit> | null

  constructor(store: Store, log: Logger, { durability, ...options }: LanesOptions = {}) {
    this.local = new GroupCommit(store, log, options)
    this.#geo =
      durability === undefined ? this.local : new GroupCommit(store, log, { ...options, lane: 'geo' })
    this.#durability = durability ?? (() => 'local')
    this.#lanes = durability === undefined ? null : new Map()
    this.all = durability === undefined ? [this.local] : [this.local, this.#geo]
  }

  /** The group commit that takes the rows of this organisation, always the same. */
  of(org: string): GroupCommit {
    if (this.#lanes === null) return this.local
    let lane = this.#lanes.get(org)
    if (lane === undefined) {
      lane = this.#durability(org) === 'geo' ? this.#geo : this.local
      this.#lanes.set(org, lane)
    }
    return lane
  }

  /** Resolves when everything staged so far is durable, whosever it is; rejects with StoreError if `close` gave up on it. */
  async durable(): Promise<void> {
    await Promise.all(this.all.map((commit) => commit.durable()))
  }

  /** Writes what is staged and stops, each lane by itself; resolves either way. */
  async close(): Promise<void> {
    await Promise.all(this.all.map((commit) => commit.close()))
  }
}
