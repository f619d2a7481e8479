import type { Connection } from '../connection.ts'
import type { Outgoing } from '../message.ts'

/** Messages of QoS 1 and 2 on their way to one session: those in flight and those that wait for room. */
export interface Outbox {
  /** Most messages in flight: the smaller of the client's Receive Maximum and the broker's own limit. */
  window: number
  /** No room in flight: the next message waits. */
  readonly full: boolean
  /** Sent and not acknowledged. */
  readonly inflight: number
  /** Waiting. */
  readonly queued: number
  /** So much waits that sources should wait too: half of what may. */
  readonly pressing: boolean
  /** Takes a message of QoS 1 or 2: sends it, keeps it, or drops it by the queue's policy (counted). */
  deliver(out: Outgoing): void
  /** The session has a connection: what is in flight is sent again [MQTT-4.4.0-1], then what waits. */
  attach(connection: Connection): void
  /** The connection is gone. */
  detach(): void
  /** PUBACK; `refused`: with a reason code of 0x80 or more. */
  acknowledged(packetId: number, refused: boolean): void
  /** PUBREC; `failed`: with a reason code of 0x80 or more, which ends the exchange (4.3.3). */
  received(packetId: number, failed: boolean): void
  /** PUBCOMP. */
  completed(packetId: number): void
}

/** Bytes in flight, where they are held here, after which no more is sent, whatever the window says. */
export const FLIGHT_BYTES = 4_194_304

/** States of a packet identifier that the broker has given out. */
export const AWAIT_PUBACK = 1
export const AWAIT_PUBREC = 2
export const AWAIT_PUBCOMP = 3
