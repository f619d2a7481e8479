import type { ChannelLimits } from '#platform/cluster/channel-limits.ts'
import type { ChannelPeer } from '#platform/cluster/channel-peer.ts'
import { Channels } from '#platform/cluster/channels.ts'
import { newIncarnation } from '#platform/cluster/incarnation.ts'
import type { ChannelListener, MemberInfo, Peer } from '#platform/cluster/peer.ts'
import { createLogger } from '#platform/log.ts'
import { Metrics } from '#platform/metrics.ts'
import { VirtualClock, type VirtualTime, VirtualTimers } from '../../virtual-time.ts'
import type { LossyNet } from './lossy-bus.ts'

const SILENT = createLogger({ level: 'silent' })
/** Birth, count from, to, and the number of entry: what `say` sends. */
const BODY_BYTES = 12

/** What one process knows of one peer: which of its own streams to it is open, and what came. */
interface View {
  /** Streams opened so far, by the listener's count. */
  opened: number
  /** Next number of the present stream to send. */
  next: number
  /** Of the peer's stream that is being taken: its count, and the number that must come next. */
  theirStream: number
  expected: number
  /** The peer's streams whose entries have come must rise. */
  state: 'contact' | 'lost' | 'gone'
  pressed: boolean
}

let births = 0

/**
 * A simulated process with Channels, which checks all that it is told: entries once and in order, none from before
 * `opened`, events in an order that makes sense.
 */
export class ChannelProcess {
  readonly timers: VirtualTimers
  readonly clock: VirtualClock
  readonly metrics = new Metrics()
  readonly info: MemberInfo
  readonly channels: Channels
  /** Events in order: `opened b`, `lost b`, ... */
  readonly events: string[] = []
  readonly views = new Map<string, View>()
  readonly conflicts: MemberInfo[] = []
  /** What went wrong; tests expect it to be empty. */
  readonly faults: string[] = []
  /** Entries that came. */
  received = 0
  /** Called for each entry, after the checks. */
  onEntry: (peer: Peer, type: number, body: Buffer, delay: number) => void = () => undefined
  onOpened: (peer: Peer) => void = () => undefined
  readonly #time: VirtualTime

  constructor(
    net: LossyNet,
    name: string,
    options: {
      limits?: Partial<ChannelLimits>
      dc?: number
      skew?: number
      start?: boolean
      bornEarlier?: number
    } = {},
  ) {
    this.#time = net.time
    this.timers = new VirtualTimers(net.time)
    this.clock = new VirtualClock(net.time, options.skew ?? 0)
    const dc = options.dc ?? 1
    const born = 1e6 + Math.floor(net.time.now) - (options.bornEarlier ?? 0)
    const incarnation = newIncarnation(born * 1024 + (births++ % 1024), dc, Buffer.alloc(7))
    this.info = {
      incarnation: incarnation.toString('hex'),
      name,
      dc: `dc0${dc}`,
      version: '1.0.0',
      protocol: 1,
    }
    this.channels = new Channels({
      bus: net.open(this.info.incarnation, this.timers),
      info: this.info,
      clock: this.clock,
      timers: this.timers,
      log: SILENT,
      metrics: this.metrics,
      listener: this.#listener(),
      ...(options.limits === undefined ? {} : { limits: options.limits }),
      onNameConflict: (other) => void this.conflicts.push(other),
    })
    if (options.start !== false) this.channels.start()
  }

  get incarnation(): string {
    return this.info.incarnation
  }

  peer(other: ChannelProcess): Peer {
    const peer = this.channels.peer(other.incarnation)
    if (peer === undefined) throw new Error(`${this.info.name} does not know ${other.info.name}`)
    return peer
  }

  /** Sends the next numbered entry to a peer, with `padding` bytes more. */
  say(peer: Peer, padding = 0): void {
    const view = this.view(peer)
    const at = peer.reserve(1, BODY_BYTES + padding)
    peer.buffer.writeUInt32BE(view.opened, at)
    peer.buffer.writeDoubleBE(view.next, at + 4)
    peer.buffer.fill(view.next, at + BODY_BYTES, at + BODY_BYTES + padding)
    view.next++
  }

  view(peer: Peer): View {
    const { incarnation } = peer.info
    let view = this.views.get(incarnation)
    if (view === undefined) {
      view = {
        opened: 0,
        next: 0,
        theirStream: 0,
        expected: 0,
        state: 'gone',
        pressed: false,
      }
      this.views.set(incarnation, view)
    }
    return view
  }

  #fault(what: string): void {
    this.faults.push(`${this.#time.now.toFixed(1)} ${this.info.name}: ${what}`)
  }

  #listener(): ChannelListener {
    const note = (event: string, peer: Peer): View => {
      this.events.push(`${event} ${peer.info.name}`)
      return this.view(peer)
    }
    return {
      opened: (peer) => {
        const view = note('opened', peer)
        view.opened++
        view.next = 0
        view.expected = -1
        view.state = 'contact'
        if (!peer.inContact) this.#fault(`opened ${peer.info.name} without contact`)
        if (peer.taken !== peer.sent) this.#fault('opened with something to be taken')
        this.onOpened(peer)
      },
      lost: (peer) => {
        const view = note('lost', peer)
        if (view.state !== 'contact') this.#fault(`lost ${peer.info.name} after ${view.state}`)
        if (peer.inContact) this.#fault('lost, and in contact')
        view.state = 'lost'
      },
      back: (peer) => {
        const view = note('back', peer)
        if (view.state !== 'lost') this.#fault(`back ${peer.info.name} after ${view.state}`)
        if (!peer.inContact) this.#fault('back, and not in contact')
        view.state = 'contact'
      },
      gone: (peer, how) => {
        const view = note(`gone(${how})`, peer)
        if (view.state === 'gone') this.#fault(`gone ${peer.info.name} twice`)
        view.state = 'gone'
      },
      entry: (peer, type, body, delay) => {
        this.received++
        const view = this.view(peer)
        if (!(peer as ChannelPeer).open) this.#fault('entry of a stream that has ended')
        if (view.opened === 0) this.#fault('entry before opened')
        if (view.state === 'gone') this.#fault('entry of one that is gone')
        if (!(delay >= 0)) this.#fault(`delay ${delay}`)
        if (type === 1) this.#check(view, peer, body)
        this.onEntry(peer, type, body, delay)
      },
      relieved: (peer) => {
        const view = note('relieved', peer)
        if (peer.pressed) this.#fault('relieved, and pressed')
        view.pressed = false
      },
      stoodStill: (ms) => {
        this.events.push(`stood still ${Math.round(ms)}`)
      },
    }
  }

  /** Each stream of ours takes exactly one of theirs, from its first entry on, and each of theirs is newer. */
  #check(view: View, peer: Peer, body: Buffer): void {
    const stream = body.readUInt32BE(0)
    const number = body.readDoubleBE(4)
    const said = `${peer.info.name} stream ${stream} entry ${number}`
    if (view.expected === -1) {
      if (stream <= view.theirStream) this.#fault(`${said} after stream ${view.theirStream}`)
      view.theirStream = stream
      view.expected = 0
    }
    if (stream !== view.theirStream) this.#fault(`${said} within stream ${view.theirStream}`)
    if (number !== view.expected) this.#fault(`${said} instead of ${view.expected}`)
    for (let i = BODY_BYTES; i < body.length; i++)
      if (body[i] !== (number & 0xff)) this.#fault(`${said} is damaged`)
    view.expected = number + 1
  }
}
