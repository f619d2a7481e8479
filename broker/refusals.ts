import { type Clock, systemClock } from '#platform/clock.ts'
import type { Logger } from '#platform/log.ts'
import type { Metrics } from '#platform/metrics.ts'
import { LogLimit } from './log-limit.ts'

/** Why a connection ended before it carried MQTT; the `reason` label of `cinque_connections_refused_total`. */
export type RefusalReason =
  | 'max_connections'
  | 'connect_rate'
  | 'banned'
  | 'handshakes'
  | 'accept'
  | 'proxy_header'
  | 'proxy_timeout'
  | 'tls_handshake'
  | 'tls_timeout'
  | 'tls_certificate'
  | 'websocket_upgrade'
  | 'websocket_timeout'
  | 'websocket_frame'

/** Counts each refusal by reason and logs the first few of them; the first line after a storm says how many were left out. */
export class Refusals {
  readonly #metrics: Metrics
  readonly #limit: LogLimit

  constructor(metrics: Metrics, log: Logger, clock: Clock = systemClock) {
    this.#metrics = metrics
    this.#limit = new LogLimit(log, clock)
  }

  refuse(reason: RefusalReason, message: string, fields: Readonly<Record<string, unknown>>): void {
    this.#metrics.counter(
      'cinque_connections_refused_total',
      'Connections ended before they carried MQTT, by reason',
      { reason },
    ).value++
    this.#limit.warn(reason, { event: 'connection.refused', reason, ...fields }, message)
  }
}
