import type { SimProcess } from './process.ts'

/** A message that a client has published, or left as its will. */
export interface Sent {
  readonly id: string
  readonly topic: string
  readonly qos: 1 | 2
  readonly retain: boolean
  readonly publisher: string
  /** Its place among what this client published. */
  readonly n: number
  /** When it was first sent, and on which of its client's connections; null: not yet. */
  sentAt: number | null
  connection: number
  resent: boolean
  ackedAt: number | null
  /** Who acknowledged it. */
  taker: SimProcess | null
  /** The broker had forgotten the publisher's session: it may be there twice. */
  excused: boolean
}

/** One subscription of a client, from SUBSCRIBE to its end. */
export interface Subscribed {
  readonly filter: string
  readonly qos: 1 | 2
  readonly sentAt: number
  ackedAt: number | null
  /** Where it was acknowledged. */
  process: SimProcess | null
  /** The client asked for its end, or for that of its session. */
  endedAt: number | null
  /** That was acknowledged. */
  goneAt: number | null
}

/** A message that a client got, once for each time that it would show it to its user. */
export interface Receipt {
  readonly id: string
  readonly at: number
  readonly connection: number
  readonly qos: number
  readonly dup: boolean
  readonly retain: boolean
}

/** One connection of a client, as it saw it. */
export interface Connected {
  readonly n: number
  readonly process: SimProcess
  readonly cleanStart: boolean
  readonly sentAt: number
  ackedAt: number | null
  present: boolean
  /** Null: it is open. `gone`: without DISCONNECT. `vanished`: without a trace, so that the broker does not know. */
  ended: 'graceful' | 'gone' | 'vanished' | null
  endedAt: number
  will: Sent | null
  /** Its process has neither died nor stood still, from CONNECT until `then` at least. */
  readonly smooth: (then: number) => boolean
}

/** Everything that was seen from outside. */
export class History {
  readonly sent = new Map<string, Sent>()
}
