import { expect } from 'chai'
import type { DeviceRef } from '#platform/auth/principal.ts'
import { MemoryStore } from '#platform/store/memory.ts'
import { checkIn } from '#platform/registry/tables.ts'
import { latest, telemetry, telemetryDay } from '#platform/telemetry/tables.ts'
import { SlowStore } from '../slow-store.ts'
import { PlatformCell, type PlatformMember } from './platform-cell.ts'

const noon = Date.UTC(2026, 10, 21, 12)

describe('data of one device, written by two processes', () => {
  let cell: PlatformCell
  let store: MemoryStore
  let slow: SlowStore
  let a: PlatformMember
  let b: PlatformMember
  let device: DeviceRef

  beforeEach(async () => {
    cell = new PlatformCell()
    store = new MemoryStore({})
    slow = new SlowStore(store)
    ;[a, b] = await Promise.all([cell.start(1, store), cell.start(2, slow)])
    ;({ device } = await a.platform.registry.devices.create('default', { name: 'd' }))
  })
  afterEach(() => cell.stop())

  const ingest = ({ platform }: PlatformMember, value: unknown, at = noon): void =>
    void platform.telemetry.ingestJson(device, Buffer.from(JSON.stringify(value)), at)

  async function rows(): Promise<number> {
    let count = 0
    for (const table of [telemetry, telemetryDay, latest, checkIn])
      count += (await store.scan(table, null, 1000)).rows.length
    return count
  }

  it('the newest value by its time is the latest, whoever writes last', async () => {
    ingest(a, { ts: noon, values: { t: 'new' } })
    await a.platform.lanes.durable()
    ingest(b, { ts: noon - 60_000, values: { t: 'late' } })
    await b.platform.lanes.durable()
    for (const { platform } of [a, b])
      expect(await platform.telemetry.latest(device)).to.deep.equal([{ key: 't', ts: noon, value: 'new' }])
    const { points } = await a.platform.telemetry.history(device, {
      from: 0,
      to: noon + 1,
      limit: 10,
      order: 'asc',
    })
    expect(points.map(({ value }) => value)).to.deep.equal(['late', 'new'])
  })

  it('values of one millisecond without a time of their own are all kept', async () => {
    for (let i = 0; i < 100; i++) ingest(i % 2 === 0 ? a : b, { t: i })
    await Promise.all([a, b].map(({ platform }) => platform.lanes.durable()))
    const query = { from: 0, to: noon + 1, limit: 1000, order: 'asc' } as const
    const { points } = await a.platform.telemetry.history(device, query)
    expect(points.map(({ value }) => value)).to.have.members(Array.from({ length: 100 }, (_, i) => i))
  })

  it('the last sign of life is the newest, whoever writes last', async () => {
    a.platform.checkIns.note(device, noon, '2.0')
    await a.platform.lanes.durable()
    b.platform.checkIns.note(device, noon - 1000, '1.0')
    await b.platform.lanes.durable()
    expect(await b.platform.checkIns.last(device)).to.deep.equal({ at: noon, version: '2.0' })
  })

  it('nothing is left of a deleted device, also of what another process was about to write', async () => {
    ingest(a, { t: 1 })
    await a.platform.lanes.durable()
    slow.hold()
    ingest(b, { t: 2 }, noon + 1000)
    await new Promise((turn) => setImmediate(turn))
    ingest(b, { t: 3 }, noon + 2000)
    await a.platform.registry.deleteDevice('default', device.id)
    slow.release()
    while (slow.waiting > 0 || (await rows()) > 0) await new Promise((turn) => setImmediate(turn))
    await b.platform.lanes.durable()
    expect(await rows()).to.equal(0)
  })

  it('a deleted device can store nothing any more, at any process; one made with its id can', async () => {
    ingest(b, { t: 1 })
    await a.platform.registry.deleteDevice('default', device.id)
    for (const member of [a, b]) expect(() => ingest(member, { t: 2 })).to.throw('the device was deleted')
    // Its time is another one.
    await new Promise((later) => setTimeout(later, 2))
    const again = await a.platform.registry.devices.create('default', { name: 'd', id: device.id })
    device = again.device
    for (const member of [a, b]) ingest(member, { t: 3 })
    await Promise.all([a, b].map(({ platform }) => platform.lanes.durable()))
    expect((await b.platform.telemetry.latest(device)).map(({ value }) => value)).to.deep.equal([3])
  })
})
