/** `maintenance`: shown to customers, and silent meanwhile. `silence`: alerts that are known and not sent. */
export type PlanKind = 'maintenance' | 'silence'

/** A planned maintenance window, or a silence. */
export interface Plan {
  readonly id: string
  readonly kind: PlanKind
  /** What customers read; of a silence: why. */
  readonly title: string
  readonly description: string
  /** Names of DCs and hosts; empty: all. */
  readonly subjects: readonly string[]
  /** Names of the alerts of a silence; empty: all. */
  readonly alerts: readonly string[]
  /** Who made it. */
  readonly owner: string
  /** Milliseconds since 1970. */
  readonly startsAt: number
  readonly endsAt: number
  readonly createdAt: number
  /** Counts its changes. */
  readonly version: number
}

/** Whether it holds at that time, milliseconds since 1970. */
export function isRunning({ startsAt, endsAt }: Pick<Plan, 'startsAt' | 'endsAt'>, at: number): boolean {
  return startsAt <= at && at < endsAt
}
