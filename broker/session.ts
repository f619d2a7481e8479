import { randomBytes } from 'node:crypto'
import { hash128 } from '#platform/hash.ts'
import { sidKey } from './cluster/ring.ts'
import type { Connection } from './connection.ts'
import type { Drops } from './drops.ts'
import type { Outbox } from './outbox/outbox.ts'
import type { PacketIds } from './packet-ids.ts'
import type { Receiver } from './receiver.ts'
import type { Space } from './space.ts'
import { Subscriber } from './subscriber.ts'
import type { Timed } from './wheel.ts'
import type { Will } from './wills.ts'

/** MQTT 5, 3.1.2.11.2: the session never expires. */
export const NEVER = 0xffff_ffff

const NO_SID = new Uint8Array(0)

/** The identity of a new session on disk; one in memory needs none. */
export function newSid(durable: boolean): Uint8Array {
  return durable ? randomBytes(16) : NO_SID
}

/**
 * The identity of a session in a cell: two DCs that cannot see each other make the same one for the same client after the same
 * past. `since`: stamp at which the last session of the client ended, or the epoch of a clean start.
 */
export function sidSince(org: string, clientId: string, since: number): Uint8Array {
  return hash128(`session\0${org}\0${clientId}\0${since}`)
}

/** What the broker keeps for a client id in an organisation (4.1), across connections if `durable`. */
export class Session extends Subscriber implements Receiver {
  readonly space: Space
  readonly clientId: string
  /** Identity on disk; a clean start makes a new one. */
  readonly sid: Uint8Array
  #sidKey = ''
  /** Lives longer than its connection, therefore on disk. */
  readonly durable: boolean
  readonly outbox: Outbox
  /** Stamp of the newest connection; writes of an older holder lose. */
  epoch: number
  /** Seconds the session outlives its connection. */
  expiry: number
  username: string
  /** Id of the device that connected it, for `v1/devices/me`. */
  deviceId: string | null
  connection: Connection | null = null
  /** The newest CONNECT, while it is being answered: an older one that comes to its end later has lost. */
  claimant: Connection | null = null
  /** Identifiers of QoS 2 messages received and not released, of a session in memory. */
  inbound: PacketIds | null = null
  will: Will | null = null
  /** Where the wheel will publish the will; null: it is not waiting. */
  willTimer: { tick: number; item: Timed } | null = null
  /** Its will waits because the broker was restarted, not because the client went away. */
  willGrace = false
  /** Where the wheel will end it; 0: nowhere. */
  expiryTick = 0
  ended = false
  /** It has been on disk since a CONNACK or before. */
  onDisk = false
  /** Stamp of its row; the newest wins. */
  stamp = 0
  /** When its connection ended, milliseconds since 1970; 0: it has one. */
  endedAt = 0
  /** Messages to it that were dropped; null: none. */
  drops: Drops | null = null
  /** Another process holds it now: what is left of it here is not saved. */
  released = false

  constructor(init: {
    space: Space
    clientId: string
    sid: Uint8Array
    durable: boolean
    outbox: Outbox
    epoch: number
    expiry: number
    username: string
    deviceId: string | null
  }) {
    super()
    this.space = init.space
    this.clientId = init.clientId
    this.sid = init.sid
    this.durable = init.durable
    this.outbox = init.outbox
    this.epoch = init.epoch
    this.expiry = init.expiry
    this.username = init.username
    this.deviceId = init.deviceId
  }

  /** The sid, a character per byte: what it is found by. */
  get sidKey(): string {
    if (this.#sidKey === '') this.#sidKey = sidKey(this.sid)
    return this.#sidKey
  }

  get kind(): 'here' {
    return 'here'
  }

  /** The wheel: the session expiry interval has passed without a connection [MQTT-3.1.2-23]. */
  due(): void {
    this.expiryTick = 0
    if (this.connection === null && !this.ended) this.space.broker.lifecycle.end(this, 'expired')
  }
}
