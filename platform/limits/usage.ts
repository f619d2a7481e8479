import { randomBytes } from 'node:crypto'
import type { Clock } from '../clock.ts'
import type { Logger } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import type { Lanes } from '../store/lanes.ts'
import type { Store } from '../store/store.ts'
import type { RowOf } from '../store/table.ts'
import type { Timer, Timers } from '../timers.ts'
import { type Counts, noCounts, OrgUsage } from './org-usage.ts'
import { dailyKinds, type QuotaKind, type Quotas } from './quotas.ts'
import { usage } from './tables.ts'

const tickMs = 5000
/** What the other processes have counted, and changed quotas, are known within this time. */
const refreshMs = 20_000
/** A process says at least this often how many connections it has; who says nothing for three times as long has none. */
const sayMs = 30_000
/** Organisations that nobody has used for this long are forgotten when a new day begins; their rows stay. */
const idleMs = 600_000
/** Reads under way at a time. */
const readers = 8
const maxRows = 10_000
const dayMs = 86_400_000
/** Shares of a quota, in per cent, at which somebody is told, once a day each. */
const warnings = [100, 80] as const

export interface UsageDay extends Readonly<Counts> {
  readonly day: string
  /** Sum of the most that each process had at a time: at most so many were there. */
  readonly connectionsPeak: number
}

export interface QuotaWarning {
  readonly org: string
  readonly quota: QuotaKind
  readonly used: number
  readonly limit: number
  readonly percent: number
  readonly day: string
}

export interface UsageOptions {
  readonly store: Store
  readonly lanes: Lanes
  readonly clock: Clock
  readonly log: Logger
  readonly metrics: Metrics
  readonly quotas: Quotas
}

/**
 * Counts what organisations use, and says when that is enough. Each process counts for itself, and writes its sums every
 * few seconds into a row of its own; it reads those of the others every 20 s. So a quota may be overrun by what all
 * processes take in that time, and after `kill -9` by what was not written; that is its price for never making a message or
 * a request wait. It works in a DC that is alone.
 */
export class Usage {
  readonly quotas: Quotas
  readonly #options: UsageOptions
  /** This process, since its start. */
  readonly #writer = randomBytes(8).toString('hex')
  readonly #orgs = new Map<string, OrgUsage>()
  readonly #listeners: ((warning: QuotaWarning) => void)[] = []
  #timer: Timer | null = null
  #refreshing: Promise<void> | null = null

  constructor(options: UsageOptions) {
    this.#options = options
    this.quotas = options.quotas
    options.metrics.gauge(
      'cinque_usage_organisations',
      'Organisations whose usage is counted here',
      () => this.#orgs.size,
    )
  }

  /** Writes and reads now and then, until `close`. */
  start(timers: Timers): void {
    this.#timer = timers.every(tickMs, () => {
      this.flush()
      this.refresh().catch(() => undefined)
    })
  }

  /** Writes what is not written; durable with the commit's current ticket. */
  close(): void {
    this.#timer?.cancel()
    for (const one of this.#orgs.values()) {
      if (one.connections === 0) continue
      one.connections = 0
      one.dirty = true
    }
    this.flush()
  }

  /** The same, for who holds on to them. */
  keep(org: string): OrgUsage {
    const one = this.of(org)
    one.kept = true
    return one
  }

  /** The counters of an organisation. */
  of(org: string): OrgUsage {
    let one = this.#orgs.get(org)
    if (one === undefined) {
      one = new OrgUsage(org, dayOf(this.#options.clock.now()), this.quotas.defaults)
      this.#orgs.set(org, one)
      this.#read(one).catch(() => undefined)
    }
    one.usedAt = this.#options.clock.now()
    return one
  }

  /** `listener` hears of quotas that are nearly or wholly used, once a day. */
  onWarning(listener: (warning: QuotaWarning) => void): void {
    this.#listeners.push(listener)
  }

  /** Stages the rows of organisations whose counts have changed; begins a new day when it is one. */
  flush(): void {
    const { clock, lanes } = this.#options
    const now = clock.now()
    const today = dayOf(now)
    for (const one of this.#orgs.values()) {
      const due = one.dirty || (one.connections > 0 && now - one.writtenAt >= sayMs)
      // While the store fails the counts stay here: the next row has them all.
      const commit = lanes.of(one.org)
      if (due && !commit.failing) {
        commit.stage().put(usage, this.#row(one, now))
        one.writtenAt = now
        one.dirty = false
      }
      if (one.day === today || one.dirty) continue
      // Not before: the row of the day goes on from the counts in memory.
      if (one.kept || now - one.usedAt < idleMs) one.begin(today)
      else this.#orgs.delete(one.org)
    }
  }

  /** Reads what other processes have counted, and quotas, where that is long ago. Never more than one at a time. */
  refresh(): Promise<void> {
    return (this.#refreshing ??= this.#refresh().finally(() => (this.#refreshing = null)))
  }

  /** What an organisation used on each day from `from` to `to` (`2026-11-21`, both included). Rejects with StoreError. */
  async days(org: string, from: string, to: string): Promise<UsageDay[]> {
    const { store } = this.#options
    const months = monthsBetween(from, to)
    const pages = await Promise.all(
      months.map((month) =>
        store.range(usage, { org, month }, { from: { day: from }, to: { day: to }, limit: maxRows }),
      ),
    )
    const days = new Map<string, RowOf<typeof usage>[]>()
    const own = this.#orgs.get(org)
    for (const row of pages.flat()) {
      if (row.writer === this.#writer && row.day === own?.day) continue
      days.set(row.day, [...(days.get(row.day) ?? []), row])
    }
    if (own !== undefined && own.day >= from && own.day <= to)
      days.set(own.day, [...(days.get(own.day) ?? []), this.#row(own, this.#options.clock.now())])
    return Array.from(days, ([day, rows]) => ({
      day,
      ...sum(rows),
      connectionsPeak: rows.reduce((all, row) => all + (row.connections_peak ?? 0), 0),
    })).toSorted((a, b) => (a.day < b.day ? -1 : 1))
  }

  /** Forgets what it knows of an organisation's quota: it has just been changed here. */
  async reread(org: string): Promise<void> {
    const one = this.#orgs.get(org)
    if (one !== undefined) await this.#read(one)
  }

  #row(one: OrgUsage, now: number): RowOf<typeof usage> {
    return {
      org: one.org,
      month: one.day.slice(0, 7),
      day: one.day,
      writer: this.#writer,
      ...one.own,
      connections: one.connections,
      connections_peak: one.connectionsPeak,
      stamp: now,
    }
  }

  async #refresh(): Promise<void> {
    const now = this.#options.clock.now()
    const old = Array.from(this.#orgs.values()).filter(({ readAt }) => now - readAt >= refreshMs)
    const next = async (): Promise<void> => {
      for (let one = old.pop(); one !== undefined; one = old.pop()) {
        // A few at a time.
        // oxlint-disable-next-line no-await-in-loop
        await this.#read(one)
      }
    }
    await Promise.all(Array.from({ length: readers }, next))
  }

  /** Rejects with StoreError; what was known stays. */
  async #read(one: OrgUsage): Promise<void> {
    const { store, clock } = this.#options
    const now = clock.now()
    const today = dayOf(now)
    one.readAt = now
    const [limits, rows] = await Promise.all([
      this.quotas.limits(one.org),
      store.range(
        usage,
        { org: one.org, month: today.slice(0, 7) },
        { from: { day: today }, to: { day: today }, limit: maxRows },
      ),
    ])
    one.limits = limits
    if (one.day !== today) return
    const others = rows.filter(({ writer }) => writer !== this.#writer && !writer.startsWith('!'))
    Object.assign(one.others, sum(others))
    one.othersConnections = others
      .filter(({ stamp = 0 }) => now - stamp < 3 * sayMs)
      .reduce((all, row) => all + (row.connections ?? 0), 0)
    for (const { writer } of rows) if (writer.startsWith('!')) one.warned.add(writer.slice(1))
    this.#warn(one, now)
  }

  #warn(one: OrgUsage, now: number): void {
    const used: [QuotaKind, number][] = [
      ...dailyKinds.map((kind): [QuotaKind, number] => [kind, one.total(kind)]),
      ['connections', one.connections + one.othersConnections],
    ]
    for (const [kind, count] of used) {
      const limit = one.limits[kind]
      const percent = warnings.find((share) => limit > 0 && count * 100 >= limit * share)
      if (percent === undefined || one.warned.has(`${percent} ${kind}`)) continue
      // Who hears of the whole need not hear of a part any more.
      for (const share of warnings) if (share <= percent) one.warned.add(`${share} ${kind}`)
      this.#tell(one, { org: one.org, quota: kind, used: count, limit, percent, day: one.day }, now)
    }
  }

  #tell(one: OrgUsage, warning: QuotaWarning, now: number): void {
    const { lanes, log } = this.#options
    const { org, day, quota: kind, percent, used, limit } = warning
    const commit = lanes.of(org)
    // So that no other process, and none after a restart, tells it again.
    if (!commit.failing)
      commit
        .stage()
        .put(usage, { org, month: one.day.slice(0, 7), day, writer: `!${percent} ${kind}`, stamp: now })
    log.warn(
      { event: 'quota.warning', org, quota: kind, percent, used, limit },
      'an organisation has nearly used a quota',
    )
    for (const listener of this.#listeners) listener(warning)
  }
}

function sum(rows: readonly RowOf<typeof usage>[]): Counts {
  return rows.reduce<Counts>(
    (all, { requests = 0, messages = 0, points = 0 }) => ({
      requests: all.requests + requests,
      messages: all.messages + messages,
      points: all.points + points,
    }),
    { ...noCounts },
  )
}

/** `2026-11-21`, in UTC. */
export function dayOf(milliseconds: number): string {
  return new Date(milliseconds).toISOString().slice(0, 10)
}

function monthsBetween(from: string, to: string): string[] {
  const months = new Set<string>()
  for (let at = Date.parse(from); at <= Date.parse(to); at += dayMs) months.add(dayOf(at).slice(0, 7))
  return Array.from(months)
}
