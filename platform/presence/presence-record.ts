import type { HolderState } from './holders.ts'
import type { PresenceRow } from './change.ts'

/** A client of a device, as it is or was connected last. */
export interface ClientPresence {
  readonly clientId: string
  readonly connected: boolean
  /** It says so itself, or it is known to be over; false: nothing is heard now of the process that has the connection. */
  readonly confirmed: boolean
  /** Milliseconds since 1970 at which it connected, or at which that ended. */
  readonly since: number
  readonly connectedAt: number
  readonly reason: string | null
  readonly process: string | null
  readonly dc: string | null
  readonly address: string | null
  readonly version: number | null
  readonly keepAlive: number | null
  readonly cleanStart: boolean | null
  readonly sessionExpiry: number | null
}

/** A device as it is connected and active. */
export interface DevicePresence {
  readonly org: string
  readonly device: string
  /** At least one of its clients is. */
  readonly connected: boolean
  readonly confirmed: boolean
  /** Milliseconds since 1970 of the last change; null: it never was connected. */
  readonly since: number | null
  /** Why it is not connected any more. */
  readonly reason: string | null
  /** Milliseconds since 1970 at which it sent data last; null: never. */
  readonly lastData: number | null
  /** The newest connection first. */
  readonly clients: readonly ClientPresence[]
}

/** When the device was last heard of; null: never. */
export function lastSeenOf({ connected, since, lastData }: DevicePresence, now: number): number | null {
  if (connected) return now
  return since === null && lastData === null ? null : Math.max(since ?? 0, lastData ?? 0)
}

/** Whether its last data are younger than that. */
export function isActive({ lastData }: DevicePresence, now: number, windowMs: number): boolean {
  return lastData !== null && now - lastData < windowMs
}

/** What a row means, given what is known of the process that wrote it. `lastAlive`: when that was, if it is gone. */
export function clientOf(row: PresenceRow, state: HolderState, lastAlive: number | null): ClientPresence {
  const { epoch = 0, at = 0 } = row
  const said = row.connected === true
  const connected = said && state !== 'gone'
  return {
    clientId: row.client_id ?? '',
    connected,
    confirmed: !said || state !== 'unsure',
    since: said && !connected ? Math.max(lastAlive ?? 0, at) : at,
    connectedAt: Math.floor(epoch / 1024),
    reason: connected ? null : said ? 'server_lost' : (row.reason ?? null),
    process: row.process ?? null,
    dc: row.dc ?? null,
    address: row.address ?? null,
    version: row.version ?? null,
    keepAlive: row.keep_alive ?? null,
    cleanStart: row.clean_start ?? null,
    sessionExpiry: row.session_expiry ?? null,
  }
}

/** What its clients make of a device. */
export function deviceOf(
  { org, device }: { org: string; device: string },
  clients: readonly ClientPresence[],
  lastData: number | null,
): DevicePresence {
  const sorted = clients.toSorted((a, b) => Number(b.connected) - Number(a.connected) || b.since - a.since)
  const connected = sorted.filter((client) => client.connected)
  const [last] = sorted
  return {
    org,
    device,
    connected: connected.length > 0,
    confirmed: connected.length === 0 || connected.some(({ confirmed }) => confirmed),
    since: connected.length > 0 ? Math.min(...connected.map(({ since }) => since)) : (last?.since ?? null),
    reason: connected.length > 0 ? null : (last?.reason ?? null),
    lastData,
    clients: sorted,
  }
}
