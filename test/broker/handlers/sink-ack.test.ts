import { expect } from 'chai'
import type { Conventions } from '#platform/telemetry/conventions.ts'
import { single } from '../../platform/store/tables.ts'
import { TestBroker } from '../harness.ts'
import { eventually } from '../../patience.ts'

/** What devices say is kept as one row, which stays in the batch it is in: the newest word takes its place. */
function lastWord(broker: () => TestBroker): Conventions {
  const row: { id: string; value?: string } = { id: 'word' }
  let ticket = 0
  return {
    sinkFor: () => ({
      accept(payload) {
        const commit = broker().lanes.of('default')
        const batch = commit.stage()
        row.value = payload.toString()
        if (ticket !== commit.ticket) batch.put(single, row)
        ticket = commit.ticket
        return undefined
      },
    }),
  }
}

describe('a message whose sink changes a row that is waiting for the disk already', () => {
  let t: TestBroker

  beforeEach(async () => {
    t = await TestBroker.start({}, { conventions: lastWord(() => t) })
  })

  afterEach(async () => {
    t.disk.release()
    await t.stop()
  })

  for (const [qos, kept] of [
    [1, { cleanStart: true }],
    [2, { cleanStart: true }],
    [2, { cleanStart: false, properties: { sessionExpiryInterval: 3600 } }],
  ] as const) {
    const whose = kept.cleanStart ? '' : ' of a session on disk'
    it(`is acknowledged when the changed row is durable (QoS ${qos}${whose})`, async () => {
      const devices = [await t.connect('one', kept), await t.connect('two', kept)]
      t.disk.hold()
      t.dial().connect('other', { cleanStart: false, properties: { sessionExpiryInterval: 3600 } })
      await eventually('the disk is busy', () => t.disk.waiting === 1)
      for (const device of devices) device.publish('x', 'word', { qos, packetId: 7 })
      for (const device of devices) expect(await device.drain()).to.deep.equal([])
      t.disk.release(1)
      await eventually('the words are being stored', () => t.disk.waiting === 1)
      for (const device of devices) expect(await device.drain()).to.deep.equal([])
      t.disk.release()
      for (const device of devices)
        expect((await device.expect(qos === 1 ? 4 : 5)).value.packetId).to.equal(7)
      expect((await t.store.get(single, { id: 'word' }))?.value).to.equal('word')
    })
  }
})
