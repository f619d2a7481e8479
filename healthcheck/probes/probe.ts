import type { Dc, Host } from '#platform/inventory/inventory.ts'

/** A host that is looked at, by its address; names of the service are told by SNI and Host only. */
export interface Target {
  readonly dc: Dc
  readonly host: Host
}

/**
 * What a failed probe says about the service.
 * `serve`: a device or user gets no service here; counts towards a vote for down.
 * `degrade`: slower or with less redundancy (a Cassandra node of three away, a full disk near): shown, alerted, never a reason to go elsewhere.
 */
type Weight = 'serve' | 'degrade'

/** One kind of look at a host; one file each. */
export interface Probe {
  /** Stable, in metrics and history: `mqtt-tls`. */
  readonly name: string
  readonly weight: Weight
  /** Seconds between two looks at one host; default: the inventory's `health.interval`. */
  readonly interval?: number
  /** Milliseconds after which it has failed. */
  readonly timeoutMs: number
  /** Milliseconds above which it is slow: well enough to stay, not well enough to say nothing. */
  readonly slowMs: number
  /** Resolves if all is well, with what is worth showing; rejects with an Error of one line. Ends at `signal`, and leaves nothing behind. */
  run(target: Target, signal: AbortSignal): Promise<ProbeNote | undefined>
}

/** Something measured that is no failure: certificate days left, clock skew. */
export type ProbeNote = Readonly<Record<string, number | string>>

/** What one look found. */
export interface ProbeResult {
  readonly probe: string
  readonly weight: Weight
  /** Name of the host, and of its DC. */
  readonly host: string
  readonly dc: string
  readonly ok: boolean
  /** It went well, but took longer than the probe's slow limit. */
  readonly slow?: boolean
  /** It failed because the host refuses the checker's own device or key. */
  readonly refused?: boolean
  /** When it ended, milliseconds since 1970, and how long it took. */
  readonly at: number
  readonly ms: number
  readonly error?: string
  readonly note?: ProbeNote
}
