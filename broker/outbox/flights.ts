import type { Broker } from '../broker.ts'
import type { Connection } from '../connection.ts'
import { countDrop } from '../drops.ts'
import { followedBy, tellAcknowledged, tellSent } from '../followed.ts'
import type { Session } from '../session.ts'
import { decodeStored } from '../stored-message.ts'
import { AWAIT_PUBACK, AWAIT_PUBCOMP, AWAIT_PUBREC, FLIGHT_BYTES } from './outbox.ts'
import { PacketIds } from './packet-ids.ts'
import type { Entry, WriterProgress } from './progress.ts'
import { includes, type Span } from './spans.ts'
import type { SavedState } from './state.ts'
import type { StateSaver } from './state-saver.ts'

/** PUBCOMP for a packet identifier that has to be released comes within this, or never. */
const RELEASE_MS = 10_000

interface Flight {
  readonly entry: Entry
  state: number
  /** By what the platform knows it; null: it does not follow it. */
  followed: string | null
}

interface Owner {
  readonly org: string
  readonly session: Session
  /** A row is done with. */
  settle(entry: Entry): void
  /** There may be room for what waits. */
  pump(): void
}

/** What one session's client was sent and has not acknowledged, by packet identifier, and the handshakes about it. */
export class Flights {
  /** Most of them. */
  window = 0
  readonly #broker: Broker
  readonly #owner: Owner
  readonly #saver: StateSaver
  readonly #flights = new Map<number, Flight>()
  readonly #ids = new PacketIds()
  #bytes = 0
  /** Of these, settled: only PUBCOMP is awaited. */
  #released = 0
  #connection: Connection | null = null
  #resend: number[] = []
  /** Messages that wait for the disk on their way to the client. */
  #sending = 0

  constructor(broker: Broker, owner: Owner, saver: StateSaver) {
    this.#broker = broker
    this.#owner = owner
    this.#saver = saver
  }

  get full(): boolean {
    return this.#flights.size >= this.window || this.#bytes >= FLIGHT_BYTES || !this.#ids.ready(this.#flights)
  }

  get size(): number {
    return this.#flights.size
  }

  /** Those whose row is not settled. */
  get unsettled(): number {
    return this.#flights.size - this.#released
  }

  /** Some have yet to be sent again: nothing else is sent before. */
  get resending(): boolean {
    return this.#resend.length > 0
  }

  /** Rows that are in flight. */
  entries(): Set<Entry> {
    return new Set(Array.from(this.#flights.values(), (flight) => flight.entry))
  }

  attach(connection: Connection): void {
    this.#connection = connection
    this.#resend = Array.from(this.#flights.keys())
  }

  detach(): void {
    this.#connection = null
    this.#ids.forget()
    this.#resend = []
  }

  /** PUBACK. */
  acknowledged(packetId: number, refused: boolean): void {
    const flight = this.#flights.get(packetId)
    if (flight?.state !== AWAIT_PUBACK) return
    this.#land(packetId, flight)
    this.#owner.settle(flight.entry)
    if (flight.followed !== null) tellAcknowledged(this.#owner.session, flight.followed, refused)
    this.#owner.pump()
  }

  /** PUBREC. */
  received(packetId: number, failed: boolean): void {
    const flight = this.#flights.get(packetId)
    if (flight === undefined || flight.state === AWAIT_PUBACK) {
      if (!failed) this.#connection?.sendPubrel(packetId, false)
      return
    }
    this.#release(flight)
    if (failed) {
      this.#land(packetId, flight)
      this.#owner.pump()
      return
    }
    // Released is saved before PUBREL: after it the client forgets the identifier, so the message must not come again.
    this.#saver.whenSaved(() => this.#connection?.sendPubrel(packetId, true))
  }

  /** PUBCOMP. */
  completed(packetId: number): void {
    const flight = this.#flights.get(packetId)
    if (flight === undefined) {
      if (this.#ids.released(packetId)) this.#owner.pump()
      return
    }
    if (flight.state === AWAIT_PUBACK) return
    this.#release(flight)
    this.#land(packetId, flight)
    this.#owner.pump()
  }

  /** The client has the message; only PUBCOMP is awaited. */
  #release(flight: Flight): void {
    if (flight.state === AWAIT_PUBREC) {
      this.#owner.settle(flight.entry)
      this.#released++
    }
    flight.state = AWAIT_PUBCOMP
  }

  /** Sends what was in flight before this connection, as far as there is room. */
  sendAgain(connection: Connection): void {
    while (this.#resend.length > 0 && this.#flights.size - this.#resend.length < this.window)
      this.#sendAgain(connection, this.#resend.shift() as number)
  }

  /** Sends a row for the first time; only when not full. */
  send(connection: Connection, entry: Entry): void {
    const { session } = this.#owner
    const out = entry.out ?? decodeStored(entry.stored)
    if (out.message.expiresAt !== 0 && out.message.expiresAt <= this.#broker.now) {
      this.#broker.stats.dropped.expired.value++
      countDrop(session, 'expired')
      this.#owner.settle(entry)
      return
    }
    const id = this.#ids.next(this.#flights)
    const followed = followedBy(session, out)
    const flight: Flight = { entry, state: out.qos === 2 ? AWAIT_PUBREC : AWAIT_PUBACK, followed }
    this.#flights.set(id, flight)
    this.#bytes += entry.stored.length
    const send = (): void => {
      if (connection !== this.#connection || this.#flights.get(id) !== flight) return
      if (!connection.sendPublish(out, id, false)) {
        this.#land(id, flight)
        this.#owner.settle(entry)
      } else if (followed !== null) tellSent(session, followed)
    }
    if (followed === null || entry.out !== null) this.#inOrder(flight, send)
    else this.#whenWanted(connection, id, flight, followed, send)
  }

  /** Has the client release the next packet identifiers, if it may hold some of them. */
  releaseIds(connection: Connection): void {
    const ids = this.#ids.toRelease(this.#flights)
    if (ids.length === 0) return
    for (const id of ids) connection.sendPubrel(id, true)
    // A client that does not answer to what it does not know must not wait for ever.
    this.#broker.wheel.after(RELEASE_MS, {
      due: () => {
        if (connection === this.#connection && this.#ids.released(ids[ids.length - 1])) this.#owner.pump()
      },
    })
  }

  /** Another holder may have given out packet identifiers of which nothing can be known here. */
  doubt(): void {
    this.#ids.doubt()
  }

  /** Ends them all; gives the rows to `taken` that the client has not acknowledged at QoS 1. */
  takeAll(taken: (entry: Entry) => void): void {
    for (const [id, flight] of this.#flights) {
      if (flight.state === AWAIT_PUBACK) taken(flight.entry)
      this.#land(id, flight)
    }
  }

  /**
   * Rows of a writer up to `floor` and those in `above` were settled by another holder, at the same time: they must not come
   * again from here.
   */
  settledElsewhere(writer: WriterProgress, floor: number, above: readonly Span[]): void {
    for (const [id, flight] of this.#flights) {
      const { entry } = flight
      if (entry.writer !== writer || (entry.seq > floor && !includes(above, entry.seq))) continue
      if (flight.state === AWAIT_PUBCOMP) continue
      if (flight.state === AWAIT_PUBACK) {
        this.#owner.settle(entry)
        this.#land(id, flight)
      } else this.#release(flight)
    }
  }

  /** What an earlier holder has given out. */
  adoptIds({ last, doubtful }: SavedState['ids']): void {
    this.#ids.last = last
    this.#ids.doubtful = doubtful
  }

  /** What an earlier holder has sent; with AWAIT_PUBCOMP its row is settled. */
  adopt(id: number, entry: Entry, state: number): void {
    if (state === AWAIT_PUBCOMP) this.#released++
    this.#flights.set(id, { entry, state, followed: null })
    this.#bytes += entry.stored.length
  }

  /** For the next holder. */
  saved(): Pick<SavedState, 'out' | 'ids'> {
    const out = Array.from(this.#flights, ([id, { entry, state }]) => ({
      id,
      writer: entry.writer.writer,
      seq: entry.seq,
      day: entry.day,
      state,
    }))
    return { out, ids: this.#ids }
  }

  #sendAgain(connection: Connection, id: number): void {
    const { session } = this.#owner
    const flight = this.#flights.get(id)
    if (flight === undefined) return
    const send = (): void => {
      if (connection !== this.#connection || this.#flights.get(id) !== flight) return
      if (flight.state === AWAIT_PUBCOMP) {
        connection.sendPubrel(id, true)
        return
      }
      const out = decodeStored(flight.entry.stored)
      flight.followed = followedBy(session, out)
      // [MQTT-3.3.1-1] DUP
      if (!connection.sendPublish(out, id, true)) {
        this.#land(id, flight)
        this.#owner.settle(flight.entry)
      } else if (flight.followed !== null) tellSent(session, flight.followed)
    }
    this.#inOrder(flight, send)
  }

  /** A followed message that has waited on disk: the platform may not want it to be sent any more. */
  #whenWanted(connection: Connection, id: number, flight: Flight, followed: string, send: () => void): void {
    const { follower } = this.#broker
    const { org, session } = this.#owner
    if (follower === null) {
      this.#inOrder(flight, send)
      return
    }
    follower.check(org, session.deviceId ?? '', followed, (wanted) => {
      if (connection !== this.#connection || this.#flights.get(id) !== flight) return
      if (wanted) {
        this.#inOrder(flight, send)
        return
      }
      this.#broker.stats.dropped.withdrawn.value++
      this.#land(id, flight)
      this.#owner.settle(flight.entry)
      this.#owner.pump()
    })
  }

  /** Sends behind what waits for the disk; QoS 2 itself waits: its flight is saved before the client can know of it. */
  #inOrder(flight: Flight, send: () => void): void {
    if (flight.state === AWAIT_PUBACK && this.#sending === 0) {
      send()
      return
    }
    this.#sending++
    this.#saver.whenSaved(() => {
      this.#sending--
      send()
    })
  }

  #land(packetId: number, flight: Flight): void {
    this.#flights.delete(packetId)
    if (flight.state === AWAIT_PUBCOMP) this.#released--
    this.#bytes -= flight.entry.stored.length
    this.#saver.markDirty()
  }
}
