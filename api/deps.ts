import type { Clock } from '#platform/clock.ts'
import type { Logger } from '#platform/log.ts'
import type { Metrics } from '#platform/metrics.ts'
import type { Platform } from '#platform/platform.ts'

/** A message that the API hands to the broker. */
export interface OutgoingMessage {
  readonly org: string
  readonly topic: string
  readonly payload: Uint8Array
}

/** What the API needs around it. */
export interface ApiDeps {
  readonly platform: Platform
  readonly log: Logger
  readonly metrics: Metrics
  readonly clock: Clock
  /** Opens everything, in all organisations. At least 16 characters. */
  readonly adminToken: string
  /** Of the platform, for the OpenAPI document. */
  readonly version: string
  /** Why the process takes no requests now (starting, draining), or null. Asked by `/readyz`. */
  readonly notReady?: (() => string | null) | undefined
  /** Aborted when the server stops: `/readyz` fails and live streams end. */
  readonly stopping?: AbortSignal | undefined
  /** Publishes at QoS 1 to whoever is subscribed; resolves when that is promised. Absent: `/mqtt/send` is not there. */
  readonly publish?: ((message: OutgoingMessage) => Promise<void>) | undefined
  /** Rows waiting for the disk at which requests that store are refused (429). Default: 65,536. */
  readonly maxStaged?: number | undefined
  /** Milliseconds that a request waits for the disk before it answers `outcome_unknown`. Default: 10,000. */
  readonly durableTimeout?: number | undefined
  /** Milliseconds between signs of life on live streams. Default: 15,000. */
  readonly heartbeat?: number | undefined
}
