import { randomUUIDv7 } from 'node:crypto'
import type { Clock } from '../clock.ts'
import { hash128 } from '../hash.ts'
import type { Counter, Metrics } from '../metrics.ts'
import type { Lanes } from '../store/lanes.ts'
import type { Batch } from '../store/store.ts'
import { redact } from './redact.ts'
import { audit, auditBuckets, auditDay } from './tables.ts'

/** Who did something. */
export interface Actor {
  readonly kind: 'platform' | 'organisation' | 'user' | 'key' | 'device' | 'system' | 'anonymous'
  readonly id: string
  /** As people know it. */
  readonly name: string
  readonly address?: string | undefined
}

/** Something that somebody wants to change. */
export interface Deed {
  /** Organisation, or `platformSpace`. */
  readonly org: string
  readonly actor: Actor
  /** `POST /v1/devices`; of scheduled and local work its name. */
  readonly operation: string
  /** Ids of what is changed. */
  readonly targets?: readonly string[] | undefined
  readonly request?: string | undefined
}

export type Outcome = 'begun' | 'done' | 'denied' | 'failed'

/** What came of it. Secrets are taken out of `before` and `after`. */
export interface Result {
  readonly outcome: Outcome
  readonly targets?: readonly string[] | undefined
  readonly before?: unknown
  readonly after?: unknown
  /** Code of the problem. */
  readonly problem?: string | undefined
}

/** Where what is of no organisation is recorded; not a name that an organisation can have. */
export const platformSpace = '~platform'

/** Refusals recorded of one organisation in a minute; whoever makes more of them has been seen. */
const maxDenied = 300
const minuteMs = 60_000
export const dayMs = 86_400_000
const maxTargets = 100
const maxText = 512
/** Days and buckets known to be listed. */
const maxListed = 20_000

/** A deed that is under way. */
export class Begun {
  readonly #end: (result: Result) => void
  #ended = false

  constructor(end: (result: Result) => void) {
    this.#end = end
  }

  /** Stages what came of it; the first time counts. */
  end(result: Result): void {
    if (this.#ended) return
    this.#ended = true
    this.#end(result)
  }
}

/**
 * Who changed what. An entry is durable as `begun` before the change, and complete before its answer: what was done is
 * never without an entry. Append-only, 400 days. Works in a DC that is alone.
 */
export class Audit {
  readonly #lanes: Lanes
  readonly #clock: Clock
  readonly #dropped: Counter
  readonly #listed = new Set<string>()
  readonly #denied = new Map<string, number>()
  #deniedSince = 0
  readonly #bucket: number
  readonly #place: { dc?: string | undefined; process?: string | undefined }

  constructor(
    lanes: Lanes,
    clock: Clock,
    metrics: Metrics,
    place: { dc?: string | undefined; process?: string | undefined } = {},
  ) {
    this.#lanes = lanes
    this.#clock = clock
    this.#place = place
    this.#bucket = hash128(randomUUIDv7())[0] % auditBuckets
    this.#dropped = metrics.counter(
      'cinque_audit_dropped_total',
      'Refusals that were not recorded, because an organisation had too many in a minute',
      { reason: 'too_many_denied' },
    )
  }

  /** Stages that it begins; it must not before that is durable. */
  begin(deed: Deed): Begun {
    const at = this.#clock.now()
    const id = randomUUIDv7()
    this.#put(deed, { at, id }, { outcome: 'begun' })
    return new Begun((result) => this.#put(deed, { at, id }, result))
  }

  /** Stages one entry of something that is over. */
  note(deed: Deed, result: Result): void {
    this.#put(deed, { at: this.#clock.now(), id: randomUUIDv7() }, result)
  }

  /** One entry of something that is over; durable when it resolves. */
  async record(deed: Deed, result: Result): Promise<void> {
    this.note(deed, result)
    await this.#lanes.of(deed.org).durable()
  }

  /** Stages a refusal, unless there were too many of the organisation lately. */
  denied(deed: Deed, problem: string): void {
    const now = this.#clock.now()
    if (now - this.#deniedSince >= minuteMs) {
      this.#deniedSince = now
      this.#denied.clear()
    }
    const count = this.#denied.get(deed.org) ?? 0
    if (count >= maxDenied) {
      this.#dropped.value++
      return
    }
    this.#denied.set(deed.org, count + 1)
    this.note(deed, { outcome: 'denied', problem })
  }

  /** Does something that nobody asked for over the API, with an entry. */
  async run<T>(
    deed: Deed,
    work: () => Promise<{ value: T } & Pick<Result, 'targets' | 'before' | 'after'>>,
  ): Promise<T> {
    const begun = this.begin(deed)
    await this.#lanes.of(deed.org).durable()
    try {
      const { value, ...changes } = await work()
      begun.end({ outcome: 'done', ...changes })
      await this.#lanes.of(deed.org).durable()
      return value
    } catch (error) {
      begun.end({ outcome: 'failed', problem: 'internal' })
      throw error
    }
  }

  #put(deed: Deed, { at, id }: { at: number; id: string }, result: Result): void {
    const { org, actor } = deed
    const day = Math.floor(at / dayMs)
    const bucket = this.#bucket
    const batch = this.#lanes.of(org).stage()
    this.#list(batch, org, day)
    const targets = result.targets ?? deed.targets ?? []
    batch.put(audit, {
      org,
      day,
      bucket,
      at,
      id,
      outcome: result.outcome,
      actor_kind: actor.kind,
      actor_id: short(actor.id),
      actor_name: short(actor.name),
      address: actor.address,
      operation: short(deed.operation),
      targets: JSON.stringify(targets.slice(0, maxTargets).map(short)),
      before: result.before === undefined ? undefined : redact(result.before),
      after: result.after === undefined ? undefined : redact(result.after),
      problem: result.problem,
      request: deed.request,
      dc: this.#place.dc,
      process: this.#place.process,
    })
  }

  #list(batch: Batch, org: string, day: number): void {
    const name = `${org} ${day}`
    if (this.#listed.has(name)) return
    batch.put(auditDay, { org, day, bucket: this.#bucket })
    if (this.#listed.size >= maxListed) this.#listed.clear()
    this.#listed.add(name)
  }
}

function short(text: string): string {
  return text.slice(0, maxText).toWellFormed()
}
