import { inbox, state } from '#platform/store/tables.ts'
import type { PendingAck } from '../ack-queue.ts'
import type { Broker } from '../broker.ts'
import type { Connection } from '../connection.ts'
import type { Outgoing } from '../message.ts'
import type { Session } from '../session.ts'
import { decodeStored, encodeStored } from '../stored-message.ts'
import { InboxReader } from './inbox-reader.ts'
import type { SharedOutgoing } from './memory-outbox.ts'
import { AWAIT_PUBACK, AWAIT_PUBCOMP, AWAIT_PUBREC, type Outbox } from './outbox.ts'
import { type Entry, WriterProgress } from './progress.ts'
import { decodeState, encodeState, mergeStates } from './state.ts'

/** Rows of an inbox held in memory beyond those in flight. */
const MEMORY_ROWS = 512
const MEMORY_BYTES = 262_144
/** Bytes in flight after which no more is sent, whatever the window says. */
const FLIGHT_BYTES = 4_194_304

/** Newest state rows read; there is one, or a few after a crash. */
const STATES = 1000

interface Flight {
  readonly entry: Entry
  state: number
}

/** A QoS 2 message received and not released: its place in the publisher's stream. */
export interface InboundFlight {
  readonly seq: number
  readonly epoch: number
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
export class DurableOutbox implements Outbox {
  window = 0
  /** QoS 2 messages received and not released, by packet identifier. */
  readonly inbound = new Map<number, InboundFlight>()
  /** The newest number of this session's own stream (as a publisher of QoS 2). */
  streamSeq = 0
  /** Rows appended and not settled, as far as this process knows. */
  waiting = 0
  session!: Session
  readonly #broker: Broker
  readonly #reader: InboxReader
  #connection: Connection | null = null
  readonly #flights = new Map<number, Flight>()
  #flightBytes = 0
  #resend: number[] = []
  #queue: Entry[] = []
  #queueBytes = 0
  #lastId = 0
  /** Rows newer than those in memory are only in the store. */
  #behind = true
  #reading = false
  #appended = 0
  #lastTicket = 0
  #loaded: Promise<void> | true | null
  #version = 0
  /** Epochs whose state is in the store; the newest one says all that the others do. */
  #savedEpochs: number[] = []
  #saveRequested = false
  #unsaved: (() => void)[] = []
  #dirty = false

  /** `fresh`: a session that was never on disk. */
  constructor(broker: Broker, fresh: boolean) {
    this.#broker = broker
    this.#reader = new InboxReader(broker.store, this)
    this.#loaded = fresh ? true : null
    if (fresh) this.#behind = false
  }

  get full(): boolean {
    return this.#flights.size >= this.window || this.#flightBytes >= FLIGHT_BYTES
  }

  get inflight(): number {
    return this.#flights.size
  }

  get queued(): number {
    return Math.max(0, this.waiting - this.#flights.size)
  }

  get pressing(): boolean {
    return this.queued * 2 > this.#broker.config.mqtt.max_queue_messages
  }

  get org(): string {
    return this.session.space.org
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
    const { mqtt } = this.#broker.config
    const { stream } = out.message
    const progress = this.#reader.progressOf(stream?.writer ?? this.#broker.writer)
    const seq = stream?.seq ?? this.#broker.nextSeq()
    // The same message of a stream again: its publisher repeated it after a crash.
    if (stream !== null && this.#loaded === true && progress.knows(seq)) return
    if (this.waiting >= mqtt.max_queue_messages) {
      this.#broker.stats.dropped.queueFull.value++
      if (mqtt.queue_policy === 'drop_newest') return
      this.#trim()
    }
    const stored = encodeStored(out, 'group' in out ? shareName(out as SharedOutgoing) : null)
    const { day } = this.#broker
    this.#broker.commit.stage().put(inbox, {
      org: this.org,
      log: this.session.sid,
      day,
      writer: progress.writer,
      seq,
      message: stored,
      hlc: this.#broker.hlc.next(),
      kind: 0,
    })
    this.#appended++
    this.#lastTicket = this.#broker.commit.ticket
    this.waiting++
    if (
      this.#connection === null ||
      this.#behind ||
      this.#queue.length >= MEMORY_ROWS ||
      this.#queueBytes > MEMORY_BYTES
    ) {
      this.#behind = true
      return
    }
    const entry = progress.take(seq, day, stored)
    entry.out = out
    this.#enqueue(entry)
    this.#pump()
    entry.out = null
  }

  attach(connection: Connection): void {
    this.#connection = connection
    this.#resend = Array.from(this.#flights.keys())
    this.#pump()
  }

  detach(): void {
    this.#connection = null
    this.#resend = []
    this.#queue = []
    this.#queueBytes = 0
    this.#rewind()
    this.#behind = true
    this.requestSave()
  }

  acknowledged(packetId: number): void {
    const flight = this.#flights.get(packetId)
    if (flight?.state !== AWAIT_PUBACK) return
    this.#land(packetId, flight)
    this.#settle(flight.entry)
    this.#pump()
  }

  received(packetId: number, failed: boolean): void {
    const flight = this.#flights.get(packetId)
    if (flight === undefined || flight.state === AWAIT_PUBACK) {
      if (!failed) this.#connection?.sendPubrel(packetId, false)
      return
    }
    if (flight.state === AWAIT_PUBREC) this.#settle(flight.entry)
    if (failed) {
      this.#land(packetId, flight)
      this.#pump()
      return
    }
    flight.state = AWAIT_PUBCOMP
    // Released is saved before PUBREL: after it the client forgets the identifier, so the message must not come again.
    this.#whenSaved(() => this.#connection?.sendPubrel(packetId, true))
  }

  completed(packetId: number): void {
    const flight = this.#flights.get(packetId)
    if (flight === undefined || flight.state === AWAIT_PUBACK) return
    if (flight.state === AWAIT_PUBREC) this.#settle(flight.entry)
    this.#land(packetId, flight)
    this.#pump()
  }

  /** Has the state row written with the open batch; durable with `commit.ticket` as it is now. */
  requestSave(): void {
    if (this.#saveRequested || this.session.ended) return
    this.#saveRequested = true
    this.#broker.disk.saveWithBatch(this)
  }

  /** Called when the open batch is about to leave. */
  stageSave(): void {
    this.#saveRequested = false
    this.#dirty = false
    if (this.session.ended || this.#loaded !== true) return
    const batch = this.#broker.commit.stage()
    const { epoch } = this.session
    for (const older of this.#savedEpochs)
      if (older !== epoch) batch.delete(state, { org: this.org, sid: this.session.sid, epoch: older })
    this.#savedEpochs = [epoch]
    batch.put(state, {
      org: this.org,
      sid: this.session.sid,
      epoch,
      version: ++this.#version,
      body: encodeState({
        writers: this.#reader.writers(),
        out: Array.from(this.#flights, ([id, { entry, state: s }]) => ({
          id,
          writer: entry.writer.writer,
          seq: entry.seq,
          day: entry.day,
          state: s,
        })),
        in: Array.from(this.inbound, ([id, inbound]) => ({ id, seq: inbound.seq, epoch: inbound.epoch })),
        streamSeq: this.streamSeq,
      }),
    })
    this.#reader.discardSettled(batch, this.org, this.session.sid)
    const waiters = this.#unsaved
    this.#unsaved = []
    if (waiters.length > 0)
      this.#broker.disk.whenDurable(this.#broker.commit.ticket, () => waiters.forEach((f) => f()))
  }

  /** Deletes all of it from the store; stages only. */
  stageDelete(): void {
    const batch = this.#broker.commit.stage()
    for (let day = this.#broker.day - 8; day <= this.#broker.day; day++) {
      batch.deletePartition(inbox, { org: this.org, log: this.session.sid, day })
    }
    batch.deletePartition(state, { org: this.org, sid: this.session.sid })
  }

  /** Messages of shared subscriptions not yet acknowledged at QoS 1, for other members (4.8.2). */
  async unsettledShared(limit: number): Promise<SharedStored[]> {
    await this.load()
    const shared: SharedStored[] = []
    for (const { entry, state: s } of this.#flights.values())
      if (s === AWAIT_PUBACK) collectShared(entry.stored, shared)
    this.detach()
    for (const entry of await this.#reader.fetch(this.#broker.day, limit)) collectShared(entry.stored, shared)
    return shared
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
    if (this.#queue.length < MEMORY_ROWS / 4 && this.#behind) this.#readMore()
  }

  #inflightSent(): number {
    return this.#flights.size - this.#resend.length
  }

  #send(connection: Connection, entry: Entry): void {
    const out = entry.out ?? decodeStored(entry.stored)
    if (out.message.expiresAt !== 0 && out.message.expiresAt <= this.#broker.now) {
      this.#broker.stats.dropped.expired.value++
      this.#settle(entry)
      return
    }
    const id = this.#nextId()
    const flight: Flight = { entry, state: out.qos === 2 ? AWAIT_PUBREC : AWAIT_PUBACK }
    this.#flights.set(id, flight)
    this.#flightBytes += entry.stored.length
    const send = (): void => {
      if (connection !== this.#connection || this.#flights.get(id) !== flight) return
      if (connection.sendPublish(out, id, false)) return
      this.#land(id, flight)
      this.#settle(entry)
    }
    // QoS 2: which identifier carries which row is saved before the client can know it.
    if (out.qos === 2) this.#whenSaved(send)
    else send()
  }

  #sendAgain(connection: Connection, id: number): void {
    const flight = this.#flights.get(id)
    if (flight === undefined) return
    if (flight.state === AWAIT_PUBCOMP)
      this.#whenSaved(() => connection === this.#connection && connection.sendPubrel(id, true))
    // [MQTT-3.3.1-1] DUP
    else if (!connection.sendPublish(decodeStored(flight.entry.stored), id, true)) {
      this.#land(id, flight)
      this.#settle(flight.entry)
    }
  }

  #land(packetId: number, flight: Flight): void {
    this.#flights.delete(packetId)
    this.#flightBytes -= flight.entry.stored.length
    this.#markDirty()
  }

  #settle(entry: Entry): void {
    if (entry.settled) return
    entry.writer.settle(entry)
    if (this.waiting > 0) this.waiting--
    this.#markDirty()
  }

  #markDirty(): void {
    if (this.#dirty) return
    this.#dirty = true
    this.#broker.disk.saveSoon(this)
  }

  #enqueue(entry: Entry): void {
    this.#queue.push(entry)
    this.#queueBytes += entry.stored.length
  }

  #rewind(): void {
    this.#reader.rewind(new Set(Array.from(this.#flights.values(), (flight) => flight.entry)))
  }

  #nextId(): number {
    do this.#lastId = this.#lastId === 65_535 ? 1 : this.#lastId + 1
    while (this.#flights.has(this.#lastId))
    return this.#lastId
  }

  #readMore(): void {
    if (this.#reading || this.#connection === null) return
    if (this.#lastTicket > this.#broker.commit.through && this.#reader.exhausted === this.#appended) {
      // Everything readable has been read; the rest is on its way to the disk.
      this.#reading = true
      this.#broker.disk.whenDurable(this.#lastTicket, () => {
        this.#reading = false
        this.#pump()
      })
      return
    }
    this.#reading = true
    const connection = this.#connection
    const appended = this.#appended
    const durable = this.#lastTicket <= this.#broker.commit.through
    this.#reader.fetch(this.#broker.day, MEMORY_ROWS / 2).then(
      (entries) => {
        this.#reading = false
        for (const entry of entries) this.#enqueue(entry)
        if (connection === this.#connection && entries.length < MEMORY_ROWS / 2) {
          if (durable && appended === this.#appended) this.#behind = false
          else this.#reader.exhausted = this.#appended
        }
        this.#pump()
      },
      (error: unknown) => {
        this.#reading = false
        this.#broker.log.error(
          { event: 'inbox.read_failed', client: this.session.clientId, err: error },
          'cannot read an inbox',
        )
        this.#broker.wheel.after(1000, { due: () => this.#pump() })
      },
    )
  }

  /** Drops the oldest rows of a full inbox: in memory if they are there, else in the store. */
  #trim(): void {
    const oldest = this.#queue.shift()
    if (oldest !== undefined) {
      this.#queueBytes -= oldest.stored.length
      this.#settle(oldest)
      return
    }
    if (this.#reading || this.#connection !== null) return
    this.#reading = true
    this.load()
      .then(() => this.#reader.fetch(this.#broker.day, MEMORY_ROWS))
      .then(
        (entries) => {
          this.#reading = false
          const excess = this.waiting - this.#broker.config.mqtt.max_queue_messages
          const dropped = Math.max(0, Math.min(entries.length, excess))
          for (let i = 0; i < dropped; i++) this.#settle(entries[i])
          if (this.#connection === null) this.#rewind()
          else for (let i = dropped; i < entries.length; i++) this.#enqueue(entries[i])
          this.requestSave()
          this.#pump()
        },
        (error: unknown) => {
          this.#reading = false
          this.#broker.log.error(
            { event: 'inbox.trim_failed', client: this.session.clientId, err: error },
            'cannot trim an inbox',
          )
        },
      )
  }

  async #load(): Promise<void> {
    const rows = await this.#broker.store.range(
      state,
      { org: this.org, sid: this.session.sid },
      { limit: STATES, reverse: true },
    )
    this.#savedEpochs = rows.map((r) => r.epoch)
    const merged = mergeStates(
      rows
        .filter((r) => r.body !== undefined)
        .toReversed()
        .map((r) => decodeState(r.body as Uint8Array)),
    )
    for (const w of merged.writers) this.#reader.adopt(new WriterProgress(w.writer, w.floor, w.above, w.day))
    for (const flight of merged.out) {
      const progress = this.#reader.progressOf(flight.writer)
      const row = await this.#broker.store.get(inbox, {
        org: this.org,
        log: this.session.sid,
        day: flight.day,
        writer: flight.writer,
        seq: flight.seq,
      })
      const released = flight.state === AWAIT_PUBCOMP
      if (row?.message === undefined && !released) continue
      const entry = released
        ? {
            writer: progress,
            seq: flight.seq,
            day: flight.day,
            stored: new Uint8Array(0),
            out: null,
            settled: true,
          }
        : progress.take(flight.seq, flight.day, row?.message as Uint8Array)
      this.#flights.set(flight.id, { entry, state: flight.state })
      this.#flightBytes += entry.stored.length
      if (flight.id > this.#lastId) this.#lastId = flight.id
    }
    for (const flight of merged.in)
      this.inbound.set(flight.id, { seq: flight.seq, epoch: flight.epoch, done: false, routing: null })
    this.streamSeq = merged.streamSeq
    this.#loaded = true
  }
}

/** A message of a shared subscription and the filter it came by. */
export interface SharedStored {
  readonly share: string
  readonly out: Outgoing
}

function collectShared(stored: Uint8Array, into: SharedStored[]): void {
  const out = decodeStored(stored)
  if (out.share !== null && out.qos === 1) into.push({ share: out.share, out })
}

function shareName(out: SharedOutgoing): string {
  return `$share/${out.group.name}/${out.group.match}`
}
