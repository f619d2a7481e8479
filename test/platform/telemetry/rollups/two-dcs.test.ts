import { expect } from 'chai'
import type { DeviceRef } from '#platform/auth/principal.ts'
import type { MemoryStore } from '#platform/store/memory.ts'
import { Batch } from '#platform/store/store.ts'
import { parseSteps } from '#platform/telemetry/steps.ts'
import * as tables from '#platform/telemetry/tables.ts'
import { systemTimers } from '#platform/timers.ts'
import { bytes, newDevice, noon, openTestPlatform, type TestPlatform } from '../fixture.ts'

const minute = 60_000
const hour = 60 * minute
const day = 24 * hour

/** What both DCs wrote comes to the other; where both wrote one row, that of `winner` was later. */
async function meet(winner: MemoryStore, loser: MemoryStore): Promise<void> {
  for (const table of Object.values(tables)) {
    if (typeof table !== 'object') continue
    const all = table as typeof tables.rollupState
    for (const [from, to] of [
      [winner, loser],
      [loser, winner],
    ]) {
      const batch = new Batch()
      for (const row of (await from.scan(all, null, 10_000)).rows) {
        if (from === winner || (await to.get(all, row)) === undefined) batch.put(all, row)
      }
      await to.write(batch)
    }
  }
}

describe('aggregates of a device that was in two datacenters', () => {
  let a: TestPlatform
  let b: TestPlatform
  let device: DeviceRef

  beforeEach(async () => {
    ;[a, b] = await Promise.all([openTestPlatform(), openTestPlatform()])
    device = await newDevice(a)
  })
  afterEach(() => Promise.all([a.close(), b.close()]))

  async function ingest(at: TestPlatform, value: unknown): Promise<void> {
    at.telemetry.ingestJson(device, bytes(value), at.clock.time)
    await at.lanes.durable()
  }
  async function sum(at: TestPlatform): Promise<unknown> {
    const { items } = await at.telemetry.aggregates(device, {
      from: noon,
      to: noon + hour,
      steps: parseSteps('1h'),
      keys: ['t'],
      wanted: ['sum', 'count'],
      order: 'asc',
      limit: 1,
    })
    return [items[0].sum, items[0].count]
  }
  async function pass(ms: number): Promise<void> {
    for (const one of [a, b]) {
      one.clock.time += ms
      await one.telemetry.rollups.run()
    }
  }

  for (const winner of ['a', 'b'] as const) {
    it(`each goes on alone, and after the cut all is in, also when the values are gone (the last word was of ${winner})`, async () => {
      await ingest(a, { ts: noon + minute, values: { t: 1 } })
      await ingest(b, { ts: noon + 2 * minute, values: { t: 10 } })
      await pass(2 * hour)
      expect([await sum(a), await sum(b)]).to.deep.equal([
        [1, 1],
        [10, 1],
      ])
      await meet(winner === 'a' ? a.store : b.store, winner === 'a' ? b.store : a.store)
      // At once, by the values.
      expect([await sum(a), await sum(b)]).to.deep.equal([
        [11, 2],
        [11, 2],
      ])
      // The readers have asked for it, and it is made again.
      await pass(10 * minute)
      await pass(100 * day)
      expect(
        (await a.telemetry.history(device, { from: 0, to: noon + day, order: 'asc', limit: 9 })).points,
      ).to.deep.equal([])
      expect([await sum(a), await sum(b)]).to.deep.equal([
        [11, 2],
        [11, 2],
      ])
    })
  }

  it('after some days it is made right even if nobody ever looked', async () => {
    await ingest(a, { ts: noon + minute, values: { t: 1 } })
    await ingest(b, { ts: noon + 2 * minute, values: { t: 10 } })
    await pass(2 * hour)
    await meet(a.store, b.store)
    for (let n = 0; n < 5; n++) await pass(day)
    await pass(100 * day)
    expect([await sum(a), await sum(b)]).to.deep.equal([
      [11, 2],
      [11, 2],
    ])
  })

  it('a value that comes when older ones of its hour are gone is kept, and does not undo their aggregates', async () => {
    await ingest(a, { ts: noon + minute, values: { t: 1 } })
    await pass(2 * hour)
    a.clock.time = noon + 95 * day
    await ingest(a, { ts: noon + 2 * minute, values: { t: 10 } })
    await pass(2 * hour)
    expect(await sum(a)).to.deep.equal([1, 1])
    const { points } = await a.telemetry.history(device, { from: 0, to: noon + day, order: 'asc', limit: 9 })
    expect(points).to.deep.equal([{ key: 't', ts: noon + 2 * minute, value: 10 }])
  })

  it('a store that fails for a while costs a repetition, no aggregate', async () => {
    await ingest(a, { t: 5 })
    const { store } = a
    const range = store.range.bind(store)
    store.range = () => Promise.reject(new Error('away'))
    await pass(2 * hour)
    store.range = range
    await pass(5 * minute)
    a.clock.time += 100 * day
    expect(await sum(a)).to.deep.equal([5, 1])
    expect(a.metrics.total('cinque_rollup_failures_total')).to.be.above(0)
  })

  it('values that reach the disk late, when the mark that came with them has ended, are marked again', async () => {
    const { store } = a
    const write = store.write.bind(store)
    const away = Promise.withResolvers<void>()
    // The mark arrives, the values wait for a store that is slow.
    store.write = async (batch) => {
      const marks = new Batch()
      marks.mutations.push(...batch.mutations.filter(({ table }) => table === tables.rollupMark))
      await write(marks)
      await away.promise
      await write(batch)
    }
    a.telemetry.ingestJson(device, bytes({ t: 7 }), noon)
    await new Promise((turn) => setImmediate(turn))
    store.write = write
    a.clock.time += 2 * hour
    await a.telemetry.rollups.run()
    away.resolve()
    await a.lanes.durable()
    expect(await sum(a)).to.deep.equal([7, 1])
    a.clock.time += hour
    await a.telemetry.rollups.run()
    a.clock.time += 100 * day
    expect(await sum(a)).to.deep.equal([7, 1])
  })

  it('works by itself from its start to its close, and rests between', async () => {
    const ticks: (() => void)[] = []
    let cancelled = false
    a.telemetry.start({
      ...systemTimers,
      every: (_ms, tick) => {
        ticks.push(tick)
        return { cancel: () => (cancelled = true) }
      },
    })
    await ingest(a, { t: 3 })
    a.clock.time += 2 * hour
    for (const tick of ticks) tick()
    // Joins what the tick began.
    await a.telemetry.rollups.run()
    await a.telemetry.close()
    expect(cancelled).to.equal(true)
    a.clock.time += 100 * day
    expect(await sum(a)).to.deep.equal([3, 1])
  })
})
