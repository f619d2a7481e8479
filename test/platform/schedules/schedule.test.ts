import { expect } from 'chai'
import * as fc from 'fast-check'
import { PlatformError } from '#platform/errors.ts'
import { checkCron, dueTimes, lastDue } from '#platform/schedules/cron.ts'
import { beginOf, graceMs, isOverdue, pending, type Schedule } from '#platform/schedules/schedule.ts'

const hour = 3_600_000
const berlin = 'Europe/Berlin'
/** Saturday. */
const noon = Date.UTC(2026, 10, 21, 12)

const daily: Schedule = {
  name: 'daily-restart',
  job: 'restart',
  cron: '30 3 * * *',
  timezone: 'UTC',
  on: '',
  jitter: 0,
  missed: 'run',
  enabled: true,
  overdueAfter: 26,
  owner: 'ann',
  changedAt: Date.UTC(2026, 0, 1),
}

const iso = (at: number | undefined): string | undefined =>
  at === undefined ? undefined : new Date(at).toISOString()

describe('times of schedules', () => {
  for (const [cron, timezone, from, expected] of [
    ['30 3 * * *', 'UTC', '2026-11-21T03:30:00Z', '2026-11-22T03:30:00.000Z'],
    ['0 4 * * 0', 'UTC', '2026-11-21T12:00:00Z', '2026-11-22T04:00:00.000Z'],
    ['0 */2 * * *', 'UTC', '2026-11-21T12:00:00Z', '2026-11-21T14:00:00.000Z'],
    ['15 2 1 * *', 'UTC', '2026-11-21T12:00:00Z', '2026-12-01T02:15:00.000Z'],
    // An hour earlier in UTC once summer has begun (29 March 2026, 01:00 UTC).
    ['30 3 * * *', berlin, '2026-03-28T02:30:00Z', '2026-03-29T01:30:00.000Z'],
  ] as const) {
    it(`${cron} in ${timezone} after ${from}: ${expected}`, () => {
      const at = Date.parse(from)
      expect(iso(dueTimes({ cron, timezone }, at, at + 40 * 24 * hour, 1).at(0))).to.equal(expected)
    })
  }

  it('look back as they look ahead', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 400 * 24 * 60 }), (minutes) => {
        const at = noon + minutes * 60_000
        const found = lastDue({ cron: '0 */5 * * *', timezone: berlin }, at, at - 48 * hour)
        const all = dueTimes({ cron: '0 */5 * * *', timezone: berlin }, at - 48 * hour, at)
        expect(found).to.equal(all.at(-1))
      }),
      { numRuns: 20 },
    )
  })

  for (const [cron, timezone, why] of [
    ['61 * * * *', 'UTC', /"61" is no minute of a cron expression/],
    ['* * * *', 'UTC', /must have five fields/],
    ['* * * * * *', 'UTC', /must have five fields/],
    ['tomorrow', 'UTC', /must have five fields/],
    ['0 3 * * *', 'Mars/Base', /there is no time zone "Mars\/Base"/],
  ] as const) {
    it(`are refused with the field: "${cron}" in ${timezone}`, () => {
      expect(() => checkCron(cron, timezone)).to.throw(PlatformError, why)
    })
  }
})

describe('what a schedule has to do', () => {
  it('is the time that has come and was not begun', () => {
    const due = Date.UTC(2026, 10, 21, 3, 30)
    expect(pending(daily, { due: due - 24 * hour }, due)).to.deep.equal({ due, skip: false })
    expect(pending(daily, { due }, noon)).to.equal(undefined)
    expect(pending(daily, { due: due - 24 * hour }, due - 1)).to.equal(undefined)
  })

  it('is done once, however many times were missed', () => {
    const due = Date.UTC(2026, 10, 21, 3, 30)
    expect(pending(daily, { due: due - 5 * 24 * hour }, noon)).to.deep.equal({ due, skip: false })
  })

  it('is left out when it was missed, if that is wanted, and not while its runner only restarts', () => {
    const due = Date.UTC(2026, 10, 21, 3, 30)
    const skips: Schedule = { ...daily, missed: 'skip' }
    expect(pending(skips, undefined, due + graceMs)).to.deep.equal({ due, skip: false })
    expect(pending(skips, undefined, due + graceMs + 1)).to.deep.equal({ due, skip: true })
  })

  it('is nothing from before it was made or changed, and nothing while it is switched off', () => {
    expect(pending({ ...daily, changedAt: noon - hour }, undefined, noon)).to.equal(undefined)
    expect(pending({ ...daily, enabled: false }, undefined, noon)).to.equal(undefined)
  })

  it('begins at the same moment for everybody, another one each day', () => {
    const shaken = { ...daily, jitter: 3600 }
    const dues = dueTimes(shaken, noon, noon + 30 * 24 * hour)
    const begins = dues.map((due) => beginOf(shaken, due) - due)
    for (const after of begins) expect(after).to.be.within(0, 3_600_000)
    expect(new Set(begins).size).to.be.above(20)
    expect(dues.map((due) => beginOf(shaken, due) - due)).to.deep.equal(begins)
    const [due] = dues
    expect(pending(shaken, { due: due - 24 * hour }, beginOf(shaken, due) - 1)).to.equal(undefined)
    expect(pending(shaken, { due: due - 24 * hour }, beginOf(shaken, due))?.due).to.equal(due)
  })

  it('is overdue after too long without success, counted from the change at first', () => {
    expect(isOverdue(daily, noon - 26 * hour, noon)).to.equal(false)
    expect(isOverdue(daily, noon - 27 * hour, noon)).to.equal(true)
    expect(isOverdue({ ...daily, changedAt: noon - hour }, undefined, noon)).to.equal(false)
    expect(isOverdue({ ...daily, enabled: false }, undefined, noon)).to.equal(false)
  })
})
