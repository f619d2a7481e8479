import { expect } from 'chai'
import { assert, array, integer, property, record } from 'fast-check'
import { Buckets } from '#platform/limits/buckets.ts'

describe('Token buckets', () => {
  it('let a burst pass, then the rate, and say how long to wait', () => {
    const buckets = new Buckets({ rate: 2, burst: 4 }, 10)
    for (const remaining of [3, 2, 1, 0])
      expect(buckets.take('a', 1000)).to.include({ allowed: true, remaining })
    expect(buckets.take('a', 1000)).to.deep.equal({ allowed: false, remaining: 0, seconds: 1 })
    expect(buckets.take('b', 1000).allowed, 'another one has its own').to.equal(true)
    expect(buckets.take('a', 1499).allowed).to.equal(false)
    expect(buckets.take('a', 1500).allowed).to.equal(true)
    expect(buckets.peek('a', 10_000)).to.deep.equal({ allowed: true, remaining: 4, seconds: 0 })
    expect(new Buckets({ rate: 0, burst: 0 }, 10).take('a', 0).allowed, 'no limit').to.equal(true)
  })

  it('never let more pass than burst and rate allow, not even when the clock jumps back', () => {
    const step = record({ after: integer({ min: -500, max: 2000 }) })
    assert(
      property(array(step, { maxLength: 200 }), (steps) => {
        const buckets = new Buckets({ rate: 5, burst: 10 }, 10)
        let now = 1_000_000
        let forward = 0
        let passed = 0
        for (const { after } of steps) {
          now += after
          forward += Math.max(0, after)
          if (buckets.take('a', now).allowed) passed++
        }
        expect(passed).to.be.at.most(10 + (forward * 5) / 1000 + 1)
      }),
      { seed: 4, numRuns: 300 },
    )
  })

  it('remember no more callers than they may', () => {
    const buckets = new Buckets({ rate: 1, burst: 1 }, 3)
    for (const name of ['a', 'b', 'a', 'c', 'd']) buckets.take(name, 0)
    expect(buckets.size).to.equal(3)
    expect(buckets.take('a', 0).allowed, 'who was here lately is remembered').to.equal(false)
    expect(buckets.take('b', 0).allowed, 'who was here longest ago is forgotten').to.equal(true)
  })
})
