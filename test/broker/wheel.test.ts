import { expect } from 'chai'
import * as fc from 'fast-check'
import { TICK_MS, type Timed, Wheel } from '#broker/wheel.ts'

describe('timer wheel', () => {
  it('calls everything once, in order of time, never before its time and at most two ticks after it', () => {
    const timer = fc.record({ at: fc.nat(20), ms: fc.nat(10_000), cancelled: fc.boolean() })
    fc.assert(
      fc.property(fc.array(timer, { maxLength: 40 }), (timers) => {
        const wheel = new Wheel()
        const called: { name: number; tick: number }[] = []
        const waiting = timers.map((t, name) => ({ ...t, name })).toSorted((a, b) => a.at - b.at)
        const cancels: [number, Timed][] = []
        for (const { at, ms, name, cancelled } of waiting) {
          wheel.advance(at)
          const item = { due: () => void called.push({ name, tick: wheel.now }) }
          const tick = wheel.after(ms, item)
          if (cancelled) cancels.push([tick, item])
        }
        const begun = wheel.now
        for (const [tick, item] of cancels) if (tick > begun) wheel.cancel(tick, item)
        wheel.advance(begun + 100)
        const wanted = waiting.filter(
          ({ at, ms, cancelled }) => !cancelled || at + 1 + Math.ceil(ms / TICK_MS) <= begun,
        )
        expect(called.map((c) => c.name)).to.have.members(wanted.map((w) => w.name))
        for (const { name, tick } of called) {
          const { at, ms } = timers[name]
          // the tick under way when it was set may have been all but over
          expect((tick - at - 1) * TICK_MS).to.be.at.least(ms)
          expect((tick - at - 2) * TICK_MS).to.be.below(ms + 1)
        }
        const ticks = called.map((c) => c.tick)
        expect(ticks).to.deep.equal(ticks.toSorted((a, b) => a - b))
      }),
    )
  })

  it('holds what is due in a hundred years, and lets go of it', () => {
    const wheel = new Wheel()
    const item = { due: () => expect.fail('too early') }
    const tick = wheel.after(0xffff_ffff * 1000, item)
    wheel.advance(1000)
    expect(tick).to.be.greaterThan(0xffff_ffff)
    wheel.cancel(tick, item)
    wheel.cancel(tick, item)
  })

  it('what is set while others are called is called later, not in the same tick', () => {
    const wheel = new Wheel()
    const seen: number[] = []
    const again: Timed = {
      due: () => {
        seen.push(wheel.now)
        if (seen.length < 3) wheel.after(0, again)
      },
    }
    wheel.after(0, again)
    wheel.advance(10)
    expect(seen).to.deep.equal([1, 2, 3])
  })

  it('an item that waits at two ticks is called at both', () => {
    const wheel = new Wheel()
    let calls = 0
    const item = { due: () => void calls++ }
    wheel.after(0, item)
    wheel.cancel(wheel.after(TICK_MS, item), item)
    wheel.after(2 * TICK_MS, item)
    wheel.advance(10)
    expect(calls).to.equal(2)
  })
})
