import type { ProbeResult } from '#healthcheck/probes/probe.ts'
import type { DcSubject } from './subjects.ts'
import type { Verdict } from './vote.ts'

/** How looks become a verdict. */
export interface JudgeRules {
  /** Failed looks of one probe in a row after which a host is down. */
  readonly downAfter: number
  /** Good looks of every probe in a row after which it is up again. */
  readonly upAfter: number
  /** Names of the probes of weight `serve`: a host is judged when each has looked at it. */
  readonly serve: readonly string[]
  /** Milliseconds without a look at a host after which nothing is said of it. */
  readonly staleMs: number
}

interface ProbeState {
  readonly serve: boolean
  /** Failed in a row; good in a row, up to `upAfter`. */
  readonly failed: number
  readonly good: number
  /** Failed or slow in a row; neither in a row. */
  readonly poor: number
  readonly fine: number
  /** What is wrong, of the latest look that was not fine. */
  readonly fault: string
}

/** What one checker knows of a host. */
export interface HostState {
  readonly probes: Readonly<Record<string, ProbeState>>
  /** Undefined: not judged yet. */
  readonly verdict: Exclude<Verdict, 'abstain'> | undefined
  /** Since when, and when it was looked at last; monotonic milliseconds. */
  readonly since: number
  readonly at: number
  /** Why it is not up. */
  readonly reason: string | undefined
}

/** What is said of a DC or host, and since when (monotonic milliseconds). */
export interface Judgement {
  readonly verdict: Verdict
  readonly since: number
  readonly reason?: string
}

/** A host's state after one more look at `now` (monotonic milliseconds). */
export function looked(
  before: HostState | undefined,
  result: ProbeResult,
  now: number,
  rules: JudgeRules,
): HostState {
  const state = before ?? { probes: {}, verdict: undefined, since: now, at: now, reason: undefined }
  const probes = {
    ...state.probes,
    [result.probe]: lookedBy(state.probes[result.probe], result, rules),
  }
  const verdict = verdictOf(state.verdict, probes, rules)
  const since = verdict === state.verdict ? state.since : now
  return { probes, verdict, since, at: now, reason: reasonOf(verdict, probes) }
}

function lookedBy(before: ProbeState | undefined, result: ProbeResult, rules: JudgeRules): ProbeState {
  const { probe, ok, ms, error, weight, slow = false } = result
  // The first look has nothing before it that it would have to outweigh.
  const more = (count: number | undefined): number => Math.min((count ?? rules.upAfter) + 1, rules.upAfter)
  return {
    serve: weight === 'serve',
    failed: ok ? 0 : (before?.failed ?? 0) + 1,
    good: ok ? more(before?.good) : 0,
    poor: ok && !slow ? 0 : (before?.poor ?? 0) + 1,
    fine: ok && !slow ? more(before?.fine) : 0,
    fault:
      ok && !slow
        ? (before?.fault ?? '')
        : `${probe}: ${slow ? `slow, ${Math.round(ms)} ms` : (error ?? 'failed')}`,
  }
}

function verdictOf(
  before: HostState['verdict'],
  probes: HostState['probes'],
  { downAfter, upAfter, serve }: JudgeRules,
): HostState['verdict'] {
  const all = Object.values(probes)
  const serving = all.filter((one) => one.serve)
  const most = Math.max(0, ...serving.map(({ failed }) => failed))
  if (before === undefined) {
    if (serve.some((name) => probes[name] === undefined)) return undefined
    // Nothing is called down that has only just been looked at for the first time.
    if (most > 0) return most > downAfter ? 'down' : undefined
  } else if (before === 'down') {
    if (serving.some(({ good }) => good < upAfter)) return 'down'
  } else if (most >= downAfter) {
    return 'down'
  }
  if (before === 'degraded') return all.some(({ fine }) => fine < upAfter) ? 'degraded' : 'up'
  return all.some(({ poor }) => poor >= downAfter) ? 'degraded' : 'up'
}

function reasonOf(verdict: HostState['verdict'], probes: HostState['probes']): string | undefined {
  if (verdict === 'up') return undefined
  const all = Object.values(probes)
  const worst =
    verdict === 'degraded'
      ? all.toSorted((a, b) => b.poor - a.poor || a.fine - b.fine)
      : all.filter(({ serve }) => serve).toSorted((a, b) => b.failed - a.failed || a.good - b.good)
  return worst.at(0)?.fault || undefined
}

/** What is said of a host at `now`. */
export function judgeHost(state: HostState | undefined, now: number, { staleMs }: JudgeRules): Judgement {
  if (state === undefined) return { verdict: 'abstain', since: now, reason: 'not looked at yet' }
  if (now - state.at > staleMs) {
    return { verdict: 'abstain', since: state.at + staleMs, reason: 'not looked at lately' }
  }
  const { verdict = 'abstain', since, reason } = state
  return { verdict, since, ...(reason === undefined ? {} : { reason }) }
}

/** What is said of a DC, given what is said of its hosts: down when all of them are, abstain when none is up and one is not known. */
export function judgeDc(hosts: ReadonlyMap<string, Judgement>): Judgement {
  const all = Array.from(hosts)
  const of = (wanted: Verdict): typeof all => all.filter(([, { verdict }]) => verdict === wanted)
  const down = of('down')
  const unknown = of('abstain')
  const poor = [...down, ...of('degraded')]
  if (of('up').length + of('degraded').length > 0) {
    return poor.length === 0 ? joined('up', of('up')) : joined('degraded', poor)
  }
  return unknown.length > 0 || all.length === 0 ? joined('abstain', unknown) : joined('down', down)
}

function joined(verdict: Verdict, because: readonly (readonly [string, Judgement])[]): Judgement {
  const since = Math.max(0, ...because.map(([, one]) => one.since))
  const named = because.find(([, { reason }]) => reason !== undefined)
  if (verdict === 'up' || named === undefined) return { verdict, since }
  return { verdict, since, reason: `${named[0]}: ${named[1].reason}` }
}

/** What a checker knows of its own ability to judge. */
export interface OwnState {
  /** Other checkers there are, and those that answered lately. */
  readonly others: number
  readonly reached: number
  /** What is wrong with its own probe device or network. */
  readonly fault?: string | undefined
}

/** Why a checker must not judge at all; undefined: it may. */
export function abstention(
  dcs: readonly DcSubject[],
  states: ReadonlyMap<string, HostState>,
  { others, reached, fault }: OwnState,
): string | undefined {
  if (fault !== undefined) return fault
  // Looks, not verdicts: these come later, and by then something would have been said that is not so.
  const failing = dcs.filter(
    ({ hosts }) => hosts.length > 0 && hosts.every((host) => isFailing(states.get(host))),
  ).length
  const away = others - reached
  if (away * 2 <= others || failing * 2 <= dcs.length) return undefined
  return `cut off: ${away} of ${others} other checkers and ${failing} of ${dcs.length} DCs are out of reach`
}

function isFailing(state: HostState | undefined): boolean {
  if (state === undefined) return false
  return Object.values(state.probes).some(({ serve, failed }) => serve && failed > 0)
}

/** What a checker says of every DC and host; `abstains`: why it says nothing of all of them. */
export function judge(
  dcs: readonly DcSubject[],
  states: ReadonlyMap<string, HostState>,
  abstains: string | undefined,
  now: number,
  rules: JudgeRules,
): ReadonlyMap<string, Judgement> {
  const judgements = new Map<string, Judgement>()
  for (const { name, hosts } of dcs) {
    const of = new Map(hosts.map((host) => [host, judgeHost(states.get(host), now, rules)]))
    for (const [subject, judgement] of [[name, judgeDc(of)] as const, ...of]) {
      judgements.set(
        subject,
        abstains === undefined ? judgement : { verdict: 'abstain', since: now, reason: abstains },
      )
    }
  }
  return judgements
}
