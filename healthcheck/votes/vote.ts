/**
 * What a checker says of a DC or a host. `degraded`: up, but not well; counts as up.
 * `abstain`: it does not know (just started, cut off itself); counts for nothing.
 */
export type Verdict = 'up' | 'degraded' | 'down' | 'abstain'

/** What one checker says of one DC or host. */
export interface Vote {
  readonly checker: string
  /** Name of a DC or of a host; these are different in an inventory. */
  readonly subject: string
  readonly verdict: Verdict
  /** Since when it says so, milliseconds since 1970 by the checker's clock: for people, never for rules. */
  readonly since: number
  /** Why, one line. */
  readonly reason?: string
}

/** A person's word about a DC or host, from the store; it wins over votes until it expires. */
export interface Override {
  readonly subject: string
  /** `out`: not in DNS. `in`: in DNS whatever the votes say. `weight`: share of new connections in percent of its own, 0 to 100. */
  readonly action: 'out' | 'in' | 'weight'
  readonly percent?: number
  readonly owner: string
  readonly reason: string
  /** Milliseconds since 1970. */
  readonly at: number
  readonly expiresAt?: number
}

/** What follows for a DC or host. */
export interface Standing {
  readonly subject: string
  readonly state: 'up' | 'degraded' | 'down'
  /** Whether DNS gives its addresses. */
  readonly serving: boolean
  /** Percent of its own weight: below 100 while it comes back, or by a person's word. */
  readonly percent: number
  /** Why, for people: `3 of 5 checkers: connection refused`, `kept: dc01 is out already`. */
  readonly reason: string
}
