import type { Inventory } from '#platform/inventory/inventory.ts'
import { isRunning, type Plan } from '#platform/maintenance/plan.ts'
import type { Standing } from '../votes/vote.ts'
import { availability, type DayState, type History } from './history.ts'
import type { Incident } from './incidents.ts'

/** How all of it is, in the order of their weight. */
export type Overall = 'ok' | 'maintenance' | 'minor' | 'major' | 'critical' | 'unknown'

const overallTexts: Readonly<Record<Overall, string>> = {
  ok: 'Everything works',
  maintenance: 'Planned maintenance is under way; the service works',
  minor: 'The service works, with small problems',
  major: 'The service works; a part of it is out',
  critical: 'The service is not reachable',
  unknown: 'The state of the service is not known',
}

/** How one DC is, as people are told. */
interface DcReport {
  readonly name: string
  readonly place: string
  readonly kind: 'live' | 'backup'
  readonly state: DayState
  /** Percent of its own share of new connections. */
  readonly percent: number
  /** Of 90 days, 0 to 1; null: not known. */
  readonly availability: number | null
  readonly days: readonly {
    readonly day: string
    readonly availability: number | null
    readonly worst: DayState
  }[]
  /** Mean response times of the last day in milliseconds, by half hours, the oldest first. */
  readonly responses: readonly (number | null)[]
}

/** All that the page, JSON and feed show. Times are milliseconds since 1970. */
export interface Report {
  readonly title: string
  /** Where the page is, without a slash at its end; null: not known. */
  readonly url: string | null
  readonly at: number
  readonly overall: Overall
  readonly text: string
  readonly dcs: readonly DcReport[]
  readonly incidents: readonly Incident[]
  /** Those that run or are to come, the next one first; and those that were. */
  readonly maintenance: readonly Plan[]
  readonly past: readonly Plan[]
  readonly objective: {
    /** Availability of the service that is promised, 0 to 1. */
    readonly target: number
    readonly months: readonly {
      readonly month: string
      readonly availability: number | null
      /** Seconds that the service may still be out in that month; below 0: more than promised. */
      readonly leftSeconds: number
    }[]
  }
}

/** The name under which the history has the service as a whole. */
export const service = 'service'
/** Planned maintenance that is over is shown for as long as incidents are. */
const pastMs = 90 * 86_400_000
const shownMonths = 12

export interface ReportInput {
  readonly title: string
  readonly url: string | null
  /** 0 to 1. */
  readonly target: number
  readonly dcs: Inventory['dcs']
  readonly standings: readonly Standing[]
  /** Nobody knows how it is. */
  readonly blind: boolean
  readonly incidents: readonly Incident[]
  readonly plans: readonly Plan[]
  readonly history: History
  readonly at: number
}

export function reportOf(input: ReportInput): Report {
  const { title, url, target, dcs, standings, blind, incidents, plans, history, at } = input
  const windows = plans.filter(({ kind }) => kind === 'maintenance')
  const overall = overallOf(input)
  return {
    title,
    url,
    at,
    overall,
    text: overallTexts[overall],
    dcs: dcs.map(({ name, place, kind }) => ({
      name,
      place,
      kind,
      state: blind
        ? 'unknown'
        : stateOf(
            standings.find(({ subject }) => subject === name),
            plans,
            at,
          ),
      percent: standings.find(({ subject }) => subject === name)?.percent ?? 100,
      ...daysOf(history, name, at),
      responses: history.responses(name, at),
    })),
    incidents,
    maintenance: windows.filter(({ endsAt }) => endsAt > at).toSorted((a, b) => a.startsAt - b.startsAt),
    past: windows
      .filter(({ endsAt }) => endsAt <= at && at - endsAt < pastMs)
      .toSorted((a, b) => b.endsAt - a.endsAt),
    objective: { target, months: monthsOf(history, target) },
  }
}

/**
 * How a DC counts. `maintenance`: a person has taken it out of DNS while it is well, or it is down as was planned.
 */
export function stateOf(standing: Standing | undefined, plans: readonly Plan[], at: number): DayState {
  if (standing === undefined) return 'unknown'
  const { state, serving, subject } = standing
  if (state !== 'down') return serving ? state : 'maintenance'
  const planned = plans.some(
    (plan) =>
      plan.kind === 'maintenance' &&
      isRunning(plan, at) &&
      (plan.subjects.length === 0 || plan.subjects.includes(subject)),
  )
  return planned ? 'maintenance' : 'down'
}

/** How the service as a whole counts: it is there while one DC is. */
export function serviceState(
  standings: readonly Standing[],
  dcs: Inventory['dcs'],
  blind: boolean,
): DayState {
  if (blind) return 'unknown'
  const known = dcs.flatMap(({ name }) => standings.find(({ subject }) => subject === name) ?? [])
  return known.some(({ state }) => state !== 'down') ? 'up' : 'down'
}

function overallOf({ incidents, plans, at, blind }: ReportInput): Overall {
  const open = incidents.filter(({ closedAt }) => closedAt === null)
  if (open.some(({ impact }) => impact === 'critical')) return 'critical'
  if (blind) return 'unknown'
  if (open.some(({ impact }) => impact === 'major')) return 'major'
  if (open.length > 0) return 'minor'
  return plans.some((plan) => plan.kind === 'maintenance' && isRunning(plan, at)) ? 'maintenance' : 'ok'
}

/** Seconds of a state that show in a day's bar. */
const visibleSeconds = 30

function daysOf(history: History, name: string, at: number): Pick<DcReport, 'availability' | 'days'> {
  const days = history.days(name, at)
  const sum = (i: number): number => days.reduce((all, { seconds }) => all + seconds[i], 0)
  return {
    availability: availability([sum(0), sum(1), sum(2), 0, 0]),
    days: days.map(({ day, seconds }) => {
      const [up, degraded, down, maintenance] = seconds
      const worst =
        down > visibleSeconds
          ? 'down'
          : degraded > visibleSeconds
            ? 'degraded'
            : maintenance > visibleSeconds
              ? 'maintenance'
              : up > 0
                ? 'up'
                : 'unknown'
      return { day, availability: availability(seconds), worst }
    }),
  }
}

function monthsOf(history: History, target: number): Report['objective']['months'] {
  return history
    .months(service)
    .slice(0, shownMonths)
    .map(({ month, seconds }) => {
      const [year, number] = month.split('-').map(Number)
      const whole = (Date.UTC(year, number, 1) - Date.UTC(year, number - 1, 1)) / 1000
      return {
        month,
        availability: availability(seconds),
        leftSeconds: Math.round(whole * (1 - target) - seconds[2]),
      }
    })
}
