import type { Outgoing } from '../message.ts'
import type { Receiver } from '../receiver.ts'
import type { Space } from '../space.ts'
import { Subscriber } from '../subscriber.ts'
import type { PeerReceiver } from './peer-receiver.ts'

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
  /** Milliseconds since 1970; 0: connected, as far as is known. */
  endedAt: number
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
