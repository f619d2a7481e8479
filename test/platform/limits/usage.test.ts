import { expect } from 'chai'
import { createLogger } from '#platform/log.ts'
import { byKind, type Limits, quotaConfig, Quotas } from '#platform/limits/quotas.ts'
import { Usage, type QuotaWarning } from '#platform/limits/usage.ts'
import { Metrics } from '#platform/metrics.ts'
import { Lanes } from '#platform/store/lanes.ts'
import { MemoryStore } from '#platform/store/memory.ts'
import { StoreError } from '#platform/store/store.ts'
import { noon, TestClock } from '../telemetry/fixture.ts'

const log = createLogger({ level: 'silent' })
const none = byKind(() => null)

describe('Usage and quotas', () => {
  let clock: TestClock
  let store: MemoryStore

  beforeEach(() => {
    clock = new TestClock()
    store = new MemoryStore({ clock })
  })
  afterEach(() => store.close())

  /** One process. */
  function start(defaults: Partial<Limits> = {}) {
    const lanes = new Lanes(store, log)
    const quotas = new Quotas(store, quotaConfig.parse(defaults))
    const usage = new Usage({ store, lanes, clock, log, metrics: new Metrics(), quotas })
    const warnings: QuotaWarning[] = []
    usage.onWarning((warning) => warnings.push(warning))
    const written = async (): Promise<void> => {
      usage.flush()
      await lanes.durable()
    }
    return { usage, quotas, warnings, written, lanes }
  }
  /** What the others wrote is read again. */
  async function later({ usage }: { usage: Usage }): Promise<void> {
    clock.time += 20_000
    await usage.refresh()
  }

  it('is the sum of all processes, seen by each', async () => {
    const [one, other] = [start(), start()]
    one.usage.of('o').add('messages', 3)
    other.usage.of('o').add('messages', 4)
    other.usage.of('o').add('requests', 1)
    other.usage.of('p').add('messages', 100)
    await Promise.all([one.written(), other.written()])
    one.usage.of('o').add('messages', 10)
    const day = { day: '2026-11-21', requests: 1, messages: 17, points: 0, connectionsPeak: 0 }
    expect(await one.usage.days('o', '2026-11-01', '2026-11-30'), 'its own is known at once').to.deep.equal([
      day,
    ])
    await one.written()
    expect(await other.usage.days('o', '2026-11-21', '2026-11-21')).to.deep.equal([day])
  })

  it('stops an organisation at what all have used together, and no other', async () => {
    const [one, other] = [start({ messages: 100 }), start({ messages: 100 })]
    one.usage.of('o').add('messages', 60)
    other.usage.of('o').add('messages', 39)
    await Promise.all([one.written(), other.written()])
    await later(one)
    expect(one.usage.of('o').exhausted('messages')).to.equal(false)
    one.usage.of('o').add('messages', 1)
    expect(one.usage.of('o').exhausted('messages')).to.equal(true)
    expect(one.usage.of('o').exhausted('points'), 'no limit').to.equal(false)
    expect(one.usage.of('p').exhausted('messages')).to.equal(false)
  })

  it('begins anew at midnight (UTC), and the days before stay', async () => {
    const one = start({ points: 5 })
    one.usage.of('o').add('points', 5)
    clock.time = Date.parse('2026-11-22T00:00:04Z')
    await one.written()
    expect(one.usage.of('o').exhausted('points')).to.equal(false)
    one.usage.of('o').add('points', 1)
    await one.written()
    const days = await start().usage.days('o', '2026-11-20', '2026-12-02')
    expect(days.map(({ day, points }) => [day, points])).to.deep.equal([
      ['2026-11-21', 5],
      ['2026-11-22', 1],
    ])
  })

  it('is not lost while the store is away, nor by a restart that is announced', async () => {
    const one = start()
    const write = store.write.bind(store)
    store.write = () => Promise.reject(new StoreError('unavailable', 'away'))
    one.usage.of('o').add('points', 1)
    one.usage.flush()
    await new Promise((turn) => setImmediate(turn))
    one.usage.of('o').add('points', 1)
    one.usage.flush()
    store.write = write
    await one.lanes.durable()
    one.usage.of('o').add('points', 1)
    one.usage.close()
    await one.lanes.local.close()
    expect(await start().usage.days('o', '2026-11-21', '2026-11-21')).to.deep.include.members([
      { day: '2026-11-21', requests: 0, messages: 0, points: 3, connectionsPeak: 0 },
    ])
  })

  it('warns at 80 % and at the end, once a day each, whoever of the processes sees it first', async () => {
    const [one, other] = [start({ messages: 10 }), start({ messages: 10 })]
    one.usage.of('o').add('messages', 7)
    await later(one)
    expect(one.warnings).to.deep.equal([])
    one.usage.of('o').add('messages', 1)
    await later(one)
    await later(one)
    expect(one.warnings).to.deep.equal([
      { org: 'o', quota: 'messages', used: 8, limit: 10, percent: 80, day: '2026-11-21' },
    ])
    await one.written()
    other.usage.of('o').add('messages', 1)
    await later(other)
    expect(other.warnings, 'told already').to.deep.equal([])
    other.usage.of('o').add('messages', 1)
    await later(other)
    expect(other.warnings.map(({ percent }) => percent)).to.deep.equal([100])
    await other.written()
    expect(start({ messages: 10 }).warnings).to.deep.equal([])
    clock.time = noon + 86_400_000
    await one.written()
    one.usage.of('o').add('messages', 9)
    await later(one)
    expect(one.warnings.map(({ day, percent }) => [day, percent])).to.deep.equal([
      ['2026-11-21', 80],
      ['2026-11-22', 80],
    ])
  })

  it('counts connections of processes that live, not of those that have died', async () => {
    const [one, other] = [start({ connections: 3 }), start({ connections: 3 })]
    other.usage.keep('o').connected(1)
    other.usage.of('o').connected(1)
    await other.written()
    await later(one)
    const mine = one.usage.keep('o')
    await later(one)
    mine.connected(1)
    expect(mine.full).to.equal(true)
    mine.connected(-1)
    expect(mine.full).to.equal(false)
    clock.time += 91_000
    await later(one)
    mine.connected(1)
    expect(mine.full, 'the other has said nothing for a minute and a half').to.equal(false)
    expect(mine.connectionsEverywhere).to.equal(1)
  })

  it('an organisation may have limits of its own, changed by one person at a time', async () => {
    const one = start({ messages: 10, connections: 5 })
    await one.quotas.set('o', { ...none, messages: 0, points: 7 }, 0)
    expect(await one.quotas.limits('o')).to.include({ messages: 0, points: 7, connections: 5, requests: 0 })
    expect(await one.quotas.limits('p')).to.include({ messages: 10, points: 0 })
    const error: unknown = await one.quotas.set('o', none, 0).catch((caught: unknown) => caught)
    expect(error).to.include({ code: 'conflict' })
    expect((await one.quotas.override('o')).version).to.equal(1)
  })

  it('goes on counting after a while of silence, and over midnight', async () => {
    const one = start()
    one.usage.of('o').add('requests', 1)
    await one.written()
    clock.time += 3_600_000
    await one.written()
    one.usage.of('o').add('requests', 1)
    await one.written()
    clock.time = noon + 86_400_000
    await one.written()
    one.usage.of('o').add('requests', 1)
    await one.written()
    const days = await start().usage.days('o', '2026-11-21', '2026-11-22')
    expect(days.map(({ requests }) => requests)).to.deep.equal([2, 1])
  })
})
