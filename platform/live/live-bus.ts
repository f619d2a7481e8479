import { randomBytes } from 'node:crypto'
import type { DeviceRef } from '../auth/principal.ts'
import type { Counter, Metrics } from '../metrics.ts'
import type { Point } from '../telemetry/point.ts'

/** Something that happened to a device, told after it is durable. */
export interface LiveEvent {
  readonly type: 'telemetry'
  readonly device: DeviceRef
  /** Milliseconds since 1970 at which the platform took it. */
  readonly at: number
  readonly points: readonly Point[]
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

  /** Called when there is something to take, after there was nothing. */
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
  bytes: number
  readonly events: Kept[]
}

/** Events within this process, by organisation, with a bounded memory of the latest. */
export class LiveBus {
  readonly #rings = new Map<string, Ring>()
  readonly #subscribers = new Map<string, Set<LiveSubscription>>()
  readonly #limits: LiveLimits
  readonly #dropped: Counter

  constructor(metrics: Metrics, limits: Partial<LiveLimits> = {}) {
    this.#limits = { ...defaults, ...limits }
    this.#dropped = metrics.counter(
      'cinque_live_dropped_total',
      'Live events dropped because a subscriber was slow',
    )
    metrics.gauge('cinque_live_subscribers', 'Live streams', () => {
      let count = 0
      for (const set of this.#subscribers.values()) count += set.size
      return count
    })
  }

  /** `bytes`: about what the event keeps in memory. */
  publish(event: LiveEvent, bytes: number): void {
    const { org } = event.device
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

  /** Events of an organisation, or of one device (by id), after `after` or from now on. Null: too many subscribers. */
  subscribe(
    org: string,
    options: { device?: string | undefined; after?: string | undefined } = {},
  ): LiveSubscription | null {
    const set = this.#subscribers.get(org) ?? new Set()
    if (set.size >= this.#limits.subscribers) return null
    this.#subscribers.set(org, set)
    const { device, after } = options
    const ring = this.#ring(org)
    const from = after === undefined ? ring.next : placeAfter(ring, after)
    const subscription = new LiveSubscription(device, from !== undefined, () => {
      set.delete(subscription)
      if (set.size === 0 && this.#subscribers.get(org) === set) this.#subscribers.delete(org)
    })
    set.add(subscription)
    const first = ring.next - ring.events.length
    for (const kept of ring.events.slice(Math.max((from ?? first) - first, 0))) {
      const wanted = device === undefined || kept.placed.event.device.id === device
      if (wanted) this.#dropped.value += subscription.offer(kept, this.#limits)
    }
    return subscription
  }

  #ring(org: string): Ring {
    let ring = this.#rings.get(org)
    if (ring === undefined) {
      ring = { epoch: randomBytes(6).toString('hex'), next: 0, bytes: 0, events: [] }
      if (this.#rings.size >= this.#limits.rings) this.#rings.delete(this.#rings.keys().next().value ?? '')
    } else this.#rings.delete(org)
    this.#rings.set(org, ring)
    return ring
  }
}

/** Number of the first event to replay, or undefined if some of those after the cursor are gone. */
function placeAfter(ring: Ring, cursor: string): number | undefined {
  const [epoch, number, ...rest] = cursor.split('-')
  const after = /^\d{1,15}$/.test(number ?? '') && rest.length === 0 ? Number(number) : -1
  if (epoch !== ring.epoch || after < 0 || after >= ring.next) return undefined
  return after + 1 >= ring.next - ring.events.length ? after + 1 : undefined
}
