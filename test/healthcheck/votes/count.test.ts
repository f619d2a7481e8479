import { inspect } from 'node:util'
import { expect } from 'chai'
import * as fc from 'fast-check'
import type { Ballot, Hold } from '#healthcheck/votes/ballot.ts'
import { count, type CountInput, type Counted, type Memory } from '#healthcheck/votes/count.ts'
import type { Override, Verdict } from '#healthcheck/votes/vote.ts'
import { ballotsOf, checkers, dcs, input, noon, rules, subjects, vote, words } from './ballots.ts'

const live = dcs.filter(({ kind }) => kind === 'live').map(({ name }) => name)
const names = dcs.map(({ name }) => name)
const { quorum } = rules

type Said = Readonly<Record<string, Verdict>>
const verdict = fc.constantFrom<Verdict>('up', 'up', 'degraded', 'down', 'down', 'abstain')
const said = fc.record(Object.fromEntries(subjects.map((subject) => [subject, verdict])), {
  noNullPrototype: true,
})
/** What a checker that is well may say: hosts as they like, a DC down if all its hosts are. */
const hold = fc.record({
  down: fc.boolean(),
  degraded: fc.boolean(),
  out: fc.boolean(),
  percent: fc.constantFrom(25, 50, 100),
})
const holds = fc.uniqueArray(fc.tuple(fc.constantFrom(...subjects), hold), {
  selector: ([subject]) => subject,
})
const age = fc.oneof(fc.integer({ min: 0, max: 30_000 }), fc.constantFrom(30_001, 1e9, Infinity))
const override = fc.record(
  {
    subject: fc.constantFrom(...subjects, 'dc99'),
    action: fc.constantFrom<Override['action']>('out', 'in', 'weight'),
    percent: fc.integer({ min: 0, max: 100 }),
    owner: fc.constant('anna'),
    reason: fc.constantFrom('a', 'b'),
    at: fc.integer({ min: noon - 5, max: noon }),
    expiresAt: fc.constantFrom(noon - 1, noon, noon + 1, noon + 1e6),
  },
  { requiredKeys: ['subject', 'action', 'owner', 'reason', 'at'], noNullPrototype: true },
)
const overrides = fc.array(override, { maxLength: 8 })
const ballots = fc
  .tuple(...checkers.map(() => fc.option(fc.tuple(said, age, holds), { nil: undefined })))
  .map((all) =>
    all.flatMap((one, at) => {
      if (one === undefined) return []
      const [words_, ageMs, held] = one
      return [ballot(checkers[at], words_, new Map(held), ageMs)]
    }),
  )
const remembered = fc.record({
  down: fc.boolean(),
  degraded: fc.boolean(),
  out: fc.boolean(),
  serving: fc.boolean(),
  backAt: fc.option(fc.integer({ min: noon - 200_000, max: noon + 1000 }), { nil: undefined }),
})
const memory: fc.Arbitrary<Memory> = fc
  .uniqueArray(fc.tuple(fc.constantFrom(...subjects), remembered), { selector: ([subject]) => subject })
  .map((all) => Object.fromEntries(all))
/** Of a checker that has counted before. */
const fullMemory: fc.Arbitrary<Memory> = fc.record(
  Object.fromEntries(subjects.map((subject) => [subject, remembered])),
  { noNullPrototype: true },
)
const anything: fc.Arbitrary<CountInput> = fc
  .record({ ballots, overrides, before: memory, checker: fc.constantFrom(...checkers) })
  .map(input)

describe('The count of votes', () => {
  it('always leaves a DC in, and a host in each DC that is in', () => {
    fc.assert(
      fc.property(anything, (given) => {
        const serving = servingOf(count(given))
        expect(names.filter((name) => serving.has(name))).to.not.be.empty
        for (const { name, hosts } of dcs) {
          if (serving.has(name)) expect(hosts.filter((host) => serving.has(host))).to.not.be.empty
        }
      }),
      { numRuns: 300 },
    )
  })

  it('takes out no more live DCs than allowed, beside those that people take out', () => {
    fc.assert(
      fc.property(anything, fc.integer({ min: 1, max: 3 }), (given, maxRemovedLive) => {
        const counted = count({ ...given, rules: { ...rules, maxRemovedLive } })
        const byVotes = live.filter(
          (name) => counted.standings.get(name)?.serving === false && !isOut(given, name),
        )
        expect(byVotes.length).to.be.at.most(maxRemovedLive)
        const asserted = live.filter((name) => counted.asserted.has(name) && !isOut(given, name))
        expect(asserted.length).to.be.at.most(maxRemovedLive)
      }),
      { numRuns: 300 },
    )
  })

  it("lets people's words win, the last one of each, until they expire", () => {
    fc.assert(
      fc.property(anything, (given) => {
        const counted = count(given)
        const everyOut = names.every((name) => isOut(given, name))
        for (const name of names) {
          const { serving, percent } = counted.standings.get(name) ?? { serving: false, percent: 0 }
          const word = wordFor(given.overrides, name)
          if (isOut(given, name)) expect(serving).to.equal(everyOut)
          if (word?.action === 'in') expect([serving, percent]).to.deep.equal([true, 100])
          expect(percent > 0).to.equal(serving)
        }
        const valid = given.overrides.filter(({ expiresAt }) => expiresAt === undefined || expiresAt > noon)
        expect(shown(count({ ...given, overrides: valid }))).to.deep.equal(shown(counted))
      }),
      { numRuns: 300 },
    )
  })

  it('is the same in whatever order votes come, and changes nothing that it was given', () => {
    fc.assert(
      fc.property(
        anything.chain((given) =>
          fc.record({
            given: fc.constant(given),
            ballots: fc.shuffledSubarray([...given.ballots], { minLength: given.ballots.length }),
            overrides: fc.shuffledSubarray([...given.overrides], { minLength: given.overrides.length }),
          }),
        ),
        ({ given, ...shuffled }) => {
          const before = inspect(given, { depth: 9 })
          expect(shown(count({ ...given, ...shuffled }))).to.deep.equal(shown(count(given)))
          expect(inspect(given, { depth: 9 })).to.equal(before)
        },
      ),
    )
  })

  it('is not moved by silence: as long as nobody says anything, all stays as it was', () => {
    fc.assert(
      fc.property(anything, fc.constantFrom(...checkers), (given, checker) => {
        const first = count({ ...given, overrides: [], checker })
        const old = given.ballots.map((one) => ({ ...one, ageMs: 30_001 }))
        for (const silent of [[], old, ballotsOf({ all: 'aaaaa' })]) {
          const then = count({ ...given, overrides: [], checker, ballots: silent, before: first.memory })
          expect(stateOf(then)).to.deep.equal(stateOf(first))
        }
      }),
    )
  })

  for (const liars of [1, quorum - 1]) {
    it(`is not moved by ${liars} of 5 that lie, whatever they say and when, in any sequence`, () => {
      const lies = fc.array(fc.tuple(said, holds), { minLength: liars, maxLength: liars })
      const round = fc.record({
        truth: said,
        lies,
        who: fc.shuffledSubarray(checkers, { minLength: liars, maxLength: liars }),
      })
      fc.assert(
        fc.property(fc.array(round, { minLength: 1, maxLength: 5 }), (rounds) => {
          let honest: Counted | undefined
          let fooled: Counted | undefined
          const c = (before: Counted | undefined, given: Ballot[]): Counted =>
            count(input({ ballots: given, before: before?.memory ?? {} }))
          for (const { truth, lies: told, who } of rounds) {
            // What is true is known by whoever is honest; "abstain" is no truth.
            const known = definite(truth)
            const held = honest?.holds ?? new Map<string, Hold>()
            honest = c(
              honest,
              checkers.map((name) => ballot(name, known, held)),
            )
            const heldThen = fooled?.holds ?? new Map<string, Hold>()
            fooled = c(
              fooled,
              checkers.map((name) => {
                const at = who.indexOf(name)
                if (at === -1 || name === 'c1') return ballot(name, known, heldThen)
                const [lie, heldLie] = told[at]
                return ballot(name, lie, new Map(heldLie))
              }),
            )
            expect(downOf(fooled)).to.deep.equal(downOf(honest))
            // Which of two that are down is out is all that a lie can change.
            const dead = live.filter((name) => known[name] === 'down').length
            if (dead <= rules.maxRemovedLive) expect(stateOf(fooled)).to.deep.equal(stateOf(honest))
            else expect(dcsIn(fooled)).to.have.length(dcsIn(honest).length)
          }
        }),
      )
    })
  }

  it('comes to the same at all checkers that hear each other, whatever each remembers', () => {
    const votes = fc.tuple(...checkers.map(() => said))
    fc.assert(
      fc.property(votes, fc.tuple(...checkers.map(() => fullMemory)), overrides, (all, memories, given) => {
        const counted = together(all, memories, given)
        for (const one of counted) expect(shown(one).standings).to.deep.equal(shown(counted[0]).standings)
      }),
      { numRuns: 100 },
    )
  })

  it('comes to the same as Route 53, which counts the down pages by itself', () => {
    const decided = fc.constantFrom<Verdict>('up', 'down')
    const dcSaid = fc.record(Object.fromEntries(names.map((name) => [name, decided])))
    fc.assert(
      fc.property(fc.tuple(...checkers.map(() => dcSaid)), overrides, (all, given) => {
        const everywhere = all.map((one) => withHosts(one))
        const counted = together(
          everywhere,
          checkers.map(() => ({})),
          given,
        )
        for (const name of names) {
          const asserting = counted.filter(({ asserted }) => asserted.has(name)).length
          expect(asserting < quorum, name).to.equal(counted[0].standings.get(name)?.serving)
        }
      }),
      { numRuns: 300 },
    )
  })

  describe('brings back by steps', () => {
    const back = (elapsed: number, more: Partial<CountInput> = {}): number => {
      const out = count(input({ ballots: ballotsOf({ dc01: 'ddddd' }) }))
      const first = count(input({ ballots: allHolding(out), before: out.memory, ...more }))
      const now = noon + elapsed
      const second = count(input({ ballots: allHolding(first), before: first.memory, now, ...more }))
      const then = count(input({ ballots: allHolding(second), before: second.memory, now, ...more }))
      return then.standings.get('dc01')?.percent ?? 0
    }
    const allHolding = ({ holds: held }: Counted): Ballot[] =>
      ballotsOf({}).map((one) => ({ ...one, holds: held }))
    const table: [string, number, Partial<CountInput>, number][] = [
      ['at once: a quarter', 0, {}, 25],
      ['before a minute', 59_999, {}, 25],
      ['after a minute: half', 60_000, {}, 50],
      ['after two: all', 120_000, {}, 100],
      ['a clock that was set back: it begins anew, not later', -3_600_000, {}, 25],
      ['by other steps', 60_000, { rules: { ...rules, failback: [10, 40, 70] } }, 40],
      ['by one step: at once', 0, { rules: { ...rules, failback: [100] } }, 100],
      ['by none', 0, { rules: { ...rules, failback: [] } }, 100],
      ['with a weight of a person', 60_000, { overrides: words('dc01 weight 50') }, 25],
      ['unless a person says in', 0, { overrides: words('dc01 in') }, 100],
    ]
    for (const [situation, elapsed, more, percent] of table) {
      it(`${situation}: ${percent} %`, () => expect(back(elapsed, more)).to.equal(percent))
    }

    it('a DC that a person gives back, too', () => {
      const drained = count(input({ ballots: ballotsOf({}), overrides: words('dc02 out') }))
      const given = count(input({ ballots: ballotsOf({}), before: drained.memory }))
      expect(given.standings.get('dc02')?.percent).to.equal(25)
    })

    it('at the pace of the others, where this checker was away', () => {
      const others = ballotsOf({}).map((one) =>
        one.checker === 'c1'
          ? one
          : { ...one, holds: new Map([['dc01', { down: false, degraded: false, out: false, percent: 50 }]]) },
      )
      // It knows nothing of it being out.
      expect(count(input({ ballots: others })).standings.get('dc01')?.percent).to.equal(50)
      // It still had it out.
      const out = count(input({ ballots: ballotsOf({ dc01: 'ddddd' }) }))
      const then = count(input({ ballots: others, before: out.memory }))
      expect(then.standings.get('dc01')?.percent).to.equal(50)
    })
  })

  describe('says why', () => {
    const table: [string, Partial<CountInput>, string, string][] = [
      ['who votes', { ballots: ballotsOf({ dc01: 'ddduu' }) }, 'dc01', '3 of 5 checkers: refused'],
      ['all is well', { ballots: ballotsOf({}) }, 'dc01', '5 of 5 checkers'],
      [
        'the cap',
        { ballots: ballotsOf({ dc01: 'ddddd', dc02: 'ddddd' }) },
        'dc02',
        'kept: dc01 is out already; 5 of 5 checkers: refused',
      ],
      [
        'a person',
        { ballots: ballotsOf({}), overrides: [{ ...words('dc01 out')[0], expiresAt: noon + 3_600_000 }] },
        'dc01',
        'out by anna until 2026-11-21T13:00Z: tests',
      ],
    ]
    for (const [what, more, subject, reason] of table) {
      it(what, () => expect(count(input(more)).standings.get(subject)?.reason).to.equal(reason))
    }
  })

  it('has no ear for checkers that are not in the inventory', () => {
    const foreign = ['x1', 'x2', 'x3'].map((name) => ballot(name, definite({}, 'down')))
    expect(stateOf(count(input({ ballots: [...ballotsOf({}), ...foreign] })))).to.deep.equal(
      stateOf(count(input({ ballots: ballotsOf({}) }))),
    )
  })
})

/** All checkers count, hear what the others hold, and count again. */
function together(all: readonly Said[], memories: readonly Memory[], given: readonly Override[]): Counted[] {
  let before = memories
  let held = checkers.map((): ReadonlyMap<string, Hold> => new Map())
  let counted: Counted[] = []
  for (let round = 0; round < 4; round++) {
    const cast = all.map((one, at) => ballot(checkers[at], one, held[at]))
    counted = checkers.map((checker, at) =>
      count(input({ checker, ballots: cast, overrides: given, before: before[at] })),
    )
    before = counted.map((one) => one.memory)
    held = counted.map((one) => one.holds)
  }
  return counted
}

function ballot(
  checker: string,
  words_: Said,
  held: ReadonlyMap<string, Hold> = new Map(),
  ageMs = 0,
): Ballot {
  const votes = new Map(
    Object.entries(words_).map(([subject, one]) => [subject, vote(checker, subject, one)]),
  )
  return { checker, ageMs, votes, holds: held }
}

/** All subjects, without abstentions. */
function definite(words_: Said, otherwise: Verdict = 'up'): Said {
  return Object.fromEntries(
    subjects.map((subject) => {
      const one = words_[subject] ?? otherwise
      return [subject, one === 'abstain' ? 'up' : one]
    }),
  )
}

function withHosts(words_: Said): Said {
  return Object.fromEntries(
    dcs.flatMap(({ name, hosts }) => [name, ...hosts].map((subject) => [subject, words_[name]])),
  )
}

function servingOf({ standings }: Counted): Set<string> {
  return new Set(Array.from(standings.values()).flatMap((one) => (one.serving ? [one.subject] : [])))
}

function dcsIn(counted: Counted): string[] {
  const serving = servingOf(counted)
  return names.filter((name) => serving.has(name))
}

function stateOf({ standings }: Counted): object[] {
  return Array.from(standings.values(), ({ subject, state, serving }) => ({ subject, state, serving }))
}

function downOf({ standings }: Counted): string[] {
  return Array.from(standings.values()).flatMap(({ subject, state }) => (state === 'down' ? [subject] : []))
}

function shown({ standings, asserted, holds: held, memory: kept }: Counted): {
  standings: object[]
  rest: unknown
} {
  const all = Array.from(standings.values(), ({ subject, state, serving, percent }) => ({
    subject,
    state,
    serving,
    percent,
  }))
  return { standings: all, rest: [Array.from(asserted).toSorted(), Array.from(held), kept] }
}

function wordFor(all: readonly Override[], subject: string): Override | undefined {
  return all
    .filter((one) => one.subject === subject && (one.expiresAt === undefined || one.expiresAt > noon))
    .toSorted((a, b) => b.at - a.at || (JSON.stringify(a) > JSON.stringify(b) ? -1 : 1))
    .at(0)
}

function isOut({ overrides: all }: Pick<CountInput, 'overrides'>, subject: string): boolean {
  const word = wordFor(all, subject)
  return word?.action === 'out' || (word?.action === 'weight' && word.percent === 0)
}
