import type { Clock } from '../clock.ts'
import type { Logger } from '../log.ts'
import { Batch, type Store } from '../store/store.ts'
import type { Timer, Timers } from '../timers.ts'
import { evaluate } from './facts.ts'
import { commandLimits } from './command.ts'
import { hourOf } from './places.ts'
import { commandDue, dueShards } from './tables.ts'
import { readCommand } from './read.ts'
import type { Tracker } from './tracker.ts'

const everyMs = 30_000
/** Who made a command looks after it until then. */
const patienceMs = 60_000
const slice = 500

/**
 * Finds commands whose time is over and which no process remembers, because those that did have ended: they are told of
 * and counted like the others. Their state is right without it.
 */
export class Sweeper {
  readonly #store: Store
  readonly #clock: Clock
  readonly #timers: Timers
  readonly #log: Logger
  readonly #tracker: Tracker
  #timer: Timer | null = null
  #sweeping = false
  /** Before this hour there is nothing left. */
  #hour = 0

  constructor(options: { store: Store; clock: Clock; timers: Timers; log: Logger; tracker: Tracker }) {
    this.#store = options.store
    this.#clock = options.clock
    this.#timers = options.timers
    this.#log = options.log
    this.#tracker = options.tracker
  }

  start(): void {
    this.#timer ??= this.#timers.every(everyMs, () => {
      if (this.#sweeping) return
      this.#sweeping = true
      this.sweep()
        .catch((error: unknown) =>
          this.#log.warn({ event: 'command.unswept', err: error }, 'cannot look for commands that are over'),
        )
        .finally(() => (this.#sweeping = false))
    })
  }

  close(): void {
    this.#timer?.cancel()
    this.#timer = null
  }

  /** Resolves with how many commands it has found over. Rejects with StoreError. */
  async sweep(): Promise<number> {
    const until = this.#clock.now() - patienceMs
    const last = hourOf(until)
    let hour = Math.max(this.#hour, hourOf(until - commandLimits.ttl) - 1)
    let found = 0
    for (; hour <= last; hour++) {
      for (let shard = 0; shard < dueShards; shard++) {
        // oxlint-disable-next-line no-await-in-loop -- not in a hurry
        found += await this.#sweepShard(hour, shard, until)
      }
      // Those of the hour before may still be running.
      this.#hour = hour - 1
    }
    return found
  }

  async #sweepShard(hour: number, shard: number, until: number): Promise<number> {
    let found = 0
    for (;;) {
      // oxlint-disable-next-line no-await-in-loop
      const rows = await this.#store.range(commandDue, { hour, shard }, { to: { due: until }, limit: slice })
      const batch = new Batch()
      for (const row of rows) {
        // oxlint-disable-next-line no-await-in-loop
        const { request, facts } = await readCommand(this.#store, row.org, row.id)
        const now = this.#clock.now()
        batch.delete(commandDue, row)
        if (request === undefined) continue
        if (evaluate(request, facts, now).endedAt !== undefined) found++
        // One that was delivered may have time left: from now on it is looked after here.
        this.#tracker.meet(row.org, request.device, row.id)
      }
      // oxlint-disable-next-line no-await-in-loop
      if (batch.size > 0) await this.#store.write(batch)
      if (rows.length < slice) return found
    }
  }
}
