import { covers } from '../auth/filter-algebra.ts'
import type { Clock } from '../clock.ts'
import type { Logger } from '../log.ts'
import type { Follower } from '../messages.ts'
import type { Store } from '../store/store.ts'
import type { Timers } from '../timers.ts'
import { type Command, commandLimits } from './command.ts'
import { evaluate, join } from './facts.ts'
import { attemptOf } from './request-message.ts'
import { commandOpen } from './tables.ts'
import { readCommand, type Tracker } from './tracker.ts'

/** A command made elsewhere just before the device subscribed has reached this datacenter's store by then. */
const lookAgainMs = 5000

export interface FollowerOptions {
  readonly store: Store
  readonly tracker: Tracker
  readonly clock: Clock
  readonly timers: Timers
  readonly log: Logger
  readonly send: (request: Command, attempt: number) => void
}

/** Follows requests to the devices that are connected here, and sends what waited when one subscribes. */
export class CommandFollower implements Follower {
  readonly #options: FollowerOptions
  /** The last question about each device: answers come in order. */
  readonly #asking = new Map<string, Promise<void>>()

  constructor(options: FollowerOptions) {
    this.#options = options
  }

  check(org: string, device: string, correlation: string, then: (send: boolean) => void): void {
    const key = `${org}/${device}`
    const before = this.#asking.get(key) ?? Promise.resolve()
    const answer = this.#mayBeSent(org, device, correlation)
    const asked = before.then(async () => then(await answer))
    this.#asking.set(key, asked)
    void asked.then(() => {
      if (this.#asking.get(key) === asked) this.#asking.delete(key)
    })
  }

  sent(org: string, device: string, correlation: string): void {
    const { tracker } = this.#options
    const of = attemptOf(correlation)
    if (of === undefined) return
    // What a device sends to itself in this form is no command.
    if (tracker.find(org, device, of.id) === undefined && tracker.refuses(org, device)) return
    tracker.sent(tracker.meet(org, device, of.id), of.attempt)
  }

  acknowledged(org: string, device: string, correlation: string, refused: boolean): void {
    const { tracker } = this.#options
    const of = attemptOf(correlation)
    if (of === undefined) return
    if (tracker.find(org, device, of.id) === undefined && tracker.refuses(org, device)) return
    const entry = tracker.meet(org, device, of.id)
    if (refused) tracker.end(entry, 'rejected')
    else tracker.delivered(entry, of.attempt)
  }

  subscribed(org: string, device: string, filter: string, fresh: boolean): void {
    if (!fresh) return
    if (!covers(filter.split('/'), ['v1', 'devices', device, 'rpc', 'request', 'id'])) return
    const { tracker, log, timers } = this.#options
    const since = tracker.sends
    const look = (): void => {
      this.#sendOpen(org, device, since).catch((error: unknown) => {
        log.warn({ event: 'command.unsent', device, err: error }, 'cannot read what waits for a device')
      })
    }
    look()
    timers.after(lookAgainMs, look)
  }

  /** In doubt it is: a device that gets it twice knows it by its id. */
  async #mayBeSent(org: string, device: string, correlation: string): Promise<boolean> {
    const { store, tracker, clock } = this.#options
    const of = attemptOf(correlation)
    if (of === undefined) return true
    try {
      const { request, facts } = await readCommand(store, org, of.id)
      if (request?.device !== device) return true
      const known = tracker.find(org, device, of.id)
      const all = known === undefined ? facts : join(facts, known.own)
      return evaluate(request, all, clock.now()).endedAt === undefined
    } catch {
      return true
    }
  }

  async #sendOpen(org: string, device: string, since: number): Promise<void> {
    const { store, tracker, clock, send } = this.#options
    const rows = await store.range(commandOpen, { org, device }, { limit: commandLimits.open })
    for (const { id } of rows) {
      // oxlint-disable-next-line no-await-in-loop -- in the order in which they were made
      const { request, facts } = await readCommand(store, org, id)
      if (request?.device !== device) continue
      const known = tracker.find(org, device, id)
      if (known !== undefined && known.lastSent > since) continue
      const all = known === undefined ? facts : join(facts, known.own)
      const { endedAt } = evaluate(request, all, clock.now())
      if (endedAt === undefined && all.deliveredAt === undefined) send(request, Math.max(all.attempt, 1))
    }
  }
}
