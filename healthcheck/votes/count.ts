import type { Ballot, Hold } from './ballot.ts'
import { agreedPercent, stepAfter } from './failback.ts'
import type { DcSubject } from './subjects.ts'
import { decided, others, type Poll, pollOf, votesFor } from './tally.ts'
import type { Override, Standing, Vote } from './vote.ts'
import { inForce, percentOf, saysIn, saysOut, wordReason } from './word.ts'

/** How votes become standings; the same at every checker. */
export interface CountRules {
  /** Names of all checkers there are, this one too; whoever is not in it has no vote. */
  readonly checkers: readonly string[]
  /** Votes that it takes: of all checkers, not of those that vote. */
  readonly quorum: number
  /** Milliseconds after which a ballot that was not renewed counts as none. */
  readonly voteTtlMs: number
  /** Live DCs that votes take out at the same time at most. */
  readonly maxRemovedLive: number
  /** Percent that a DC or host comes back with, one step after another. */
  readonly failback: readonly number[]
  readonly failbackStepMs: number
}

/** What is remembered of a subject from one count to the next; may be kept in a file. */
interface Remembered {
  /** Voted down, voted degraded; undefined: votes have not decided yet. */
  readonly down?: boolean | undefined
  readonly degraded?: boolean | undefined
  /** Taken out by votes. */
  readonly out: boolean
  /** Whether it was in DNS. */
  readonly serving: boolean
  /** When it came back, milliseconds since 1970; undefined: it is not coming back. */
  readonly backAt?: number | undefined
}
export type Memory = Readonly<Record<string, Remembered>>

export interface CountInput {
  readonly dcs: readonly DcSubject[]
  readonly rules: CountRules
  /** The checker that counts. */
  readonly checker: string
  /** Of all checkers, this one's own too, in any order. */
  readonly ballots: readonly Ballot[]
  readonly overrides: readonly Override[]
  /** Milliseconds since 1970. */
  readonly now: number
  /** What the count before this one returned; empty at first. */
  readonly before: Memory
}

export interface Counted {
  readonly standings: ReadonlyMap<string, Standing>
  /** Subjects of which this checker's own down page says down, see docs/votes.md. */
  readonly asserted: ReadonlySet<string>
  /** What it tells the others, see Ballot; those that votes have not decided are not in it. */
  readonly holds: ReadonlyMap<string, Hold>
  readonly memory: Memory
}

const unknown: Remembered = { out: false, serving: true }

/** One subject on its way through the count. */
interface Item {
  readonly subject: string
  readonly before: Remembered
  readonly word: Override | undefined
  /** Undefined: not decided, which is up. */
  readonly down: boolean | undefined
  readonly degraded: boolean | undefined
  readonly downVotes: readonly Vote[]
  /** Whether this checker itself says down. */
  readonly own: boolean
  /** Taken out by votes. */
  out: boolean
  /** In DNS. */
  serving: boolean
  /** It is in although votes or a person say out. */
  open?: string
}

/** Votes to standings. Pure: the same input gives the same output at every checker, in any order of the ballots. */
export function count(input: CountInput): Counted {
  const { dcs, rules, ballots, checker, overrides, now, before } = input
  const { checkers, quorum, voteTtlMs: ttlMs } = rules
  const poll = pollOf(ballots, { checker, checkers, quorum, ttlMs })
  const words = inForce(overrides, now)
  const itemOf = (subject: string): Item =>
    voted(subject, poll, before[subject] ?? unknown, words.get(subject))
  const zone = dcs.map((dc) => ({ dc, item: itemOf(dc.name), hosts: dc.hosts.map(itemOf) }))

  takeOutDcs(zone, poll, rules)
  for (const { item, hosts } of zone) takeOutHosts(item, hosts)

  const all = zone.flatMap(({ item, hosts }) => [item, ...hosts])
  const percents = new Map(all.map((item) => [item.subject, percentNow(item, poll, rules, now)]))
  const told = (item: Item): Percent => percents.get(item.subject) ?? whole
  return {
    standings: new Map(all.map((item) => [item.subject, standingOf(item, told(item).percent, poll)])),
    asserted: assertedBy(zone, poll, rules),
    holds: new Map(all.flatMap((item) => holdOf(item, told(item).own))),
    memory: Object.fromEntries(
      all.map((item) => {
        const { down, degraded, out, serving } = item
        return [item.subject, { down, degraded, out, serving, backAt: told(item).backAt }]
      }),
    ),
  }
}

function holdOf({ subject, down, degraded = false, out }: Item, percent: number): readonly [string, Hold][] {
  return down === undefined ? [] : [[subject, { down, degraded, out, percent }]]
}

function voted(subject: string, poll: Poll, before: Remembered, word: Override | undefined): Item {
  const downVotes = votesFor(poll, subject, ({ verdict }) => verdict === 'down')
  const poor = votesFor(poll, subject, ({ verdict }) => verdict === 'degraded').length + downVotes.length
  const up = votesFor(poll, subject, ({ verdict }) => verdict === 'up').length
  const well = votesFor(poll, subject, ({ verdict }) => verdict === 'up' || verdict === 'degraded').length
  const down = decided(poll, {
    yes: downVotes.length,
    no: well,
    held: ({ holds }) => holds.get(subject)?.down,
    before: before.down,
  })
  const degraded = decided(poll, {
    yes: poor,
    no: up,
    held: ({ holds }) => holds.get(subject)?.degraded,
    before: before.degraded,
  })
  const own = poll.fresh.get(poll.checker)?.votes.get(subject)?.verdict === 'down'
  return { subject, before, word, down, degraded, downVotes, own, out: false, serving: true }
}

interface DcItem {
  readonly dc: DcSubject
  readonly item: Item
  readonly hosts: readonly Item[]
}

function takeOutDcs(zone: readonly DcItem[], poll: Poll, rules: CountRules): void {
  const free = zone.filter(({ item }) => !saysOut(item.word))
  if (free.length > 0 && free.every(({ item }) => item.down === true)) {
    for (const { item } of free) item.open = 'all DCs are down: none is taken out'
  } else {
    const going = free.filter(({ item }) => item.down === true && !saysIn(item.word))
    const ranked = going.filter(({ dc }) => dc.kind === 'live').toSorted(byRank(poll))
    const first = ranked.slice(0, rules.maxRemovedLive)
    for (const { item } of [...first, ...going.filter(({ dc }) => dc.kind === 'backup')]) item.out = true
    const names = first.map(({ dc }) => dc.name).join(', ')
    for (const { item } of ranked.slice(first.length)) {
      item.open = `kept: ${names} ${first.length === 1 ? 'is' : 'are'} out already`
    }
  }
  serve(
    zone.map(({ item }) => item),
    'all DCs',
  )
}

/** Those that most checkers hold out already come first, so that they do not change places; else by number. */
function byRank(poll: Poll): (a: DcItem, b: DcItem) => number {
  const holders = ({ item }: DcItem): number =>
    others(poll).filter(({ holds }) => holds.get(item.subject)?.out === true).length +
    (item.before.out ? 1 : 0)
  return (a, b) => holders(b) - holders(a) || a.dc.number - b.dc.number
}

/** A DC that is in has a host that is in: when none is well, all are, as Route 53 has it too. */
function takeOutHosts(dc: Item, hosts: readonly Item[]): void {
  const free = hosts.filter(({ word }) => !saysOut(word))
  const open = dc.serving && free.length > 0 && free.every(({ down }) => down === true)
  for (const item of free) {
    if (open) item.open = 'all hosts are down: none is taken out'
    else item.out = item.down === true && !saysIn(item.word)
  }
  if (dc.serving) serve(hosts, 'all hosts')
  else for (const item of hosts) item.serving = !item.out && !saysOut(item.word)
}

/** Who is in DNS; a person's word too can't leave nothing. */
function serve(items: readonly Item[], what: string): void {
  for (const item of items) item.serving = !item.out && !saysOut(item.word)
  if (items.some(({ serving }) => serving)) return
  const free = items.filter(({ word }) => !saysOut(word))
  for (const item of free.length > 0 ? free : items) {
    item.out = false
    item.serving = true
    item.open = `${what} would be out: kept`
  }
}

/** What DNS gives; what this checker's own timer says; since when that runs. */
interface Percent {
  readonly percent: number
  readonly own: number
  readonly backAt?: number
}
const whole: Percent = { percent: 100, own: 100 }

function percentNow(item: Item, poll: Poll, rules: CountRules, now: number): Percent {
  if (!item.serving) return { percent: 0, own: 100 }
  if (item.open !== undefined || saysIn(item.word)) return whole
  const { failback, failbackStepMs } = rules
  // A clock that was set back must not make it wait for longer than the steps take.
  const backAt = item.before.serving ? item.before.backAt : now
  const since = backAt === undefined ? undefined : Math.min(backAt, now)
  const own = since === undefined ? 100 : stepAfter(now - since, failback, failbackStepMs)
  const agreed = agreedPercent(poll, item.subject, own, failback[0] ?? 100)
  const percent = Math.max(1, Math.round((agreed * percentOf(item.word)) / 100))
  return { percent, own, ...(since === undefined || own >= 100 ? {} : { backAt: since }) }
}

function standingOf(item: Item, percent: number, poll: Poll): Standing {
  const { subject, down, degraded, serving } = item
  const state = down === true ? 'down' : degraded === true ? 'degraded' : 'up'
  return { subject, state, serving, percent, reason: reasonOf(item, percent, poll) }
}

function reasonOf(
  { open, word, down, downVotes, subject, degraded }: Item,
  percent: number,
  poll: Poll,
): string {
  const of = (number: number): string => `${number} of ${poll.all} checkers`
  const because = downVotes.find(({ reason }) => reason !== undefined)?.reason
  const votes =
    down === true
      ? `${of(downVotes.length)}: ${because ?? 'down'}`
      : degraded === true
        ? `degraded: ${votesFor(poll, subject, ({ reason, verdict }) => reason !== undefined && verdict !== 'abstain').at(0)?.reason ?? 'slow'}`
        : ''
  const parts = [
    open ?? '',
    word === undefined ? '' : wordReason(word),
    votes,
    percent > 0 && percent < 100 && percentOf(word) === 100 ? `coming back: ${percent} %` : '',
  ].filter((part) => part !== '')
  return parts.length > 0
    ? parts.join('; ')
    : of(votesFor(poll, subject, ({ verdict }) => verdict === 'up').length)
}

/**
 * What this checker says itself to who counts elsewhere, after the same rules: never more live DCs than may be out, so
 * that a count of it can't come to more either.
 */
function assertedBy(zone: readonly DcItem[], poll: Poll, rules: CountRules): ReadonlySet<string> {
  const all = zone.flatMap(({ item, hosts }) => [item, ...hosts])
  const byWord = all.filter(({ word, serving }) => saysOut(word) && !serving)
  const free = zone.filter(({ item }) => !saysOut(item.word))
  const removed = free.filter(({ dc, item }) => dc.kind === 'live' && item.out).length
  const open = free.every(({ item }) => item.own) || free.every(({ item }) => item.down === true)
  const going = free.filter(({ item }) => item.own && !item.out && !open && !saysIn(item.word))
  const first = going
    .filter(({ dc }) => dc.kind === 'live')
    .toSorted(byRank(poll))
    .slice(0, Math.max(0, rules.maxRemovedLive - removed))
  const dcs = [
    ...free.filter(({ item }) => item.own && item.out),
    ...first,
    ...going.filter(({ dc }) => dc.kind === 'backup'),
  ].map(({ item }) => item)
  const hosts = zone.flatMap((one) => {
    const left = one.hosts.filter(({ word }) => !saysOut(word))
    return left.every(({ own }) => own) ? [] : left.filter(({ own, word }) => own && !saysIn(word))
  })
  return new Set([...byWord, ...dcs, ...hosts].map(({ subject }) => subject))
}
