import { expect } from 'chai'
import { state } from '#platform/store/tables.ts'
import { TestBroker, texts } from '../harness.ts'

const KEPT = { cleanStart: false, properties: { sessionExpiryInterval: 3600 } }

describe('the state of a session on disk', () => {
  it('stays one row however often its client connects, and a restart knows what was acknowledged last', async () => {
    let t = await TestBroker.start()
    const { store, clock } = t
    const publisher = await t.connect('publisher')
    for (let i = 0; i < 20; i++) {
      const reader = await t.connect('reader', KEPT)
      if (i === 0) await reader.subscribe('x', { qos: 1 })
      await publisher.publishAcknowledged('x', `m${i}`)
      expect(texts(await reader.messages())).to.deep.equal([`m${i}`])
      await reader.vanish()
      await t.settled()
    }
    expect((await store.scan(state, null, 100)).rows).to.have.length(1)
    await publisher.publishAcknowledged('x', 'last')
    t.crash()
    t = await TestBroker.start({}, { store, clock })
    const reader = await t.connect('reader', KEPT)
    expect(texts(await reader.messages())).to.deep.equal(['last'])
    await t.stop()
  })
})
