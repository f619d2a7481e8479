import { expect } from 'chai'
import { VirtualClock, VirtualTime, VirtualTimers } from './virtual-time.ts'

/** The simulators stand on this: if it is wrong, a run that fails cannot be repeated. */
describe('virtual time', () => {
  it('runs what is due in the order of time, then of asking', () => {
    const time = new VirtualTime()
    const timers = new VirtualTimers(time)
    const seen: string[] = []
    for (const ms of [30, 10, 20, 10])
      timers.after(ms, () => void seen.push(`${ms}@${timers.monotonic()}#${seen.length}`))
    timers.soon(() => void seen.push('soon'))
    timers.after(15, () => void seen.push('never')).cancel()
    time.run(25)
    expect(seen).to.deep.equal(['soon', '10@10#1', '10@10#2', '20@20#3'])
    expect(time.now).to.equal(25)
  })

  it('repeats until it is cancelled, also from within', () => {
    const time = new VirtualTime()
    const timers = new VirtualTimers(time)
    let count = 0
    const timer = timers.every(10, () => {
      if (++count === 3) timer.cancel()
    })
    time.run(1000)
    expect(count).to.equal(3)
  })

  it('holds back everything of a frozen process, and drops everything of a killed one', () => {
    const time = new VirtualTime()
    const frozen = new VirtualTimers(time)
    const killed = new VirtualTimers(time)
    const seen: string[] = []
    frozen.after(10, () => void seen.push(`a@${time.now}`))
    frozen.after(20, () => void seen.push(`b@${time.now}`))
    killed.after(10, () => void seen.push('dead'))
    frozen.freeze(500)
    killed.kill()
    time.run(1000)
    expect(seen).to.deep.equal(['a@500', 'b@500'])
  })

  it('follows promises between events, and says what did not happen', async () => {
    const time = new VirtualTime()
    const timers = new VirtualTimers(time)
    let done = false
    const work = async (): Promise<void> => {
      await new Promise<void>((resolve) => timers.after(10, resolve))
      await new Promise<void>((resolve) => timers.after(10, resolve))
      done = true
    }
    void work()
    await time.until(() => done, 100, 'two timers')
    expect(time.now).to.equal(20)
    const failure: unknown = await time.until(() => false, 100, 'a miracle').catch((error: unknown) => error)
    expect((failure as Error).message).to.equal('not within 100 ms of virtual time: a miracle')
  })

  it('shows a wall clock that can be wrong', () => {
    const time = new VirtualTime()
    const clock = new VirtualClock(time, 5000, 1000)
    time.run(7)
    expect(clock.now()).to.equal(6007)
  })
})
