import type { GroupCommit } from '#platform/store/group-commit.ts'
import type { RowOf } from '#platform/store/table.ts'
import { inbox, state } from '#platform/store/tables.ts'
import type { PendingAck } from '../ack-queue.ts'
import type { Broker } from '../broker.ts'
import { Knowledge } from '../cluster/knowledge.ts'
import type { Member } from '../cluster/member.ts'
import type { Connection } from '../connection.ts'
import type { Disk } from '../disk.ts'
import { countDrop } from '../drops.ts'
import { followedBy, tellAcknowledged, tellSent } from '../followed.ts'
import type { Outgoing } from '../message.ts'
import type { Session } from '../session.ts'
import { decodeStored } from '../stored-message.ts'
import { InboxReader, type Mode, type Sources } from './inbox-reader.ts'
import { AWAIT_PUBACK, AWAIT_PUBCOMP, AWAIT_PUBREC, FLIGHT_BYTES, type Outbox } from './outbox.ts'
import { PacketIds } from './packet-ids.ts'
import { type Entry, WriterProgress } from './progress.ts'
import { includes } from './spans.ts'
import { WriterMap } from './writer-map.ts'
import {
  decodeState,
  encodeState,
  mergeStates,
  readStates,
  type SavedState,
  sortStates,
  type StoredState,
} from './state.ts'
import { inboxRow, writerOf } from './inbox-row.ts'
import { isStream } from './stream-writer.ts'

/** Rows of an inbox held in memory beyond those in flight. */
const MEMORY_ROWS = 512
const MEMORY_BYTES = 262_144

/** A row whose writer is in contact has come from there by then. */
const YOUNG_MS = 5000
/** Stamps of the hybrid clock in a millisecond. */
const STAMPS_PER_MS = 1024

/** The DC and the epoch of a session's last holder. */
export interface LastHolder {
  readonly dc: number
  readonly epoch: number
}

interface Flight {
  readonly entry: Entry
  state: number
  /** By what the platform knows it; null: it does not follow it. */
  followed: string | null
}

const NOTHING = new Uint8Array(0)

/** PUBCOMP for a packet identifier that has to be released comes within this, or never. */
const RELEASE_MS = 10_000

/** A row of a stream this old is in every store that can be reached, or will never come. */
const STREAM_AGE_MS = 10_000

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
 */
export class DurableOutbox implements Outbox, Sources {
  window = 0
  /** QoS 2 messages received and not released, by packet identifier. */
  readonly inbound = new Map<number, InboundFlight>()
  /** The newest number of this session's own stream (as a publisher of QoS 2). */
  streamSeq = 0
  session!: Session
  /** Who has held it before, while its state is not loaded; null: nobody elsewhere. */
  lastHolder: LastHolder | null = null
  /** Of all that was written before this stamp, what could be had is here. */
  gathered = 0
  /** What is known of rows that other processes write; null: there are none. */
  readonly knowledge: Knowledge | null
  readonly #broker: Broker
  readonly #reader: InboxReader
  #connection: Connection | null = null
  readonly #flights = new Map<number, Flight>()
  #flightBytes = 0
  /** Of these, settled: only PUBCOMP is awaited. */
  #released = 0
  /** Rows not settled: counted when the session was loaded, and since. */
  #waiting = 0
  /** Epochs that have a state row. */
  #epochs: number[] = []
  #resend: number[] = []
  #queue: Entry[] = []
  #queueBytes = 0
  readonly #ids = new PacketIds()
  /** Rows newer than those in memory are only in the store. */
  #behind = true
  #reading = false
  #appended = 0
  /** How often it has changed what may be read. */
  #changes = 0
  /** Rows that were too young to be read will be read later. */
  #ripening = false
  #lastTicket = 0
  /** Rows that came live, in order, and were copied; they may be read when they are durable. */
  readonly #copies = new WriterMap<{ ticket: number; seq: number }[]>()
  /** Something of it is being asked for again. */
  scrubbing = false
  /** The gathers of its connections, one after the other. */
  attaching: Promise<void> = Promise.resolve()
  /** Batches that are not durable yet, with the stamp of this session's first row in each. */
  readonly #staged: { ticket: number; hlc: number }[] = []
  #loaded: Promise<void> | true | null
  #version = 0
  #saveRequested = false
  #unsaved: (() => void)[] = []
  /** Messages that wait for the disk on their way to the client. */
  #sending = 0
  #dirty = false

  /** `fresh`: a session that was never on disk. */
  constructor(broker: Broker, fresh: boolean) {
    this.#broker = broker
    this.knowledge = broker.cell === null ? null : new Knowledge(broker.cell)
    this.#reader = new InboxReader(broker.store, this, this.knowledge === null ? null : this)
    this.#loaded = fresh ? true : null
    if (fresh) this.#behind = false
  }

  get full(): boolean {
    return (
      this.#flights.size >= this.window ||
      this.#flightBytes >= FLIGHT_BYTES ||
      !this.#ids.ready(this.#flights)
    )
  }

  get inflight(): number {
    return this.#flights.size
  }

  get queued(): number {
    return Math.max(0, this.#waiting - this.#flights.size + this.#released)
  }

  get pressing(): boolean {
    return this.queued * 2 > this.#broker.config.mqtt.max_queue_messages
  }

  get org(): string {
    return this.session.space.org
  }

  /** Takes its rows; all tickets here are of this one. */
  get #commit(): GroupCommit {
    return this.session.space.commit
  }

  get #disk(): Disk {
    return this.session.space.disk
  }

  get own(): Uint8Array {
    return this.#broker.writer
  }

  modeOf(progress: WriterProgress): Mode {
    return this.knowledge?.modeOf(progress.writer) ?? 'ordered'
  }

  isYoung(hlc: number): boolean {
    return hlc > this.gathered && hlc / STAMPS_PER_MS > this.#broker.now - YOUNG_MS
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
    const progress = this.#reader.progressOf(writer)
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
    const held = this.#holdsBack(progress)
    // What is written here can be read when it is durable.
    if (loose) this.#raise(writer, seq)
    if (
      this.#connection === null ||
      this.#behind ||
      held ||
      this.#queue.length >= MEMORY_ROWS ||
      this.#queueBytes > MEMORY_BYTES
    ) {
      this.#behind = true
      this.#limit()
      return
    }
    const entry = loose ? progress.takeLoose(seq, day, stored) : progress.take(seq, day, stored)
    entry.out = out
    this.#enqueue(entry)
    this.#pump()
    entry.out = null
    this.#limit()
  }

  /**
   * Rows of this writer must not pass those in the store. Where a stream begins, its publisher has had another connection:
   * what it sent there may be on its way from whoever is not complete.
   */
  #holdsBack(progress: WriterProgress): boolean {
    if (this.#reader.holdsBack(progress)) return true
    return progress.newest === 0 && isStream(progress.writer) && this.modeOf(progress) === 'wait'
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
    const progress = this.#reader.progressOf(row.writer)
    if (row.message === undefined || progress.knows(row.seq)) return
    this.#broker.hlc.see(row.hlc ?? 0)
    const complete = this.knowledge?.isComplete(from) === true
    if (
      this.#loaded !== true ||
      !complete ||
      this.#connection === null ||
      this.#behind ||
      this.#holdsBack(progress) ||
      (progress.loose && !isStream(row.writer)) ||
      this.#queue.length >= MEMORY_ROWS ||
      this.#queueBytes > MEMORY_BYTES
    ) {
      this.takeCopy(row)
      const { ticket } = this.#commit
      const copies = this.#copies.get(row.writer)
      if (copies === undefined) this.#copies.set(row.writer, [{ ticket, seq: row.seq }])
      else copies.push({ ticket, seq: row.seq })
      if (this.#loaded === true) this.#pump()
      return
    }
    this.#waiting++
    this.#raise(row.writer, row.seq)
    const { seq, day, message } = row
    this.#enqueue(
      isStream(row.writer) ? progress.takeLoose(seq, day, message) : progress.take(seq, day, message),
    )
    this.#pump()
    this.#limit()
  }

  /** Writes another process's row into the own store, if it is new. It is read from there when it is allowed. */
  takeCopy(row: RowOf<typeof inbox>): void {
    const progress = this.#reader.progressOf(row.writer)
    if (row.message === undefined || progress.knows(row.seq)) return
    this.#broker.hlc.see(row.hlc ?? 0)
    this.#reader.touch(row.day)
    this.#stage(row, this.#broker.hlc.next())
    this.#behind = true
  }

  /** Rows of this writer up to `seq` are in the own store, and none is missing: they may be read. */
  allow(writer: Uint8Array, seq: number): void {
    this.#behind = true
    if (!isStream(writer)) this.#raise(writer, seq)
    else this.#seen(this.#reader.progressOf(writer), seq)
  }

  #raise(writer: Uint8Array, seq: number): void {
    const progress = this.#reader.progressOf(writer)
    this.#reader.raise(progress, seq)
    if (isStream(writer)) this.#seen(progress, seq)
  }

  /** A row of a stream was seen by somebody; which were before it can be told when all is quiet. */
  #seen(progress: WriterProgress, seq: number): void {
    if (seq <= progress.newest) return
    progress.newest = seq
    progress.raisedAt = this.#broker.now
  }

  /** A gather has ended: what was copied meanwhile may be in order now. */
  concluded(): void {
    this.#allowCopies()
  }

  /** Streams of which nothing more can come need not be remembered row by row. */
  #foldStreams(): void {
    // What is behind has yet to be read: a row that was missing before may be among it.
    if (this.knowledge?.complete !== true || this.#behind) return
    const settled = this.#broker.now - STREAM_AGE_MS
    for (const progress of this.#reader.writers()) {
      if (!isStream(progress.writer) || progress.raisedAt >= settled) continue
      if (!this.#reader.holdsBack(progress)) progress.seenThrough(progress.newest)
    }
  }

  /** Something has changed in what may be read. */
  readAgain(): void {
    this.#behind = true
    this.#changes++
    this.#reader.exhausted = -1
    if (this.#loaded === true) this.#pump()
  }

  #stage(row: RowOf<typeof inbox>, hlc: number): void {
    this.#commit.stage().put(inbox, row)
    this.#appended++
    const { ticket, through } = this.#commit
    while (this.#staged.length > 0 && this.#staged[0].ticket <= through) this.#staged.shift()
    if (this.#staged.at(-1)?.ticket !== ticket) this.#staged.push({ ticket, hlc })
    this.#lastTicket = ticket
    this.#waiting++
  }

  /** Rows that were copied here in order, and are durable now, may be read. */
  #allowCopies(): void {
    const { through } = this.#commit
    for (const [writer, copies] of this.#copies) {
      let n = 0
      while (n < copies.length && copies[n].ticket <= through) n++
      if (n === 0) continue
      const mode = this.modeOf(this.#reader.progressOf(writer))
      if (mode === 'ordered' || (mode === 'loose' && isStream(writer))) {
        for (let i = 0; i < n; i++) this.#raise(writer, copies[i].seq)
        copies.splice(0, n)
        if (copies.length === 0) this.#copies.delete(writer)
      } else if (n > 1)
        copies.splice(0, n, { ticket: through, seq: Math.max(...copies.slice(0, n).map(({ seq }) => seq)) })
    }
  }

  attach(connection: Connection): void {
    this.#connection = connection
    this.#resend = Array.from(this.#flights.keys())
    this.#pump()
  }

  detach(): void {
    this.#connection = null
    this.#ids.forget()
    this.#resend = []
    this.#queue = []
    this.#queueBytes = 0
    this.#rewind()
    this.#behind = true
    this.requestSave()
  }

  acknowledged(packetId: number, refused: boolean): void {
    const flight = this.#flights.get(packetId)
    if (flight?.state !== AWAIT_PUBACK) return
    this.#land(packetId, flight)
    this.#settle(flight.entry)
    if (flight.followed !== null) tellAcknowledged(this.session, flight.followed, refused)
    this.#pump()
  }

  received(packetId: number, failed: boolean): void {
    const flight = this.#flights.get(packetId)
    if (flight === undefined || flight.state === AWAIT_PUBACK) {
      if (!failed) this.#connection?.sendPubrel(packetId, false)
      return
    }
    if (flight.state === AWAIT_PUBREC) {
      this.#settle(flight.entry)
      this.#released++
    }
    flight.state = AWAIT_PUBCOMP
    if (failed) {
      this.#land(packetId, flight)
      this.#pump()
      return
    }
    // Released is saved before PUBREL: after it the client forgets the identifier, so the message must not come again.
    this.#whenSaved(() => this.#connection?.sendPubrel(packetId, true))
  }

  completed(packetId: number): void {
    const flight = this.#flights.get(packetId)
    if (flight === undefined) {
      if (this.#ids.released(packetId)) this.#pump()
      return
    }
    if (flight.state === AWAIT_PUBACK) return
    if (flight.state === AWAIT_PUBREC) {
      this.#settle(flight.entry)
      this.#released++
    }
    flight.state = AWAIT_PUBCOMP
    this.#land(packetId, flight)
    this.#pump()
  }

  /** Has the state row written with the open batch; durable with the commit's ticket as it is now. */
  requestSave(): void {
    if (this.#saveRequested || this.session.ended) return
    this.#saveRequested = true
    this.#disk.saveWithBatch(this)
  }

  /** Called when the open batch is about to leave. */
  stageSave(): void {
    this.#saveRequested = false
    this.#dirty = false
    if (this.session.ended || this.#loaded !== true) return
    const batch = this.#commit.stage()
    this.#foldStreams()
    const { epoch } = this.session
    batch.put(state, {
      org: this.org,
      sid: this.session.sid,
      epoch,
      version: ++this.#version,
      body: this.#encode(),
    })
    // What the rows of earlier epochs said is in this one.
    for (const old of this.#epochs)
      if (old !== epoch) batch.delete(state, { org: this.org, sid: this.session.sid, epoch: old })
    this.#epochs = [epoch]
    this.#reader.discardSettled(batch, this.org, this.session.sid, this.#broker.now)
    const waiters = this.#unsaved
    this.#unsaved = []
    if (waiters.length > 0) this.#disk.whenDurable(this.#commit.ticket, () => waiters.forEach((f) => f()))
  }

  #encode(): Buffer {
    return encodeState({
      writers: this.#reader.writers(),
      out: Array.from(this.#flights, ([id, { entry, state: s }]) => ({
        id,
        writer: entry.writer.writer,
        seq: entry.seq,
        day: entry.day,
        state: s,
      })),
      ids: this.#ids,
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
    for (const [id, flight] of this.#flights) {
      if (flight.state === AWAIT_PUBACK) collectShared(flight.entry.stored, taken)
      this.#land(id, flight)
    }
    const { day } = this.#broker
    const all = { limit, before: Number.POSITIVE_INFINITY, durable: false }
    return this.#reader.fetch(day, all, (entry) => {
      collectShared(entry.stored, taken)
      this.#settle(entry)
    })
  }

  #whenSaved(then: () => void): void {
    this.#unsaved.push(then)
    this.requestSave()
  }

  #pump(): void {
    const connection = this.#connection
    if (connection === null) return
    while (this.#resend.length > 0 && this.#inflightSent() < this.window)
      this.#sendAgain(connection, this.#resend.shift() as number)
    while (this.#queue.length > 0 && !this.full && this.#resend.length === 0) {
      const entry = this.#queue.shift() as Entry
      this.#queueBytes -= entry.stored.length
      this.#send(connection, entry)
    }
    if (this.#queue.length > 0) this.#release(connection)
    if (this.#behind && this.#queue.length < MEMORY_ROWS / 4 && this.#queueBytes < MEMORY_BYTES / 4)
      this.#readMore()
  }

  /** Has the client release the next packet identifiers, if it may hold some of them. */
  #release(connection: Connection): void {
    const ids = this.#ids.toRelease(this.#flights)
    if (ids.length === 0) return
    for (const id of ids) connection.sendPubrel(id, true)
    // A client that does not answer to what it does not know must not wait for ever.
    this.#broker.wheel.after(RELEASE_MS, {
      due: () => {
        if (connection === this.#connection && this.#ids.released(ids[ids.length - 1])) this.#pump()
      },
    })
  }

  #inflightSent(): number {
    return this.#flights.size - this.#resend.length
  }

  #send(connection: Connection, entry: Entry): void {
    const out = entry.out ?? decodeStored(entry.stored)
    if (out.message.expiresAt !== 0 && out.message.expiresAt <= this.#broker.now) {
      this.#broker.stats.dropped.expired.value++
      countDrop(this.session, 'expired')
      this.#settle(entry)
      return
    }
    const id = this.#ids.next(this.#flights)
    const followed = followedBy(this.session, out)
    const flight: Flight = { entry, state: out.qos === 2 ? AWAIT_PUBREC : AWAIT_PUBACK, followed }
    this.#flights.set(id, flight)
    this.#flightBytes += entry.stored.length
    const send = (): void => {
      if (connection !== this.#connection || this.#flights.get(id) !== flight) return
      if (!connection.sendPublish(out, id, false)) {
        this.#land(id, flight)
        this.#settle(entry)
      } else if (followed !== null) tellSent(this.session, followed)
    }
    if (followed === null || entry.out !== null) this.#inOrder(flight, send)
    else this.#whenWanted(connection, id, flight, followed, send)
  }

  /** A followed message that has waited on disk: the platform may not want it to be sent any more. */
  #whenWanted(connection: Connection, id: number, flight: Flight, followed: string, send: () => void): void {
    const { follower } = this.#broker
    if (follower === null) {
      this.#inOrder(flight, send)
      return
    }
    follower.check(this.org, this.session.deviceId ?? '', followed, (wanted) => {
      if (connection !== this.#connection || this.#flights.get(id) !== flight) return
      if (wanted) {
        this.#inOrder(flight, send)
        return
      }
      this.#broker.stats.dropped.withdrawn.value++
      this.#land(id, flight)
      this.#settle(flight.entry)
      this.#pump()
    })
  }

  #sendAgain(connection: Connection, id: number): void {
    const flight = this.#flights.get(id)
    if (flight === undefined) return
    const send = (): void => {
      if (connection !== this.#connection || this.#flights.get(id) !== flight) return
      if (flight.state === AWAIT_PUBCOMP) {
        connection.sendPubrel(id, true)
        return
      }
      const out = decodeStored(flight.entry.stored)
      flight.followed = followedBy(this.session, out)
      // [MQTT-3.3.1-1] DUP
      if (!connection.sendPublish(out, id, true)) {
        this.#land(id, flight)
        this.#settle(flight.entry)
      } else if (flight.followed !== null) tellSent(this.session, flight.followed)
    }
    this.#inOrder(flight, send)
  }

  /** Sends behind what waits for the disk; QoS 2 itself waits: its flight is saved before the client can know of it. */
  #inOrder(flight: Flight, send: () => void): void {
    if (flight.state === AWAIT_PUBACK && this.#sending === 0) {
      send()
      return
    }
    this.#sending++
    this.#whenSaved(() => {
      this.#sending--
      send()
    })
  }

  #land(packetId: number, flight: Flight): void {
    this.#flights.delete(packetId)
    if (flight.state === AWAIT_PUBCOMP) this.#released--
    this.#flightBytes -= flight.entry.stored.length
    this.#markDirty()
  }

  #settle(entry: Entry): void {
    if (entry.settled) return
    entry.writer.settle(entry)
    if (this.#waiting > 0) this.#waiting--
    this.#markDirty()
  }

  #markDirty(): void {
    if (this.#dirty) return
    this.#dirty = true
    this.#disk.saveSoon(this)
  }

  #enqueue(entry: Entry): void {
    this.#queue.push(entry)
    this.#queueBytes += entry.stored.length
  }

  #rewind(): void {
    this.#reader.rewind(new Set(Array.from(this.#flights.values(), (flight) => flight.entry)))
  }

  /** Messages that have to give way to newer ones. */
  get #excess(): number {
    const { max_queue_messages, queue_policy } = this.#broker.config.mqtt
    return queue_policy === 'drop_oldest' ? this.queued - max_queue_messages : 0
  }

  /** Keeps to the limit: the oldest that wait give way, in memory at once, on disk when they are a few. */
  #limit(): void {
    while (this.#queue.length > 0 && this.#excess > 0) {
      const oldest = this.#queue.shift() as Entry
      this.#queueBytes -= oldest.stored.length
      this.#drop(oldest)
    }
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
    this.#settle(entry)
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
    this.#allowCopies()
    const durable = this.#lastTicket <= this.#commit.through
    if (!durable && this.#reader.exhausted === this.#appended) {
      // Everything readable has been read; the rest is on its way to the disk.
      this.#disk.whenDurable(this.#lastTicket, () => this.#hasRead())
      return
    }
    const connection = this.#connection
    const appended = this.#appended
    const changes = this.#changes
    const excess = this.#excess
    const before =
      this.#staged.find(({ ticket }) => ticket > this.#commit.through)?.hlc ?? this.#broker.hlc.next()
    const read =
      excess > 0
        ? this.#reader.fetch(day, { limit: excess, before, durable }, (entry) => this.#drop(entry))
        : this.#reader.fetch(day, { limit: MEMORY_ROWS / 2, before, durable }, (entry) =>
            this.#enqueue(entry),
          )
    read.then(
      (end) => {
        if (end && connection === this.#connection) {
          // What may be read has changed meanwhile: some of it may have been passed already.
          if (changes !== this.#changes) this.#reader.exhausted = -1
          else if (durable && appended === this.#appended) {
            this.#behind = connection === null
            // Rows that expired were counted, too.
            this.#waiting = this.#flights.size - this.#released + this.#queue.length
          } else this.#reader.exhausted = this.#appended
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
    if (this.#reader.heldYoung && !this.#ripening) {
      this.#ripening = true
      this.#broker.wheel.after(YOUNG_MS, {
        due: () => {
          this.#ripening = false
          if (this.#connection !== null) this.readAgain()
        },
      })
    }
    if (this.#connection !== null) this.#pump()
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
    this.#epochs = found.map(({ epoch }) => epoch)
    return found
  }

  /**
   * Begins where earlier holders have stopped. `certain`: no state of the last one can be missing; if one may be, a message in
   * flight comes twice rather than never: packet identifiers are forgotten.
   */
  async adopt(states: readonly StoredState[], certain: boolean): Promise<void> {
    const merged = mergeStates(sortStates(states).map(({ body }) => decodeState(body)))
    for (const w of merged.writers) this.#adoptWriter(w)
    this.#ids.last = merged.ids.last
    this.#ids.doubtful = merged.ids.doubtful
    if (certain) {
      const missing = new Set<WriterProgress>()
      for (const flight of merged.out) await this.#restore(flight, missing)
      for (const { id, seq, epoch, checksum } of merged.in)
        this.inbound.set(id, { seq, epoch, checksum, done: false, routing: null })
    }
    this.streamSeq = Math.max(this.streamSeq, merged.streamSeq)
    const { day, writer } = this.#broker
    const { rows, newest } = await this.#reader.count(day, writer)
    this.#broker.hlc.see(newest)
    this.#waiting += rows + this.#flights.size - this.#released
    this.#loaded = true
    if (this.knowledge !== null) this.requestSave()
  }

  /** Another holder may have given out packet identifiers of which nothing can be known here. */
  doubt(): void {
    this.#ids.doubt()
    this.#markDirty()
  }

  /** What an earlier holder has settled, learned when this one had begun without it. */
  learn(states: readonly StoredState[]): void {
    const merged = mergeStates(sortStates(states).map(({ body }) => decodeState(body)))
    for (const { writer, floor, above } of merged.writers) {
      const progress = this.#reader.progressOf(writer)
      progress.learn(floor, above)
      for (const [id, flight] of this.#flights) {
        const { entry } = flight
        if (entry.writer === progress && (entry.seq <= floor || includes(above, entry.seq)))
          this.#settledElsewhere(id, flight)
      }
    }
    this.#markDirty()
  }

  /** Two held the session at once, and the client has answered to the other one: it must not come again from here. */
  #settledElsewhere(id: number, flight: Flight): void {
    if (flight.state === AWAIT_PUBCOMP) return
    this.#settle(flight.entry)
    if (flight.state === AWAIT_PUBACK) this.#land(id, flight)
    else {
      flight.state = AWAIT_PUBCOMP
      this.#released++
    }
  }

  /** The state as it is now, for the next holder; null: it was never complete. */
  snapshot(): StoredState | null {
    if (this.#loaded !== true) return null
    return { epoch: this.session.epoch, version: ++this.#version, body: this.#encode() }
  }

  /** How far each writer's rows are settled. */
  floors(): Iterable<WriterProgress> {
    return this.#reader.writers()
  }

  /** Rows of the own store above the floors, by writer and day. */
  get reader(): InboxReader {
    return this.#reader
  }

  #adoptWriter({ writer, floor, above, day }: SavedState['writers'][number]): void {
    this.#reader.adopt(new WriterProgress(writer, floor, above, day))
  }

  /**
   * A message that an earlier holder has sent and that was not acknowledged. `missing`: writers of whom one was not found;
   * what came behind it with QoS 1 is sent anew, too, in its place.
   */
  async #restore(
    { id, writer, seq, day, state: s }: SavedState['out'][number],
    missing: Set<WriterProgress>,
  ): Promise<void> {
    const progress = this.#reader.progressOf(writer)
    let stored: Uint8Array | undefined
    if (s !== AWAIT_PUBCOMP) {
      const row = await this.#broker.store.get(inbox, {
        org: this.org,
        log: this.session.sid,
        day,
        writer,
        seq,
      })
      stored = row?.message
      // In a cell it may still come, from a process that has not answered: then it is sent anew.
      const late = stored === undefined && this.knowledge !== null
      if (late) missing.add(progress)
      if (late || (s === AWAIT_PUBACK && (stored === undefined || missing.has(progress)))) return
    }
    // A QoS 2 message that has expired is released: the client may know its identifier.
    const flight: Flight =
      stored === undefined
        ? {
            entry: {
              writer: progress,
              seq,
              day,
              stored: NOTHING,
              out: null,
              settled: true,
              settledBefore: false,
            },
            state: AWAIT_PUBCOMP,
            followed: null,
          }
        : {
            entry:
              this.knowledge === null
                ? progress.take(seq, day, stored)
                : progress.takeLoose(seq, day, stored),
            state: s,
            followed: null,
          }
    if (stored === undefined) this.#released++
    this.#flights.set(id, flight)
    this.#flightBytes += flight.entry.stored.length
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
