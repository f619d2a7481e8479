import type { ProbeResult } from '#healthcheck/probes/probe.ts'
import type { Clock } from '#platform/clock.ts'
import type { Inventory } from '#platform/inventory/inventory.ts'
import type { Metrics } from '#platform/metrics.ts'
import type { Timer, Timers } from '#platform/timers.ts'
import type { Ballot } from './ballot.ts'
import { count, type Counted, type CountRules, type Memory } from './count.ts'
import { type Ask, Exchange, type Neighbour } from './exchange.ts'
import { abstention, type HostState, type Judgement, judge, type JudgeRules, looked } from './judge.ts'
import type { Keyring } from './sign.ts'
import { type DcSubject, subjectsOf } from './subjects.ts'
import type { Override, Standing, Vote } from './vote.ts'

export interface VotingOptions {
  /** Name of this checker's host. */
  readonly checker: string
  readonly inventory: Inventory
  /** Names of the probes of weight `serve`, which all must have looked at a host before it is judged. */
  readonly serve: readonly string[]
  readonly keys: Keyring
  readonly ask: Ask
  /** People's words, as they are known now. */
  readonly overrides: () => readonly Override[]
  readonly timers: Timers
  readonly clock: Clock
  readonly metrics: Metrics
  /** What `memory()` said before a restart. */
  readonly before?: Memory
  /** Where the defaults do not suit. */
  readonly rules?: Partial<Pick<CountRules, 'voteTtlMs' | 'failback' | 'failbackStepMs'>> & {
    readonly pullMs?: number
    readonly timeoutMs?: number
    readonly staleMs?: number
  }
}

/** All that is known at one moment. */
export interface Snapshot {
  /** Of every DC and host, see vote.ts. */
  readonly standings: ReadonlyMap<string, Standing>
  /** Latest votes of all checkers, this one's first, with their ages; old ones too, which do not count. */
  readonly ballots: readonly Ballot[]
  /** Why this checker says nothing now; undefined: it votes. */
  readonly abstains: string | undefined
  /** People's words in force. */
  readonly overrides: readonly Override[]
  readonly neighbours: readonly Neighbour[]
}

/** Defaults of what an inventory does not say. */
export const votingDefaults = {
  voteTtlMs: 30_000,
  pullMs: 2000,
  timeoutMs: 2000,
} as const

/** How often the passing of time alone is looked at: votes age, words expire, steps are taken. */
const tickMs = 1000
/** Looks at a host that may be missing in a row before nothing is said of it. */
const missedLooks = 6

/** One checker's part in the voting: looks in, standings out. */
export class Voting {
  readonly #options: VotingOptions
  readonly #dcs: readonly DcSubject[]
  readonly #judgeRules: JudgeRules
  readonly #countRules: CountRules
  readonly #exchange: Exchange
  /** A checker that answered within this time is in reach. */
  readonly #reachMs: number
  readonly #others: number
  readonly #states = new Map<string, HostState>()
  readonly #listeners: ((changed: readonly Standing[], all: ReadonlyMap<string, Standing>) => void)[] = []
  #fault: string | undefined
  #abstains: string | undefined
  #memory: Memory
  #own: Ballot
  #counted: Counted
  #timer: Timer | null = null

  constructor(options: VotingOptions) {
    const { inventory, checker, rules = {}, timers, metrics, keys, ask } = options
    const { health } = inventory
    const { failback = health.failback, failbackStepMs = health.failback_step * 1000 } = rules
    const { voteTtlMs, pullMs, timeoutMs } = { ...votingDefaults, ...rules }
    this.#options = options
    this.#dcs = subjectsOf(inventory)
    this.#judgeRules = {
      downAfter: health.down_after,
      upAfter: health.up_after,
      serve: options.serve,
      staleMs: rules.staleMs ?? Math.max(60_000, missedLooks * health.interval * 1000),
    }
    const checkers = inventory.hosts.filter(({ roles }) => roles.includes('checker')).map(({ name }) => name)
    const others = checkers.filter((name) => name !== checker)
    this.#others = others.length
    this.#countRules = {
      checkers,
      quorum: health.quorum,
      voteTtlMs,
      maxRemovedLive: health.max_removed_live,
      failback,
      failbackStepMs,
    }
    this.#reachMs = 2 * pullMs + timeoutMs
    this.#memory = options.before ?? {}
    this.#own = { checker, ageMs: 0, votes: new Map(), holds: new Map() }
    this.#exchange = new Exchange({
      cell: inventory.cell,
      checker,
      others,
      keys,
      ask,
      timers,
      metrics,
      own: () => this.#own,
      onBallot: () => this.#recount(),
      pullMs,
      timeoutMs,
    })
    this.#counted = this.#count()
    this.#measure(metrics)
  }

  start(): void {
    this.#timer = this.#options.timers.every(tickMs, () => this.#recount())
    this.#exchange.start()
  }

  stop(): void {
    this.#timer?.cancel()
    this.#exchange.stop()
  }

  /** One more look. Hosts and probes that are not known are not counted. */
  take(result: ProbeResult): void {
    if (!this.#dcs.some(({ hosts }) => hosts.includes(result.host))) return
    const before = this.#states.get(result.host)
    const state = looked(before, result, this.#options.timers.monotonic(), this.#judgeRules)
    this.#states.set(result.host, state)
    if (state.verdict !== before?.verdict || !result.ok) this.#recount()
  }

  /** What is wrong with this checker's own probe device or network; undefined: nothing. Meanwhile it abstains. */
  setFault(fault: string | undefined): void {
    if (fault === this.#fault) return
    this.#fault = fault
    this.#recount()
  }

  /** People's words have changed. */
  overridesChanged(): void {
    this.#recount()
  }

  /** The answer to another checker's question, see pages.ts. */
  answer(nonce: string): string | undefined {
    return this.#exchange.answer(nonce)
  }

  /** Subjects that this checker's down pages assert. */
  asserted(): ReadonlySet<string> {
    return this.#counted.asserted
  }

  standings(): ReadonlyMap<string, Standing> {
    return this.#counted.standings
  }

  /** To be kept over a restart. */
  memory(): Memory {
    return this.#memory
  }

  snapshot(): Snapshot {
    return {
      standings: this.#counted.standings,
      ballots: [this.#own, ...this.#exchange.ballots()],
      abstains: this.#abstains,
      overrides: this.#options.overrides(),
      neighbours: this.#exchange.neighbours(),
    }
  }

  /** Called after a count with the standings that have another state, `serving` or percent than before. */
  onChange(listener: (changed: readonly Standing[], all: ReadonlyMap<string, Standing>) => void): void {
    this.#listeners.push(listener)
  }

  #recount(): void {
    const before = this.#counted.standings
    this.#counted = this.#count()
    const { standings } = this.#counted
    const changed = Array.from(standings.values()).filter((one) => differs(before.get(one.subject), one))
    if (changed.length > 0) for (const listener of this.#listeners) listener(changed, standings)
  }

  #count(): Counted {
    const { checker, clock, overrides } = this.#options
    const judgements = this.#judge()
    this.#own = { ...this.#own, votes: this.#votes(judgements) }
    const counted = count({
      dcs: this.#dcs,
      rules: this.#countRules,
      checker,
      ballots: [this.#own, ...this.#exchange.ballots()],
      overrides: overrides(),
      now: clock.now(),
      before: this.#memory,
    })
    this.#memory = counted.memory
    this.#own = { ...this.#own, holds: counted.holds }
    return counted
  }

  #judge(): ReadonlyMap<string, Judgement> {
    const own = {
      others: this.#others,
      reached: this.#exchange.heardWithin(this.#reachMs),
      fault: this.#fault,
    }
    const abstains = abstention(this.#dcs, this.#states, own)
    // What it saw while it could not see is not what is: it begins anew.
    if (abstains === undefined && this.#abstains !== undefined) this.#states.clear()
    this.#abstains = abstains
    return judge(this.#dcs, this.#states, abstains, this.#options.timers.monotonic(), this.#judgeRules)
  }

  #votes(judgements: ReadonlyMap<string, Judgement>): ReadonlyMap<string, Vote> {
    const { checker, clock, timers } = this.#options
    const started = clock.now() - timers.monotonic()
    return new Map(
      Array.from(judgements, ([subject, { verdict, since, reason }]) => [
        subject,
        {
          checker,
          subject,
          verdict,
          since: Math.round(started + since),
          ...(reason === undefined ? {} : { reason }),
        },
      ]),
    )
  }

  #measure(metrics: Metrics): void {
    const each = (read: (standing: Standing) => number) => () =>
      Array.from(this.#counted.standings.values(), (one): [Record<string, string>, number] => [
        { subject: one.subject },
        read(one),
      ])
    metrics.gauge(
      'cinque_standing_serving',
      'Whether DNS gives the addresses of a DC or host',
      each(({ serving }) => Number(serving)),
    )
    metrics.gauge(
      'cinque_standing_percent',
      'Share of its own weight that a DC or host has',
      each(({ percent }) => percent),
    )
    metrics.gauge('cinque_votes_down', 'Checkers whose vote in force is down', () =>
      Array.from(this.#counted.standings.keys(), (subject): [Record<string, string>, number] => [
        { subject },
        this.snapshot().ballots.filter(
          ({ ageMs, votes }) => ageMs <= this.#countRules.voteTtlMs && votes.get(subject)?.verdict === 'down',
        ).length,
      ]),
    )
    metrics.gauge('cinque_votes_abstaining', 'Whether this checker says nothing', () =>
      Number(this.#abstains !== undefined),
    )
    const { quorum } = this.#countRules
    metrics.gauge('cinque_votes_quorum', 'Votes that it takes to take something out of DNS', () => quorum)
  }
}

function differs(before: Standing | undefined, now: Standing): boolean {
  return (
    before === undefined ||
    before.state !== now.state ||
    before.serving !== now.serving ||
    before.percent !== now.percent
  )
}
