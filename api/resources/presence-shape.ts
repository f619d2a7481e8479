import { z } from 'zod'
import { endReasons } from '#platform/presence/change.ts'
import type { PresenceEvent } from '#platform/presence/presence-history.ts'
import {
  type ClientPresence,
  type DevicePresence,
  isActive,
  lastSeenOf,
} from '#platform/presence/presence-record.ts'

const reason = z
  .enum(endReasons)
  .nullable()
  .describe('why it is not connected any more; `server_lost`: its server is gone, when exactly is not known')
const connection = {
  process: z.string().nullable().describe('that has the connection, or had it; null: there is one only'),
  dc: z.string().nullable().describe('datacenter of that process'),
  address: z.string().nullable(),
  mqtt: z.enum(['3.1.1', '5.0']).nullable(),
  keep_alive: z.number().nullable().describe('seconds; 0: none'),
  clean_start: z.boolean().nullable(),
  session_expiry: z.number().nullable().describe('seconds that the session outlives the connection'),
}

const client = z
  .object({
    client_id: z.string(),
    connected: z.boolean(),
    confirmed: z.boolean(),
    since: z.iso.datetime().describe('when it connected, or when that ended'),
    connected_at: z.iso.datetime(),
    reason,
    ...connection,
  })
  .meta({ id: 'ClientPresence' })

export const devicePresence = z
  .object({
    device: z.object({ id: z.string(), name: z.string() }),
    connected: z.boolean().describe('at least one of its clients is, by MQTT'),
    confirmed: z
      .boolean()
      .describe('false: the process that has the connection cannot be asked now, as behind a cut'),
    since: z.iso.datetime().nullable().describe('of the last change; null: it never was connected'),
    reason,
    active: z.boolean().describe('its last data are younger than `active_window`'),
    active_window: z.int().describe('seconds'),
    last_activity: z.iso.datetime().nullable().describe('when it sent data last, by whatever way'),
    last_seen: z.iso
      .datetime()
      .nullable()
      .describe('the later of its last data and of the end of its last connection; now, if it is connected'),
    clients: z.array(client).describe('those that are connected first; of the others the latest'),
  })
  .meta({ id: 'Presence' })

export const presenceEvent = z
  .object({
    at: z.iso.datetime(),
    client_id: z.string(),
    connected: z.boolean(),
    reason,
    changes: z
      .int()
      .describe('how many it stands for: a client that comes and goes all the time is not written each time'),
    ...connection,
  })
  .meta({ id: 'PresenceEvent' })

/** A device's presence as the API shows it. */
export function shownPresence(
  device: { readonly id: string; readonly name: string },
  one: DevicePresence,
  { now, window }: { now: number; window: number },
): z.input<typeof devicePresence> {
  const { connected, confirmed, since, reason: why, lastData, clients } = one
  return {
    device: { id: device.id, name: device.name },
    connected,
    confirmed,
    since: time(since),
    reason: why as z.input<typeof reason>,
    active: isActive(one, now, window * 1000),
    active_window: window,
    last_activity: time(lastData),
    last_seen: time(lastSeenOf(one, now)),
    clients: clients.map((each) => ({
      ...shownConnection(each),
      confirmed: each.confirmed,
      since: new Date(each.since).toISOString(),
      connected_at: new Date(each.connectedAt).toISOString(),
    })),
  }
}

export function shownEvent(event: PresenceEvent): z.input<typeof presenceEvent> {
  return { ...shownConnection(event), at: new Date(event.at).toISOString(), changes: event.changes }
}

function shownConnection(one: ClientPresence | PresenceEvent) {
  return {
    client_id: one.clientId,
    connected: one.connected,
    reason: one.reason as z.input<typeof reason>,
    process: one.process,
    dc: one.dc,
    address: one.address,
    mqtt: one.version === null ? null : one.version === 5 ? ('5.0' as const) : ('3.1.1' as const),
    keep_alive: one.keepAlive,
    clean_start: one.cleanStart,
    session_expiry: one.sessionExpiry,
  }
}

function time(at: number | null): string | null {
  return at === null ? null : new Date(at).toISOString()
}
