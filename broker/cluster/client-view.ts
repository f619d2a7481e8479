import { z } from 'zod'
import type { Broker } from '../broker.ts'
import type { Session } from '../session.ts'
import type { Subscriber } from '../subscriber.ts'
import type { RemoteSession } from './remote-session.ts'

/** Subscriptions that are shown, and characters of their filters. */
const SHOWN = 100
const SHOWN_TEXT = 16_384

/** A client as an operator sees it. */
export const clientView = z.object({
  /** Stamp of its newest connection. */
  epoch: z.number(),
  connected: z.boolean(),
  /** Name of the process that holds it, and its DC; null: not known, or there is only one. */
  process: z.string().nullable(),
  dc: z.string().nullable(),
  /** Milliseconds since 1970 at which it connected; not connected: at which that ended. */
  since: z.number(),
  address: z.string().nullable(),
  /** Of MQTT: 4 is 3.1.1. */
  version: z.int().nullable(),
  username: z.string(),
  device: z.string().nullable(),
  /** Seconds; 0: none. */
  keepAlive: z.number().nullable(),
  /** Seconds that its session outlives its connection. */
  sessionExpiry: z.number(),
  /** Messages that wait, and those sent and not acknowledged; null: nobody holds it, they are in the store. */
  queued: z.int().nullable(),
  inflight: z.int().nullable(),
  /** Messages to it that were dropped since this process has the session, by reason. */
  drops: z.record(z.string(), z.int()).nullable().default(null),
  subscriptionCount: z.int(),
  /** The first of them. */
  subscriptions: z.array(z.object({ filter: z.string(), qos: z.int() })),
})
export type ClientView = z.output<typeof clientView>

/** What this process knows of a client. */
export function viewClient(broker: Broker, org: string, clientId: string): ClientView | null {
  const space = broker.space(org)
  const session = space.sessions.get(clientId)
  if (session !== undefined && !session.ended) return viewHere(broker, session)
  const away = space.away.get(clientId)
  return away === undefined ? null : viewAway(broker, away)
}

/** The one that knows better: of the newest connection, and from who holds it. */
export function betterView(one: ClientView | null, other: ClientView | null): ClientView | null {
  if (one === null || other === null) return one ?? other
  if (one.epoch !== other.epoch) return one.epoch > other.epoch ? one : other
  return one.queued === null ? other : one
}

function viewHere(broker: Broker, session: Session): ClientView {
  const { connection, outbox, epoch, endedAt, username, deviceId, expiry } = session
  return {
    epoch,
    connected: connection !== null,
    process: broker.cell?.info.name ?? null,
    dc: broker.cell?.info.dc ?? null,
    since: connection === null ? endedAt : Math.floor(epoch / 1024),
    address: connection?.info.remoteAddress ?? null,
    version: connection?.version ?? null,
    username,
    device: deviceId,
    // It may pass one and a half times.
    keepAlive: connection === null ? null : connection.keepAliveMs / 1500,
    sessionExpiry: expiry,
    queued: outbox.queued,
    inflight: outbox.inflight,
    drops: session.drops === null ? {} : { ...session.drops },
    ...shown(session),
  }
}

function viewAway(broker: Broker, away: RemoteSession): ClientView {
  const { epoch, endedAt, holder, username, deviceId, expiry } = away
  const holding = broker.cell?.member(holder)?.peer.info
  return {
    epoch,
    connected: holder !== '',
    process: holding?.name ?? null,
    dc: holding?.dc ?? null,
    since: endedAt === 0 ? Math.floor(epoch / 1024) : endedAt,
    address: null,
    version: null,
    username,
    device: deviceId,
    keepAlive: null,
    sessionExpiry: expiry,
    queued: null,
    inflight: null,
    drops: null,
    ...shown(away),
  }
}

function shown(subscriber: Subscriber): Pick<ClientView, 'subscriptionCount' | 'subscriptions'> {
  const subscriptions: { filter: string; qos: number }[] = []
  let left = SHOWN_TEXT
  for (const { filter, qos } of subscriber.subscriptions()) {
    left -= filter.length
    if (left < 0 || subscriptions.length === SHOWN) break
    subscriptions.push({ filter, qos })
  }
  return { subscriptionCount: subscriber.subscriptionCount, subscriptions }
}
