import { expect } from 'chai'
import { median, ratioOf } from '../../bench/statistics.ts'

describe('bench: medians and ratios', () => {
  it('takes the middle, of an even count the mean of the two middle ones', () => {
    expect(median([9, 1, 5])).to.equal(5)
    expect(median([4, 1, 3, 2])).to.equal(2.5)
    expect(median([])).to.be.NaN
  })

  it('leaves failed runs out of a median instead of counting them as something', () => {
    expect(median([NaN, 7, NaN])).to.equal(7)
  })

  it('compares round by round, so that a slow minute that hit both sides does not show', () => {
    expect(ratioOf([100, 10, 120], [10, 1, 10])).to.deep.equal({ median: 10, low: 10, high: 12 })
  })

  it('has no ratio where no round has both sides', () => {
    expect(ratioOf([1, NaN], [NaN, 2])).to.equal(null)
    expect(ratioOf([1], [0])).to.equal(null)
    expect(ratioOf([1, 2], [])).to.equal(null)
  })
})
