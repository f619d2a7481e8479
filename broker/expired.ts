import type { Connection } from './connection.ts'
import { ReasonCode } from './packets/reason-code.ts'

/** Disconnects clients whose key or certificate was good for a time only, and that is over. */
export function closeExpired(connections: Iterable<Connection>, now: number): void {
  for (const connection of connections) {
    if ((connection.principal?.expiresAt ?? Number.POSITIVE_INFINITY) > now) continue
    connection.disconnect(ReasonCode.NotAuthorized, 'the key or certificate of this device has expired')
  }
}
