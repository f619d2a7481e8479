import { expect } from 'chai'
import { runLeaseMs, Schedules } from '#platform/schedules/schedules.ts'
import { MemoryStore } from '#platform/store/memory.ts'
import { refusal } from '../refusal.ts'
import { TestClock } from '../store/contract.ts'

const daily = {
  name: 'daily',
  job: 'restart',
  cron: '30 3 * * *',
  timezone: 'UTC',
  on: '',
  jitter: 0,
  missed: 'run',
  enabled: true,
  overdueAfter: 26,
  owner: 'ann',
} as const
const due = Date.UTC(2026, 0, 2, 3, 30)

describe('one time of a schedule', () => {
  let clock: TestClock
  let here: Schedules
  let there: Schedules

  beforeEach(async () => {
    clock = new TestClock()
    const store = new MemoryStore({ clock })
    here = new Schedules(store, clock)
    there = new Schedules(store, clock)
    await here.put(daily)
  })

  it('begins once, though it is due everywhere at the same moment', async () => {
    const all = await Promise.allSettled(
      [here, there, here, there].map((one, i) => one.claim('daily', due, `runner ${i}`)),
    )
    expect(all.filter(({ status }) => status === 'fulfilled').length).to.equal(1)
  })

  it('is gone on with elsewhere when its runner dies, whose late report counts no more', async () => {
    const first = await here.claim('daily', due, 'one')
    expect(await refusal(there.claim('daily', due, 'two'))).to.match(
      /^conflict: one does it, heard of 0 s ago/,
    )
    clock.time += runLeaseMs
    const second = await there.claim('daily', due, 'two')
    expect(second.token).to.equal(first.token + 1)
    expect(await refusal(here.report('daily', due, first.token, { state: 'done' }))).to.equal(
      'conflict: two has it, and it is running; stop',
    )
    await there.report('daily', due, second.token, { state: 'done', note: '5 of 5 hosts' })
    expect((await here.runs('daily', 5))[0]).to.include({
      state: 'done',
      note: '5 of 5 hosts',
      runner: 'two',
    })
    expect(await refusal(here.claim('daily', due, 'one'))).to.equal('conflict: it is done already')
  })

  it('stays known when the schedule is deleted, which begins nothing more', async () => {
    const { token } = await here.claim('daily', due, 'one')
    await here.report('daily', due, token, { state: 'failed', note: 'dc01-app1: no' })
    await there.delete('daily')
    expect((await here.runs('daily', 5)).map(({ state }) => state)).to.deep.equal(['failed'])
    expect(await refusal(here.claim('daily', due + 1, 'one'))).to.match(/^schedule_not_found/)
    expect(await refusal(here.report('daily', 5, 1, { state: 'done' }))).to.match(/^schedule_not_found/)
    expect(await here.list()).to.deep.equal([])
  })
})
