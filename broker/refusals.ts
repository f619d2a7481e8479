import { type Clock, systemClock } from '#platform/clock.ts'
import type { Logger } from '#platform/log.ts'
import type { Metrics } from '#platform/metrics.ts'

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

/** Lines that one reason may log in a window; a storm of refusals must not become a storm of log lines. */
const LINES_PER_WINDOW = 10
const WINDOW_MS = 10_000

interface Window {
  since: number
  lines: number
  suppressed: number
}

/** Counts each refusal by reason and logs the first few of them; the first line after a storm says how many were left out. */
export class Refusals {
  readonly #windows = new Map<RefusalReason, Window>()
  readonly #metrics: Metrics
  readonly #log: Logger
  readonly #clock: Clock

  constructor(metrics: Metrics, log: Logger, clock: Clock = systemClock) {
    this.#metrics = metrics
    this.#log = log
    this.#clock = clock
  }

  refuse(reason: RefusalReason, message: string, fields: Readonly<Record<string, unknown>>): void {
    this.#metrics.counter(
      'cinque_connections_refused_total',
      'Connections ended before they carried MQTT, by reason',
      { reason },
    ).value++
    const now = this.#clock.now()
    let window = this.#windows.get(reason)
    if (window === undefined) this.#windows.set(reason, (window = { since: now, lines: 0, suppressed: 0 }))
    // a wall clock that was set back also starts a new window
    if (Math.abs(now - window.since) >= WINDOW_MS) {
      window.since = now
      window.lines = 0
    }
    if (window.lines >= LINES_PER_WINDOW) {
      window.suppressed++
      return
    }
    window.lines++
    const line: Record<string, unknown> = { event: 'connection.refused', reason, ...fields }
    if (window.suppressed > 0) {
      line['suppressed'] = window.suppressed
      window.suppressed = 0
    }
    this.#log.warn(line, message)
  }
}
