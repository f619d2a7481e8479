import { expect } from 'chai'
import * as fc from 'fast-check'
import { RateLimiter } from '#broker/rate-limiter.ts'
import { TICK_MS } from '#broker/wheel.ts'

const TICKS_A_SECOND = 1000 / TICK_MS

describe('rate limiter', () => {
  it('takes no more than the rate over any time, and one second of it at once', () => {
    const attempt = fc.record({ ticks: fc.nat(8), bytes: fc.integer({ min: 1, max: 100 }) })
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 50 }),
        fc.integer({ min: 100, max: 1000 }),
        fc.array(attempt, { minLength: 1, maxLength: 300 }),
        (messageRate, byteRate, attempts) => {
          const limiter = new RateLimiter(messageRate, byteRate)
          let tick = 0
          let messages = 0
          let bytes = 0
          for (const a of attempts) {
            tick += a.ticks
            const allowed = limiter.allows(a.bytes, tick)
            expect(limiter.take(a.bytes, tick)).to.equal(allowed)
            if (!allowed) continue
            messages++
            bytes += a.bytes
            const seconds = 1 + tick / TICKS_A_SECOND
            expect(messages).to.be.at.most(messageRate * seconds + 1e-6)
            expect(bytes).to.be.at.most(byteRate * seconds + 1e-6)
          }
        },
      ),
    )
  })

  it('a client that keeps to its rate is never held up', () => {
    const limiter = new RateLimiter(TICKS_A_SECOND, 0)
    for (let tick = 1; tick < 1000; tick++) expect(limiter.take(1_000_000, tick)).to.equal(true)
  })

  it('a packet larger than a second of bytes passes now and then, at the rate', () => {
    const limiter = new RateLimiter(0, 100)
    expect(limiter.take(1000, 1)).to.equal(true)
    let tick = 2
    while (!limiter.take(1000, tick)) tick++
    expect(tick).to.equal(1 + 10 * TICKS_A_SECOND)
  })

  it('0 is no limit', () => {
    const limiter = new RateLimiter(0, 0)
    const taken = Array.from({ length: 100_000 }, () => limiter.take(1_000_000, 1))
    expect(taken.includes(false)).to.equal(false)
  })
})
