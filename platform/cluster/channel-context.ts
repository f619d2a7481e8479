import type { Clock } from '../clock.ts'
import type { Logger } from '../log.ts'
import type { Counter, Metrics } from '../metrics.ts'
import type { Timers } from '../timers.ts'
import type { Bus } from './bus.ts'
import type { ChannelLimits } from './channel-limits.ts'
import type { ChannelPeer } from './channel-peer.ts'
import type { ChannelListener } from './peer.ts'

/** Why a stream began anew. */
export type DropReason = 'overflow' | 'peer' | 'poisoned'
/** Why a frame that came was not used. */
export type SkipReason =
  | 'short'
  | 'magic'
  | 'version'
  | 'kind'
  | 'destination'
  | 'info'
  | 'unknown'
  | 'old_stream'
  | 'duplicate'
  | 'no_room'
  | 'poisoned'
  | 'too_many_peers'

/** What a bus that loses and delays brings about: no news for people. */
const ORDINARY = new Set<SkipReason>(['duplicate', 'old_stream', 'unknown', 'no_room'])

/** What all peers of one `Channels` share. */
export interface ChannelContext {
  readonly bus: Bus
  readonly clock: Clock
  readonly timers: Timers
  readonly log: Logger
  readonly listener: ChannelListener
  readonly limits: ChannelLimits
  readonly counters: ChannelCounters
  /** Own incarnation. */
  readonly self: Buffer
  /** Own MemberInfo as the body of a frame. */
  readonly info: Buffer
  /** A number for a new stream: greater than all before, also towards peers that were forgotten. */
  nextStream(): number
  /** `peer` is to be told what has arrived, at the end of this tick. */
  owes(peer: ChannelPeer): void
  /** The peer's stream is about to open for the first time; false: it must not. */
  admit(peer: ChannelPeer): boolean
}

export class ChannelCounters {
  readonly framesSent: Counter
  readonly framesResent: Counter
  readonly framesReceived: Counter
  readonly bytesSent: Counter
  readonly entriesSent: Counter
  readonly entriesReceived: Counter
  readonly entriesUnsent: Counter
  readonly listenerFailures: Counter
  readonly #metrics: Metrics
  readonly #skipped = new Map<SkipReason, Counter>()
  #strange: Partial<Record<SkipReason, number>> = {}

  constructor(metrics: Metrics) {
    this.#metrics = metrics
    this.framesSent = metrics.counter('cinque_cluster_frames_sent_total', 'Frames put on the bus')
    this.framesResent = metrics.counter('cinque_cluster_frames_resent_total', 'Frames sent again on request')
    this.framesReceived = metrics.counter(
      'cinque_cluster_frames_received_total',
      'Frames that came over the bus',
    )
    this.bytesSent = metrics.counter('cinque_cluster_sent_bytes_total', 'Bytes of frames put on the bus')
    this.entriesSent = metrics.counter('cinque_cluster_entries_sent_total', 'Entries given to streams')
    this.entriesReceived = metrics.counter(
      'cinque_cluster_entries_received_total',
      'Entries taken from streams',
    )
    this.entriesUnsent = metrics.counter(
      'cinque_cluster_entries_unsent_total',
      'Entries for peers whose stream was not open: they are told everything when it opens',
    )
    this.listenerFailures = metrics.counter(
      'cinque_cluster_listener_failures_total',
      'Entries whose handling failed (a bug)',
    )
  }

  /** Counts a frame that came and was not used. */
  skip(reason: SkipReason): void {
    let counter = this.#skipped.get(reason)
    if (counter === undefined) {
      counter = this.#metrics.counter('cinque_cluster_frames_skipped_total', 'Frames that were not used', {
        reason,
      })
      this.#skipped.set(reason, counter)
    }
    counter.value++
    if (!ORDINARY.has(reason)) this.#strange[reason] = (this.#strange[reason] ?? 0) + 1
  }

  /** What was skipped since the last call, by reason, and should not happen; null: nothing. */
  strange(): Record<string, number> | null {
    const strange = this.#strange
    if (Object.keys(strange).length === 0) return null
    this.#strange = {}
    return strange
  }

  dropped(reason: DropReason): Counter {
    return this.#metrics.counter('cinque_cluster_streams_dropped_total', 'Streams that began anew', {
      reason,
    })
  }
}
