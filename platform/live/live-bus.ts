import { randomBytes } from 'node:crypto'
import type { DeviceRef } from '../auth/principal.ts'
import type { Counter, Metrics } from '../metrics.ts'
import type { Point } from '../telemetry/point.ts'
import { systemTimers, type Timer, type Timers } from '../timers.ts'

/** Something that happened to a device, told after it is durable. */
export interface LiveEvent {
  readonly type: 'telemetry'
  readonly device: DeviceRef
  /** Milliseconds since 1970 at which the platform took it. */
  readonly at: number
  readonly points: readonly Point[]
}

/** The other processes of a cell, as far as live events go. */
export interface LiveRelay {
  /** Whether any of them listens to this organisation. */
  wants(org: string): boolean
  /** Sends an event that was taken here to those who listen. What they do not take is counted, and told to them. */
  send(event: LiveEvent): void
  /** From now on somebody here listens to the organisation, or nobody any more. */
  listening(org: string, on: boolean): void
  /** Calls `then` when all processes in contact know who listens here; within seconds. */
  whenKnown(then: () => void): void
}

/** An event with the place from which a later subscription can go on. */
export interface PlacedEvent {
  readonly cursor: string
  readonly event: LiveEvent
}

export interface LiveLimits {
  /** Events kept for replay, per organisation. */
  readonly ringEvents: number
  /** Their bytes as payloads, per organisation. */
  readonly ringBytes: number
  /** Organisations with a replay at a time; the one that was quiet longest gives way. */
  readonly rings: number
  /** Events waiting for one subscriber; the oldest are dropped and counted beyond it. */
  readonly queue: number
  /** Their bytes as payloads; one event may be larger than that. */
  readonly queueBytes: number
  /** Subscribers of one organisation at a time. */
  readonly subscribers: number
}

const defaults: LiveLimits = {
  ringEvents: 1000,
  ringBytes: 1_048_576,
  rings: 256,
  queue: 1000,
  queueBytes: 1_048_576,
  subscribers: 100,
}

/** A listener's own queue. `take` until undefined, then wait for `onReadable`. */
export class LiveSubscription {
  /** Events that did not fit the queue since `takeDropped` was last called. */
  #dropped = 0
  readonly #queue: Kept[] = []
  #bytes = 0
  #readable: (() => void) | null = null
  #gap = false
  readonly #close: () => void
  /** False if events after the given cursor are not kept any more. */
  readonly complete: boolean
  readonly device: string | undefined

  constructor(device: string | undefined, complete: boolean, close: () => void) {
    this.device = device
    this.complete = complete
    this.#close = close
  }

  take(): PlacedEvent | undefined {
    const kept = this.#queue.shift()
    this.#bytes -= kept?.bytes ?? 0
    return kept?.placed
  }

  takeDropped(): number {
    const dropped = this.#dropped
    this.#dropped = 0
    return dropped
  }

  /** Whether events of other processes may have been lost on their way since it was last called. */
  takeGap(): boolean {
    const gap = this.#gap
    this.#gap = false
    return gap
  }

  /** For the bus. */
  lose(): void {
    this.#gap = true
    this.#readable?.()
  }

  /** Called when there is something to take or a gap, after there was nothing. */
  onReadable(readable: () => void): void {
    this.#readable = readable
  }

  /** For the bus. Returns how many older events were dropped for it. */
  offer(kept: Kept, limits: LiveLimits): number {
    const before = this.#dropped
    while (
      this.#queue.length >= limits.queue ||
      (this.#bytes > 0 && this.#bytes + kept.bytes > limits.queueBytes)
    ) {
      this.take()
      this.#dropped++
    }
    this.#queue.push(kept)
    this.#bytes += kept.bytes
    if (this.#queue.length === 1) this.#readable?.()
    return this.#dropped - before
  }

  close(): void {
    this.#close()
  }
}

/** An event with what it costs to keep. */
interface Kept {
  readonly placed: PlacedEvent
  readonly bytes: number
}

interface Ring {
  /** Changes whenever events may have been forgotten altogether, so that an old cursor is known to be old. */
  readonly epoch: string
  next: number
  /** Before the event of this number some were lost; 0: none ever. */
  gapAt: number
  bytes: number
  readonly events: Kept[]
}

/** Without listeners an organisation's events are still kept for this long, for streams that come back. */
const lingerMs = 60_000

/**
 * Live events by organisation, with a bounded memory of the latest. Alone, a process keeps those of all
 * organisations. In a cell, where they would have to come from all processes, it keeps those of organisations that
 * somebody here listens to, from the first listener until a minute after the last.
 */
export class LiveBus {
  #relay: LiveRelay | null = null
  /** In a cell: organisations with listeners, or until when they had some. */
  readonly #listened = new Map<string, Timer | null>()
  readonly #timers: Timers
  readonly #rings = new Map<string, Ring>()
  readonly #subscribers = new Map<string, Set<LiveSubscription>>()
  readonly #limits: LiveLimits
  readonly #dropped: Counter

  constructor(metrics: Metrics, limits: Partial<LiveLimits> = {}, timers: Timers = systemTimers) {
    this.#limits = { ...defaults, ...limits }
    this.#timers = timers
    this.#dropped = metrics.counter('cinque_live_dropped_total', 'Live events dropped, by reason', {
      reason: 'slow_subscriber',
    })
    metrics.gauge('cinque_live_subscribers', 'Live streams', () => {
      let count = 0
      for (const set of this.#subscribers.values()) count += set.size
      return count
    })
  }

  /** Makes the process one of several; before anything is published or subscribed to. */
  join(relay: LiveRelay): void {
    this.#relay = relay
  }

  /** An event was taken here. `bytes`: about what it keeps in memory. */
  publish(event: LiveEvent, bytes: number): void {
    const { org } = event.device
    if (this.#relay?.wants(org) === true) this.#relay.send(event)
    this.receive(event, bytes)
  }

  /** An event that was taken here or in another process. */
  receive(event: LiveEvent, bytes: number): void {
    const { org } = event.device
    if (this.#relay !== null && !this.#listened.has(org)) return
    const ring = this.#ring(org)
    const kept = { placed: { cursor: `${ring.epoch}-${ring.next++}`, event }, bytes }
    ring.events.push(kept)
    ring.bytes += bytes
    while (ring.events.length > this.#limits.ringEvents || ring.bytes > this.#limits.ringBytes) {
      ring.bytes -= ring.events.shift()?.bytes ?? 0
    }
    for (const subscription of this.#subscribers.get(org) ?? []) {
      if (subscription.device !== undefined && subscription.device !== event.device.id) continue
      this.#dropped.value += subscription.offer(kept, this.#limits)
    }
  }

  /** Events of an organisation that were taken in another process have been lost on their way. */
  lost(org: string): void {
    const ring = this.#rings.get(org)
    if (ring !== undefined) ring.gapAt = ring.next
    for (const subscription of this.#subscribers.get(org) ?? []) subscription.lose()
  }

  /** The same, of whatever organisation. */
  lostSome(): void {
    for (const org of this.#listened.keys()) this.lost(org)
  }

  /** Resolves when all processes in contact send what the subscribers here want. */
  whole(): Promise<void> {
    const relay = this.#relay
    return relay === null ? Promise.resolve() : new Promise((known) => relay.whenKnown(known))
  }

  /** Events of an organisation, or of one device (by id), after `after` or from now on. Null: too many subscribers. */
  subscribe(
    org: string,
    options: { device?: string | undefined; after?: string | undefined } = {},
  ): LiveSubscription | null {
    const set = this.#subscribers.get(org) ?? new Set()
    if (set.size >= this.#limits.subscribers) return null
    this.#subscribers.set(org, set)
    this.#listen(org)
    const { device, after } = options
    const ring = this.#ring(org)
    const { from, complete } =
      after === undefined ? { from: ring.next, complete: true } : placeAfter(ring, after)
    const subscription = new LiveSubscription(device, complete, () => {
      set.delete(subscription)
      if (set.size > 0 || this.#subscribers.get(org) !== set) return
      this.#subscribers.delete(org)
      if (this.#relay !== null)
        this.#listened.set(
          org,
          this.#timers.after(lingerMs, () => this.#unlisten(org)),
        )
    })
    set.add(subscription)
    const first = ring.next - ring.events.length
    for (const kept of ring.events.slice(Math.max(from - first, 0))) {
      const wanted = device === undefined || kept.placed.event.device.id === device
      if (wanted) this.#dropped.value += subscription.offer(kept, this.#limits)
    }
    return subscription
  }

  #listen(org: string): void {
    const relay = this.#relay
    if (relay === null) return
    const leaving = this.#listened.get(org)
    leaving?.cancel()
    this.#listened.set(org, null)
    if (leaving === undefined) relay.listening(org, true)
  }

  #unlisten(org: string): void {
    this.#listened.delete(org)
    // What comes from now on is not in it: who asks for it must be told.
    this.#rings.delete(org)
    this.#relay?.listening(org, false)
  }

  #ring(org: string): Ring {
    let ring = this.#rings.get(org)
    if (ring === undefined) {
      ring = { epoch: randomBytes(6).toString('hex'), next: 0, gapAt: 0, bytes: 0, events: [] }
      if (this.#rings.size >= this.#limits.rings) this.#rings.delete(this.#rings.keys().next().value ?? '')
    } else this.#rings.delete(org)
    this.#rings.set(org, ring)
    return ring
  }
}

/** Number of the first event to replay, and whether none is missing between the cursor and that. */
function placeAfter(ring: Ring, cursor: string): { from: number; complete: boolean } {
  const first = ring.next - ring.events.length
  const [epoch, number, ...rest] = cursor.split('-')
  const after = /^\d{1,15}$/.test(number ?? '') && rest.length === 0 ? Number(number) : -1
  if (epoch !== ring.epoch || after < 0 || after >= ring.next) return { from: first, complete: false }
  const lost = after < ring.gapAt && ring.gapAt > 0
  return { from: after + 1, complete: !lost && after + 1 >= first }
}
