import { expect } from 'chai'
import { array, assert, integer, property } from 'fast-check'
import { apply, defaultRetention } from '#platform/backup/retention.ts'

const hourMs = 3_600_000
const dayMs = 24 * hourMs
const start = Date.parse('2026-11-16T00:00:00Z') // a Monday
const named = (times: readonly number[]) => times.map((taken, n) => ({ id: `b${n}`, taken }))

describe('retention of backups', () => {
  it('keeps every two hours for two days, every day for fourteen, every week for eight', () => {
    // Backups every two hours for a hundred days.
    const backups = named(Array.from({ length: 1_200 }, (_, n) => start + n * 2 * hourMs))
    const { kept } = apply(defaultRetention, backups)
    const newest = backups.at(-1)?.taken ?? 0
    const ages = kept.map(({ taken }) => newest - taken)
    expect(ages.filter((age) => age < 2 * dayMs).length).to.equal(24)
    expect(ages.filter((age) => age >= 2 * dayMs && age < 14 * dayMs).length).to.equal(12)
    expect(ages.filter((age) => age >= 14 * dayMs).length).to.be.within(6, 7)
    expect(Math.max(...ages)).to.be.within(7 * 7 * dayMs - dayMs, 8 * 7 * dayMs)
  })

  it('of two in a slot the newer is kept', () => {
    const { kept } = apply({ hours: 2, days: 1, weeks: 1 }, named([start + 60_000, start + 120_000]))
    expect(kept.map(({ id }) => id)).to.deep.equal(['b1'])
  })

  it('old ones stay when there are no new ones, however late it is', () => {
    const backups = named([start, start + 2 * hourMs, start + 4 * hourMs])
    expect(apply(defaultRetention, backups).kept.length).to.equal(3)
  })

  it('always keeps the newest, and loses none in the split', () => {
    assert(
      property(array(integer({ min: 0, max: 200 * 24 }), { maxLength: 60 }), (hours) => {
        const backups = named(hours.map((hour) => start + hour * hourMs))
        const { kept, dropped } = apply(defaultRetention, backups)
        expect(kept.length + dropped.length).to.equal(backups.length)
        if (backups.length === 0) return
        const newest = Math.max(...backups.map(({ taken }) => taken))
        expect(kept.some(({ taken }) => taken === newest)).to.equal(true)
        // Applied again it drops nothing more.
        expect(apply(defaultRetention, kept).dropped).to.deep.equal([])
      }),
    )
  })
})
