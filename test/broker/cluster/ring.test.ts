import { expect } from 'chai'
import { Ring, sidKey } from '#broker/cluster/ring.ts'
import { createLogger } from '#platform/log.ts'
import { Lanes } from '#platform/store/lanes.ts'
import { MemoryStore } from '#platform/store/memory.ts'
import { inbox } from '#platform/store/tables.ts'
import { durability, FarStore, geo } from '../../platform/store/far-store.ts'
import { VirtualTime, VirtualTimers } from '../../virtual-time.ts'

describe('ring of rows written lately', () => {
  it('forgets rows 4 s after they are durable, each by its own lane: others must not miss those that wait', async () => {
    const time = new VirtualTime()
    const store = new FarStore(new MemoryStore())
    const lanes = new Lanes(store, createLogger({ level: 'silent' }), { durability, retryMs: 1 })
    const ring = new Ring(new VirtualTimers(time))
    const write = (org: string, seq: number): string => {
      const log = Buffer.alloc(16, org)
      const row = { org, log, day: 1, writer: Buffer.alloc(16), seq, hlc: seq, message: Buffer.alloc(1) }
      lanes.of(org).stage().put(inbox, row)
      ring.add(row, lanes.of(org))
      return sidKey(log)
    }
    const seconds = (n: number): void => {
      for (let i = 0; i < n; i++) {
        time.run(1000)
        ring.sweep()
      }
    }
    store.away = true
    const far = write(geo, 1)
    // The tickets of the other lane go on.
    let near = ''
    for (let seq = 2; seq < 5; seq++) {
      near = write('near', seq)
      await lanes.of('near').durable()
    }
    seconds(6)
    expect([ring.rowsOf(near).length, ring.rowsOf(far).length]).to.deep.equal([0, 1])
    store.away = false
    await lanes.durable()
    seconds(4)
    expect(ring.rowsOf(far).length).to.equal(1)
    seconds(2)
    expect(ring.size).to.equal(0)
    await lanes.close()
  })
})
