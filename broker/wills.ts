import type { Message } from './message.ts'

/** The will of a session's connection (3.1.2.5). */
export interface Will {
  readonly message: Message
  /** Seconds between the end of the connection and the will (3.1.3.2.2). */
  readonly delay: number
}
