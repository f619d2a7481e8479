import type { Inventory } from '#platform/inventory/inventory.ts'
import type { ProbeResult } from '../probes/probe.ts'
import type { Standing, Vote } from '../votes/vote.ts'
import type { Condition } from './alert.ts'
import type { View } from './view.ts'

/** The probe that sees certificates, and its note: days until the one of the host ends. */
const certificateProbe = 'certificate'
const certificateNote = 'days'
/** Days left of a certificate at which it is a warning, and critical. */
const certificateWarningDays = 14
const certificateCriticalDays = 3

/** What of an inventory the rules look at. */
export type Watched = Pick<Inventory, 'dcs' | 'hosts'> & {
  readonly health: Pick<Inventory['health'], 'quorum'>
}

/** What is not as it should be; what follows from something else that is there says so. */
export function conditionsOf(inventory: Watched, view: View): Condition[] {
  const speaking = speakingOf(view.votes)
  if (speaking.size < inventory.health.quorum) {
    return [
      {
        name: 'CheckersBlind',
        subject: 'service',
        severity: 'critical',
        summary: `${speaking.size} checkers have something to say, the quorum is ${inventory.health.quorum}`,
      },
      ...missingCheckers(inventory, speaking),
      ...certificates(view.results),
    ]
  }
  return [
    ...outages(inventory, view.standings),
    ...certificates(view.results),
    ...missingCheckers(inventory, speaking),
    ...disagreements(inventory, view.votes),
  ]
}

/** Names of the checkers that know something. */
function speakingOf(votes: readonly Vote[]): Set<string> {
  return new Set(votes.filter(({ verdict }) => verdict !== 'abstain').map(({ checker }) => checker))
}

function* outages({ dcs, hosts }: Watched, standings: readonly Standing[]): Generator<Condition> {
  const of = new Map(standings.map((one) => [one.subject, one]))
  const known = dcs.flatMap(({ name }) => of.get(name) ?? [])
  const none = known.length === dcs.length && known.every(({ state }) => state === 'down')
  if (none) {
    const summary = `no datacenter answers; first: ${known[0].subject}: ${known[0].reason}`
    yield { name: 'ServiceDown', subject: 'service', severity: 'critical', summary }
  }
  for (const { name: dc } of dcs) {
    const standing = of.get(dc)
    const down = standing?.state === 'down'
    const degraded = standing?.state === 'degraded'
    if (down) {
      const still = standing.serving ? ' (DNS still gives its addresses)' : ''
      const summary = `${dc} is down${still}: ${standing.reason}`
      yield { name: 'DcDown', subject: dc, severity: 'critical', summary, dc, follows: none }
    } else if (degraded) {
      const summary = `${dc} is degraded: ${standing.reason}`
      yield { name: 'DcDegraded', subject: dc, severity: 'warning', summary, dc }
    }
    for (const { name: host, dc: own } of hosts) {
      const { state, reason } = of.get(host) ?? {}
      if (own !== dc || state === undefined || state === 'up') continue
      const about = { subject: host, severity: 'warning' as const, dc }
      if (state === 'down')
        yield { name: 'HostDown', ...about, summary: `${host} is down: ${reason}`, follows: down }
      else
        yield {
          name: 'HostDegraded',
          ...about,
          summary: `${host} is degraded: ${reason}`,
          follows: down || degraded,
        }
    }
  }
}

function* certificates(results: readonly ProbeResult[]): Generator<Condition> {
  for (const { probe, host, dc, note } of results) {
    const days = probe === certificateProbe ? note?.[certificateNote] : undefined
    if (typeof days !== 'number' || days > certificateWarningDays) continue
    const severity = days <= certificateCriticalDays ? 'critical' : 'warning'
    const when = days < 0 ? 'has ended' : `ends in ${Math.floor(days)} days`
    yield {
      name: 'CertificateExpires',
      subject: host,
      severity,
      summary: `certificate of ${host} ${when}`,
      dc,
    }
  }
}

function* missingCheckers({ hosts }: Watched, speaking: ReadonlySet<string>): Generator<Condition> {
  for (const { name, roles } of hosts) {
    if (!roles.includes('checker') || speaking.has(name)) continue
    yield {
      name: 'CheckerMissing',
      subject: name,
      severity: 'warning',
      summary: `${name} is not heard, or abstains`,
    }
  }
}

/** Some say down, but fewer than it takes. */
function* disagreements({ dcs, hosts, health }: Watched, votes: readonly Vote[]): Generator<Condition> {
  const down = new Map<string, Vote[]>()
  for (const vote of votes) {
    if (vote.verdict !== 'down') continue
    const those = down.get(vote.subject) ?? []
    those.push(vote)
    down.set(vote.subject, those)
  }
  const names = new Map([
    ...dcs.map(({ name }) => [name, name]),
    ...hosts.map(({ name, dc }) => [name, dc]),
  ] as [string, string][])
  for (const [subject, those] of down) {
    const dc = names.get(subject)
    if (those.length >= health.quorum || dc === undefined) continue
    // What a DC is said to be follows from its hosts.
    const follows = subject !== dc && down.has(dc)
    const who = those.map(({ checker }) => checker).join(', ')
    const summary = `${who} say that ${subject} is down, others do not: ${those[0].reason ?? 'no reason given'}`
    yield { name: 'CheckersDisagree', subject, severity: 'warning', summary, dc, follows }
  }
}
