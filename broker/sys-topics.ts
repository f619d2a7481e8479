/** What `$SYS` tells; totals since the start of the process, unless said otherwise. */
export interface BrokerStats {
  readonly version: string
  /** Seconds since the start. */
  readonly uptime: number
  /** Now connected. */
  readonly clientsConnected: number
  /** Sessions without a connection that are kept for their client. */
  readonly clientsDisconnected: number
  /** Most connected at a time. */
  readonly clientsMaximum: number
  /** Sessions whose expiry interval ran out. */
  readonly clientsExpired: number
  /** MQTT packets of all types. */
  readonly packetsReceived: number
  /** PUBLISH packets. */
  readonly publishReceived: number
  readonly publishSent: number
  /** Messages that a limit ended, summed over its reasons. */
  readonly publishDropped: number
  readonly bytesReceived: number
  readonly bytesSent: number
  /** Messages waiting for sessions now. */
  readonly storedCount: number
  readonly retainedCount: number
  readonly subscriptions: number
  readonly sharedSubscriptions: number
}

/**
 * `$SYS` under the names and in the forms of mosquitto 2 (mosquitto(8), "Broker status"), so that dashboards made for
 * it work: one decimal number each, but for `version` and `uptime` ("12 seconds").
 */
export function sysMessages(stats: BrokerStats): [topic: string, payload: string][] {
  const values: [string, string | number][] = [
    ['version', `cinque version ${stats.version}`],
    ['uptime', `${Math.floor(stats.uptime)} seconds`],
    ['clients/total', stats.clientsConnected + stats.clientsDisconnected],
    ['clients/connected', stats.clientsConnected],
    ['clients/disconnected', stats.clientsDisconnected],
    ['clients/maximum', stats.clientsMaximum],
    ['clients/expired', stats.clientsExpired],
    ['messages/received', stats.packetsReceived],
    // of PUBLISH alone: acknowledgements are written too fast to be counted one by one
    ['messages/sent', stats.publishSent],
    ['messages/dropped', stats.publishDropped],
    ['messages/stored', stats.storedCount],
    ['store/messages/count', stats.storedCount],
    ['publish/messages/received', stats.publishReceived],
    ['publish/messages/sent', stats.publishSent],
    ['publish/messages/dropped', stats.publishDropped],
    ['bytes/received', stats.bytesReceived],
    ['bytes/sent', stats.bytesSent],
    ['retained messages/count', stats.retainedCount],
    ['subscriptions/count', stats.subscriptions],
    ['shared_subscriptions/count', stats.sharedSubscriptions],
  ]
  return values.map(([name, value]) => [`$SYS/broker/${name}`, String(value)])
}
