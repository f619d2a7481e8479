import type { Clock } from '../clock.ts'
import { incarnationHex } from '../cluster/incarnation.ts'
import type { Lanes } from '../store/lanes.ts'
import type { Store } from '../store/store.ts'
import type { Holder } from './change.ts'
import { presenceHolder } from './tables.ts'

/** Milliseconds between two signs of life that are written; the end of a process that was killed is known as exactly. */
const aliveMs = 10_000
/** What was read of a process that is gone is kept. */
const maxKnown = 1000

/**
 * `here`: this process. `alive`: in contact. `unsure`: nothing is heard of it, and it may well live behind a cut.
 * `gone`: it is over, and all its connections are.
 */
export type HolderState = 'here' | 'alive' | 'unsure' | 'gone'

/** What is known of the processes that have connections, by incarnation in hex. */
export interface Liveness {
  stateOf(holder: string): HolderState
}

/** Processes that have connections of devices: which of them live, and when those that do not were last alive. */
export class Holders {
  readonly #store: Store
  readonly #lanes: Lanes
  readonly #clock: Clock
  #own: { holder: Holder; hex: string } | null = null
  #liveness: Liveness | null = null
  #saidAt = 0
  readonly #lastAlive = new Map<string, Promise<number | null>>()

  constructor({ store, lanes, clock }: { store: Store; lanes: Lanes; clock: Clock }) {
    this.#store = store
    this.#lanes = lanes
    this.#clock = clock
  }

  /** `liveness` null: there is one process only. */
  start(holder: Holder, liveness: Liveness | null): void {
    this.#own = { holder, hex: hexOf(holder.id) }
    this.#liveness = liveness
  }

  stateOf(id: Uint8Array | undefined): HolderState {
    if (id === undefined || this.#own === null) return 'gone'
    const hex = hexOf(id)
    if (hex === this.#own.hex) return 'here'
    return this.#liveness === null ? 'gone' : this.#liveness.stateOf(hex)
  }

  /** When a process that is gone was last alive, milliseconds since 1970; null: not known. Rejects with StoreError. */
  lastAlive(id: Uint8Array): Promise<number | null> {
    const hex = hexOf(id)
    let known = this.#lastAlive.get(hex)
    if (known === undefined) {
      if (this.#lastAlive.size >= maxKnown) this.#lastAlive.clear()
      known = this.#store.get(presenceHolder, { holder: id }).then((row) => row?.at ?? null)
      this.#lastAlive.set(hex, known)
      known.catch(() => this.#lastAlive.delete(hex))
    }
    return known
  }

  /** Once a second: says that it lives, if it has connections. */
  tick(connections: number): void {
    if (connections > 0) this.alive()
  }

  /** Says that it lives, unless it has done so lately. */
  alive(): void {
    const at = this.#clock.now()
    if (this.#own === null || this.#lanes.local.failing || Math.abs(at - this.#saidAt) < aliveMs) return
    this.#saidAt = at
    const { id, process, dc } = this.#own.holder
    this.#lanes.local.stage().put(presenceHolder, {
      holder: id,
      process: process ?? undefined,
      dc: dc ?? undefined,
      at,
    })
  }
}

function hexOf(id: Uint8Array): string {
  return incarnationHex(Buffer.from(id.buffer, id.byteOffset, id.byteLength))
}
