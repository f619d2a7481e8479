import type { DailyKind, Limits } from './quotas.ts'

export type Counts = Record<DailyKind, number>

export const noCounts: Readonly<Counts> = { requests: 0, messages: 0, points: 0 }

/**
 * What one organisation has used today: what this process has counted, and what the others had written when they were last
 * read. Plain numbers, because every message comes by here.
 */
export class OrgUsage {
  readonly org: string
  /** `2026-11-21`, of the counts. */
  day: string
  readonly own: Counts = { ...noCounts }
  readonly others: Counts = { ...noCounts }
  /** Connected to this process now, the most there were today, and connected to the others. */
  connections = 0
  connectionsPeak = 0
  othersConnections = 0
  limits: Limits
  /** Milliseconds since 1970 at which others and limits were read; 0: never. */
  readAt = 0
  /** Of the last count, and of the last row. */
  usedAt = 0
  writtenAt = 0
  dirty = false
  /** Somebody holds on to it: it is not forgotten. */
  kept = false
  /** `80 requests`: told today. */
  readonly warned = new Set<string>()

  constructor(org: string, day: string, limits: Limits) {
    this.org = org
    this.day = day
    this.limits = limits
  }

  add(kind: DailyKind, n: number): void {
    this.own[kind] += n
    this.dirty = true
  }

  total(kind: DailyKind): number {
    return this.own[kind] + this.others[kind]
  }

  /** Whether nothing more of it may be used today. */
  exhausted(kind: DailyKind): boolean {
    const limit = this.limits[kind]
    return limit !== 0 && this.own[kind] + this.others[kind] >= limit
  }

  /** Whether no other connection may be made. */
  get full(): boolean {
    const limit = this.limits.connections
    return limit !== 0 && this.connectionsEverywhere >= limit
  }

  get connectionsEverywhere(): number {
    return this.connections + this.othersConnections
  }

  connected(change: 1 | -1): void {
    this.connections += change
    this.connectionsPeak = Math.max(this.connectionsPeak, this.connections)
    this.dirty = true
  }

  /** A new day begins. */
  begin(day: string): void {
    this.day = day
    Object.assign(this.own, noCounts)
    Object.assign(this.others, noCounts)
    this.connectionsPeak = this.connections
    this.warned.clear()
  }
}
