import type { Connection } from '../connection.ts'
import { countDrop } from '../drops.ts'
import { followedBy, tellAcknowledged, tellSent } from '../followed.ts'
import type { Outgoing } from '../message.ts'
import type { SharedGroup } from '../router/shared-group.ts'
import { whenWritten } from '../output.ts'
import { PacketIds } from '../packet-ids.ts'
import { AWAIT_PUBACK, AWAIT_PUBCOMP, AWAIT_PUBREC, FLIGHT_BYTES, type Outbox } from './outbox.ts'

export interface QueueLimits {
  readonly messages: number
  readonly bytes: number
  readonly policy: 'drop_oldest' | 'drop_newest'
}

/** The queue of every client that keeps up; never written to. */
const NOTHING: Outgoing[] = []

/**
 * The outbox of a session that ends with its connection. Nothing is ever sent again, so that a message in flight
 * is nothing but an identifier in use; only messages of shared subscriptions are kept, for another member.
 */
export class MemoryOutbox implements Outbox {
  /** Most messages in flight: the smaller of the client's Receive Maximum and the broker's own limit. */
  window: number
  readonly #limits: QueueLimits
  #connection: Connection | null = null
  #ids: PacketIds | null = null
  #lastId = 0
  #queue = NOTHING
  #head = 0
  #bytes = 0
  #shared: Map<number, SharedItem> | null = null
  #sharedBytes = 0
  /** Messages in flight that the platform follows. */
  #followed: Map<number, string> | null = null
  /** The queue goes on when the client's socket is empty. */
  #draining = false

  constructor(window: number, limits: QueueLimits) {
    this.window = window
    this.#limits = limits
  }

  get full(): boolean {
    return this.inflight >= this.window || this.#sharedBytes >= FLIGHT_BYTES
  }

  get inflight(): number {
    return this.#ids?.count ?? 0
  }

  get queued(): number {
    return this.#queue.length - this.#head
  }

  get pressing(): boolean {
    return this.queued * 2 > this.#limits.messages || this.#bytes * 2 > this.#limits.bytes
  }

  /** Whether `n` messages can be sent at once, past an empty queue. */
  hasRoom(n: number): boolean {
    return this.queued === 0 && this.inflight + n <= this.window && this.#sharedBytes < FLIGHT_BYTES
  }

  /** Puts an identifier in use for a message that the caller sends; only after `hasRoom`. */
  take(state: number): number {
    const ids = (this.#ids ??= new PacketIds())
    const id = ids.nextFree(this.#lastId)
    ids.set(id, state)
    this.#lastId = id
    return id
  }

  attach(connection: Connection): void {
    this.#connection = connection
  }

  detach(): void {
    this.#connection = null
  }

  deliver(out: Outgoing): void {
    const connection = this.#connection
    if (connection === null) return
    if (this.hasRoom(1) && !connection.choked) {
      this.#send(connection, out)
      return
    }
    const limits = this.#limits
    out.message.detach()
    if (this.queued >= limits.messages || this.#bytes + out.message.size > limits.bytes) {
      if (limits.policy === 'drop_newest' || this.queued === 0) {
        connection.broker.stats.dropped.queueFull.value++
        countDrop(connection.session, 'queue_full')
        return
      }
      while (
        this.queued > 0 &&
        (this.queued >= limits.messages || this.#bytes + out.message.size > limits.bytes)
      ) {
        this.#shift()
        connection.broker.stats.dropped.queueFull.value++
        countDrop(connection.session, 'queue_full')
      }
    }
    if (this.#queue === NOTHING) this.#queue = []
    this.#queue.push(out)
    this.#bytes += out.message.size
    this.#pump(connection)
  }

  acknowledged(packetId: number, refused: boolean): void {
    if (this.#ids === null || this.#ids.get(packetId) !== AWAIT_PUBACK) return
    const followed = this.#followed?.get(packetId)
    this.#free(packetId)
    if (followed === undefined) return
    this.#followed?.delete(packetId)
    const session = this.#connection?.session
    if (session) tellAcknowledged(session, followed, refused)
  }

  received(packetId: number, failed: boolean): void {
    const ids = this.#ids
    const connection = this.#connection
    if (connection === null) return
    const known = ids !== null && ids.get(packetId) >= AWAIT_PUBREC
    if (failed) {
      if (known) this.#free(packetId)
      return
    }
    if (known) ids?.set(packetId, AWAIT_PUBCOMP)
    connection.sendPubrel(packetId, known)
  }

  completed(packetId: number): void {
    if (this.#ids === null || this.#ids.get(packetId) < AWAIT_PUBREC) return
    this.#free(packetId)
  }

  /** What another member of its shared group may still get: waiting, or sent with QoS 1 and not acknowledged (4.8.2). */
  *unsettledShared(): Generator<{ group: SharedGroup; out: Outgoing }> {
    if (this.#shared !== null) {
      for (const item of this.#shared.values()) if (item.out.qos === 1) yield item
    }
    for (let i = this.#head; i < this.#queue.length; i++) {
      const out = this.#queue[i]
      if (isShared(out)) yield { group: out.group, out }
    }
  }

  #free(packetId: number): void {
    this.#ids?.delete(packetId)
    const shared = this.#shared?.get(packetId)
    if (shared !== undefined) {
      this.#shared?.delete(packetId)
      this.#sharedBytes -= shared.out.message.size
    }
    const connection = this.#connection
    if (connection === null) return
    this.#pump(connection)
    if (!this.pressing) connection.progressed()
  }

  /** Sends what waits, as far as the window allows and the client reads. */
  #pump(connection: Connection): void {
    while (this.queued > 0 && !this.full) {
      if (connection.choked) {
        this.#pumpLater(connection)
        return
      }
      this.#send(connection, this.#shift())
    }
  }

  #pumpLater(connection: Connection): void {
    if (this.#draining) return
    this.#draining = true
    whenWritten(connection.stream, () => {
      this.#draining = false
      if (connection === this.#connection) this.#pump(connection)
    })
  }

  #send(connection: Connection, out: Outgoing): void {
    // [MQTT-3.3.2-5] expired while it waited
    if (out.message.expiresAt !== 0 && out.message.expiresAt <= connection.broker.now) {
      connection.broker.stats.dropped.expired.value++
      countDrop(connection.session, 'expired')
      return
    }
    const id = this.take(out.qos === 2 ? AWAIT_PUBREC : AWAIT_PUBACK)
    if (!connection.sendPublish(out, id, false)) {
      this.#ids?.delete(id)
      return
    }
    if (isShared(out)) {
      out.message.detach()
      ;(this.#shared ??= new Map()).set(id, { group: out.group, out })
      this.#sharedBytes += out.message.size
    }
    if (out.message.properties.responseTopic !== undefined) this.#follow(connection, id, out)
  }

  #follow({ session }: Connection, id: number, out: Outgoing): void {
    const followed = session === null ? null : followedBy(session, out)
    if (followed === null || session === null) return
    ;(this.#followed ??= new Map()).set(id, followed)
    tellSent(session, followed)
  }

  #shift(): Outgoing {
    const out = this.#queue[this.#head]
    this.#head++
    this.#bytes -= out.message.size
    if (this.#head > 1024 && this.#head * 2 > this.#queue.length) {
      this.#queue = this.#queue.slice(this.#head)
      this.#head = 0
    } else if (this.#head === this.#queue.length) {
      this.#queue = NOTHING
      this.#head = 0
    }
    return out
  }
}

interface SharedItem {
  group: SharedGroup
  out: Outgoing
}

/** A message that came by a shared subscription knows its group, so that another member can have it. */
export interface SharedOutgoing extends Outgoing {
  readonly group: SharedGroup
}

function isShared(out: Outgoing): out is SharedOutgoing {
  return 'group' in out
}
