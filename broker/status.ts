import type { Broker } from './broker.ts'
import { written } from './output.ts'
import type { BrokerStats } from './sys-topics.ts'
import { VERSION } from '#platform/version.ts'

/** Values that are counted when somebody asks. */
export function registerGauges(broker: Broker): void {
  const { metrics } = broker
  const sum = (of: (space: ReturnType<Broker['space']>) => number): number => {
    let total = 0
    for (const space of broker.spaces()) total += of(space)
    return total
  }
  metrics.gauge('cinque_mqtt_connections', 'Open connections', () => broker.connections.size)
  metrics.gauge('cinque_mqtt_sessions', 'Sessions, connected or kept', () => sum((s) => s.sessions.size))
  metrics.gauge('cinque_mqtt_subscriptions', 'Subscriptions', () => sum((s) => s.router.count))
  metrics.gauge('cinque_mqtt_retained_messages', 'Retained messages', () => sum((s) => s.retained.count))
  metrics.gauge(
    'cinque_mqtt_retained_bytes',
    'Bytes of retained messages: topics, payloads and properties',
    () => sum((s) => s.retained.bytes),
  )
  metrics.gauge('cinque_mqtt_sent_bytes', 'Bytes handed to sockets since the start', () => written.bytes)
  metrics.gauge(
    'cinque_mqtt_slow_receivers',
    'Clients that make their publishers wait',
    () => broker.outputLimits.slow.size,
  )
  metrics.gauge('cinque_store_staged_rows', 'Rows waiting for the store, by lane', () =>
    broker.lanes.all.map(({ lane, staged }) => [{ lane }, staged]),
  )
  metrics.gauge('cinque_store_failing', '1 while the store cannot write the rows of this lane', () =>
    broker.lanes.all.map(({ lane, failing }) => [{ lane }, failing ? 1 : 0]),
  )
}

export function sysStats(broker: Broker): BrokerStats {
  let sessions = 0
  let connected = 0
  let retained = 0
  let subscriptions = 0
  let shared = 0
  let stored = 0
  for (const space of broker.spaces()) {
    sessions += space.sessions.size
    retained += space.retained.count
    subscriptions += space.router.count
    shared += space.router.shared
    for (const session of space.sessions.values()) stored += session.outbox.queued
  }
  for (const connection of broker.connections) if (connection.session?.connection === connection) connected++
  const { stats } = broker
  return {
    version: VERSION,
    uptime: (broker.now - broker.startedAt) / 1000,
    clientsConnected: connected,
    clientsDisconnected: sessions - connected,
    clientsMaximum: broker.mostConnections,
    clientsExpired: stats.sessionsExpired.value,
    packetsReceived: stats.packetsIn.value,
    publishReceived: stats.received.value,
    publishSent: stats.sent.value,
    publishDropped: broker.metrics.total('cinque_mqtt_dropped_messages_total'),
    bytesReceived: stats.bytesReceived.value,
    bytesSent: written.bytes,
    storedCount: stored,
    retainedCount: retained,
    subscriptions,
    sharedSubscriptions: shared,
  }
}
