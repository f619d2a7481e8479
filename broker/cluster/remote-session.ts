import type { Outgoing } from '../message.ts'
import type { Receiver } from '../receiver.ts'
import type { Space } from '../space.ts'
import { Subscriber } from '../subscriber.ts'
import type { PeerReceiver } from './peer-receiver.ts'

/** 2020-01-01. */
const ENDS_FROM = 1_577_836_800_000

/** A persistent session that another process holds, or nobody: what is needed to write to its inbox. */
export class RemoteSession extends Subscriber implements Receiver {
  readonly space: Space
  readonly clientId: string
  /** Its sid, a character per byte: a third of the memory of bytes. */
  readonly sidKey: string
  deviceId: string | null
  username: string
  epoch: number
  stamp: number
  expiry: number
  /** Seconds since `ENDS_FROM`; 0: connected, as far as is known. A number of 31 bits needs no memory of its own. */
  #ended = 0
  /** Incarnation of the process that holds its connection; empty: none. */
  holder: string
  /** Number of the DC of its last holder, where its state is; 0: not known. */
  lastDc = 0
  /** Rows written to it here since its holder changed. */
  appended = 0

  constructor(init: {
    space: Space
    clientId: string
    sidKey: string
    deviceId: string | null
    username: string
    epoch: number
    stamp: number
    expiry: number
    endedAt: number
    holder: string
  }) {
    super()
    this.space = init.space
    this.clientId = init.clientId
    this.sidKey = init.sidKey
    this.deviceId = init.deviceId
    this.username = init.username
    this.epoch = init.epoch
    this.stamp = init.stamp
    this.expiry = init.expiry
    this.endedAt = init.endedAt
    this.holder = init.holder
  }

  get kind(): 'away' {
    return 'away'
  }

  /** Milliseconds since 1970, to the second; 0: connected, as far as is known. */
  get endedAt(): number {
    return this.#ended === 0 ? 0 : ENDS_FROM + this.#ended * 1000
  }

  set endedAt(ms: number) {
    this.#ended = ms === 0 ? 0 : Math.max(1, Math.floor((ms - ENDS_FROM) / 1000))
  }

  get sid(): Uint8Array {
    return Buffer.from(this.sidKey, 'latin1')
  }

  get durable(): boolean {
    return true
  }

  get connection(): null {
    return null
  }

  get outbox(): this {
    return this
  }

  get full(): boolean {
    return false
  }

  get pressing(): boolean {
    return false
  }

  /** The process that holds it, if it is known and its stream is open. */
  get holderReceiver(): PeerReceiver | null {
    if (this.holder === '') return null
    return this.space.broker.cell?.member(this.holder)?.receiver(this.space) ?? null
  }

  /** Stages a row of its inbox, and sends a copy to its holder. */
  deliver(out: Outgoing): void {
    this.space.broker.cell?.append(this, out)
  }
}
