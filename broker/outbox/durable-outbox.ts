import type { GroupCommit } from '#platform/store/group-commit.ts'
import type { RowOf } from '#platform/store/table.ts'
import { inbox, state } from '#platform/store/tables.ts'
import type { PendingAck } from '../ack-queue.ts'
import type { Broker } from '../broker.ts'
import type { Knowledge } from '../cluster/knowledge.ts'
import type { Member } from '../cluster/member.ts'
import type { Connection } from '../connection.ts'
import type { Disk } from '../disk.ts'
import { countDrop } from '../drops.ts'
import type { Outgoing } from '../message.ts'
import type { Session } from '../session.ts'
import { decodeStored } from '../stored-message.ts'
import { Flights } from './flights.ts'
import type { InboxReader } from './inbox-reader.ts'
import { inboxRow, writerOf } from './inbox-row.ts'
import { MEMORY_ROWS, MemoryQueue } from './memory-queue.ts'
import type { Outbox } from './outbox.ts'
import { type Entry, WriterProgress } from './progress.ts'
import { restoreFlights } from './restored-flights.ts'
import { RowOrder, YOUNG_MS } from './row-order.ts'
import { StagedRows } from './staged-rows.ts'
import { decodeState, encodeState, mergeStates, readStates, sortStates, type StoredState } from './state.ts'
import { StateSaver } from './state-saver.ts'
import { isStream } from './stream-writer.ts'

/** The DC and the epoch of a session's last holder. */
export interface LastHolder {
  readonly dc: number
  readonly epoch: number
}

/** What a full inbox may hold too much until its client comes: a part of its limit, so that it is not read for each message. */
const SLACK = 1 / 64

/** A QoS 2 message received and not released: its place in the publisher's stream. */
export interface InboundFlight {
  readonly seq: number
  readonly epoch: number
  /** Of topic and payload: shows whether a client that lost its memory gives the identifier to something else. */
  readonly checksum: number
  /** Routed and stored: a repeated PUBLISH is answered at once. */
  done: boolean
  /** On its way to be stored: where its PUBREC will go; null: it is not. */
  routing: { readonly connection: Connection; readonly ack: PendingAck } | null
}

/**
 * The outbox of a session on disk. A message is a row in the session's inbox before its publisher is answered; the
 * copy sent at once to a connected client is a shortcut. What waits beyond a bounded part in memory is read back from
 * the inbox. What is settled is remembered as a floor per writer in the session's state row.
 *
 * This file is the way of a row: taken, staged, read back, given to the client or dropped by the limit. Which rows may be
 * read is `RowOrder`'s, what the client has is `Flights`', when the state is written is `StateSaver`'s.
 */
export class DurableOutbox implements Outbox {
  /** QoS 2 messages received and not released, by packet identifier. */
  readonly inbound = new Map<number, InboundFlight>()
  /** The newest number of this session's own stream (as a publisher of QoS 2). */
  streamSeq = 0
  session!: Session
  /** Who has held it before, while its state is not loaded; null: nobody elsewhere. */
  lastHolder: LastHolder | null = null
  readonly #broker: Broker
  readonly #order: RowOrder
  readonly #saver: StateSaver
  readonly #flights: Flights
  #connection: Connection | null = null
  /** Rows not settled: counted when the session was loaded, and since. */
  #waiting = 0
  readonly #queue = new MemoryQueue()
  /** Rows newer than those in memory are only in the store. */
  #behind = true
  #reading = false
  readonly #staged = new StagedRows()
  /** How often it has changed what may be read. */
  #changes = 0
  /** Rows that were too young to be read will be read later. */
  #ripening = false
  /** Something of it is being asked for again. */
  scrubbing = false
  /** The gathers of its connections, one after the other. */
  attaching: Promise<void> = Promise.resolve()
  #loaded: Promise<void> | true | null

  /** `fresh`: a session that was never on disk. */
  constructor(broker: Broker, fresh: boolean) {
    this.#broker = broker
    this.#order = new RowOrder(broker, this)
    this.#saver = new StateSaver(this)
    this.#flights = new Flights(broker, this, this.#saver)
    this.#loaded = fresh ? true : null
    if (fresh) this.#behind = false
  }

  get window(): number {
    return this.#flights.window
  }

  set window(most: number) {
    this.#flights.window = most
  }

  get full(): boolean {
    return this.#flights.full
  }

  get inflight(): number {
    return this.#flights.size
  }

  get queued(): number {
    return Math.max(0, this.#waiting - this.#flights.unsettled)
  }

  get pressing(): boolean {
    return this.queued * 2 > this.#broker.config.mqtt.max_queue_messages
  }

  get org(): string {
    return this.session.space.org
  }

  /** What is known of rows that other processes write; null: there are none. */
  get knowledge(): Knowledge | null {
    return this.#order.knowledge
  }

  /** Of all that was written before this stamp, what could be had is here. */
  set gathered(stamp: number) {
    this.#order.gathered = stamp
  }

  /** Rows of the own store above the floors, by writer and day. */
  get reader(): InboxReader {
    return this.#order.reader
  }

  /** Takes its rows; all tickets here are of this one. */
  get #commit(): GroupCommit {
    return this.session.space.commit
  }

  get #disk(): Disk {
    return this.session.space.disk
  }

  /** What is saved of the session is known: rows are taken, and its state may be saved. */
  get loaded(): boolean {
    return this.#loaded === true
  }

  /** Reads what an earlier holder has saved, once; attach only after it. Rejects with StoreError. */
  load(): Promise<void> {
    if (this.#loaded === true) return Promise.resolve()
    this.#loaded ??= this.#load().catch((error: unknown) => {
      this.#loaded = null
      throw error
    })
    return this.#loaded
  }

  deliver(out: Outgoing): void {
    const { max_queue_messages, queue_policy } = this.#broker.config.mqtt
    const { stream } = out.message
    const writer = writerOf(this.#broker, out)
    const progress = this.reader.progressOf(writer)
    const seq = stream?.seq ?? this.#broker.nextSeq()
    // The same message of a stream again: its publisher repeated it after a crash.
    if (stream !== null && this.#loaded === true && progress.knows(seq)) {
      this.#promise(inboxRow(this.#broker, this.org, this.session.sid, out, seq, writer))
      return
    }
    if (this.queued >= max_queue_messages && queue_policy === 'drop_newest') {
      this.#broker.stats.dropped.queueFull.value++
      countDrop(this.session, 'queue_full')
      return
    }
    const row = inboxRow(this.#broker, this.org, this.session.sid, out, seq, writer)
    const { day, message: stored } = row
    this.#stage(row, row.hlc)
    this.#broker.cell?.ring.add(row, this.#commit)
    const loose = this.knowledge !== null && isStream(writer)
    const held = this.#order.holdsBack(progress)
    // What is written here can be read when it is durable.
    if (loose) this.#order.raise(writer, seq)
    if (this.#connection === null || this.#behind || held || this.#queue.full) {
      this.#behind = true
      this.#limit()
      return
    }
    const entry = loose ? progress.takeLoose(seq, day, stored) : progress.take(seq, day, stored)
    entry.out = out
    this.#queue.push(entry)
    this.pump()
    entry.out = null
    this.#limit()
  }

  /** The copy of it that came here at once may be all there is of a row of a process that has died: it is written again. */
  #promise(row: RowOf<typeof inbox>): void {
    const { cell } = this.#broker
    if (cell === null) return
    this.#commit.stage().put(inbox, row)
    cell.ring.add(row, this.#commit)
  }

  /**
   * A row that another process has written and sent here, because this one holds the session. It goes to the client at
   * once if all before it have been seen; else it waits in the own store, where the reader finds it in its place.
   */
  takeLive(row: RowOf<typeof inbox>, from: Member): void {
    const progress = this.reader.progressOf(row.writer)
    if (row.message === undefined || progress.knows(row.seq)) return
    this.#broker.hlc.see(row.hlc ?? 0)
    const complete = this.knowledge?.isComplete(from) === true
    if (
      this.#loaded !== true ||
      !complete ||
      this.#connection === null ||
      this.#behind ||
      this.#order.holdsBack(progress) ||
      (progress.loose && !isStream(row.writer)) ||
      this.#queue.full
    ) {
      this.takeCopy(row)
      this.#order.copied(row.writer, row.seq, this.#commit.ticket)
      if (this.#loaded === true) this.pump()
      return
    }
    this.#waiting++
    this.#order.raise(row.writer, row.seq)
    const { seq, day, message } = row
    this.#queue.push(
      isStream(row.writer) ? progress.takeLoose(seq, day, message) : progress.take(seq, day, message),
    )
    this.pump()
    this.#limit()
  }

  /** Writes another process's row into the own store, if it is new. It is read from there when it is allowed. */
  takeCopy(row: RowOf<typeof inbox>): void {
    const progress = this.reader.progressOf(row.writer)
    if (row.message === undefined || progress.knows(row.seq)) return
    this.#broker.hlc.see(row.hlc ?? 0)
    this.reader.touch(row.day)
    this.#stage(row, this.#broker.hlc.next())
    this.#behind = true
  }

  /** Rows of this writer up to `seq` are in the own store, and none is missing: they may be read. */
  allow(writer: Uint8Array, seq: number): void {
    this.#behind = true
    this.#order.allow(writer, seq)
  }

  /** A gather has ended: what was copied meanwhile may be in order now. */
  concluded(): void {
    this.#order.allowCopies(this.#commit)
  }

  /** Something has changed in what may be read. */
  readAgain(): void {
    this.#behind = true
    this.#changes++
    this.reader.exhausted = -1
    if (this.#loaded === true) this.pump()
  }

  #stage(row: RowOf<typeof inbox>, hlc: number): void {
    this.#commit.stage().put(inbox, row)
    this.#staged.add(this.#commit, hlc)
    this.#waiting++
  }

  attach(connection: Connection): void {
    this.#connection = connection
    this.#flights.attach(connection)
    this.pump()
  }

  detach(): void {
    this.#connection = null
    this.#flights.detach()
    this.#queue.clear()
    this.reader.rewind(this.#flights.entries())
    this.#behind = true
    this.requestSave()
  }

  acknowledged(packetId: number, refused: boolean): void {
    this.#flights.acknowledged(packetId, refused)
  }

  received(packetId: number, failed: boolean): void {
    this.#flights.received(packetId, failed)
  }

  completed(packetId: number): void {
    this.#flights.completed(packetId)
  }

  /** Has the state row written with the open batch; durable with the commit's ticket as it is now. */
  requestSave(): void {
    this.#saver.request()
  }

  /** Called when the open batch is about to leave. */
  stageSave(): void {
    this.#saver.begin()
    if (this.session.ended || this.#loaded !== true) return
    const batch = this.#commit.stage()
    // What is behind has yet to be read.
    if (!this.#behind) this.#order.foldStreams()
    this.#saver.stage(batch, this.#encode())
    this.reader.discardSettled(batch, this.org, this.session.sid, this.#broker.now)
  }

  #encode(): Buffer {
    return encodeState({
      writers: this.reader.writers(),
      ...this.#flights.saved(),
      in: Array.from(this.inbound, ([id, flight]) => ({
        id,
        seq: flight.seq,
        epoch: flight.epoch,
        checksum: flight.checksum,
      })),
      streamSeq: this.streamSeq,
    })
  }

  /** Deletes all of it from the store; stages only. */
  stageDelete(): void {
    const batch = this.#commit.stage()
    for (let day = this.#broker.day - 8; day <= this.#broker.day; day++) {
      batch.deletePartition(inbox, { org: this.org, log: this.session.sid, day })
    }
    batch.deletePartition(state, { org: this.org, sid: this.session.sid })
  }

  /**
   * Gives messages of shared subscriptions to `taken`, for other members (4.8.2): those not acknowledged at QoS 1, and
   * those never sent. At most `limit` that wait; true: there were no more.
   */
  async unsettledShared(limit: number, taken: (item: SharedStored) => void): Promise<boolean> {
    await this.load()
    this.#flights.takeAll((entry) => collectShared(entry.stored, taken))
    const { day } = this.#broker
    const all = { limit, before: Number.POSITIVE_INFINITY, durable: false }
    return this.reader.fetch(day, all, (entry) => {
      collectShared(entry.stored, taken)
      this.settle(entry)
    })
  }

  /** Gives the client what there is room for, and reads on where that ends. */
  pump(): void {
    const connection = this.#connection
    if (connection === null) return
    this.#flights.sendAgain(connection)
    while (this.#queue.length > 0 && !this.#flights.full && !this.#flights.resending)
      this.#flights.send(connection, this.#queue.shift() as Entry)
    if (this.#queue.length > 0) this.#flights.releaseIds(connection)
    if (this.#behind && this.#queue.low) this.#readMore()
  }

  /** A row is done with: acknowledged, expired or dropped. */
  settle(entry: Entry): void {
    if (entry.settled) return
    entry.writer.settle(entry)
    if (this.#waiting > 0) this.#waiting--
    this.#saver.markDirty()
  }

  /** Messages that have to give way to newer ones. */
  get #excess(): number {
    const { max_queue_messages, queue_policy } = this.#broker.config.mqtt
    return queue_policy === 'drop_oldest' ? this.queued - max_queue_messages : 0
  }

  /** Keeps to the limit: the oldest that wait give way, in memory at once, on disk when they are a few. */
  #limit(): void {
    while (this.#queue.length > 0 && this.#excess > 0) this.#drop(this.#queue.shift() as Entry)
    if (this.#loaded === null && this.queued > this.#slack) {
      // What was there before is not counted yet.
      this.load().then(
        () => this.#limit(),
        (error: unknown) => this.#unreadable(error),
      )
    } else if (this.#loaded === true && this.#excess > this.#slack) this.#readMore()
  }

  get #slack(): number {
    return this.#broker.config.mqtt.max_queue_messages * SLACK
  }

  #drop(entry: Entry): void {
    this.#broker.stats.dropped.queueFull.value++
    countDrop(this.session, 'queue_full')
    this.settle(entry)
    const { day, seq } = entry
    const { writer, floor } = entry.writer
    // What is behind a message in flight is not discarded with those below the floor.
    if (floor < seq)
      this.#commit.stage().delete(inbox, { org: this.org, log: this.session.sid, day, writer, seq })
  }

  /** Reads on where memory ends: into the queue, or away if there is too much. One read at a time. */
  #readMore(): void {
    if (this.#reading) return
    this.#reading = true
    const { day } = this.#broker
    this.#order.allowCopies(this.#commit)
    const durable = this.#staged.lastTicket <= this.#commit.through
    if (!durable && this.reader.exhausted === this.#staged.count) {
      // Everything readable has been read; the rest is on its way to the disk.
      this.#disk.whenDurable(this.#staged.lastTicket, () => this.#hasRead())
      return
    }
    const connection = this.#connection
    const appended = this.#staged.count
    const changes = this.#changes
    const excess = this.#excess
    const before = this.#staged.firstHlc(this.#commit) ?? this.#broker.hlc.next()
    const read =
      excess > 0
        ? this.reader.fetch(day, { limit: excess, before, durable }, (entry) => this.#drop(entry))
        : this.reader.fetch(day, { limit: MEMORY_ROWS / 2, before, durable }, (entry) =>
            this.#queue.push(entry),
          )
    read.then(
      (end) => {
        if (end && connection === this.#connection) {
          // What may be read has changed meanwhile: some of it may have been passed already.
          if (changes !== this.#changes) this.reader.exhausted = -1
          else if (durable && appended === this.#staged.count) {
            this.#behind = connection === null
            // Rows that expired were counted, too.
            this.#waiting = this.#flights.unsettled + this.#queue.length
          } else this.reader.exhausted = this.#staged.count
        }
        this.#hasRead()
      },
      (error: unknown) => {
        this.#unreadable(error)
        this.#broker.wheel.after(1000, { due: () => this.#hasRead() })
      },
    )
  }

  #hasRead(): void {
    this.#reading = false
    if (this.reader.heldYoung && !this.#ripening) {
      this.#ripening = true
      this.#broker.wheel.after(YOUNG_MS, {
        due: () => {
          this.#ripening = false
          if (this.#connection !== null) this.readAgain()
        },
      })
    }
    if (this.#connection !== null) this.pump()
    else if (this.#excess > this.#slack) this.#readMore()
  }

  #unreadable(error: unknown): void {
    this.#broker.log.error(
      { event: 'inbox.read_failed', client: this.session.clientId, err: error },
      'cannot read an inbox',
    )
  }

  async #load(): Promise<void> {
    await this.adopt(await this.ownStates(), true)
  }

  /** What the own DC's store has of earlier holders' states. Rejects with StoreError. */
  async ownStates(): Promise<StoredState[]> {
    const found = await readStates(this.#broker.store, this.org, this.session.sid)
    this.#saver.found(found.map(({ epoch }) => epoch))
    return found
  }

  /**
   * Begins where earlier holders have stopped. `certain`: no state of the last one can be missing; if one may be, a message in
   * flight comes twice rather than never: packet identifiers are forgotten.
   */
  async adopt(states: readonly StoredState[], certain: boolean): Promise<void> {
    const merged = mergeStates(sortStates(states).map(({ body }) => decodeState(body)))
    for (const { writer: of, floor, above, day: newest } of merged.writers)
      this.reader.adopt(new WriterProgress(of, floor, above, newest))
    this.#flights.adoptIds(merged.ids)
    if (certain) {
      const { org, session } = this
      const to = { store: this.#broker.store, order: this.#order, flights: this.#flights }
      await restoreFlights(merged.out, { org, log: session.sid }, to)
      for (const { id, seq, epoch, checksum } of merged.in)
        this.inbound.set(id, { seq, epoch, checksum, done: false, routing: null })
    }
    this.streamSeq = Math.max(this.streamSeq, merged.streamSeq)
    const { day, writer } = this.#broker
    const { rows, newest } = await this.reader.count(day, writer)
    this.#broker.hlc.see(newest)
    this.#waiting += rows + this.#flights.unsettled
    this.#loaded = true
    if (this.knowledge !== null) this.requestSave()
  }

  /** Another holder may have given out packet identifiers of which nothing can be known here. */
  doubt(): void {
    this.#flights.doubt()
    this.#saver.markDirty()
  }

  /** What an earlier holder has settled, learned when this one had begun without it. */
  learn(states: readonly StoredState[]): void {
    const merged = mergeStates(sortStates(states).map(({ body }) => decodeState(body)))
    for (const { writer, floor, above } of merged.writers) {
      const progress = this.reader.progressOf(writer)
      progress.learn(floor, above)
      this.#flights.settledElsewhere(progress, floor, above)
    }
    this.#saver.markDirty()
  }

  /** The state as it is now, for the next holder; null: it was never complete. */
  snapshot(): StoredState | null {
    if (this.#loaded !== true) return null
    return { epoch: this.session.epoch, version: this.#saver.nextVersion(), body: this.#encode() }
  }

  /** How far each writer's rows are settled. */
  floors(): Iterable<WriterProgress> {
    return this.reader.writers()
  }
}

/** A message of a shared subscription and the filter it came by. */
export interface SharedStored {
  readonly share: string
  readonly out: Outgoing
}

function collectShared(stored: Uint8Array, taken: (item: SharedStored) => void): void {
  const out = decodeStored(stored)
  if (out.share !== null) taken({ share: out.share, out })
}
