import type { Connection } from './connection.ts'
import type { Outgoing } from './message.ts'
import type { Space } from './space.ts'

/** What takes messages of QoS 1 and 2 on behalf of a receiver. */
interface Inlet {
  /** No room in flight. */
  readonly full: boolean
  /** So much waits that publishers should wait too. */
  readonly pressing: boolean
  deliver(out: Outgoing): void
}

/**
 * What a route leads to: a session that this process holds (`here`), a persistent one that another process holds, or
 * nobody (`away`), or another process that wants the messages for sessions of its own (`peer`).
 */
export interface Receiver {
  readonly kind: 'here' | 'away' | 'peer'
  readonly space: Space
  /** Of a session; of a process its name. */
  readonly clientId: string
  /** Identity of a session on disk. */
  readonly sid: Uint8Array
  /** Id of the device that connected it, for `v1/devices/me`. */
  readonly deviceId: string | null
  /** Its messages are promised: they are rows of its inbox. */
  readonly durable: boolean
  readonly connection: Connection | null
  readonly outbox: Inlet
}
