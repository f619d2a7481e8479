import { covers } from '../auth/filter-algebra.ts'
import type { Clock } from '../clock.ts'
import type { Logger } from '../log.ts'
import type { Follower } from '../messages.ts'
import type { Store } from '../store/store.ts'
import type { Timer, Timers } from '../timers.ts'
import { type Command, commandLimits } from './command.ts'
import { evaluate, join } from './facts.ts'
import { attemptOf } from './request-message.ts'
import { commandOpen } from './tables.ts'
import { readCommand } from './read.ts'
import type { Tracker } from './tracker.ts'

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

/** Devices looked at a second time; a herd of more is looked at once. */
const maxAgain = 100_000

interface Subscribed {
  readonly org: string
  readonly device: string
  /** Of the tracker's `sends`. */
  readonly since: number
  /** Milliseconds of the monotonic clock. */
  readonly at: number
}

interface Question {
  readonly correlation: string
  readonly answer: (send: boolean) => void
}

interface Standing {
  readonly answer: (send: boolean) => void
  readonly wanted: boolean
  readonly createdAt: number
}

/** Follows requests to the devices that are connected here, and sends what waited when one subscribes. */
export class CommandFollower implements Follower {
  readonly #options: FollowerOptions
  /** Questions about a device that came while those before them were answered. */
  readonly #asked = new Map<string, Question[]>()

  /** Devices that have subscribed a moment ago, in order of time. */
  #again: Subscribed[] = []
  #timer: Timer | null = null

  constructor(options: FollowerOptions) {
    this.#options = options
  }

  /**
   * What has waited on disk is there writer by writer. What comes at a time is answered in the order in which it was
   * made.
   */
  check(org: string, device: string, correlation: string, then: (send: boolean) => void): void {
    const key = `${org}/${device}`
    const asked = this.#asked.get(key)
    if (asked !== undefined) {
      asked.push({ correlation, answer: then })
      return
    }
    this.#asked.set(key, [{ correlation, answer: then }])
    this.#options.timers.soon(() => void this.#answer(org, device, key))
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

  subscribed(org: string, device: string, filter: string, isFresh: boolean): void {
    if (!isFresh) return
    if (!covers(filter.split('/'), ['v1', 'devices', device, 'rpc', 'request', 'id'])) return
    const { tracker, timers } = this.#options
    const one = { org, device, since: tracker.sends, at: timers.monotonic() + lookAgainMs }
    this.#look(one)
    if (this.#again.length === maxAgain) return
    this.#again.push(one)
    this.#timer ??= timers.after(lookAgainMs, () => this.#lookAgain())
  }

  close(): void {
    this.#timer?.cancel()
    this.#again = []
  }

  #look({ org, device, since }: Subscribed): void {
    this.#sendOpen(org, device, since).catch((error: unknown) => {
      this.#options.log.warn(
        { event: 'command.unsent', device, err: error },
        'cannot read what waits for a device',
      )
    })
  }

  #lookAgain(): void {
    const { timers } = this.#options
    const now = timers.monotonic()
    const due = this.#again.findIndex(({ at }) => at > now)
    for (const one of this.#again.splice(0, due < 0 ? this.#again.length : due)) this.#look(one)
    const [next] = this.#again
    this.#timer =
      this.#again.length === 0 ? null : timers.after(Math.max(next.at - now, 1), () => this.#lookAgain())
  }

  async #answer(org: string, device: string, key: string): Promise<void> {
    for (;;) {
      const asked = this.#asked.get(key) ?? []
      if (asked.length === 0) {
        this.#asked.delete(key)
        return
      }
      this.#asked.set(key, [])
      // oxlint-disable-next-line no-await-in-loop -- one lot after the other
      const answers = await Promise.all(asked.map((one) => this.#standing(org, device, one)))
      for (const { answer, wanted } of answers.toSorted((a, b) => a.createdAt - b.createdAt)) answer(wanted)
    }
  }

  /** In doubt it is wanted: a device that gets it twice knows it by its id. */
  async #standing(org: string, device: string, { correlation, answer }: Question): Promise<Standing> {
    const { store, tracker, clock } = this.#options
    const of = attemptOf(correlation)
    const unknown = { answer, wanted: true, createdAt: 0 }
    if (of === undefined) return unknown
    try {
      const { request, facts } = await readCommand(store, org, of.id)
      if (request?.device !== device) return unknown
      const known = tracker.find(org, device, of.id)
      const all = known === undefined ? facts : join(facts, known.own)
      const wanted = evaluate(request, all, clock.now()).endedAt === undefined
      return { answer, wanted, createdAt: request.createdAt }
    } catch {
      return unknown
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
