import type { DeviceClient } from '#platform/presence/change.ts'
import type { Connection } from './connection.ts'
import type { Session } from './session.ts'

/** A connection as presence sees it; null: it is no device's. */
export function clientOf(connection: Connection, session: Session): DeviceClient | null {
  const device = connection.principal?.device ?? null
  if (device === null) return null
  return {
    device,
    clientId: session.clientId,
    epoch: session.epoch,
    address: connection.info.remoteAddress,
    version: connection.version,
    // It may pass one and a half times.
    keepAlive: connection.keepAliveMs / 1500,
    cleanStart: connection.cleanStart,
    sessionExpiry: session.expiry,
  }
}
