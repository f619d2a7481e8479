import type { Timer } from '../timers.ts'
import { ClockOffset } from './channel-clock.ts'
import type { ChannelContext, DropReason } from './channel-context.ts'
import { ReceiveOrder } from './channel-order.ts'
import { type KeptFrame, SendRing } from './channel-ring.ts'
import { PeerWaits, type Wait } from './channel-waits.ts'
import {
  EntryReader,
  entryOverhead,
  FrameHeader,
  HEADER_BYTES,
  KIND,
  RANGE_BYTES,
  readRanges,
  writeEntry,
} from './frame.ts'
import { dcOf, incarnationBytes } from './incarnation.ts'
import type { MemberInfo, Peer } from './peer.ts'

/** Types from here on are the channels' own. */
const OWN_TYPES = 0xff00
const ECHO_ASK = 0xff01
const ECHO_ANSWER = 0xff02

/** Frames are cut from pieces of this size; the last bytes of one are given up. */
const CHUNK_BYTES = 64 * 1024
const CHUNK_REST = 2048
/** An opening is not answered more often, ms. */
const OPENING_PAUSE_MS = 50
/** What is missing is asked for again after this long, ms, plus two round trips; then less and less often. */
const ASK_AGAIN_MS = 30
const ASK_AGAIN_MAX_MS = 1000
/** Copies of a frame that cannot be read before the stream is given up. */
const POISONED_MAX = 3
/** A round trip longer than this is not believed, ms. */
const ROUND_TRIP_MAX_MS = 2000

const NO_BYTES = Buffer.alloc(0)
/** The header of whatever is being sent. */
const outgoing = new FrameHeader()

/**
 * Another process and the two streams between it and this one.
 *
 * Opening: each side chooses a number for its stream, greater than any it chose before, and says in every frame which
 * number it has and which one of the other it knows. A side opens when a frame shows that the other knows its present
 * number. From then on only frames with exactly these two numbers count: a greater number of the other means that it
 * has begun anew, and so does this side; lower ones are late and ignored. So both sides open with the same pair of
 * numbers, and what was sent under another pair is never taken for this one's.
 *
 * Contact: every frame says when (by the receiver's own clock) the newest frame was sent that its sender has seen. So
 * contact means a round trip that began less than 3 s ago: frames that are late, or a way that is cut in one direction
 * only, do not look like it.
 */
export class ChannelPeer implements Peer {
  readonly info: MemberInfo
  readonly dcNumber: number
  buffer: Buffer = NO_BYTES
  sent = 0
  taken = 0
  pressed = false
  /** What the listener was told last. */
  told: 'nothing' | 'contact' | 'lost' | 'gone' = 'nothing'
  readonly clockOffset = new ClockOffset()
  /** Monotonic time at which anything was heard. */
  heardAt: number
  /** Average round trip, ms; 0: not known. */
  roundTripMs = 0
  readonly #context: ChannelContext
  readonly #address: Buffer
  readonly #waits = new PeerWaits()
  readonly #ring = new SendRing()
  readonly #order: ReceiveOrder
  readonly #reader = new EntryReader()
  readonly #gatherMs: number

  #mine: number
  #theirs = 0
  #open = false
  #closedAt = 0
  #openingAt = -Infinity
  /** Was pressed when the stream ended: `relieved` is owed. */
  #relief = false

  /** Where the frame that is being filled begins and ends in `buffer`, and how far it may go. */
  #start = 0
  #end = 0
  #limit = 0
  #number = 0
  #sealedThrough = 0
  #sealedAt = -Infinity
  /** A timer will close the frame. */
  #armed = false

  /** Own monotonic time of the newest own frame that the peer is known to have seen. */
  #roundTrip = -Infinity
  /** The newest monotonic time of the peer's, and when it came. */
  #theirTime = -1
  #theirTimeAt = 0

  #ackOwed = false
  #askTimer: Timer | null = null
  #askMs = 0
  #askedThrough = 0
  #expectedAtAsk = 0
  #poisoned = 0

  constructor(info: MemberInfo, context: ChannelContext) {
    this.info = info
    this.#context = context
    this.#address = incarnationBytes(info.incarnation)
    this.dcNumber = dcOf(this.#address)
    this.#order = new ReceiveOrder(context.limits.held)
    this.#gatherMs =
      this.dcNumber === dcOf(context.self) ? context.limits.gatherSameDc : context.limits.gatherOtherDc
    this.#mine = context.nextStream()
    this.heardAt = context.timers.monotonic()
  }

  get inContact(): boolean {
    return this.#open && this.told === 'contact'
  }

  get open(): boolean {
    return this.#open
  }

  /** Memory that what was not taken yet needs, bytes. */
  get keptBytes(): number {
    return this.#ring.bytes + Math.max(this.#end - this.#start - HEADER_BYTES, 0)
  }

  /** Memory of frames that wait for one before them, bytes. */
  get heldBytes(): number {
    return this.#order.heldBytes
  }

  // Sending

  send(type: number, body: Uint8Array): void {
    const at = this.reserve(type, body.length)
    this.buffer.set(body, at)
  }

  reserve(type: number, length: number): number {
    const need = entryOverhead(length) + length
    if (!this.#open || (this.#end + need > this.#limit && !this.#makeRoom(need))) return this.#nowhere(length)
    if (!this.#armed) this.#arm()
    this.sent++
    const at = writeEntry(this.buffer, this.#end, type, length)
    this.#end = at + length
    return at
  }

  /** A place for an entry that goes nowhere, because the stream is not open. */
  #nowhere(length: number): number {
    this.#context.counters.entriesUnsent.value++
    if (this.buffer.length < length) this.buffer = Buffer.allocUnsafe(length)
    return 0
  }

  /** Begins a frame with room for `need` bytes; false: the stream has just ended. */
  #makeRoom(need: number): boolean {
    const { limits, bus } = this.#context
    if (need > bus.maxFrame - HEADER_BYTES)
      throw new RangeError(`an entry of ${need} bytes does not fit into a frame of ${bus.maxFrame}`)
    this.#seal()
    if (!this.#open) return false
    const bytes = HEADER_BYTES + need
    if (bytes > limits.frame) this.#begin(Buffer.allocUnsafeSlow(bytes), bytes)
    else if (this.#start + Math.max(bytes, CHUNK_REST) > this.buffer.length)
      this.#begin(Buffer.allocUnsafeSlow(Math.max(CHUNK_BYTES, limits.frame)), limits.frame)
    return true
  }

  #begin(chunk: Buffer, limit: number): void {
    this.buffer = chunk
    this.#start = 0
    this.#end = HEADER_BYTES
    this.#limit = limit
  }

  #arm(): void {
    this.#armed = true
    const { timers } = this.#context
    const wait = this.#sealedAt + this.#gatherMs - timers.monotonic()
    if (wait <= 0) timers.soon(this.#flush)
    else timers.after(wait, this.#flush)
  }

  readonly #flush = (): void => {
    this.#armed = false
    this.#seal()
  }

  /** Closes the frame that is being filled, if there is anything in it, and sends it if it may go. */
  #seal(): void {
    if (this.#end <= this.#start + HEADER_BYTES || !this.#open) return
    const { counters, limits, timers } = this.#context
    const now = timers.monotonic()
    const number = ++this.#number
    // It says of itself that it is the newest; earlier ones that wait for the window go before it.
    this.#writeHeader(this.buffer, this.#start, KIND.stream, number, number, now)
    const bytes = this.buffer.subarray(this.#start, this.#end)
    this.#ring.push({ bytes, number, through: this.sent, sentAt: -Infinity })
    counters.entriesSent.value += this.sent - this.#sealedThrough
    this.#sealedThrough = this.sent
    this.#sealedAt = now
    this.#start = this.#end
    this.#end = this.#start + HEADER_BYTES
    this.#limit = Math.min(this.buffer.length, this.#start + limits.frame)
    if (this.#ring.bytes > limits.keep) {
      this.#reset('overflow')
      return
    }
    if (this.told === 'contact' && this.#ring.bytes > limits.pressed) this.pressed = true
    this.#pump(now)
    if (!this.#ring.waiting) this.#ackOwed = false
  }

  /** Puts on the bus what the window allows; nothing while the peer is lost. */
  #pump(now: number): void {
    if (this.told !== 'contact' || !this.#open) return
    while (this.#ring.waiting && this.#ring.onWire < this.#context.limits.window) {
      const frame = this.#ring.launch(now)
      if (frame === null) return
      this.#transmit(frame.bytes)
    }
  }

  #transmit(bytes: Buffer): void {
    const { bus, counters } = this.#context
    counters.framesSent.value++
    counters.bytesSent.value += bytes.length
    bus.send(this.info.incarnation, bytes)
  }

  readonly #resend = (frame: KeptFrame): void => {
    this.#context.counters.framesResent.value++
    this.#transmit(frame.bytes)
  }

  #writeHeader(frame: Buffer, at: number, kind: number, number: number, newest: number, now: number): void {
    outgoing.kind = kind
    outgoing.from = this.#mine
    outgoing.to = this.#theirs
    outgoing.number = number
    outgoing.newest = newest
    outgoing.ack = this.#order.expected - 1
    outgoing.wall = this.#context.clock.now()
    outgoing.monotonic = now
    outgoing.echo = this.#theirTime
    outgoing.held = now - this.#theirTimeAt
    outgoing.write(frame, at, this.#context.self, this.#address)
  }

  /** Tells the peer what has arrived, what is missing, and that this process lives. */
  #pulse(missing: readonly [first: number, last: number][] = []): void {
    const frame = Buffer.allocUnsafe(HEADER_BYTES + missing.length * RANGE_BYTES)
    const now = this.#context.timers.monotonic()
    this.#writeHeader(frame, 0, KIND.stream, 0, this.#ring.newestSent, now)
    let at = HEADER_BYTES
    for (const [first, last] of missing) {
      frame.writeUIntBE(first, at, 6)
      frame.writeUIntBE(last, at + 6, 6)
      at += RANGE_BYTES
    }
    this.#ackOwed = false
    this.#transmit(frame)
  }

  /** Tells the peer the numbers of the streams, and who this is. */
  sendOpening(): void {
    this.#sendInfo(KIND.opening)
  }

  /** Says that nothing will follow. */
  sendGoodbye(): void {
    this.#sendInfo(KIND.goodbye)
  }

  #sendInfo(kind: number): void {
    const { info, timers } = this.#context
    const frame = Buffer.allocUnsafe(HEADER_BYTES + info.length)
    const now = timers.monotonic()
    this.#writeHeader(frame, 0, kind, 0, this.#ring.newestSent, now)
    frame.set(info, HEADER_BYTES)
    this.#openingAt = now
    this.#transmit(frame)
  }

  /** Closes the frame that is being filled: it leaves now. */
  flush(): void {
    this.#seal()
  }

  // Receiving

  /** Takes what any frame of the peer's says about time. */
  heard(header: FrameHeader, now: number): void {
    this.heardAt = now
    this.clockOffset.add(header.wall, this.#context.clock.now(), now)
    if (header.monotonic > this.#theirTime) {
      this.#theirTime = header.monotonic
      this.#theirTimeAt = now
    }
    if (header.echo > this.#roundTrip && header.echo <= now) {
      this.#roundTrip = header.echo
      const ms = Math.min(Math.max(now - header.echo - header.held, 0), ROUND_TRIP_MAX_MS)
      if (!Number.isNaN(ms))
        this.roundTripMs = this.roundTripMs === 0 ? ms : this.roundTripMs * 0.875 + ms * 0.125
    }
  }

  /** Takes an opening or a stream frame. */
  take(header: FrameHeader, frame: Buffer, now: number): void {
    this.heard(header, now)
    if (this.#open && header.from > this.#theirs) this.#reset('peer')
    if (header.from < this.#theirs || (this.#open && header.to !== this.#mine)) {
      this.#context.counters.skip('old_stream')
      return
    }
    if (!this.#open && !this.#tryOpen(header, now)) return
    if (this.told === 'lost' && this.#alive(now)) this.#back(now)
    if (header.kind === KIND.opening) {
      // The peer opens when it hears from the stream.
      this.#pulse()
      return
    }
    this.#acknowledged(header.ack, now)
    if (!this.#open) return
    this.#order.hear(header.newest)
    if (header.number > 0) this.#takeEntries(header.number, frame)
    else if (frame.length > HEADER_BYTES) this.#sendAgain(frame, now)
    if (this.#open && this.#order.gap) this.#ask()
  }

  /** Opens the stream if the frame shows that the peer knows its number; otherwise says it (again). */
  #tryOpen(header: FrameHeader, now: number): boolean {
    const news = header.from > this.#theirs
    this.#theirs = header.from
    if (header.to !== this.#mine) {
      if (news || now - this.#openingAt >= OPENING_PAUSE_MS) this.sendOpening()
      return false
    }
    if (!this.#alive(now) || !this.#context.admit(this)) return false
    this.#opened()
    return this.#open
  }

  #opened(): void {
    const { listener, limits } = this.#context
    this.#open = true
    this.#begin(Buffer.allocUnsafeSlow(Math.max(CHUNK_BYTES, limits.frame)), limits.frame)
    this.taken = this.sent
    this.#sealedThrough = this.sent
    this.#sealedAt = -Infinity
    this.told = 'contact'
    this.#relieve()
    this.#log('cluster.opened', 'stream opened')
    listener.opened(this)
    if (!this.#open) return
    for (const marker of this.#waits.renewed(this.sent)) this.#askEcho(marker)
    this.#nextEcho()
    this.#waits.taken(this.taken)
  }

  #acknowledged(number: number, now: number): void {
    const through = this.#ring.acknowledge(number)
    if (through < 0) return
    this.taken = through
    this.#pump(now)
    if (this.pressed && this.#ring.bytes < this.#context.limits.pressed / 2) {
      this.pressed = false
      this.#context.listener.relieved(this)
    }
    this.#waits.taken(through)
  }

  #takeEntries(number: number, frame: Buffer): void {
    const { counters } = this.#context
    const place = this.#order.place(number)
    if (place === 'ahead') {
      if (!this.#order.hold(number, frame)) counters.skip('no_room')
      return
    }
    this.#ackOwed = true
    this.#context.owes(this)
    if (place === 'seen') {
      counters.skip('duplicate')
      return
    }
    let next: Buffer | undefined = frame
    while (next !== undefined && this.#hand(next)) next = this.#order.release()
  }

  /** Hands the entries of the frame whose turn it is to the listener; false: the stream has ended, or it is damaged. */
  #hand(frame: Buffer): boolean {
    const { clock, counters, listener } = this.#context
    const reader = this.#reader
    const stream = this.#mine
    reader.open(frame, HEADER_BYTES)
    let count = 0
    while (reader.next()) count++
    if (reader.end < 0 || count === 0) {
      counters.skip('poisoned')
      if (++this.#poisoned >= POISONED_MAX) this.#reset('poisoned')
      return false
    }
    this.#poisoned = 0
    this.#order.expected++
    counters.entriesReceived.value += count
    const delay = this.#delay(frame.readUIntBE(62, 6), clock.now())
    reader.open(frame, HEADER_BYTES)
    while (reader.next()) {
      const { type, start, end } = reader
      if (type >= OWN_TYPES) this.#ownEntry(type, frame, start, end)
      else {
        try {
          listener.entry(this, type, frame.subarray(start, end), delay)
        } catch (error) {
          counters.listenerFailures.value++
          this.#context.log.error(
            { event: 'cluster.entry_failed', err: error, peer: this.info.name, type },
            'an entry could not be handled: this is a bug',
          )
        }
      }
      if (!this.#open || this.#mine !== stream) return false
    }
    return true
  }

  /** Milliseconds since a frame was closed: beyond the fastest frame of late, plus half a round trip. */
  #delay(sentWall: number, nowWall: number): number {
    const offset = this.clockOffset.value
    const beyond = Number.isFinite(offset) ? nowWall - sentWall + offset : 0
    return Math.max(0, Math.round(beyond + this.roundTripMs / 2))
  }

  #ownEntry(type: number, frame: Buffer, start: number, end: number): void {
    if (end - start !== 4) return
    if (type === ECHO_ASK) {
      this.send(ECHO_ANSWER, frame.subarray(start, end))
      this.#seal()
    } else if (type === ECHO_ANSWER) this.#waits.echoed(frame.readUInt32BE(start))
  }

  #sendAgain(frame: Buffer, now: number): void {
    // What was sent less than a round trip ago cannot be known to be missing.
    const since = now - this.roundTripMs * 0.8
    const whole = readRanges(frame, (first, last) => this.#ring.again(first, last, since, now, this.#resend))
    if (!whole) this.#context.counters.skip('poisoned')
  }

  // What is missing

  /** Asks for what has newly turned out to be missing, and goes on asking until it is there. */
  #ask(): void {
    const ranges = this.#order.missing(this.#askedThrough + 1)
    if (ranges.length > 0) {
      this.#askedThrough = ranges[ranges.length - 1][1]
      this.#pulse(ranges)
    }
    if (this.#askTimer === null) this.#askLater(0)
  }

  #askLater(ms: number): void {
    const soonest = ASK_AGAIN_MS + 2 * this.roundTripMs
    this.#askMs = Math.min(Math.max(ms, soonest), Math.max(ASK_AGAIN_MAX_MS, soonest))
    this.#expectedAtAsk = this.#order.expected
    this.#askTimer = this.#context.timers.after(this.#askMs, this.#askAgain)
  }

  readonly #askAgain = (): void => {
    this.#askTimer = null
    if (!this.#open || !this.#order.gap) return
    // While it is coming in nothing needs to be said.
    if (this.#order.expected !== this.#expectedAtAsk) {
      this.#askLater(0)
      return
    }
    const ranges = this.#order.missing()
    if (ranges.length > 0) {
      this.#askedThrough = ranges[ranges.length - 1][1]
      this.#pulse(ranges)
    }
    this.#askLater(this.#askMs * 2)
  }

  /** At the end of a tick: says what has arrived, unless a frame that leaves soon says it anyway. */
  payAck(): void {
    if (!this.#ackOwed || !this.#open) return
    const filling = this.#end > this.#start + HEADER_BYTES
    const leaves = filling && !this.#ring.waiting && this.#ring.onWire < this.#context.limits.window
    if (!leaves || this.told !== 'contact') this.#pulse()
  }

  // Waiting

  /** `wait` settles when all that was sent so far is taken, or nobody needs to wait for this peer. */
  untilTaken(wait: Wait): void {
    if (this.told !== 'contact') return
    if (!this.#open) this.#waits.untilTaken(Infinity, wait)
    else if (this.taken < this.sent) this.#waits.untilTaken(this.sent, wait)
  }

  /** `wait` settles when a marker has gone to the peer and come back, or nobody needs to wait for this peer. */
  untilEcho(wait: Wait): void {
    if (this.told !== 'contact') return
    // One marker serves all who ask in this tick.
    if (this.#waits.untilEcho(wait)) this.#context.timers.soon(this.#nextEcho)
  }

  /** While the stream is not open the marker waits for `opened`. */
  readonly #nextEcho = (): void => {
    if (!this.#open) return
    const marker = this.#waits.nextMarker()
    if (marker !== null) this.#askEcho(marker)
  }

  #askEcho(marker: number): void {
    const at = this.reserve(ECHO_ASK, 4)
    this.buffer.writeUInt32BE(marker, at)
    this.#seal()
  }

  // Contact

  #alive(now: number): boolean {
    return now - this.#roundTrip <= this.#context.limits.silence
  }

  /** This process stood still: that nothing was heard meanwhile says nothing about the peer. */
  grace(now: number): void {
    this.heardAt = now
    if (this.told === 'contact') this.#roundTrip = now
  }

  /** Twice a second. */
  beat(now: number): void {
    const stuck = !this.#open && now - this.#closedAt > this.#context.limits.silence
    if (this.told === 'contact' && (stuck || !this.#alive(now))) this.#lost()
    if (this.#open) this.#pulse()
    else this.sendOpening()
  }

  #lost(): void {
    this.told = 'lost'
    this.#log('cluster.lost', 'out of contact')
    this.#context.listener.lost(this)
    this.#relieve()
    this.#waits.release()
  }

  #back(now: number): void {
    this.told = 'contact'
    this.pressed = this.#ring.bytes > this.#context.limits.pressed
    this.#log('cluster.back', 'in contact again')
    this.#context.listener.back(this)
    this.#pump(now)
  }

  /** Calls `relieved` if the listener thinks that the peer is pressed. */
  #relieve(): void {
    if (!this.pressed && !this.#relief) return
    this.pressed = false
    this.#relief = false
    this.#context.listener.relieved(this)
  }

  /** The end: nothing goes to this peer any more, and nothing is waited for. */
  gone(how: 'goodbye' | 'replaced' | 'silent'): void {
    const wasTold = this.told
    this.#clear()
    this.told = 'gone'
    if (wasTold === 'nothing') return
    this.#log('cluster.gone', `gone: ${how}`)
    this.#relieve()
    this.#context.listener.gone(this, how)
    this.#waits.release()
  }

  /** The end of this process: nothing is sent any more, and nobody is told. */
  end(): void {
    this.#clear()
    this.told = 'gone'
  }

  /** Ends this pair of streams. The next one opens when both sides know each other's new numbers. */
  #reset(reason: DropReason): void {
    this.#context.counters.dropped(reason).value++
    this.#context.log.warn(
      { event: 'cluster.stream_dropped', peer: this.info.name, reason, bytes: this.#ring.bytes },
      'the stream begins anew',
    )
    this.#clear()
    this.#mine = this.#context.nextStream()
    this.#closedAt = this.#context.timers.monotonic()
    if (reason !== 'peer') this.#context.timers.soon(this.#announceReset)
  }

  readonly #announceReset = (): void => {
    if (!this.#open && this.told !== 'gone') this.sendOpening()
  }

  #clear(): void {
    this.#open = false
    this.#relief ||= this.pressed
    this.pressed = false
    this.#ring.clear()
    this.#order.clear()
    this.#waits.interrupted()
    this.buffer = NO_BYTES
    this.#start = 0
    this.#end = 0
    this.#limit = 0
    this.#number = 0
    this.#ackOwed = false
    this.#poisoned = 0
    this.#askedThrough = 0
    this.#askTimer?.cancel()
    this.#askTimer = null
  }

  #log(event: string, message: string): void {
    this.#context.log.info(
      { event, peer: this.info.name, incarnation: this.info.incarnation, dc: this.info.dc },
      message,
    )
  }
}
