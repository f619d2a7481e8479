import type { Counter, Metrics } from '#platform/metrics.ts'
import { reasonName } from './packets/reason-code.ts'

/** The broker's counters; the hot path increments `value`. */
export class Stats {
  readonly bytesReceived: Counter
  readonly packetsIn: Counter
  readonly received: Counter
  readonly remote: Counter
  readonly sent: Counter
  readonly connects: Counter
  readonly malformed: Counter
  readonly oversized: Counter
  readonly slowClosed: Counter
  readonly takeovers: Counter
  readonly denied: { publish: Counter; subscribe: Counter }
  readonly rateLimited: Counter
  readonly willsPublished: Counter
  readonly sessionsExpired: Counter
  /** Messages not delivered, by reason. */
  readonly dropped: {
    slow: Counter
    queueFull: Counter
    expired: Counter
    tooLarge: Counter
    offline: Counter
    denied: Counter
    refused: Counter
    retainedLimit: Counter
    rate: Counter
    quota: Counter
    /** The platform did not want it to be sent any more. */
    withdrawn: Counter
    sessionEnded: Counter
    peerLost: Counter
  }
  readonly #metrics: Metrics

  constructor(metrics: Metrics) {
    this.#metrics = metrics
    const counter = (name: string, help: string, labels?: Record<string, string>): Counter =>
      metrics.counter(`cinque_mqtt_${name}_total`, help, labels)
    this.bytesReceived = counter('received_bytes', 'Bytes received from MQTT clients')
    this.packetsIn = counter('received_packets', 'Packets received')
    this.remote = counter('remote_messages', 'Messages that other processes have taken, for clients here')
    this.received = counter('received_messages', 'PUBLISH packets received')
    this.sent = counter('sent_messages', 'PUBLISH packets sent')
    this.connects = counter('connects', 'Clients connected')
    this.malformed = counter('malformed', 'Connections ended because of a malformed or forbidden packet')
    this.oversized = counter('oversized', 'Packets refused by their size')
    this.slowClosed = counter('slow_closed', 'Connections ended because the client did not read')
    this.takeovers = counter('takeovers', 'Sessions taken over by a newer connection')
    this.denied = {
      publish: counter('denied', 'Denied by an access rule', { access: 'publish' }),
      subscribe: counter('denied', 'Denied by an access rule', { access: 'subscribe' }),
    }
    this.rateLimited = counter('rate_limited', 'PUBLISH packets above a rate limit')
    this.willsPublished = counter('wills_published', 'Will messages published')
    this.sessionsExpired = counter(
      'sessions_expired',
      'Sessions ended because their client did not come back',
    )
    const dropped = (reason: string): Counter =>
      counter('dropped_messages', 'Messages not delivered, by reason', { reason })
    this.dropped = {
      slow: dropped('slow_receiver'),
      queueFull: dropped('queue_full'),
      expired: dropped('expired'),
      tooLarge: dropped('larger_than_receiver_allows'),
      offline: dropped('qos0_offline'),
      denied: dropped('access_denied'),
      refused: dropped('payload_refused'),
      retainedLimit: dropped('retained_limit'),
      rate: dropped('rate_limit'),
      quota: dropped('organisation_quota'),
      withdrawn: dropped('withdrawn'),
      sessionEnded: dropped('session_ended'),
      peerLost: dropped('process_out_of_contact'),
    }
  }

  /** Counts a refused CONNECT. */
  refused(reason: number): void {
    this.#metrics.counter('cinque_mqtt_refused_total', 'CONNECTs refused, by reason', {
      reason: reasonName(reason),
    }).value++
  }

  /** Counts a connection that the broker ended. */
  disconnected(reason: number): void {
    this.#metrics.counter('cinque_mqtt_disconnected_total', 'Connections ended by the broker, by reason', {
      reason: reasonName(reason),
    }).value++
  }
}
