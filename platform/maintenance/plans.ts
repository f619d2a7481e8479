import { newId } from '../auth/keys.ts'
import type { Clock } from '../clock.ts'
import { PlatformError } from '../errors.ts'
import { insert, putIf } from '../registry/conditional.ts'
import type { Store } from '../store/store.ts'
import type { RowOf } from '../store/table.ts'
import type { Plan, PlanKind } from './plan.ts'
import { plan as planTable } from './tables.ts'

const dayMs = 86_400_000
/** Plans of a kind that have not ended. */
const maxOpen = 200
/** All rows of a kind, with those that have ended or were deleted. */
const maxRows = 10_000
/** How long one may last, and how far ahead it may be planned. */
const maxLengthDays = 30
const maxAheadDays = 300

type Row = RowOf<typeof planTable>

/** What may be said of a plan. Times are milliseconds since 1970. */
export interface PlanInput {
  readonly title: string
  readonly description?: string | undefined
  readonly subjects?: readonly string[] | undefined
  readonly alerts?: readonly string[] | undefined
  /** Default: now. */
  readonly startsAt?: number | undefined
  readonly endsAt: number
}
type PlanChange = { readonly [K in keyof PlanInput]?: PlanInput[K] | undefined }

/**
 * Planned maintenance windows and silences of the platform. Everything is durable when a promise resolves; changes need
 * a majority of all datacenters, reads the own one.
 */
export class Plans {
  readonly #store: Store
  readonly #clock: Clock

  constructor(store: Store, clock: Clock) {
    this.#store = store
    this.#clock = clock
  }

  /** All that are there, also those that have ended, by their start, the newest first. */
  async list(kind: PlanKind): Promise<Plan[]> {
    const rows = await this.#rows(kind)
    return rows.map(record).toSorted((a, b) => b.startsAt - a.startsAt || (a.id < b.id ? -1 : 1))
  }

  /** PlatformError `plan_not_found`. */
  async get(kind: PlanKind, id: string): Promise<Plan> {
    return record(await this.#row(kind, id))
  }

  /** PlatformError `invalid_field` or `limit_reached`. */
  async create(kind: PlanKind, owner: string, input: PlanInput): Promise<Plan> {
    const now = this.#clock.now()
    const rows = await this.#rows(kind)
    if (rows.filter((row) => (row.ends_at ?? 0) > now).length >= maxOpen || rows.length >= maxRows)
      throw new PlatformError('limit_reached', `there may be ${maxOpen} that have not ended`)
    const { title, description, subjects, alerts, startsAt = now, endsAt } = input
    const row = {
      kind,
      id: newId(),
      title,
      description,
      ...lists({ subjects, alerts }),
      owner,
      starts_at: startsAt,
      ends_at: endsAt,
      created_at: now,
      version: now * 1024,
    }
    checkTimes(row, now)
    if (endsAt <= now) throw new PlatformError('invalid_field', 'has passed already', 'ends_at')
    await insert(this.#store, planTable, row, 'version')
    return record(row)
  }

  /** `expected`: only if it has this version. PlatformError `plan_not_found`, `conflict` or `invalid_field`. */
  async update(kind: PlanKind, id: string, change: PlanChange, expected?: number): Promise<Plan> {
    return this.#change(await this.#row(kind, id), expected, (row) => {
      const next = {
        ...row,
        title: change.title ?? row.title,
        description: change.description ?? row.description,
        ...lists(change),
        starts_at: change.startsAt ?? row.starts_at,
        ends_at: change.endsAt ?? row.ends_at,
      }
      if (change.startsAt !== undefined || change.endsAt !== undefined) checkTimes(next, this.#clock.now())
      return next
    })
  }

  /**
   * One that has begun ends now and stays in the history, one that has not is taken back; nothing happens to one that
   * has ended. PlatformError `plan_not_found` or `conflict`.
   */
  async end(kind: PlanKind, id: string, expected?: number): Promise<void> {
    const now = this.#clock.now()
    const row = await this.#row(kind, id)
    if ((row.ends_at ?? 0) <= now) return
    await this.#change(row, expected, () =>
      (row.starts_at ?? 0) < now ? { ...row, ends_at: now } : { ...row, deleted_at: now },
    )
  }

  async #rows(kind: PlanKind): Promise<Row[]> {
    const rows = await this.#store.range(planTable, { kind }, { limit: maxRows })
    return rows.filter((row) => row.deleted_at === undefined)
  }

  async #row(kind: PlanKind, id: string): Promise<Row> {
    const row = await this.#store.get(planTable, { kind, id })
    if (row !== undefined && row.deleted_at === undefined) return row
    throw new PlatformError('plan_not_found', `no ${words[kind]} has the id "${id}"`)
  }

  async #change(row: Row, expected: number | undefined, change: (row: Row) => Row): Promise<Plan> {
    const next = { ...change(row), version: (row.version ?? 0) + 1 }
    const done =
      (expected ?? row.version) === row.version &&
      (await putIf(this.#store, planTable, next, 'version', row.version))
    if (done) return record(next)
    throw new PlatformError(
      'conflict',
      `${words[row.kind as PlanKind]} "${row.id}" was changed by somebody else; try again`,
    )
  }
}

const words: Readonly<Record<PlanKind, string>> = { maintenance: 'maintenance window', silence: 'silence' }

function lists({ subjects, alerts }: Pick<PlanChange, 'subjects' | 'alerts'>): Partial<Row> {
  return {
    ...(subjects === undefined ? {} : { subjects: JSON.stringify(subjects) }),
    ...(alerts === undefined ? {} : { alerts: JSON.stringify(alerts) }),
  }
}

function checkTimes({ starts_at: start = 0, ends_at: end = 0 }: Row, now: number): void {
  if (end <= start) throw new PlatformError('invalid_field', 'must be after starts_at', 'ends_at')
  if (end - start > maxLengthDays * dayMs)
    throw new PlatformError('invalid_field', `must be within ${maxLengthDays} days of starts_at`, 'ends_at')
  if (start > now + maxAheadDays * dayMs)
    throw new PlatformError('invalid_field', `must be within ${maxAheadDays} days`, 'starts_at')
}

function record(row: Row): Plan {
  return {
    id: row.id,
    kind: row.kind as PlanKind,
    title: row.title ?? '',
    description: row.description ?? '',
    subjects: namesOf(row.subjects),
    alerts: namesOf(row.alerts),
    owner: row.owner ?? '',
    startsAt: row.starts_at ?? 0,
    endsAt: row.ends_at ?? 0,
    createdAt: row.created_at ?? 0,
    version: row.version ?? 0,
  }
}

function namesOf(text: string | undefined): string[] {
  return text === undefined ? [] : (JSON.parse(text) as string[])
}
