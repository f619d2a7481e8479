import { expect } from 'chai'
import { type Look, Scheduler, type SchedulerOptions } from '#healthcheck/checker/scheduler.ts'
import type { Probe, ProbeResult, Target } from '#healthcheck/probes/probe.ts'
import { VirtualClock, VirtualTime, VirtualTimers } from '../../virtual-time.ts'

const dc = { name: 'dc01', number: 1, place: 'Montreal', kind: 'live', replicas: 1 } as const
const targets: Target[] = ['n1', 'n2'].map((name, at) => ({
  dc,
  host: { name, dc: 'dc01', roles: ['app'], address: `192.0.2.${at + 1}`, brokers: 1, weight: 10 },
}))

/** A probe that the test tells what to do, and what it has seen. */
class Told {
  starts: { host: string; at: number }[] = []
  underWay = 0
  most = 0
  /** Milliseconds that a look takes; infinite: until it is stopped. */
  ms = 10
  error: string | undefined
  readonly time: VirtualTime
  readonly timers: VirtualTimers

  constructor(time: VirtualTime) {
    this.time = time
    this.timers = new VirtualTimers(time)
  }

  probe(more: Partial<Probe> = {}): Probe {
    return {
      name: 'told',
      weight: 'serve',
      timeoutMs: 5000,
      slowMs: 1000,
      run: ({ host }, signal) => {
        this.starts.push({ host: host.name, at: this.time.now })
        this.most = Math.max(this.most, ++this.underWay)
        return new Promise((resolve, reject) => {
          const end = (then: () => void): void => {
            this.underWay--
            timer?.cancel()
            then()
          }
          const timer =
            this.ms === Infinity
              ? undefined
              : this.timers.after(this.ms, () =>
                  end(() => (this.error === undefined ? resolve(undefined) : reject(new Error(this.error)))),
                )
          signal.addEventListener('abort', () => end(() => reject(signal.reason as Error)))
        })
      },
      ...more,
    }
  }
}

describe('The scheduler of looks', () => {
  let time: VirtualTime
  let told: Told
  let results: ProbeResult[]
  let stalls: number[]

  beforeEach(() => {
    time = new VirtualTime()
    told = new Told(time)
    results = []
    stalls = []
  })

  function scheduler(looks: readonly Look[], more: Partial<SchedulerOptions> = {}): Scheduler {
    return new Scheduler({
      looks,
      interval: 10,
      downAfter: 2,
      upAfter: 2,
      timers: told.timers,
      clock: new VirtualClock(time),
      random: () => 0.5,
      onResult: (result) => results.push(result),
      onStall: (ms) => stalls.push(ms),
      ...more,
    })
  }

  it('spreads the first looks over the interval, and repeats each after it', async () => {
    const probe = told.probe()
    void scheduler(targets.map((target) => ({ probe, target }))).start()
    await time.runAsync(25_000)
    expect(told.starts).to.deep.equal([
      { host: 'n1', at: 1 },
      { host: 'n2', at: 5000 },
      { host: 'n1', at: 10_001 },
      { host: 'n2', at: 15_000 },
      { host: 'n1', at: 20_001 },
      { host: 'n2', at: 25_000 },
    ])
    expect(results[0]).to.include({ probe: 'told', host: 'n1', dc: 'dc01', ok: true, ms: 10 })
  })

  it('does not let checkers fall into step: an interval is up to a tenth shorter or longer', async () => {
    void scheduler([{ probe: told.probe(), target: targets[0] }], { random: () => 1 }).start()
    await time.runAsync(12_000)
    expect(told.starts.map(({ at }) => at)).to.deep.equal([1, 11_001])
  })

  it('looks again in two seconds after a first failure, and at its interval when it is down', async () => {
    told.error = 'connection refused'
    void scheduler([{ probe: told.probe(), target: targets[0] }]).start()
    await time.runAsync(13_000)
    expect(told.starts.map(({ at }) => at)).to.deep.equal([1, 2011, 12_011])
    expect(results[0]).to.include({ ok: false, error: 'connection refused' })
  })

  it('looks more often than it would at what is looked at seldom, until that counts as well again', async () => {
    told.error = 'the certificate has expired'
    void scheduler([{ probe: told.probe({ interval: 600 }), target: targets[0] }]).start()
    await time.runAsync(13_000)
    expect(told.starts.map(({ at }) => at)).to.deep.equal([1, 2011, 12_011])
    told.error = undefined
    await time.runAsync(400_000)
    expect(told.starts.map(({ at }) => at)).to.deep.equal([1, 2011, 12_011, 22_011, 32_011])
  })

  it('does so, too, when it was only slow', async () => {
    told.ms = 1001
    void scheduler([{ probe: told.probe({ interval: 600 }), target: targets[0] }]).start()
    await time.runAsync(5000)
    told.ms = 10
    await time.runAsync(400_000)
    expect(told.starts.map(({ at }) => at)).to.deep.equal([1, 10_001, 20_001])
  })

  it('ends a look at its limit, and never runs two of a probe and host at a time', async () => {
    told.ms = Infinity
    void scheduler([{ probe: told.probe(), target: targets[0] }], { interval: 1 }).start()
    await time.runAsync(30_000)
    expect(told.most).to.equal(1)
    expect(results[0]).to.include({ ok: false, ms: 5000, error: 'no answer within 5 s' })
  })

  it('does not wait for a probe that does not end when it is told to', async () => {
    const probe = told.probe({ run: () => new Promise(() => undefined) })
    void scheduler([{ probe, target: targets[0] }]).start()
    await time.runAsync(6000)
    expect(results).to.have.length(1)
    expect(results[0]).to.include({ ok: false, error: 'no answer within 5 s' })
  })

  it('tells slow from well', async () => {
    told.ms = 1001
    void scheduler([{ probe: told.probe(), target: targets[0] }]).start()
    await time.runAsync(3000)
    expect(results[0]).to.include({ ok: true, slow: true })
  })

  it('looks at once at a host of which it is told something, not at the others, and not without end', async () => {
    const probe = told.probe()
    const all = scheduler(targets.map((target) => ({ probe, target })))
    void all.start()
    await time.runAsync(7000)
    all.lookNow('n1')
    all.lookNow('n1')
    await time.runAsync(100)
    expect(told.starts.at(-1)).to.deep.equal({ host: 'n1', at: 7001 })
    expect(told.starts).to.have.length(3)
    all.lookNow('n1')
    await time.runAsync(1800)
    expect(told.starts).to.have.length(3)
    await time.runAsync(200)
    expect(told.starts).to.have.length(4)
  })

  it('does not blame a host for what this process has slept through', async () => {
    told.ms = Infinity
    void scheduler([{ probe: told.probe(), target: targets[0] }]).start()
    await time.runAsync(1000)
    told.timers.freeze(60_000)
    await time.runAsync(61_000)
    expect(results).to.deep.equal([])
    expect(stalls).to.have.length(1)
    told.ms = 10
    await time.runAsync(3000)
    expect(results.map(({ ok }) => ok)).to.deep.equal([true])
  })

  it('says when all have been looked at once', async () => {
    let all = false
    void scheduler(targets.map((target) => ({ probe: told.probe(), target })))
      .start()
      .then(() => (all = true))
    await time.runAsync(4000)
    expect(all).to.equal(false)
    await time.runAsync(2000)
    expect(all).to.equal(true)
  })

  it('leaves nothing behind when it is stopped: no timer, no look, no result', async () => {
    told.ms = Infinity
    const one = scheduler([{ probe: told.probe(), target: targets[0] }])
    void one.start()
    await time.runAsync(1000)
    expect(told.underWay).to.equal(1)
    const stopped = one.stop()
    await time.runAsync(100)
    await stopped
    expect(told.underWay).to.equal(0)
    await time.runAsync(100_000)
    expect(told.starts).to.have.length(1)
    expect(results).to.deep.equal([])
  })
})
