import { expect } from 'chai'
import * as fc from 'fast-check'
import { PlatformError } from '#platform/errors.ts'
import { isOver, phases, type Roll } from '#platform/rolls/roll.ts'
import {
  approved,
  beaten,
  halted,
  leaseMs,
  planned,
  reported,
  rest,
  skipped,
  taken,
  wished,
} from '#platform/rolls/transitions.ts'

const hosts = ['dcb1-app1', 'dc01-app1', 'dc01-app2'].map((host) => ({ host, dc: host.slice(0, 4) }))

function plan(more: Partial<Parameters<typeof planned>[0]> = {}): Roll {
  return planned(
    { id: 'one', kind: 'restart', actor: 'ann', reason: 'daily', approval: false, hosts, ...more },
    1000,
  )
}

function refusal(act: () => unknown): string {
  try {
    act()
  } catch (error) {
    if (error instanceof PlatformError) return `${error.code}: ${error.message}`
    throw error
  }
  return 'not refused'
}

/** A host from where it is to its end. */
function through(roll: Roll, token: number, host: string, now = 2000): Roll {
  let one = roll
  for (const phase of phases) one = reported(one, token, { host, phase, state: 'running' }, now)
  return reported(one, token, { host, phase: 'return', state: 'done' }, now)
}

describe('a roll over the hosts', () => {
  it('goes host after host, and is done with the last', () => {
    let one = taken(plan(), 'runner', 1000)
    for (const { host } of hosts) {
      expect(one.state).to.equal('running')
      one = through(one, 1, host)
    }
    expect(one.state).to.equal('done')
    expect(one.steps.map(({ state }) => state)).to.deep.equal(['done', 'done', 'done'])
  })

  it('ends with the first host that fails, and what it has not done can be planned again', () => {
    const one = through(taken(plan(), 'runner', 1000), 1, 'dcb1-app1')
    const failed = reported(
      one,
      1,
      { host: 'dc01-app1', phase: 'settle', state: 'failed', note: 'MQTT refused' },
      3000,
    )
    expect(failed).to.include({ state: 'failed', note: 'dc01-app1: MQTT refused', endedAt: 3000 })
    expect(rest(failed).map(({ host }) => host)).to.deep.equal(['dc01-app1', 'dc01-app2'])
    expect(
      refusal(() => reported(failed, 1, { host: 'dc01-app2', phase: 'gate', state: 'running' }, 1)),
    ).to.match(/conflict: the roll is failed already/)
  })

  for (const [name, wrong, expected] of [
    ['no host', () => plan({ hosts: [] }), 'invalid_field: no host is meant'],
    [
      'a host twice',
      () => plan({ hosts: [hosts[0], hosts[0]] }),
      'invalid_field: "dcb1-app1" is there twice',
    ],
    ['an upgrade to nothing', () => plan({ kind: 'upgrade' }), /^invalid_field: an upgrade has a version/],
    ['a restart to a version', () => plan({ version: '2' }), /^invalid_field: an upgrade has a version/],
    [
      'approval by who has planned it',
      () => approved(plan({ approval: true }), 'ann'),
      /^conflict: ann has planned it; another person/,
    ],
    ['approval that nobody wants', () => approved(plan(), 'bob'), /^conflict: it needs no approval/],
    [
      'a start without approval',
      () => taken(plan({ approval: true }), 'r', 1),
      /^conflict: it waits for approval/,
    ],
    [
      'a start while it is paused',
      () => taken(wished(plan(), 'pause', 'bob', 1), 'r', 1),
      /^conflict: it is paused/,
    ],
    [
      'two runners at once',
      () => taken(taken(plan(), 'one', 1000), 'two', 1000 + leaseMs - 1),
      /^conflict: one carries it out, heard of 30 s ago/,
    ],
    [
      'a host before its turn',
      () => reported(taken(plan(), 'r', 1), 1, { host: 'dc01-app1', phase: 'gate', state: 'running' }, 1),
      /^conflict: dcb1-app1 comes before dc01-app1, and is waiting/,
    ],
    [
      'a host of no roll',
      () => reported(taken(plan(), 'r', 1), 1, { host: 'x', phase: 'gate', state: 'running' }, 1),
      /^invalid_field: "x" is no host of it/,
    ],
    [
      'a host that is done before it has returned',
      () => reported(taken(plan(), 'r', 1), 1, { host: 'dcb1-app1', phase: 'act', state: 'done' }, 1),
      /^conflict: a host is done after phase return/,
    ],
    [
      'leaving out a host that is being done',
      () =>
        skipped(
          reported(taken(plan(), 'r', 1), 1, { host: 'dcb1-app1', phase: 'gate', state: 'running' }, 1),
          'dcb1-app1',
          'bob',
        ),
      /^conflict: dcb1-app1 is running/,
    ],
  ] as const) {
    it(`refuses ${name}, and says why`, () => {
      expect(refusal(wrong)).to.match(expected instanceof RegExp ? expected : new RegExp(expected))
    })
  }

  it('is another runner’s when the first has not been heard of, who may report nothing more', () => {
    const first = taken(plan(), 'one', 1000)
    const second = taken(first, 'two', 1000 + leaseMs)
    expect(second.runner?.token).to.equal(2)
    for (const late of [
      () => beaten(second, 1, 5000),
      () => halted(second, 1, 5000),
      () => reported(second, 1, { host: 'dcb1-app1', phase: 'act', state: 'running' }, 5000),
    ])
      expect(refusal(late)).to.equal('conflict: two carries it out now; stop')
  })

  it('is ended at once if nobody carries it out, else by its runner', () => {
    expect(wished(plan(), 'abort', 'bob', 5).state).to.equal('aborted')
    const running = taken(plan(), 'r', 1000)
    const asked = wished(running, 'abort', 'bob', 1001)
    expect(asked).to.include({ state: 'running', wish: 'abort' })
    expect(halted(asked, 1, 1002).state).to.equal('aborted')
    expect(wished(running, 'abort', 'bob', 1000 + leaseMs).state).to.equal('aborted')
  })

  it('goes on where it was after a pause', () => {
    const one = through(taken(plan(), 'one', 1000), 1, 'dcb1-app1')
    const paused = halted(wished(one, 'pause', 'bob', 2000), 1, 2001)
    expect(paused.state).to.equal('paused')
    const again = taken(wished(paused, 'go', 'bob', 2002), 'two', 2003)
    expect(again).to.include({ state: 'running' })
    expect(through(again, 2, 'dc01-app1').steps[1].state).to.equal('done')
  })

  it('whatever is asked in whatever order, has at most one host under way, in order, and never leaves an end', () => {
    const host = fc.constantFrom('dcb1-app1', 'dc01-app1', 'dc01-app2')
    const report = fc.record({
      host,
      phase: fc.constantFrom(...phases),
      state: fc.constantFrom('running' as const, 'done' as const, 'failed' as const),
    })
    const act = fc.oneof(
      fc.tuple(fc.constant('report' as const), report, fc.integer({ min: 1, max: 3 })),
      fc.tuple(
        fc.constant('wish' as const),
        fc.constantFrom('go' as const, 'pause' as const, 'abort' as const),
      ),
      fc.tuple(fc.constant('take' as const), fc.constantFrom('one', 'two')),
      fc.tuple(fc.constant('halt' as const), fc.integer({ min: 1, max: 3 })),
      fc.tuple(fc.constant('skip' as const), host),
    )
    fc.assert(
      fc.property(fc.array(act, { maxLength: 60 }), (acts) => {
        let one = plan()
        let now = 1000
        for (const asked of acts) {
          now += leaseMs / 2
          const before = one
          try {
            if (asked[0] === 'report') one = reported(one, asked[2], asked[1], now)
            else if (asked[0] === 'wish') one = wished(one, asked[1], 'bob', now)
            else if (asked[0] === 'take') one = taken(one, asked[1], now)
            else if (asked[0] === 'halt') one = halted(one, asked[1], now)
            else one = skipped(one, asked[1], 'bob')
          } catch (error) {
            if (!(error instanceof PlatformError)) throw error
          }
          if (isOver(before)) expect(one).to.equal(before)
          const states = one.steps.map(({ state }) => state)
          expect(states.filter((state) => state === 'running').length).to.be.at.most(1)
          const first = states.findIndex((state) => state !== 'done' && state !== 'skipped')
          if (first !== -1)
            expect(
              states.slice(first + 1).every((state) => state === 'waiting' || state === 'skipped'),
            ).to.equal(true)
          expect(one.runner?.token ?? 0).to.be.at.least(before.runner?.token ?? 0)
        }
      }),
    )
  })
})
