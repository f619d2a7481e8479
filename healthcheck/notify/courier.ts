import { hash } from 'node:crypto'
import type { Clock } from '#platform/clock.ts'
import type { Logger } from '#platform/log.ts'
import type { Counter, Metrics } from '#platform/metrics.ts'
import type { Timers } from '#platform/timers.ts'
import type { Alert } from '../alerts/alert.ts'
import type { Channel } from './channel.ts'
import type { Mark } from './marks.ts'
import type { Item, Message, News } from './message.ts'

/** What comes within that time is one message. */
const groupMs = 5000
/** How much longer each next checker in the order waits. */
const turnMs = 10_000
/** A checker that says for longer that it is sending has failed. */
const claimMs = 45_000
/** Between two times that the others are asked what they have sent, while there is something to send. */
const askMs = 3000
/** Checkers see a change at different times, and have clocks that run differently fast. */
const slackMs = 60_000
const firstRetryMs = 10_000
const maxRetryMs = 600_000
/** What nobody has taken for that long is dropped. */
export const giveUpMs = 24 * 3_600_000
/** Alerts that are remembered. */
const maxEntries = 1000

interface Entry {
  alert: Alert
  wanted: News
  /** What the receiver knows, and since when: monotonic milliseconds. */
  told: { readonly news: News; readonly at: number } | null
  /** Since when there is something to tell; null: there is not. */
  dueAt: number | null
  tries: number
  /** Not before. */
  nextTry: number
  /** Since when it is being sent. */
  claimedAt: number | null
}

/** What is kept over a restart. */
export interface Told {
  readonly alert: Alert
  readonly news: News
  /** Milliseconds since 1970. */
  readonly at: number
}

export interface CourierOptions {
  readonly channel: Channel
  readonly checker: string
  /** For the message. */
  readonly about: Pick<Message, 'cell' | 'runbooks' | 'url'>
  /** After that time an alert that lasts is sent again. */
  readonly repeatMs: number
  /** Names of the checkers that are heard, this one included. */
  readonly live: () => readonly string[]
  /** What the others have sent; those that can't be asked have sent nothing. Never rejects. */
  readonly ask: () => Promise<readonly Mark[]>
  readonly clock: Clock
  readonly timers: Timers
  readonly log: Logger
  readonly metrics: Metrics
  readonly before?: readonly Told[]
}

/**
 * Tells one receiver of alerts, at least once, although all checkers see them and none is the leader: for each piece of
 * news the checkers have an order, made of their names and the news. The first sends at once, each next one waits longer,
 * and asks before it sends what the others have sent. Checkers that are cut off from each other each send; that is what
 * "at least once" costs.
 */
export class Courier {
  readonly #options: CourierOptions
  readonly #entries = new Map<string, Entry>()
  readonly #sent: Counter
  readonly #failed: Counter
  #busy = false
  #askedAt = Number.NEGATIVE_INFINITY

  constructor(options: CourierOptions) {
    this.#options = options
    const { metrics, channel, before = [], clock, timers } = options
    const { kind } = channel
    this.#sent = metrics.counter('cinque_notify_sent_total', 'Messages about alerts that were taken', {
      channel: kind,
    })
    this.#failed = metrics.counter('cinque_notify_failed_total', 'Tries to send one that failed', {
      channel: kind,
    })
    for (const { alert, news, at } of before.slice(0, maxEntries)) {
      const ageMs = Math.max(0, clock.now() - at)
      const told = { news, at: timers.monotonic() - ageMs }
      this.#entries.set(alert.key, {
        alert,
        wanted: news,
        told,
        dueAt: null,
        tries: 0,
        nextTry: 0,
        claimedAt: null,
      })
    }
  }

  /** Pieces of news that wait. */
  get waiting(): number {
    return Array.from(this.#entries.values()).filter(({ dueAt }) => dueAt !== null).length
  }

  /**
   * Follows the alerts and sends what is its turn. `wanted`: those that are firing and not silenced; `firing`: keys of
   * all. `blind`: what is missing may still be there.
   */
  look(wanted: readonly Alert[], firing: ReadonlySet<string>, blind: boolean): void {
    const now = this.#options.timers.monotonic()
    for (const alert of wanted) this.#want(alert)
    const heard = new Set(wanted.map(({ key }) => key))
    for (const [key, entry] of this.#entries) {
      if (firing.has(key) && !heard.has(key)) this.#silence(key, entry)
      else {
        if (!firing.has(key) && !blind) this.#over(key, entry)
        this.#due(entry, now)
      }
    }
    if (!this.#busy && this.#ready(now).length > 0) void this.#work()
    else if (!this.#busy && this.waiting > 0 && now - this.#askedAt >= askMs) void this.#learn()
  }

  /** For the other checkers. */
  marks(): Mark[] {
    const now = this.#options.timers.monotonic()
    const { name: channel } = this.#options.channel
    return Array.from(this.#entries).flatMap(([key, { told, claimedAt, wanted }]) => [
      ...(told === null
        ? []
        : [{ channel, key, news: told.news, ageMs: Math.max(0, now - told.at), taken: true }]),
      ...(claimedAt === null ? [] : [{ channel, key, news: wanted, ageMs: now - claimedAt, taken: false }]),
    ])
  }

  /** For after a restart. */
  kept(): Told[] {
    const offset = this.#options.clock.now() - this.#options.timers.monotonic()
    return Array.from(this.#entries.values()).flatMap(({ alert, told }) =>
      told === null ? [] : [{ alert, news: told.news, at: told.at + offset }],
    )
  }

  #want(alert: Alert): void {
    const entry = this.#entries.get(alert.key)
    if (entry !== undefined) {
      entry.alert = alert
      if (entry.wanted === 'resolved')
        Object.assign(entry, { wanted: 'firing', dueAt: null, tries: 0, nextTry: 0 })
    } else if (alert.follows !== true) {
      if (this.#entries.size >= maxEntries) return this.#drop('too_many')
      this.#entries.set(alert.key, {
        alert,
        wanted: 'firing',
        told: null,
        dueAt: null,
        tries: 0,
        nextTry: 0,
        claimedAt: null,
      })
    }
  }

  /** It lasts, but nobody wants to hear of it now. */
  #silence(key: string, entry: Entry): void {
    if (entry.told === null && entry.claimedAt === null) this.#entries.delete(key)
    else entry.dueAt = null
  }

  #over(key: string, entry: Entry): void {
    if (entry.wanted === 'resolved') {
      // Told, and long ago: nobody asks for the mark any more.
      const { told, dueAt } = entry
      if (
        dueAt === null &&
        told !== null &&
        this.#options.timers.monotonic() - told.at > 2 * claimMs + slackMs
      )
        this.#entries.delete(key)
      return
    }
    // Nobody has heard of it, and no one has tried to say it: it is not worth a letter.
    if (entry.told === null && entry.tries === 0 && entry.claimedAt === null) this.#entries.delete(key)
    else Object.assign(entry, { wanted: 'resolved', dueAt: null, tries: 0, nextTry: 0 })
  }

  #due(entry: Entry, now: number): void {
    const { told, wanted, dueAt } = entry
    const repeat = wanted === 'firing' && told !== null && now - told.at >= this.#options.repeatMs
    if (told?.news === wanted && !repeat) entry.dueAt = null
    else if (dueAt === null) entry.dueAt = now
    else if (now - dueAt >= giveUpMs) {
      this.#drop('undelivered')
      Object.assign(entry, { told: { news: wanted, at: now }, dueAt: null, tries: 0, nextTry: 0 })
    }
  }

  /** Whose turn has come. */
  #ready(now: number): Entry[] {
    return Array.from(this.#entries.values()).filter(
      ({ dueAt, nextTry, alert, wanted }) =>
        dueAt !== null && now >= nextTry && now >= dueAt + groupMs + this.#rank(alert.key, wanted) * turnMs,
    )
  }

  /** Place of this checker in the order for a piece of news, from 0. */
  #rank(key: string, news: News): number {
    const { channel, checker, live } = this.#options
    const weight = (name: string): string => hash('sha256', `${name} ${channel.name} ${key} ${news}`)
    const own = weight(checker)
    return live().filter((name) => name !== checker && weight(name) < own).length
  }

  async #learn(): Promise<void> {
    this.#busy = true
    try {
      this.#adopt(await this.#ask())
    } finally {
      this.#busy = false
    }
  }

  async #ask(): Promise<readonly Mark[]> {
    this.#askedAt = this.#options.timers.monotonic()
    return this.#options.ask()
  }

  /** Takes over what others have told the receiver, and leaves to them what they are sending. */
  #adopt(marks: readonly Mark[]): void {
    const now = this.#options.timers.monotonic()
    for (const { channel, key, news, ageMs, taken } of marks) {
      const entry = this.#entries.get(key)
      if (channel !== this.#options.channel.name || entry === undefined || entry.dueAt === null) continue
      if (news !== entry.wanted || ageMs > now - entry.dueAt + slackMs) continue
      if (!taken) {
        // Of two that have begun the older one goes on.
        const own = entry.claimedAt === null ? 0 : now - entry.claimedAt
        if (ageMs < claimMs && ageMs >= own) entry.nextTry = Math.max(entry.nextTry, now + askMs)
      } else if (entry.told === null || entry.told.at < now - ageMs) {
        Object.assign(entry, { told: { news, at: now - ageMs }, dueAt: null, tries: 0, nextTry: 0 })
      }
    }
  }

  async #work(): Promise<void> {
    this.#busy = true
    try {
      // Claimed before the others are asked: of two that do so at a time at least one sees the other.
      const now = this.#options.timers.monotonic()
      const claimed = this.#ready(now)
      for (const entry of claimed) entry.claimedAt = now
      this.#adopt(await this.#ask())
      const still = new Set(this.#ready(this.#options.timers.monotonic()))
      for (const entry of claimed) if (!still.has(entry)) entry.claimedAt = null
      const sending = claimed.filter((entry) => still.has(entry))
      if (sending.length > 0) await this.#send(sending)
    } finally {
      this.#busy = false
    }
  }

  async #send(entries: readonly Entry[]): Promise<void> {
    const { channel, timers, log } = this.#options
    const items: Item[] = entries.map(({ wanted, alert }) => ({ news: wanted, alert }))
    let failure: unknown = null
    try {
      await channel.send(this.#message(entries, items))
    } catch (error) {
      failure = error ?? new Error('it failed')
    }
    const now = timers.monotonic()
    for (const [i, entry] of entries.entries()) {
      entry.claimedAt = null
      if (failure === null) {
        // What was said is said, also if something else is wanted by now.
        entry.told = { news: items[i].news, at: now }
        entry.tries = 0
        if (entry.wanted === items[i].news) entry.dueAt = null
      } else {
        entry.nextTry = now + Math.min(maxRetryMs, firstRetryMs * 2 ** Math.min(entry.tries++, 10))
      }
    }
    if (failure === null) this.#sent.value++
    else {
      this.#failed.value++
      const { name, kind } = channel
      log.warn(
        { event: 'notify.failed', channel: name, kind, err: failure },
        'a message about alerts was not taken; it is tried again',
      )
    }
  }

  #message(entries: readonly Entry[], items: readonly Item[]): Message {
    const { about, checker, clock } = this.#options
    const what = entries.map(({ alert, wanted, dueAt }) => `${alert.key} ${wanted} ${dueAt}`).toSorted()
    const id = `msg_${hash('sha256', [checker, ...what].join('\n')).slice(0, 32)}`
    return { ...about, id, checker, at: clock.now(), items }
  }

  #drop(reason: string): void {
    const { metrics } = this.#options
    metrics.counter('cinque_notify_dropped_total', 'News about alerts that no message told of', { reason })
      .value++
  }
}
