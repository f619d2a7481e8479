import type { Clock } from '../clock.ts'
import type { Counter, Metrics } from '../metrics.ts'
import { systemTimers, type Timer, type Timers } from '../timers.ts'
import { LiveRing } from './live-ring.ts'
import { LiveStream } from './live-stream.ts'

/** Messages of one filter in a second that are shown; the others are counted. People watch them. */
const perSecond = 1000
/** Filters at a time, of an organisation and of all: each costs its topics the fast way through the broker. */
const orgFilters = 20
const allFilters = 200
/** Streams of one filter. */
const maxStreams = 1000
/** Messages kept for slow streams, and their bytes, of one filter. */
const ringEvents = 1000
const ringBytes = 4_194_304
/** Bytes of a payload that are shown. */
const maxShown = 4096
/** Bytes of an event beside its payload, roughly. */
const overhead = 300

export interface TappedMessage {
  readonly topic: string
  readonly payload: Uint8Array
  readonly qos: number
  readonly retain: boolean
}

/** Takes every message of an organisation whose topic matches, in whatever process it arrives, until the returned function is called. */
export type Tap = (org: string, filter: string, take: (message: TappedMessage) => void) => () => void

interface Feed {
  readonly ring: LiveRing
  readonly streams: Set<LiveStream>
  readonly stop: () => void
  readonly timer: Timer
  left: number
  suppressed: number
}

/**
 * MQTT messages by topic filter, for people who watch them: shown as they come, never stored, without a past. Streams with one
 * filter share it.
 */
export class TopicFeeds {
  #tap: Tap | null = null
  readonly #feeds = new Map<string, Feed>()
  readonly #perOrg = new Map<string, number>()
  readonly #clock: Clock
  readonly #timers: Timers
  readonly #dropped: { slow: Counter; fast: Counter }

  constructor(metrics: Metrics, clock: Clock, timers: Timers = systemTimers) {
    this.#clock = clock
    this.#timers = timers
    const dropped = (reason: string): Counter =>
      metrics.counter('cinque_live_dropped_total', 'Live events dropped, by reason', { reason })
    this.#dropped = { slow: dropped('slow_stream'), fast: dropped('topic_too_fast') }
    metrics.gauge('cinque_live_topic_filters', 'Topic filters that are watched', () => this.#feeds.size)
  }

  /** Whoever composes the broker opens it. */
  open(tap: Tap): void {
    this.#tap = tap
  }

  /** Whether there is a broker. */
  get available(): boolean {
    return this.#tap !== null
  }

  /** Null: too many streams or filters. The filter is valid and names no share. */
  subscribe(org: string, filter: string): LiveStream | null {
    const key = `${org}\0${filter}`
    const feed = this.#feeds.get(key) ?? this.#begin(org, filter)
    if (feed === null || feed.streams.size >= maxStreams) return null
    const stream = new LiveStream(
      feed.ring,
      {},
      {
        missing: (events) => (this.#dropped.slow.value += events),
        close: () => {
          if (feed.streams.delete(stream) && feed.streams.size === 0) this.#end(org, filter, feed)
        },
      },
    )
    feed.streams.add(stream)
    return stream
  }

  #begin(org: string, filter: string): Feed | null {
    const count = this.#perOrg.get(org) ?? 0
    if (this.#tap === null || count >= orgFilters || this.#feeds.size >= allFilters) return null
    const ring = new LiveRing(this.#clock.now())
    const timer = this.#timers.every(1000, () => {
      feed.left = perSecond
      const { suppressed } = feed
      if (suppressed === 0) return
      feed.suppressed = 0
      this.#dropped.fast.value += suppressed
      for (const stream of feed.streams) stream.miss(suppressed)
    })
    const stop = this.#tap(org, filter, (message) => {
      if (feed.left === 0) feed.suppressed++
      else {
        feed.left--
        this.#take(feed, org, message)
      }
    })
    const feed: Feed = { ring, streams: new Set(), stop, timer, left: perSecond, suppressed: 0 }
    this.#feeds.set(`${org}\0${filter}`, feed)
    this.#perOrg.set(org, count + 1)
    return feed
  }

  #end(org: string, filter: string, feed: Feed): void {
    feed.timer.cancel()
    feed.stop()
    this.#feeds.delete(`${org}\0${filter}`)
    const count = (this.#perOrg.get(org) ?? 1) - 1
    if (count > 0) this.#perOrg.set(org, count)
    else this.#perOrg.delete(org)
  }

  #take({ ring, streams }: Feed, org: string, { topic, payload, qos, retain }: TappedMessage): void {
    const size = payload.length
    const data = { topic, qos, retain, size, ...shown(payload) }
    ring.add(
      { type: 'message', org, device: null, at: this.#clock.now(), data },
      Math.min(size, maxShown) + overhead,
      null,
    )
    while ((ring.next - ring.first > ringEvents || ring.bytes > ringBytes) && ring.forget());
    for (const stream of streams) stream.offer(ring.next - 1)
  }
}

/** As text if it is UTF-8, else in base64; the beginning of what is long. */
function shown(payload: Uint8Array): object {
  const part = payload.length > maxShown ? payload.subarray(0, maxShown) : payload
  const truncated = part.length < payload.length
  try {
    // A character that is cut at the end is left out.
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(part, {
      stream: truncated,
    })
    return { payload: text, truncated }
  } catch {
    return { payload_base64: Buffer.from(part).toString('base64'), truncated }
  }
}
