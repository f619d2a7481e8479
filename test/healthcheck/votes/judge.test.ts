import { expect } from 'chai'
import * as fc from 'fast-check'
import type { ProbeResult } from '#healthcheck/probes/probe.ts'
import { abstention, type HostState, judge, judgeDc, judgeHost, looked } from '#healthcheck/votes/judge.ts'

const rules = { downAfter: 2, upAfter: 3, serve: ['mqtt', 'rest'], staleMs: 60_000 }
const dcs = [
  { name: 'dc01', number: 1, kind: 'live' as const, hosts: ['a1', 'a2'] },
  { name: 'dc02', number: 2, kind: 'live' as const, hosts: ['b1'] },
  { name: 'dc03', number: 3, kind: 'live' as const, hosts: ['c1'] },
]

/** `m`, `r`: a good look by mqtt, rest; `M`, `R`: a failed one; `s`: a slow one by mqtt; `d`, `D`: of a probe that degrades only. */
function look(letter: string): ProbeResult {
  const probe = { m: 'mqtt', s: 'mqtt', r: 'rest', d: 'disk' }[letter.toLowerCase()] ?? ''
  const ok = letter === letter.toLowerCase()
  const slow = letter === 's' ? { slow: true } : {}
  const weight = probe === 'disk' ? ('degrade' as const) : ('serve' as const)
  const error = ok ? {} : { error: 'refused' }
  return { probe, weight, host: 'a1', dc: 'dc01', ok, at: 0, ms: 5, ...slow, ...error }
}

function after(looks: string, start?: HostState): HostState | undefined {
  let state = start
  for (const [at, letter] of Array.from(looks.replaceAll(' ', '')).entries()) {
    state = looked(state, look(letter), at * 1000, rules)
  }
  return state
}

describe('A checker judges a host', () => {
  const table: [string, string, string][] = [
    ['nothing was looked at', '', 'abstain'],
    ['one probe has not looked yet', 'm m m', 'abstain'],
    ['each probe has looked once, and all is well', 'm r', 'up'],
    ['the first look fails: nothing is called down at once', 'm R', 'abstain'],
    ['it has failed as often as would do later, but was never up', 'm R R', 'abstain'],
    ['it has failed once more', 'm R R R', 'down'],
    ['it failed at first and is well since', 'M R m r', 'up'],
    ['one look fails', 'm r M', 'up'],
    ['two looks of one probe fail in a row', 'm r M M', 'down'],
    ['two looks fail, with a good one between', 'm r M m M', 'up'],
    ['one look of each of two probes fails', 'm r M R', 'up'],
    ['down, and one good look', 'm r M M m', 'down'],
    ['down, and too few good ones', 'm r M M m m r', 'down'],
    ['down, and as many good ones as it takes', 'm r M M m m m', 'up'],
    ['down, and a failure between the good ones', 'm r M M m m M m m', 'down'],
    ['down, and another probe fails while the first is well again', 'm r M M m R m m', 'down'],
    ['down, and it too is well again', 'm r M M m R m m r r r', 'up'],
    ['one slow look', 'm r s', 'up'],
    ['slow again', 'm r s s', 'degraded'],
    ['slow, never down however long', 'm r s s s s s s s s s', 'degraded'],
    ['slow no more, for long enough', 'm r s s m m m', 'up'],
    ['slow no more, too short', 'm r s s m m', 'degraded'],
    ['a probe that is no reason to go fails', 'm r d D D D D', 'degraded'],
    ['it fails, and so does one that is', 'm r D D M M', 'down'],
    ['up again, but that probe still fails', 'm r D D M M m m m', 'degraded'],
  ]
  for (const [situation, looks, verdict] of table) {
    it(`${verdict}: ${situation}`, () => {
      expect(judgeHost(after(looks), 10_000, rules).verdict).to.equal(verdict)
    })
  }

  it('and says why, by the probe that failed', () => {
    expect(judgeHost(after('m r R R'), 10_000, rules).reason).to.equal('rest: refused')
    expect(judgeHost(after('m r s s'), 10_000, rules).reason).to.equal('mqtt: slow, 5 ms')
  })

  it('not from what it saw long ago', () => {
    const state = after('m r M M')
    expect(judgeHost(state, 63_000, rules).verdict).to.equal('down')
    expect(judgeHost(state, 63_001, rules).verdict).to.equal('abstain')
  })

  it('never flaps faster than its hysteresis: a host that goes and comes has failed and been well in a row', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('m', 'M', 'r', 'R', 's', 'd', 'D'), { maxLength: 200 }),
        (looks) => {
          let state: HostState | undefined
          let wentAt = 0
          let cameAt = 0
          for (const [at, letter] of looks.entries()) {
            const before = state?.verdict
            state = looked(state, look(letter), at * 1000, rules)
            if (state.verdict === 'down' && before !== 'down') {
              expect(looks.slice(cameAt, at + 1).filter((one) => /[MR]/.test(one))).to.have.length.at.least(2)
              wentAt = at + 1
            } else if (before === 'down' && state.verdict !== 'down') {
              expect(looks.slice(wentAt, at + 1).filter((one) => /[mrs]/.test(one))).to.have.length.at.least(
                3,
              )
              cameAt = at + 1
            }
          }
        },
      ),
    )
  })

  it('never down by probes that degrade, and by slowness', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('m', 'r', 's', 'd', 'D')), (looks) => {
        expect(after(looks.join(''))?.verdict).to.not.equal('down')
      }),
    )
  })
})

describe('A checker judges a DC', () => {
  const since = 0
  const table: [string, string[], string][] = [
    ['all hosts are up', ['up', 'up'], 'up'],
    ['one host is down', ['up', 'down'], 'degraded'],
    ['one host is slow', ['up', 'degraded'], 'degraded'],
    ['all hosts are down', ['down', 'down'], 'down'],
    ['one is down, the other is not known', ['down', 'abstain'], 'abstain'],
    ['one is up, the other is not known', ['up', 'abstain'], 'up'],
    ['one is slow, the other down', ['degraded', 'down'], 'degraded'],
    ['nothing is known', ['abstain', 'abstain'], 'abstain'],
    ['there are none', [], 'abstain'],
  ]
  for (const [situation, verdicts, expected] of table) {
    it(`${expected}: ${situation}`, () => {
      const hosts = new Map(
        verdicts.map((verdict, at) => [`h${at}`, { verdict: verdict as 'up', since, reason: 'r' }]),
      )
      expect(judgeDc(hosts).verdict).to.equal(expected)
    })
  }
})

describe('A checker abstains', () => {
  const fine = after('m r')
  const failing = after('m r M')
  const states = (...failed: string[]): Map<string, HostState> =>
    new Map(
      ['a1', 'a2', 'b1', 'c1'].map((host) => {
        const state = failed.includes(host) ? failing : fine
        if (state === undefined) throw new Error('no state')
        return [host, state]
      }),
    )
  const table: [string, string[], number, boolean][] = [
    ['all is well', [], 4, false],
    ['most DCs fail, but it reaches the others', ['a1', 'a2', 'b1'], 4, false],
    ['most DCs fail, and it reaches half of the others', ['a1', 'a2', 'b1'], 2, false],
    ['it reaches few others, but the DCs', [], 1, false],
    ['it reaches few others, and one DC fails', ['b1'], 1, false],
    ['it reaches few others, and most DCs fail', ['a1', 'a2', 'b1'], 1, true],
    ['it reaches nobody', ['a1', 'a2', 'b1', 'c1'], 0, true],
    ['it reaches nobody, but one host of a DC', ['a1', 'b1'], 0, false],
  ]
  for (const [situation, failed, reached, abstains] of table) {
    it(`${abstains ? 'yes' : 'no'}: ${situation}`, () => {
      const why = abstention(dcs, states(...failed), { others: 4, reached })
      expect(why !== undefined).to.equal(abstains)
    })
  }

  it('from everything while something is wrong with itself', () => {
    const why = abstention(dcs, states(), { others: 4, reached: 4, fault: 'its device is refused' })
    expect(why).to.equal('its device is refused')
    const all = judge(dcs, states(), why, 0, rules)
    expect(new Set(Array.from(all.values(), ({ verdict }) => verdict))).to.deep.equal(new Set(['abstain']))
    expect(all.size).to.equal(7)
  })

  it('is not cut off where there is no other checker', () => {
    expect(abstention(dcs, states('a1', 'a2', 'b1', 'c1'), { others: 0, reached: 0 })).to.equal(undefined)
  })
})
