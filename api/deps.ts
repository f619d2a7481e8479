import type { Clock } from '#platform/clock.ts'
import type { Logger } from '#platform/log.ts'
import type { FirmwareSource } from './iotguru/firmware.ts'
import type { Metrics } from '#platform/metrics.ts'
import type { Platform } from '#platform/platform.ts'
import type { Admission, Rates } from './admission.ts'

/** A message that the API hands to the broker. */
export interface OutgoingMessage {
  readonly org: string
  readonly topic: string
  readonly payload: Uint8Array
}

/** An MQTT client as the processes that know it describe it. */
export interface ClientDetails {
  readonly connected: boolean
  /** Of who holds it; null: not known, or there is one process only. */
  readonly process: string | null
  readonly dc: string | null
  /** Milliseconds since 1970 at which it connected; not connected: at which that ended. */
  readonly since: number
  readonly address: string | null
  /** 4: MQTT 3.1.1. */
  readonly version: number | null
  readonly username: string
  readonly device: string | null
  /** Seconds. */
  readonly keepAlive: number | null
  readonly sessionExpiry: number
  readonly queued: number | null
  readonly inflight: number | null
  /** Messages to it that were dropped, by reason; null: not known. */
  readonly drops: Readonly<Record<string, number>> | null
  readonly subscriptionCount: number
  readonly subscriptions: { filter: string; qos: number }[]
}

/** Which clients are wanted; what is absent does not matter. */
interface ClientFilter {
  readonly connected?: boolean | undefined
  readonly device?: string | undefined
  readonly username?: string | undefined
  readonly prefix?: string | undefined
  readonly dc?: string | undefined
  readonly process?: string | undefined
  readonly minQueued?: number | undefined
  readonly minDropped?: number | undefined
}

/** What a traced client has sent or received; `missed`: lines before it that were too many. */
export interface TraceNews {
  readonly line: {
    /** Milliseconds since 1970. */
    readonly at: number
    readonly client: string
    readonly direction: 'in' | 'out' | 'state'
    readonly summary: string
  } | null
  readonly missed: number
}

/** The MQTT clients of all processes. All reject with RangeError when too much is being asked at a time. */
export interface Clients {
  /** `complete`: every process in contact has answered. */
  find(org: string, clientId: string): Promise<{ client: ClientDetails | null; complete: boolean }>
  kick(org: string, clientId: string): Promise<{ kicked: boolean; complete: boolean }>
  /** In order of their ids, behind `after`. */
  list(query: { org: string; after: string | null; limit: number; filter: ClientFilter }): Promise<{
    clients: readonly { readonly id: string; readonly view: ClientDetails }[]
    more: boolean
    complete: boolean
  }>
  /** In order of their filters, behind `after`. */
  subscriptions(query: { org: string; client: string; after: string | null; limit: number }): Promise<{
    found: {
      readonly count: number
      readonly subscriptions: readonly { filter: string; qos: number; no_local: boolean }[]
    } | null
    complete: boolean
  }>
  /** Until the returned function is called. Throws RangeError. */
  trace(
    who: { org: string; client: string | null; device: string | null },
    news: (news: TraceNews) => void,
  ): () => void
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
  /** Why the store can be neither read nor written now, or null. Writes are refused before they begin, `/readyz` fails. */
  readonly storeAway?: (() => string | null) | undefined
  /** Aborted when the server stops: `/readyz` fails and live streams end. */
  readonly stopping?: AbortSignal | undefined
  /** Publishes at QoS 1 to whoever is subscribed; resolves when that is promised. Absent: `/mqtt/send` is not there. */
  readonly publish?: ((message: OutgoingMessage) => Promise<void>) | undefined
  /** Firmware that devices should run, for the IoT Guru library's update. Absent: there never is any. */
  readonly firmware?: FirmwareSource | undefined
  /** Names of the datacenters and hosts that there are. Absent: the process does not know the inventory. */
  readonly subjects?: (() => readonly string[]) | undefined
  /** Absent: `/v1/clients` is not there. */
  readonly clients?: Clients | undefined
  /** Holds answers against their schemas, which takes time; for tests. What schemas do not name is never sent. */
  readonly checkAnswers?: boolean | undefined
  /** How often somebody may ask. Default: as often as he likes. */
  readonly rates?: Rates | undefined
  /** Made of them by `createApi`. */
  readonly admission?: Admission | undefined
  /** Origins whose pages may call the API from a browser, as `https://console.example.org`; `*`: all. Default: none. */
  readonly corsOrigins?: readonly string[] | undefined
  /**
   * Addresses or networks of the proxies in front, whose X-Forwarded-For is believed (`loopback`, `10.0.0.0/8`).
   * Default: none; a client could write into it what it wants.
   */
  readonly trustedProxies?: readonly string[] | undefined
  /** Rows waiting for the disk at which requests that store are refused (429). Default: 65,536. */
  readonly maxStaged?: number | undefined
  /** Milliseconds that a request waits for the disk before it answers `outcome_unknown`. Default: 10,000. */
  readonly durableTimeout?: number | undefined
  /** Milliseconds between signs of life on live streams. Default: 15,000. */
  readonly heartbeat?: number | undefined
}
