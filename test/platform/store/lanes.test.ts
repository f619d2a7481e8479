import { expect } from 'chai'
import { createLogger } from '#platform/log.ts'
import { Lanes } from '#platform/store/lanes.ts'
import { MemoryStore } from '#platform/store/memory.ts'
import { checkIn } from '#platform/registry/tables.ts'
import { durability, FarStore, geo } from './far-store.ts'

const log = createLogger({ level: 'silent' })

describe('lanes', () => {
  let store: FarStore
  let lanes: Lanes

  beforeEach(() => {
    store = new FarStore(new MemoryStore())
    lanes = new Lanes(store, log, { durability, retryMs: 1 })
  })

  afterEach(() => lanes.close())

  function stage(org: string, device = 'one'): void {
    lanes.of(org).stage().put(checkIn, { org, device, at: 1 })
  }

  async function stored(org: string, device = 'one'): Promise<boolean> {
    return (await store.get(checkIn, { org, device })) !== undefined
  }

  it('who waits for other DCs keeps nobody else waiting, and is written when they are back', async () => {
    store.away = true
    stage(geo)
    stage('near')
    await lanes.of('near').durable()
    expect(await stored('near')).to.equal(true)
    stage('near', 'two')
    stage(geo, 'two')
    await lanes.of('near').durable()
    expect(lanes.of('near').through).to.equal(2)
    expect(lanes.of(geo)).to.include({ through: 0, staged: 2, failing: true })
    expect(lanes.local.failing).to.equal(false)
    store.away = false
    await lanes.durable()
    expect([await stored(geo), await stored(geo, 'two')]).to.deep.equal([true, true])
    expect(lanes.of(geo).failing).to.equal(false)
    expect(store.mixed).to.equal(0)
  })

  it('does not wait for a write between DCs that takes its time', async () => {
    store.next('held')
    stage(geo)
    await new Promise((turn) => setImmediate(turn))
    expect(store.held).to.equal(1)
    stage('near')
    await lanes.of('near').durable()
    store.release()
    await lanes.of(geo).durable()
  })

  it('an organisation keeps its lane when its durability changes: its rows stay in order', async () => {
    let now: 'local' | 'geo' = 'local'
    const changing = new Lanes(store, log, { durability: () => now })
    const lane = changing.of('org')
    now = 'geo'
    expect(changing.of('org')).to.equal(lane)
    expect(changing.of('other')).not.to.equal(lane)
    await changing.close()
  })

  it('are one where the store makes no difference', async () => {
    const alone = new Lanes(store, log)
    expect(alone.all).to.deep.equal([alone.local])
    expect(alone.of('near')).to.equal(alone.local)
    expect(alone.of(geo)).to.equal(alone.local)
    await alone.close()
  })

  it('end: what one cannot write does not keep the other from writing all it has', async () => {
    store.away = true
    stage(geo)
    stage('near')
    await lanes.close()
    expect(await stored('near')).to.equal(true)
    expect(await stored(geo)).to.equal(false)
  })
})
