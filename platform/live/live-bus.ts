import { type Clock, systemClock } from '../clock.ts'
import type { Counter, Metrics } from '../metrics.ts'
import { systemTimers, type Timer, type Timers } from '../timers.ts'
import { type Cursor, type LiveEvent, type Origin, parseCursor } from './live-event.ts'
import { type Kept, LiveRing } from './live-ring.ts'
import { type LiveFilter, LiveStream } from './live-stream.ts'
import { after, collect, type Replayed } from './replay.ts'
import { StreamIndex } from './stream-index.ts'

/** The other processes of a cell, as far as live events go. */
export interface LiveRelay {
  /** Whether any of them listens to this organisation. */
  wants(org: string): boolean
  /** Sends an event that was taken here to those who listen. What they do not take is counted, and told to them. */
  send(event: LiveEvent, origin: Origin): void
  /** From now on somebody here listens to the organisation, or nobody any more. */
  listening(org: string, on: boolean): void
  /** Calls `then` when all processes in contact know who listens here; within seconds. */
  whenKnown(then: () => void): void
  /** What the others took of this organisation since then (milliseconds since 1970), as far as they keep it; within seconds. */
  replay(org: string, since: number): Promise<Replayed>
}

export interface LiveLimits {
  /** Events kept for replay and for slow streams, per organisation. */
  readonly ringEvents: number
  /** Their bytes as payloads, per organisation. */
  readonly ringBytes: number
  /** The same, of all organisations. */
  readonly bytes: number
  /** Streams of one organisation at a time. */
  readonly organisationStreams: number
  /** Streams at a time. */
  readonly streams: number
}

const defaults: LiveLimits = {
  ringEvents: 20_000,
  ringBytes: 8_388_608,
  bytes: 67_108_864,
  organisationStreams: 6000,
  streams: 10_000,
}

/** Without listeners an organisation's events still come here for this long, for streams that come back. */
const lingerMs = 60_000
/** Events are kept for this long after nobody anywhere has listened any more. */
const keepMs = 300_000
/** Streams that come back at one time share what the other processes answer. */
const shareMs = 1000
/** Events between two looks for rings that nobody needs. */
const sweepEvery = 4096

/**
 * Live events by organisation, with a bounded memory of the latest: a ring per organisation that somebody listens to,
 * here or in another process, or did within the last five minutes. Streams read from the ring, so that memory does
 * not grow with them; an event is written out once for all of them, and finds those that want it by its device. It
 * never asks the store.
 */
export class LiveBus {
  #relay: LiveRelay | null = null
  /** In a cell: organisations with listeners here, or until when they had some. */
  readonly #listened = new Map<string, Timer | null>()
  readonly #timers: Timers
  readonly #clock: Clock
  readonly #rings = new Map<string, LiveRing>()
  readonly #streams = new Map<string, StreamIndex>()
  readonly #limits: LiveLimits
  readonly #events: Counter
  readonly #missed: Counter
  readonly #taken: ((event: LiveEvent) => void)[] = []
  readonly #answers = new Map<string, { since: number; until: number; answer: Promise<Replayed> }>()
  #count = 0
  #sweepIn = sweepEvery

  constructor(
    metrics: Metrics,
    limits: Partial<LiveLimits> = {},
    { timers = systemTimers, clock = systemClock }: { timers?: Timers; clock?: Clock } = {},
  ) {
    this.#limits = { ...defaults, ...limits }
    this.#timers = timers
    this.#clock = clock
    this.#events = metrics.counter('cinque_live_events_total', 'Live events given to streams')
    this.#missed = metrics.counter('cinque_live_dropped_total', 'Live events dropped, by reason', {
      reason: 'slow_stream',
    })
    metrics.gauge('cinque_live_streams', 'Live streams', () => this.#count)
    metrics.gauge('cinque_live_ring_bytes', 'Live events kept for replay and for slow streams', () => {
      let bytes = 0
      for (const ring of this.#rings.values()) bytes += ring.bytes
      return bytes
    })
  }

  /** Makes the process one of several; before anything is published or subscribed to. */
  join(relay: LiveRelay): void {
    this.#relay = relay
  }

  /** `listener` hears of every event that is taken by this process, whoever listens. */
  onTaken(listener: (event: LiveEvent) => void): void {
    this.#taken.push(listener)
  }

  /** An event was taken here and is durable. `bytes`: about what it keeps in memory. */
  publish(event: LiveEvent, bytes: number): void {
    for (const listener of this.#taken) listener(event)
    const { org } = event
    const wanted = this.#relay?.wants(org) === true
    const ring = this.#rings.get(org)
    if (ring === undefined && !wanted) return
    const kept = this.#keep(ring ?? this.#ring(org), event, bytes, null)
    if (wanted) this.#relay?.send(event, kept.origin)
  }

  /** An event that another process has taken. */
  receive(event: LiveEvent, bytes: number, origin: Origin): void {
    const ring = this.#rings.get(event.org)
    if (ring !== undefined && this.#listened.has(event.org)) this.#keep(ring, event, bytes, origin)
  }

  /** Events of an organisation that were taken in another process have been lost on their way. */
  lost(org: string): void {
    const ring = this.#rings.get(org)
    if (ring !== undefined) ring.gapAt = ring.next
    for (const stream of this.#streams.get(org)?.all() ?? []) stream.lose()
  }

  /** The same, of whatever organisation. */
  lostSome(): void {
    for (const org of this.#listened.keys()) this.lost(org)
  }

  /** Another process listens to the organisation from now on, or the last one does not any more. */
  wanted(org: string): void {
    this.#ring(org).listenedAt = this.#clock.now()
  }

  /** What was taken here since then, for another process; null: nothing of the organisation is kept. */
  taken(org: string, since: number): { ring: string; forgottenAt: number; events: Kept[] } | null {
    const ring = this.#rings.get(org)
    if (ring === undefined) return null
    return { ring: ring.id, forgottenAt: ring.forgottenAt, events: ring.since(since, ring.next, true) }
  }

  /** Resolves when all processes in contact send what the streams here want. */
  whole(): Promise<void> {
    const relay = this.#relay
    return relay === null ? Promise.resolve() : new Promise((known) => relay.whenKnown(known))
  }

  /**
   * Listens to an organisation from now on, or, when `resume` has resolved, from after the event of a cursor. Null:
   * there are too many streams.
   */
  subscribe(org: string, filter: LiveFilter = {}): LiveStream | null {
    const index = this.#streams.get(org) ?? new StreamIndex()
    if (index.size >= this.#limits.organisationStreams || this.#count >= this.#limits.streams) return null
    const ring = this.#ring(org)
    this.#streams.set(org, index)
    this.#listen(org)
    const stream = new LiveStream(ring, filter, {
      missing: (events) => (this.#missed.value += events),
      close: () => {
        if (!index.delete(stream)) return
        this.#count--
        ring.listenedAt = this.#clock.now()
        if (index.size > 0 || this.#streams.get(org) !== index) return
        this.#streams.delete(org)
        this.#linger(org)
      },
    })
    index.add(stream)
    this.#count++
    return stream
  }

  /**
   * Lets a new stream begin after the event of a cursor, which any process of the cell may have given. Its `complete`
   * says whether nothing is missing. Resolves within seconds; nothing is to be taken from the stream before.
   */
  async resume(org: string, stream: LiveStream, text: string): Promise<void> {
    const cursor = parseCursor(text)
    const ring = this.#ring(org)
    const position = ring.next
    if (cursor === undefined) {
      stream.complete = false
      return
    }
    const exact = cursor.ring === ring.id && cursor.number < ring.next
    if (exact && cursor.number >= ring.gapAt && cursor.number + 1 >= ring.first) {
      const kept: Kept[] = []
      for (let i = cursor.number + 1; i < position; i++) kept.push(ring.at(i))
      stream.replay(kept.filter(({ event }) => stream.wants(event)))
      return
    }
    const since = after(cursor)
    const others = await this.#ask(org, since)
    const collected = collect(cursor, ring, { position, since, others, pending: stream.pending() })
    stream.complete = collected.complete
    stream.replay(collected.events.filter(({ event }) => stream.wants(event)))
  }

  #ask(org: string, since: Cursor['at']): Promise<Replayed> {
    const relay = this.#relay
    if (relay === null) return Promise.resolve({ events: [], rings: [], complete: true })
    const now = this.#timers.monotonic()
    const known = this.#answers.get(org)
    if (known !== undefined && known.since <= since && now < known.until) return known.answer
    const answer = relay.replay(org, since)
    const entry = { since, until: now + shareMs, answer }
    this.#answers.set(org, entry)
    this.#timers.after(shareMs, () => {
      if (this.#answers.get(org) === entry) this.#answers.delete(org)
    })
    return answer
  }

  #keep(ring: LiveRing, event: LiveEvent, bytes: number, origin: Origin | null): Kept {
    const kept = ring.add(event, bytes, origin)
    const { ringEvents, ringBytes, bytes: all } = this.#limits
    const share = Math.min(ringBytes, all / this.#rings.size)
    while ((ring.next - ring.first > ringEvents || ring.bytes > share) && ring.forget());
    const index = this.#streams.get(event.org)
    if (index !== undefined) this.#events.value += index.offer(event, ring.next - 1)
    if (--this.#sweepIn === 0) this.#sweep()
    return kept
  }

  #listen(org: string): void {
    const relay = this.#relay
    if (relay === null) return
    const leaving = this.#listened.get(org)
    leaving?.cancel()
    this.#listened.set(org, null)
    if (leaving !== undefined) return
    // What the others took until now did not come here.
    const ring = this.#ring(org)
    ring.gapAt = ring.next
    relay.listening(org, true)
  }

  #linger(org: string): void {
    if (this.#relay === null) return
    this.#listened.set(
      org,
      this.#timers.after(lingerMs, () => {
        this.#listened.delete(org)
        this.#relay?.listening(org, false)
      }),
    )
  }

  #ring(org: string): LiveRing {
    let ring = this.#rings.get(org)
    if (ring === undefined) {
      this.#sweep()
      this.#rings.set(org, (ring = new LiveRing(this.#clock.now())))
    }
    return ring
  }

  /** Forgets rings that nobody has needed for a while. */
  #sweep(): void {
    this.#sweepIn = sweepEvery
    const now = this.#clock.now()
    for (const [org, ring] of this.#rings) {
      if (this.#streams.has(org) || this.#listened.has(org) || this.#relay?.wants(org) === true) continue
      if (now - ring.listenedAt > keepMs) this.#rings.delete(org)
    }
  }
}
