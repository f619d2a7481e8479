import type { Clock } from '../clock.ts'
import type { Logger } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import type { Timer, Timers } from '../timers.ts'
import type { Bus } from './bus.ts'
import { clockTrouble } from './channel-clock.ts'
import { type ChannelContext, ChannelCounters } from './channel-context.ts'
import { CHANNEL_LIMITS, type ChannelLimits } from './channel-limits.ts'
import { ChannelPeer } from './channel-peer.ts'
import { Wait } from './channel-waits.ts'
import { decodeInfo, encodeInfo, FrameHeader, HEADER_BYTES, KIND } from './frame.ts'
import { incarnationBytes, incarnationHex } from './incarnation.ts'
import type { ChannelListener, MemberInfo, Peer } from './peer.ts'

/** The own event loop stood still when the heartbeat is late by so much, ms. */
const STALL_MS = 1000
/** One line in the log about skipped frames in this time, ms. */
const COMPLAIN_MS = 60_000
/** At the end, members have this long to take what was sent to them, ms. */
const GOODBYE_MS = 2000

export interface ChannelOptions {
  bus: Bus
  /** Who this process is; its incarnation is the address on the bus. */
  info: MemberInfo
  clock: Clock
  timers: Timers
  log: Logger
  metrics: Metrics
  listener: ChannelListener
  limits?: Partial<ChannelLimits>
  /** An older process with this one's name lives: one of both must end. Called once per other process. */
  onNameConflict?: (other: MemberInfo) => void
}

/**
 * The reliable streams between this process and every other of the cell, and who these are. Members find each other by
 * announcements, twice a second; what a stream does is in `ChannelPeer`.
 */
export class Channels {
  readonly #context: ChannelContext
  readonly #info: MemberInfo
  readonly #onNameConflict: ((other: MemberInfo) => void) | undefined
  /** Own incarnation as it stands in frames. */
  readonly #key: string
  readonly #peers = new Map<string, ChannelPeer>()
  readonly #conflicts = new Set<string>()
  readonly #header = new FrameHeader()
  readonly #announcement = new FrameHeader()
  #stream = 0
  #owing: ChannelPeer[] = []
  #beatTimer: Timer | null = null
  #lastBeat = 0
  #complainedAt = -Infinity
  #ended = false
  #ending: Promise<void> | null = null

  constructor(options: ChannelOptions) {
    const { bus, info, clock, timers, log, metrics, listener } = options
    this.#info = info
    this.#onNameConflict = options.onNameConflict
    const self = incarnationBytes(info.incarnation)
    this.#key = self.toString('latin1')
    const limits = { ...CHANNEL_LIMITS, ...options.limits }
    limits.frame = Math.min(limits.frame, bus.maxFrame)
    this.#context = {
      bus,
      clock,
      timers,
      log,
      listener,
      limits,
      counters: new ChannelCounters(metrics),
      self,
      info: encodeInfo(info),
      nextStream: () => ++this.#stream,
      owes: (peer) => this.#owes(peer),
      admit: (peer) => this.#admit(peer),
    }
    metrics.gauge('cinque_cluster_peers', 'Other processes of the cell that are known', () => {
      let known = 0
      for (const _ of this.peers) known++
      return known
    })
    metrics.gauge('cinque_cluster_peers_in_contact', 'Of them, those in contact now', () => this.inContact)
    metrics.gauge('cinque_cluster_kept_bytes', 'Memory of what a peer has not taken yet', () =>
      this.#perPeer((peer) => peer.keptBytes),
    )
    metrics.gauge('cinque_cluster_round_trip_seconds', 'Average round trip to a peer', () =>
      this.#perPeer((peer) => peer.roundTripMs / 1000),
    )
  }

  /** Begins to listen and to announce this process. */
  start(): void {
    const { bus, limits, timers } = this.#context
    bus.receive((frame) => this.#receive(frame))
    this.#lastBeat = timers.monotonic()
    this.#beatTimer = timers.every(limits.beat, () => this.#beat())
    this.#announce(KIND.announce)
  }

  /** All processes whose streams have been opened and that are not gone. */
  get peers(): Iterable<Peer> {
    return this.#told()
  }

  get inContact(): number {
    let count = 0
    for (const peer of this.#peers.values()) if (peer.inContact) count++
    return count
  }

  /** The peer of this incarnation (hex), if it is known. */
  peer(incarnation: string): Peer | undefined {
    const peer = this.#peers.get(incarnationBytes(incarnation).toString('latin1'))
    return peer === undefined || peer.told === 'nothing' ? undefined : peer
  }

  /** To every known peer; lost ones get it when they are back. @throws RangeError if it does not fit into a frame */
  broadcast(type: number, body: Uint8Array): void {
    for (const peer of this.#peers.values()) if (peer.open) peer.send(type, body)
  }

  /**
   * Calls `then` when every peer in contact now has taken all that was sent to it so far, or is not in contact any
   * more; at once if so already. If a stream begins anew meanwhile, what is sent in `opened` is waited for instead.
   */
  taken(then: () => void): void {
    const wait = new Wait(then)
    for (const peer of this.#peers.values()) peer.untilTaken(wait)
    wait.settle()
  }

  /**
   * Calls `then` when a marker has been to every peer in contact and back: everything they had sent before it reached
   * them has been handed to the listener. Peers that fall out of contact don't hold it up.
   */
  echo(then: () => void): void {
    const wait = new Wait(then)
    for (const peer of this.#peers.values()) peer.untilEcho(wait)
    wait.settle()
  }

  /** What is wrong with the own wall clock, for people; null: nothing known. */
  get clockTrouble(): string | null {
    const offsets: number[] = []
    for (const peer of this.#peers.values()) if (peer.inContact) offsets.push(peer.clockOffset.value)
    return clockTrouble(offsets, this.#context.limits.clockOff)
  }

  /**
   * Finds out whether this process has just stood still, and says so to the listener: to be called before input is
   * taken that came while it did (timers run late, sockets are read first).
   */
  checkStall(): void {
    const now = this.#context.timers.monotonic()
    const gap = now - this.#lastBeat
    if (gap <= STALL_MS || this.#beatTimer === null || this.#ended) return
    this.#lastBeat = now
    this.#context.log.warn({ event: 'cluster.stood_still', ms: Math.round(gap) }, 'this process stood still')
    for (const peer of this.#peers.values()) peer.grace(now)
    this.#context.listener.stoodStill(gap)
  }

  /** Waits up to 2 s until all is taken, tells everybody that this incarnation is over, and stops. */
  goodbye(): Promise<void> {
    this.#ending ??= new Promise((resolve) => {
      // Whoever is not met yet need not be: it could be the successor.
      for (const peer of this.#peers.values()) if (peer.told === 'nothing') this.#remove(peer, 'goodbye')
      for (const peer of this.#peers.values()) peer.flush()
      let open = true
      const end = (): void => {
        if (!open) return
        open = false
        timer.cancel()
        this.#end()
        resolve()
      }
      const timer = this.#context.timers.after(GOODBYE_MS, end)
      this.taken(end)
    })
    return this.#ending
  }

  #end(): void {
    if (this.#beatTimer !== null) {
      for (const peer of this.#peers.values()) peer.sendGoodbye()
      this.#announce(KIND.goodbye)
      this.#beatTimer.cancel()
    }
    this.#ended = true
    for (const peer of this.#peers.values()) peer.end()
    this.#peers.clear()
  }

  // Heartbeats

  #beat(): void {
    this.checkStall()
    const { limits, timers } = this.#context
    const now = timers.monotonic()
    this.#lastBeat = now
    this.#announce(KIND.announce)
    for (const peer of this.#peers.values()) {
      const unheard = now - peer.heardAt
      if (peer.told === 'gone') continue
      if (unheard > limits.forget) this.#remove(peer, 'silent')
      else if (peer.told === 'nothing' && unheard > limits.forgetUnopened) this.#remove(peer, 'silent')
      else peer.beat(now)
    }
    this.#complain(now)
  }

  /** Tells all processes, also those that are not known, who this is. */
  #announce(kind: number): void {
    const { bus, clock, info, self, timers } = this.#context
    const header = this.#announcement
    header.kind = kind
    header.wall = clock.now()
    header.monotonic = timers.monotonic()
    const frame = Buffer.allocUnsafe(HEADER_BYTES + info.length)
    header.write(frame, 0, self, null)
    frame.set(info, HEADER_BYTES)
    this.#context.counters.framesSent.value++
    bus.broadcast(frame)
  }

  // Frames

  #receive(frame: Buffer): void {
    if (this.#ended) return
    this.checkStall()
    const { counters, self, timers } = this.#context
    counters.framesReceived.value++
    const header = this.#header
    const fault = header.read(frame)
    if (fault !== null) {
      this.#context.counters.skip(fault)
      return
    }
    const key = frame.toString('latin1', 4, 20)
    if (key === this.#key) return
    const forAll = header.kind === KIND.announce || header.kind === KIND.goodbye
    if (!forAll && self.compare(frame, 20, 36) !== 0) {
      this.#context.counters.skip('destination')
      return
    }
    const now = timers.monotonic()
    let peer = this.#peers.get(key)
    if (header.kind === KIND.goodbye) {
      if (peer !== undefined) this.#remove(peer, 'goodbye')
      return
    }
    if (peer === undefined) {
      // Whose announcement was not heard yet: it will be, and what this frame carries is sent again.
      if (header.kind === KIND.stream) this.#context.counters.skip('unknown')
      else peer = this.#meet(key, frame)
      if (peer === undefined) return
      // It learns the number of our stream at once.
      if (header.kind === KIND.announce) {
        peer.heard(header, now)
        peer.sendOpening()
        return
      }
    }
    if (header.kind === KIND.announce) peer.heard(header, now)
    else peer.take(header, frame, now)
  }

  /** A process that was not known. */
  #meet(key: string, frame: Buffer): ChannelPeer | undefined {
    if (this.#ending !== null) return undefined
    const info = decodeInfo(frame)
    if (info === null || info.incarnation !== incarnationHex(frame, 4)) {
      this.#context.counters.skip('info')
      return undefined
    }
    const namesake = this.#named(info.name)
    if (namesake !== undefined && outranks(namesake, info)) return undefined
    if (this.#peers.size >= this.#context.limits.peers) {
      this.#context.counters.skip('too_many_peers')
      return undefined
    }
    const peer = new ChannelPeer(info, this.#context)
    this.#peers.set(key, peer)
    return peer
  }

  /** Decides on a stream that could open: not with two processes of one name. */
  #admit(peer: ChannelPeer): boolean {
    const { info } = peer
    if (info.name === this.#info.name) {
      this.#conflict(info)
      return false
    }
    if (peer.told !== 'nothing') return true
    const namesake = this.#named(info.name)
    if (namesake === undefined) return true
    if (outranks(namesake, info)) {
      this.#remove(peer, 'replaced')
      return false
    }
    this.#remove(namesake, 'replaced')
    return true
  }

  #conflict(other: MemberInfo): void {
    if (this.#conflicts.has(other.incarnation)) return
    this.#conflicts.add(other.incarnation)
    const younger = this.#info.incarnation > other.incarnation
    this.#context.log.error(
      { event: 'cluster.name_conflict', name: other.name, other: other.incarnation, younger },
      'two processes have this name: give each its own in the inventory',
    )
    if (younger) this.#onNameConflict?.(other)
  }

  #named(name: string): ChannelPeer | undefined {
    for (const peer of this.#told()) if (peer.info.name === name) return peer
    return undefined
  }

  *#told(): Iterable<ChannelPeer> {
    for (const peer of this.#peers.values()) if (peer.told !== 'nothing') yield peer
  }

  #remove(peer: ChannelPeer, how: 'goodbye' | 'replaced' | 'silent'): void {
    this.#peers.delete(incarnationBytes(peer.info.incarnation).toString('latin1'))
    this.#conflicts.delete(peer.info.incarnation)
    peer.gone(how)
  }

  // What is owed at the end of a tick

  #owes(peer: ChannelPeer): void {
    if (this.#owing.length === 0) this.#context.timers.soon(this.#pay)
    if (!this.#owing.includes(peer)) this.#owing.push(peer)
  }

  readonly #pay = (): void => {
    const owing = this.#owing
    this.#owing = []
    for (const peer of owing) peer.payAck()
  }

  // For people

  #complain(now: number): void {
    if (now - this.#complainedAt < COMPLAIN_MS) return
    const strange = this.#context.counters.strange()
    if (strange === null) return
    this.#complainedAt = now
    this.#context.log.warn(
      { event: 'cluster.frames_skipped', ...strange },
      'frames that cannot be used came over the bus',
    )
  }

  *#perPeer(value: (peer: ChannelPeer) => number): Iterable<[Record<string, string>, number]> {
    for (const peer of this.#told()) yield [{ peer: peer.info.name }, value(peer)]
  }
}

/**
 * Of two processes with one name the younger counts: the other's frames are late, or it must end. But not when the
 * younger is out of contact: the clock may have been set back before its successor started.
 */
function outranks(known: ChannelPeer, other: MemberInfo): boolean {
  return known.told === 'contact' && known.info.incarnation > other.incarnation
}
