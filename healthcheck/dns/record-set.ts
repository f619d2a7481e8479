import type { Continent } from '#platform/inventory/inventory.ts'

/** Where a client is, as far as its address tells. */
export interface ClientPlace {
  readonly continent?: Continent
  /** ISO 3166-1, two capital letters. */
  readonly country?: string
}

/** How one of several record sets of a name is chosen; all of a name have the same kind. */
export type Routing =
  | { readonly by: 'simple' }
  | { readonly by: 'weight'; readonly weight: number }
  | { readonly by: 'failover'; readonly role: 'primary' | 'secondary' }
  | {
      readonly by: 'place'
      readonly place: { readonly continent: Continent } | { readonly country: string } | 'default'
    }

/** Addresses of their own, or those of another name of the zone. */
export type Answer =
  | { readonly values: readonly string[]; readonly ttl: number }
  /** With `evaluateHealth` it is healthy while one of that name's record sets is. */
  | { readonly alias: string; readonly evaluateHealth: boolean }

/** One record set of a zone, in Route 53's terms, which the other servers' are made of. */
export interface RecordSet {
  /** Full, in small letters, without a dot at its end. */
  readonly name: string
  readonly type: 'A' | 'AAAA' | 'TXT'
  /** Tells record sets of one name and type from each other; none for `simple`. */
  readonly id?: string
  readonly routing: Routing
  readonly answer: Answer
  /** Name of the check that it needs, see HealthCheck. */
  readonly check?: string
}

/** What a record set's health is: asked of a checker by HTTP, or counted from others. */
export type HealthCheck =
  | {
      readonly name: string
      readonly kind: 'http'
      readonly address: string
      readonly port: number
      readonly path: string
    }
  /** Healthy while at least `atLeast` of the children are; `inverted`: while fewer are. */
  | {
      readonly name: string
      readonly kind: 'count'
      readonly children: readonly string[]
      readonly atLeast: number
      readonly inverted: boolean
    }

/** All that the zone has of the platform. */
export interface RecordTree {
  readonly zone: string
  readonly records: readonly RecordSet[]
  readonly checks: readonly HealthCheck[]
}
