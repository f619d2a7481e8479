import { expect } from 'chai'
import { createLogger } from '#platform/log.ts'
import { Durabilities } from '#platform/registry/durabilities.ts'
import { Registry } from '#platform/registry/registry.ts'
import { MemoryStore } from '#platform/store/memory.ts'
import type { Timer, Timers } from '#platform/timers.ts'
import { TestClock } from '../telemetry/fixture.ts'

/** Time that passes when the test says so. */
class Time implements Timers {
  due: () => void = () => undefined
  monotonic(): number {
    return 0
  }
  every(_ms: number, then: () => void): Timer {
    this.due = then
    return { cancel: () => (this.due = () => undefined) }
  }
  after(): Timer {
    throw new Error('not used')
  }
  soon(): void {
    throw new Error('not used')
  }
}

describe('how far writes of an organisation must go', () => {
  let registry: Registry
  let other: Registry
  let time: Time
  let durabilities: Durabilities

  beforeEach(async () => {
    const clock = new TestClock()
    const store = new MemoryStore({ clock })
    registry = new Registry(store, clock)
    other = new Registry(store, clock)
    await registry.organisations.create({ id: 'far', durability: 'geo' })
    await registry.organisations.create({ id: 'near' })
    time = new Time()
    durabilities = new Durabilities()
    await durabilities.follow(registry.organisations, time, createLogger({ level: 'silent' }))
  })

  it('is known from the start, and at once after a change here', async () => {
    expect(['far', 'near', 'unknown'].map((org) => durabilities.of(org))).to.deep.equal([
      'geo',
      'local',
      'local',
    ])
    await registry.organisations.update('near', { durability: 'geo' })
    await registry.organisations.update('far', { durability: 'local' })
    await registry.organisations.create({ id: 'new', durability: 'geo' })
    expect(['far', 'near', 'new'].map((org) => durabilities.of(org))).to.deep.equal(['local', 'geo', 'geo'])
  })

  it('is known when another process says so, though the store here still has the old row', async () => {
    registry.organisations.heardChanged({ id: 'near', version: 2, durability: 'geo' })
    expect(durabilities.of('near')).to.equal('geo')
    await durabilities.refresh(registry.organisations)
    expect(durabilities.of('near')).to.equal('geo')
    registry.organisations.heardChanged({ id: 'near', version: 1, durability: 'local' })
    expect(durabilities.of('near')).to.equal('geo')
  })

  it('is read again for those who were told nothing', async () => {
    await other.organisations.update('near', { durability: 'geo' })
    await other.organisations.update('far', { durability: 'local' })
    expect(durabilities.of('near')).to.equal('local')
    time.due()
    while (durabilities.of('near') === 'local') await new Promise((turn) => setImmediate(turn))
    expect(durabilities.of('far')).to.equal('local')
  })

  it('stays with an organisation whose name is changed', async () => {
    const { organisations } = registry
    expect(await organisations.update('far', { name: 'Far away' })).to.include({ durability: 'geo' })
    expect(durabilities.of('far')).to.equal('geo')
  })
})
