import { expect } from 'chai'
import * as fc from 'fast-check'
import { evaluate, type Facts, join, noFacts, type Terms } from '#platform/commands/facts.ts'

const time = fc.integer({ min: 0, max: 40 })
const maybe = <T>(some: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(some, { nil: undefined })
const facts: fc.Arbitrary<Facts> = fc.record({
  attempt: fc.integer({ min: 0, max: 3 }),
  sentAt: maybe(time),
  deliveredAt: maybe(time),
  firstDeliveredAt: maybe(time),
  running: maybe(
    fc.record({
      at: time,
      progress: maybe(fc.constantFrom(0, 50, 100)),
      message: maybe(fc.constantFrom('', 'a', 'b')),
    }),
  ),
  end: maybe(
    fc.record({
      at: time,
      ending: fc.constantFrom('succeeded', 'failed', 'rejected', 'cancelled'),
      record: fc.constantFrom('a-1', 'b-1', 'b-2'),
    }),
  ),
})
const terms: fc.Arbitrary<Terms> = fc.record({
  expiresAt: time,
  timeout: fc.integer({ min: 1, max: 20 }),
  retries: fc.integer({ min: 0, max: 2 }),
  oneWay: fc.boolean(),
})
const plain: Terms = { expiresAt: 1000, timeout: 100, retries: 0, oneWay: false }
const delivered = (at: number, attempt = 1): Facts => ({
  ...noFacts,
  attempt,
  sentAt: at,
  deliveredAt: at,
  firstDeliveredAt: at,
})

describe('what becomes of a command, told by several processes', () => {
  it('is the same in whatever order, and however often, their records come', () => {
    fc.assert(
      fc.property(facts, facts, facts, (a, b, c) => {
        expect(join(a, b)).to.deep.equal(join(b, a))
        expect(join(join(a, b), c)).to.deep.equal(join(a, join(b, c)))
        expect(join(a, a)).to.deep.equal(a)
        expect(join(a, noFacts)).to.deep.equal(join(noFacts, a))
      }),
      { numRuns: 1000 },
    )
  })

  it('has an end: whatever is known, nothing hangs (TB#11642), and what has ended stays as it was while time passes', () => {
    fc.assert(
      fc.property(terms, facts, (asked, known) => {
        const all = Array.from({ length: 64 }, (_, now) => evaluate(asked, known, now))
        const first = all.findIndex(({ endedAt }) => endedAt !== undefined)
        expect(first, 'it never ends').to.be.at.least(0)
        const changed = all
          .slice(first)
          .filter(({ state, endedAt }) => state !== all[first].state || endedAt !== all[first].endedAt)
        expect(changed, 'it changed after its end').to.deep.equal([])
        // Who looks again at the time that it was told misses nothing.
        const asleep = all.slice(0, first).findIndex(({ nextAt }, now) => (nextAt ?? 0) <= now)
        expect(asleep, 'nobody looks again').to.equal(-1)
      }),
      { numRuns: 1000 },
    )
  })

  it('a late answer changes nothing, an early one is the end', () => {
    const end = (at: number): Facts => ({ ...noFacts, end: { at, ending: 'succeeded', record: 'a-1' } })
    const late = join(delivered(10), end(111))
    expect(evaluate(plain, late, 500)).to.include({ state: 'timed_out', endedAt: 110 })
    expect(evaluate(plain, join(delivered(10), end(110)), 500)).to.include({
      state: 'succeeded',
      endedAt: 110,
    })
    expect(evaluate(plain, end(5), 6), 'before its own PUBACK').to.include({ state: 'succeeded', endedAt: 5 })
  })

  it('of an answer and a cancellation the first counts, for all', () => {
    const cancelled: Facts = { ...noFacts, end: { at: 20, ending: 'cancelled', record: 'b-1' } }
    const answered: Facts = { ...noFacts, end: { at: 21, ending: 'failed', record: 'a-1' } }
    expect(evaluate(plain, join(answered, cancelled), 30).state).to.equal('cancelled')
  })

  it('nobody had it: expired, not timed out; it was delivered: timed out, not expired', () => {
    expect(evaluate(plain, noFacts, 999)).to.include({ state: 'queued', nextAt: 1000 })
    expect(evaluate(plain, noFacts, 1000)).to.include({ state: 'expired', endedAt: 1000 })
    expect(evaluate(plain, delivered(950), 1049).state).to.equal('delivered')
    expect(evaluate(plain, delivered(950), 1050)).to.include({ state: 'timed_out', endedAt: 1050 })
  })

  it('progress gives it time', () => {
    const running = join(delivered(0), { ...noFacts, running: { at: 90, progress: 10, message: undefined } })
    expect(evaluate(plain, running, 150)).to.include({ state: 'running', nextAt: 190 })
    expect(evaluate(plain, running, 190).state).to.equal('timed_out')
  })

  it('is tried again as often as was asked, each time with the whole time-out', () => {
    const asked = { ...plain, retries: 1 }
    expect(evaluate(asked, delivered(0), 99)).to.include({ again: false, nextAt: 100 })
    expect(evaluate(asked, delivered(0), 100)).to.include({ again: true, endedAt: undefined })
    const second = join(delivered(0), { ...noFacts, attempt: 2 })
    expect(evaluate(asked, second, 500), 'given out, not there').to.include({
      again: false,
      endedAt: undefined,
    })
    const there = join(second, delivered(600, 2))
    expect(evaluate(asked, there, 699).endedAt).to.equal(undefined)
    expect(evaluate(asked, there, 700)).to.include({ state: 'timed_out', endedAt: 700 })
    expect(evaluate(asked, second, 1000), 'the second never came').to.include({ state: 'timed_out' })
  })

  it('without an answer to wait for, it is done when it is delivered', () => {
    expect(evaluate({ ...plain, oneWay: true }, delivered(7), 7)).to.include({
      state: 'succeeded',
      endedAt: 7,
    })
  })
})
