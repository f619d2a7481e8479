import { z } from 'zod'
import { PlatformError } from '../errors.ts'
import { putIf } from '../registry/conditional.ts'
import type { Store } from '../store/store.ts'
import { quota } from './tables.ts'

/** What is counted by the day (UTC). */
export const dailyKinds = ['requests', 'messages', 'points'] as const
export type DailyKind = (typeof dailyKinds)[number]
export const quotaKinds = [...dailyKinds, 'connections', 'storage_days'] as const
export type QuotaKind = (typeof quotaKinds)[number]

/** Limits of one organisation; 0: none. */
export type Limits = Readonly<Record<QuotaKind, number>>

const limit = (what: string) => z.int().min(0).default(0).describe(`${what}; 0: no limit`)

/** What an organisation may use, unless its own row says something else. */
export const quotaConfig = z.strictObject({
  requests: limit('requests to the API a day (UTC) (429 beyond)'),
  messages: limit('messages published a day (MQTT: 0x97 beyond)'),
  points: limit('values stored a day (MQTT: 0x97, HTTP: 429 beyond)'),
  connections: limit('MQTT connections at a time (0x97 beyond)'),
  storage_days: limit('days for which values are kept at most'),
})

export interface Override {
  /** Null: as configured. */
  readonly limits: Readonly<Record<QuotaKind, number | null>>
  /** Counts changes; 0: there never was one. */
  readonly version: number
}

/** What organisations may use. Changes are made on one version, so they need most DCs in contact. */
export class Quotas {
  readonly defaults: Limits
  readonly #store: Store

  constructor(store: Store, defaults: Limits) {
    this.#store = store
    this.defaults = defaults
  }

  /** Rejects with StoreError. */
  async override(org: string): Promise<Override> {
    const row = await this.#store.get(quota, { org })
    return { limits: byKind((kind) => row?.[kind] ?? null), version: row?.version ?? 0 }
  }

  async limits(org: string): Promise<Limits> {
    return this.effective(await this.override(org))
  }

  effective({ limits }: Override): Limits {
    return byKind((kind) => limits[kind] ?? this.defaults[kind])
  }

  /** Replaces the limits if they still have that version. PlatformError `conflict`, `outcome_unknown`. Durable when it resolves. */
  async set(org: string, limits: Override['limits'], version: number): Promise<Override> {
    const row = { org, version: version + 1, ...byKind((kind) => limits[kind] ?? undefined) }
    if (!(await putIf(this.#store, quota, row, 'version', version === 0 ? undefined : version))) {
      throw new PlatformError('conflict', 'somebody else has changed the quotas; read them and try again')
    }
    return { limits, version: version + 1 }
  }
}

export function byKind<T>(of: (kind: QuotaKind) => T): Record<QuotaKind, T> {
  return Object.fromEntries(quotaKinds.map((kind) => [kind, of(kind)])) as Record<QuotaKind, T>
}
