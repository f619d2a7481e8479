import type { Change, HealthCheckConfig, ResourceRecordSet } from '@aws-sdk/client-route-53'

/** A public zone that Route 53 serves. */
export interface HostedZone {
  /** As `Z0123456789ABCDEFGHIJ`, without the path that the API puts before it. */
  readonly id: string
  /** Without a dot at its end. */
  readonly name: string
}

/** A health check as it is in the account. */
export interface LiveCheck {
  readonly id: string
  /** CallerReference of its creation; never changes. */
  readonly reference: string
  /** Grows with each update. */
  readonly version: number
  readonly config: HealthCheckConfig
}

export type Tags = Readonly<Record<string, string>>
export type Tagged = 'hostedzone' | 'healthcheck'

/** What is needed of Route 53. Every method may fail with Route53Error. */
export interface Route53 {
  /** Public zones of that name; several may have it. */
  zonesNamed(name: string): Promise<HostedZone[]>
  /** `NoSuchHostedZone` */
  zone(id: string): Promise<HostedZone>
  /** All of the zone, in the order of the API. */
  records(zone: string): Promise<ResourceRecordSet[]>
  /** All of them or none; resolves with the change's id when they are accepted, not when every server has them. */
  change(zone: string, changes: readonly Change[], comment: string): Promise<string>
  /** Whether all servers have it. */
  isInSync(change: string): Promise<boolean>
  /** All of the account, other people's as well. */
  checks(): Promise<LiveCheck[]>
  /** The same reference and settings again give the check that is there. `HealthCheckAlreadyExists` */
  createCheck(reference: string, config: HealthCheckConfig): Promise<LiveCheck>
  /** Only of that version: `HealthCheckVersionMismatch`. */
  updateCheck(id: string, version: number, config: HealthCheckConfig): Promise<LiveCheck>
  deleteCheck(id: string): Promise<void>
  /** What each prober said last, as `Success: HTTP Status Code 200, OK`; not of calculated checks, which have none. */
  observations(id: string): Promise<string[]>
  /** Of those that are there. */
  tags(of: Tagged, ids: readonly string[]): Promise<Map<string, Tags>>
  /** Adds these, and changes those that are there. */
  tag(of: Tagged, id: string, tags: Tags): Promise<void>
}

/** What Route 53, or the way to it, refused. */
export class Route53Error extends Error {
  /** Of Route 53's API: `InvalidChangeBatch`, `Throttling`; or one of `CredentialsMissing`, `Unreachable`. */
  readonly code: string
  /** Whether nothing was done for certain: an answer that is lost says nothing. */
  readonly refused: boolean

  constructor(code: string, message: string, options: { refused?: boolean; cause?: unknown } = {}) {
    super(message, { cause: options.cause })
    this.name = 'Route53Error'
    this.code = code
    this.refused = options.refused ?? true
  }
}

/** A request of ChangeResourceRecordSets holds at most this; an UPSERT counts twice. */
export const batchLimits = { records: 1000, characters: 32_000 }
