import { Channels } from '#platform/cluster/channels.ts'
import type { Bus } from '#platform/cluster/bus.ts'
import { dcOf, incarnationHex } from '#platform/cluster/incarnation.ts'
import type { ChannelListener, MemberInfo, Peer } from '#platform/cluster/peer.ts'
import type { RowOf } from '#platform/store/table.ts'
import {
  inbox,
  retained as retainedTable,
  session as sessionTable,
  subscription as subscriptionTable,
} from '#platform/store/tables.ts'
import type { Timer, Timers } from '#platform/timers.ts'
import { VERSION } from '#platform/version.ts'
import type { Broker } from '../broker.ts'
import type { Outgoing } from '../message.ts'
import { inboxRow } from '../outbox/inbox-row.ts'
import type { DurableOutbox } from '../outbox/durable-outbox.ts'
import { ReasonCode } from '../packets/reason-code.ts'
import type { Session } from '../session.ts'
import { Answers } from './answers.ts'
import { Directory } from './directory.ts'
import { takeEntry } from './dispatch.ts'
import { Entry, PROTOCOL, sendJson } from './entries.ts'
import { Gathering } from './gathering.ts'
import { Inbound } from './inbound.ts'
import { Interest } from './interest.ts'
import type { Member } from './member.ts'
import { Membership } from './membership.ts'
import type { RemoteSession } from './remote-session.ts'
import { Ring } from './ring.ts'
import { SilentWills } from './silent-wills.ts'
import { encodeRow } from './rows.ts'
import { Scrubber } from './scrubber.ts'
import { Sums } from './sums.ts'
import { Sync } from './sync.ts'

/** Stamps further ahead of the own clock than this are refused: one wrong clock must not win for ever. */
const AHEAD_MS = 5000
/** Without having heard anybody a process begins after this long: it may be the first. */
const ALONE_MS = 3000
/** Not before all that live have announced themselves twice: who was not heard yet cannot be waited for. */
const HEAR_MS = 1200
/** Seconds that the clock must seem wrong: after a standstill of this process, or of its network, it does for a moment. */
const WRONG_SECONDS = 15
/** Seconds between comparisons of the tables. */
const SYNC_SECONDS = 60
/** Seconds between looks for rows of DCs that are out of contact. */
const RESCAN_SECONDS = 10

/** What makes a broker a member of a cell. */
export interface CellOptions {
  readonly bus: Bus
  /** 16 bytes: who this process is; its bus has the same address. */
  readonly incarnation: Uint8Array
  /** Name of the process, unique in the cell. */
  readonly name: string
  readonly dc: string
  /** Numbers of all DCs of the cell, the own one included. */
  readonly dcs: readonly number[]
}

/** A part of the platform around the broker that has words of its own for the other processes. */
export interface CellPart {
  /** A stream begins: the process is new, or (`again`) what it sent before may be lost. */
  opened?(member: Member, again: boolean): void
  gone?(member: Member, how: 'goodbye' | 'replaced' | 'silent'): void
  /** An entry of a type that the broker itself does not know; false: nor does this. May throw. */
  entry?(member: Member, type: number, body: Buffer): boolean
  /** Each second. */
  second?(): void
}

export interface ControlEntry {
  readonly verb: string
  readonly [key: string]: unknown
}

/** This process as a member of a cell of several: what it knows of the others, and all that goes to and fro (docs/cluster.md). */
export class Cell implements ChannelListener {
  readonly broker: Broker
  readonly incarnation: Uint8Array
  /** What the others know of this process. */
  readonly info: MemberInfo
  /** The incarnation in hex. */
  readonly id: string
  /** Number of the own DC. */
  readonly dc: number
  readonly dcs: readonly number[]
  readonly timers: Timers
  readonly channels: Channels
  readonly ring: Ring
  readonly directory: Directory
  readonly retainedSums = new Sums()
  readonly sync: Sync
  readonly gathering: Gathering
  readonly answers: Answers
  readonly interest: Interest
  readonly inbound: Inbound
  readonly wills: SilentWills
  readonly membership: Membership
  readonly scrubber: Scrubber
  /** Told of what other processes say, beside what the broker itself does. */
  onControl: (entry: ControlEntry) => void = () => undefined
  /** Told of the streams, beside the broker itself. */
  readonly parts: CellPart[] = []
  /** Entries that were not taken, by reason. */
  readonly dropped
  #seconds = 0
  #inTime = true
  #wrongSeconds = 0
  #timer: Timer | null = null
  #ready = false
  #started = 0
  #becameReady: () => void = () => undefined

  constructor(broker: Broker, options: CellOptions) {
    const { incarnation, bus, name, dc, dcs } = options
    const { timers, log, metrics } = broker
    this.broker = broker
    this.incarnation = incarnation
    this.id = incarnationHex(Buffer.from(incarnation))
    this.dc = dcOf(incarnation)
    this.dcs = dcs
    this.timers = timers
    this.membership = new Membership(this.dc, timers)
    this.scrubber = new Scrubber(this)
    this.ring = new Ring(timers)
    this.directory = new Directory(this, broker)
    this.sync = new Sync(this)
    this.gathering = new Gathering(this)
    this.answers = new Answers(this)
    this.interest = new Interest(this)
    this.inbound = new Inbound(this)
    this.wills = new SilentWills(this, broker)
    this.info = { incarnation: this.id, name, dc, version: VERSION, protocol: PROTOCOL }
    this.channels = new Channels({
      bus,
      info: this.info,
      clock: { now: () => broker.now },
      timers,
      log,
      metrics,
      listener: this,
      onNameConflict: (other) => {
        log.fatal(
          { event: 'cell.name_conflict', name, other: other.incarnation },
          `another process of this cell is called ${name}; give each its own name`,
        )
        broker.nameTaken()
      },
    })
    const dropped = 'Entries from other processes that were not taken'
    this.dropped = {
      unknown: metrics.counter('cinque_cell_dropped_total', dropped, { reason: 'unknown' }),
      malformed: metrics.counter('cinque_cell_dropped_total', dropped, { reason: 'malformed' }),
      ahead: metrics.counter('cinque_cell_dropped_total', dropped, { reason: 'clock_ahead' }),
      notHeld: metrics.counter('cinque_cell_dropped_total', dropped, { reason: 'not_held' }),
    }
    metrics.gauge(
      'cinque_cell_members',
      'Other processes of the cell in contact',
      () => this.channels.inContact,
    )
    metrics.gauge('cinque_cell_sessions', 'Persistent sessions known', () => this.directory.size)
    metrics.gauge(
      'cinque_cell_incomplete_sessions',
      'Sessions held of which not everything is known',
      () => this.scrubber.incomplete.size,
    )
  }

  /** All tables of those in contact have been taken in. */
  get ready(): boolean {
    return this.#ready && this.#inTime
  }

  member(id: string): Member | undefined {
    return this.membership.get(id)
  }

  members(): Iterable<Member> {
    return this.membership.all()
  }

  /** Whether what is in that DC can be had now. */
  reachable(dc: number): boolean {
    return this.membership.reachable(dc)
  }

  /** The store of this DC could not be read when another process asked. */
  unreadable(error: unknown): void {
    this.broker.log.warn(
      { event: 'cell.store_unreadable', err: error },
      'cannot read the store for another process',
    )
  }

  // --- start and end ----------------------------------------------------------------------------------

  /** Makes itself known to the others. The own tables have not been read yet. */
  start(): void {
    this.#started = this.timers.monotonic()
    this.channels.start()
    this.#timer = this.timers.every(1000, () => this.#second())
  }

  /** The own tables have been read; resolves when those of all others in contact have been taken in, too. */
  async join(): Promise<void> {
    this.sync.loaded()
    await new Promise<void>((resolve) => {
      this.#becameReady = resolve
      const passed = this.timers.monotonic() - this.#started
      // Timers of Node come up to 2 ms early, and would then be the last to look.
      for (const ms of [HEAR_MS, ALONE_MS])
        this.timers.after(Math.max(0, ms - passed) + 3, () => this.checkReady())
      this.checkReady()
    })
  }

  async leave(): Promise<void> {
    this.#timer?.cancel()
    await this.channels.goodbye()
  }

  /** Begins when nothing has to be waited for any more. */
  checkReady(): void {
    if (this.#ready) return
    let heard = false
    for (const member of this.membership.all()) {
      if (!member.peer.inContact) continue
      heard = true
      if (!member.synced) return
    }
    const passed = this.timers.monotonic() - this.#started
    if (passed < (heard ? HEAR_MS : ALONE_MS)) return
    this.#ready = true
    this.#inTime = this.channels.clockTrouble === null
    this.wills.joined()
    this.#becameReady()
  }

  // --- what happens here ------------------------------------------------------------------------------

  /** A row of one of the three tables was staged: all hear of it. */
  tell(type: number, bytes: Buffer): void {
    this.channels.broadcast(type, bytes)
  }

  sessionRow(row: RowOf<typeof sessionTable>): void {
    this.tell(Entry.SESSION, encodeRow(sessionTable, row))
  }

  subscriptionRow(row: RowOf<typeof subscriptionTable>): void {
    this.tell(Entry.SUBSCRIPTION, encodeRow(subscriptionTable, row))
  }

  retainedRow(row: RowOf<typeof retainedTable>): void {
    this.tell(Entry.RETAINED, encodeRow(retainedTable, row))
  }

  /** A client has connected here: nobody else may hold it. */
  claim(session: Session): void {
    const { space, clientId, epoch } = session
    this.wills.connected(space.org, clientId, epoch)
    this.tell(Entry.CLAIM, Buffer.from(JSON.stringify({ org: space.org, client: clientId, epoch })))
  }

  /** Says something to all processes, this one included. */
  control(entry: ControlEntry): void {
    this.tell(Entry.CONTROL, Buffer.from(JSON.stringify(entry)))
    this.onControl(entry)
  }

  /** Calls `then` when what was told so far has been taken in everywhere in contact, and what they told before, here. */
  whenKnown(then: () => void): void {
    this.channels.echo(then)
  }

  /** As `whenKnown`, after the others may have stopped waiting for this process: with what they know of third ones. */
  whenCaughtUp(then: () => void): void {
    for (const member of this.members()) if (member.peer.inContact) this.sync.ask(member)
    this.channels.echo(then)
  }

  /** Stages a row for a session that is not held here, and sends it to its holder. */
  append(session: RemoteSession, out: Outgoing): void {
    const { mqtt } = this.broker.config
    const { holder, space } = session
    if (holder === '' && session.appended >= mqtt.max_queue_messages && mqtt.queue_policy === 'drop_newest') {
      this.broker.stats.dropped.queueFull.value++
      return
    }
    const row = inboxRow(this.broker, space.org, session.sid, out)
    space.commit.stage().put(inbox, row)
    this.ring.add(row, space.commit)
    if (holder === '') session.appended++
    else this.membership.get(holder)?.peer.send(Entry.LIVE_ROW, encodeRow(inbox, row))
  }

  /** A session that is held here is taken over by another process, or its client is. */
  release(session: Session): void {
    const { outbox } = session
    this.broker.lifecycle.release(session)
    if ('snapshot' in outbox) {
      const durable = outbox as DurableOutbox
      const state = durable.snapshot()
      if (state !== null) this.answers.released(session.sid, state)
      this.scrubber.detached(durable)
    }
  }

  // --- ChannelListener --------------------------------------------------------------------------------

  opened(peer: Peer): void {
    const member = this.membership.opened(peer)
    this.gathering.lost(member)
    this.scrubber.heard(member)
    this.wills.back(member.id)
    sendJson(peer, Entry.HELLO, { appended: this.broker.appended })
    this.interest.tellAll(peer)
    this.#claimAll(peer)
    for (const part of this.parts) part.opened?.(member, member.opens > 1)
    this.sync.ask(member)
    this.broker.log.info({ event: 'cell.opened', peer: peer.info.name, dc: peer.info.dc }, 'stream opened')
  }

  lost(peer: Peer): void {
    const member = this.membership.get(peer.info.incarnation)
    if (member === undefined) return
    member.release()
    this.gathering.lost(member)
    this.wills.lost(member.id, peer.dcNumber, 'silent')
    this.membership.silent(member)
    this.scrubber.silent(member)
    this.checkReady()
    this.broker.log.warn({ event: 'cell.lost', peer: peer.info.name }, 'nothing heard for 3 s')
  }

  back(peer: Peer): void {
    this.wills.back(peer.info.incarnation)
    const member = this.membership.get(peer.info.incarnation)
    if (member !== undefined) {
      this.scrubber.heard(member)
      // What a third one had told only one of both is not in the stream that goes on.
      this.sync.ask(member)
    }
    this.broker.log.info({ event: 'cell.back', peer: peer.info.name }, 'heard again')
  }

  gone(peer: Peer, how: 'goodbye' | 'replaced' | 'silent'): void {
    const member = this.membership.get(peer.info.incarnation)
    if (member === undefined) return
    const died = how !== 'goodbye'
    this.membership.gone(member, died)
    member.release()
    this.interest.forget(member)
    this.sync.forget(member)
    this.gathering.lost(member)
    this.wills.lost(member.id, peer.dcNumber, died ? 'silent' : 'goodbye')
    this.scrubber.gone(member, died)
    this.checkReady()
    for (const part of this.parts) part.gone?.(member, how)
    this.broker.log.info({ event: 'cell.gone', peer: peer.info.name, how }, 'process gone')
  }

  relieved(peer: Peer): void {
    this.membership.get(peer.info.incarnation)?.release()
  }

  stoodStill(ms: number): void {
    this.broker.stoodStill(ms)
  }

  entry(peer: Peer, type: number, body: Buffer): void {
    const member = this.membership.get(peer.info.incarnation)
    if (member === undefined) return
    try {
      takeEntry(this, member, type, body)
    } catch (error) {
      this.dropped.malformed.value++
      this.broker.logLimit.warn(
        'cell entry',
        { event: 'cell.malformed', peer: peer.info.name, type, err: error },
        'an entry from another process was not understood',
      )
    }
  }

  /** Who came out of contact may not have heard of the clients that connected here. */
  #claimAll(peer: Peer): void {
    for (const space of this.broker.spaces()) {
      for (const { durable, clientId, epoch, connection } of space.sessions.values()) {
        if (!durable && connection !== null)
          sendJson(peer, Entry.CLAIM, { org: space.org, client: clientId, epoch })
      }
    }
  }

  /** Takes a stamp into the own clock; false: it is too far ahead. */
  seen(stamp: number): boolean {
    if (stamp > (this.broker.now + AHEAD_MS) * 1024) {
      this.dropped.ahead.value++
      return false
    }
    this.broker.hlc.see(stamp)
    return true
  }

  // --- time -------------------------------------------------------------------------------------------

  #second(): void {
    this.ring.sweep()
    this.answers.sweep()
    for (const part of this.parts) part.second?.()
    this.#seconds++
    this.scrubber.scrub()
    this.#tellMissing()
    this.wills.second()
    this.#watchClock()
    if (this.#seconds % RESCAN_SECONDS === 0) this.scrubber.rescan()
    if (this.#seconds % SYNC_SECONDS !== 0) return
    this.directory.sweep(this.broker.now)
    for (const member of this.membership.all()) if (member.peer.inContact) this.sync.ask(member)
  }

  /** The others refuse stamps of a clock that is ahead, and overrule one that is behind: clients are better off with them. */
  #watchClock(): void {
    const { clockTrouble } = this.channels
    this.#wrongSeconds = clockTrouble === null ? 0 : this.#wrongSeconds + 1
    if (this.#inTime ? this.#wrongSeconds < WRONG_SECONDS : clockTrouble !== null) return
    this.#inTime = clockTrouble === null
    if (clockTrouble === null) {
      this.broker.log.info({ event: 'cell.clock_right' }, 'the clock is right again: clients are taken')
      return
    }
    this.broker.log.error(
      { event: 'cell.clock_wrong', detail: clockTrouble },
      `no clients are taken: ${clockTrouble}`,
    )
    this.broker.kick(() => true, ReasonCode.UseAnotherServer, 'the clock of this server is wrong')
  }

  #tellMissing(): void {
    const missing = this.dcs.filter((dc) => !this.reachable(dc))
    if (missing.length > 0) this.tell(Entry.MISSING, Buffer.from(JSON.stringify(missing)))
  }
}
