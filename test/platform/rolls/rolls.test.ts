import { expect } from 'chai'
import { Rolls } from '#platform/rolls/rolls.ts'
import { beaten, leaseMs, taken, wished } from '#platform/rolls/transitions.ts'
import { MemoryStore } from '#platform/store/memory.ts'
import { refusal } from '../refusal.ts'
import { TestClock } from '../store/contract.ts'

const input = {
  kind: 'restart',
  actor: 'ann',
  reason: 'daily',
  approval: false,
  hosts: [{ host: 'dc01-app1', dc: 'dc01' }],
} as const

describe('rolls as every process sees them', () => {
  let clock: TestClock
  let here: Rolls
  let there: Rolls

  beforeEach(() => {
    clock = new TestClock()
    const store = new MemoryStore({ clock })
    here = new Rolls(store, clock)
    there = new Rolls(store, clock)
  })

  it('are one at a time: of two operators at once one is told what the other does', async () => {
    const both = await Promise.allSettled([here.create(input), there.create(input)])
    expect(both.map(({ status }) => status).toSorted()).to.deep.equal(['fulfilled', 'rejected'])
    expect(await refusal(there.create(input))).to.match(/^conflict: a restart of ann is ready; end it first/)
  })

  it('lose no change that is made at the same time elsewhere', async () => {
    const { id } = await here.create(input)
    const { runner } = await here.change(id, (one, now) => taken(one, 'r', now))
    const token = runner?.token ?? 0
    clock.time += 1000
    await Promise.all([
      here.change(id, (one, now) => beaten(one, token, now)),
      there.change(id, (one, now) => wished(one, 'pause', 'bob', now)),
      here.change(id, (one, now) => beaten(one, token, now)),
    ])
    const now = await there.current()
    expect(now?.wish).to.equal('pause')
    expect(now?.runner?.beatAt).to.equal(clock.now())
  })

  it('have tokens that grow from one to the next, so that hosts know whoever comes too late', async () => {
    const one = await here.create(input)
    await here.change(one.id, (roll, now) => taken(roll, 'a', now))
    await here.change(one.id, (roll, now) => taken(roll, 'a', now))
    clock.time += leaseMs
    await here.change(one.id, (roll, now) => wished(roll, 'abort', 'ann', now))
    const never = await here.create(input)
    await here.change(never.id, (roll, now) => wished(roll, 'abort', 'ann', now))
    const next = await there.create(input)
    expect((await there.change(next.id, (roll, now) => taken(roll, 'b', now))).runner?.token).to.equal(3)
  })

  it('are kept when they are over, the newest first, page by page', async () => {
    const ids: string[] = []
    for (let i = 0; i < 5; i++) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      const { id } = await here.create(input)
      ids.unshift(id)
      // oxlint-disable-next-line no-await-in-loop
      await here.change(id, (one, now) => wished(one, 'abort', 'ann', now))
    }
    const first = await there.list(3)
    const rest = await there.list(3, first.next ?? '')
    expect([...first.rolls, ...rest.rolls].map(({ id }) => id)).to.deep.equal(ids.toSorted().toReversed())
    expect(rest.next).to.equal(null)
    expect(await refusal(here.change(ids[4], (one) => one))).to.match(/^conflict/)
    expect(await refusal(here.change('none', (one) => one))).to.match(/^roll_not_found/)
  })
})
