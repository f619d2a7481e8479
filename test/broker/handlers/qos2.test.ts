import { expect } from 'chai'
import { TestBroker, texts } from '../harness.ts'
import { eventually } from '../../patience.ts'

const KEPT = { cleanStart: false, properties: { sessionExpiryInterval: 3600 } }

describe('QoS 2 of a publisher whose session is on disk', () => {
  let t: TestBroker

  beforeEach(async () => {
    t = await TestBroker.start({ mqtt: { receive_maximum: 2 } })
  })

  afterEach(async () => {
    t.disk.release()
    await t.stop()
  })

  it('gets its PUBREC on the connection that it has come back with while the message was being stored', async () => {
    const reader = await t.connect('reader', KEPT)
    await reader.subscribe('x', { qos: 2 })
    const before = await t.connect('publisher', KEPT)
    t.disk.hold()
    t.dial().connect('other', KEPT)
    await eventually('the disk is busy', () => t.disk.waiting === 1)
    before.publish('x', 'once', { qos: 2, packetId: 7 })
    const after = t.dial()
    after.connect('publisher', KEPT)
    await eventually('taken over', () => before.wire.writableEnded)
    t.disk.release(1)
    await eventually('packet identifier and session are being saved', () => t.disk.waiting === 1)
    t.disk.release(1)
    expect((await after.expect(2)).value.sessionPresent).to.equal(true)
    await eventually('the message is being stored', () => t.disk.waiting === 1)
    after.publish('x', 'once', { qos: 2, packetId: 7, dup: true })
    expect(await after.drain()).to.deep.equal([])
    t.disk.release()
    expect((await after.expect(5)).value.packetId).to.equal(7)
    after.ack(6, 7)
    expect((await after.expect(7)).value.packetId).to.equal(7)
    expect(texts(await reader.messages())).to.deep.equal(['once'])
  })

  it('may send again all that was under way when the broker crashed, up to the receive maximum', async () => {
    const publisher = await t.connect('publisher', KEPT)
    for (const packetId of [1, 2]) {
      publisher.publish('x', `m${packetId}`, { qos: 2, packetId })
      await publisher.expect(5)
    }
    const { store, clock } = t
    t.crash()
    t = await TestBroker.start({ mqtt: { receive_maximum: 2 } }, { store, clock })
    const again = await t.connect('publisher', KEPT)
    expect(again.sessionPresent).to.equal(true)
    for (const packetId of [1, 2]) {
      again.publish('x', `m${packetId}`, { qos: 2, packetId, dup: true })
      expect((await again.expect(5)).value.packetId).to.equal(packetId)
    }
  })
})
