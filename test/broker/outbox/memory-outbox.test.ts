import { expect } from 'chai'
import * as fc from 'fast-check'
import { Message } from '#broker/message.ts'
import { TestBroker, type TestClient, texts } from '../harness.ts'

const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('publish' as const),
      qos: fc.constantFrom(1 as const, 2 as const),
      count: fc.constantFrom(1, 3, 12),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('answer' as const), which: fc.nat(1000) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('refuse' as const), which: fc.nat(1000) }) },
)

describe('the outbox of a session that ends with its connection', () => {
  for (const policy of ['drop_oldest', 'drop_newest'] as const) {
    it(`keeps to the window and the queue's limit, loses what ${policy} says and nothing else, in order`, async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.constantFrom(1, 2, 5),
          fc.constantFrom(1, 4, 10),
          fc.array(step, { maxLength: 30 }),
          async (window, limit, steps) => {
            const t = await TestBroker.start({ mqtt: { max_queue_messages: limit, queue_policy: policy } })
            const reader = await t.connect('reader', { properties: { receiveMaximum: window } })
            await reader.subscribe('x', { qos: 2 })
            const inFlight: { packetId: number; qos: number; released: boolean }[] = []
            let queue: string[] = []
            const wanted: string[] = []
            const got: string[] = []
            let n = 0
            let dropped = 0
            const arrive = (text: string): void => {
              if (inFlight.length + (wanted.length - got.length) < window && queue.length === 0)
                wanted.push(text)
              else if (queue.length < limit) queue.push(text)
              else {
                dropped++
                if (policy === 'drop_oldest') queue = [...queue.slice(1), text]
              }
            }
            const room = (): void => {
              const next = queue.shift()
              if (next !== undefined) wanted.push(next)
            }
            const take = async (): Promise<void> => {
              for (const packet of await reader.drain()) {
                if (packet.type !== 3) continue
                const { packetId, qos, payload } = packet.value
                expect(inFlight.some((f) => f.packetId === packetId)).to.equal(false)
                got.push(payload.toString())
                inFlight.push({ packetId, qos, released: false })
              }
              expect(got).to.deep.equal(wanted)
              expect(inFlight.length).to.be.at.most(window)
            }
            for (const s of steps) {
              if (s.kind === 'publish') {
                for (let i = 0; i < s.count; i++) {
                  // from nobody who could be made to wait
                  const message = new Message('x', Buffer.from(String(++n)), s.qos, false)
                  t.broker.publish(t.broker.space('default'), message)
                  arrive(String(n))
                }
              } else if (inFlight.length > 0) {
                const f = inFlight[s.which % inFlight.length]
                if (f.qos === 1) reader.ack(4, f.packetId)
                else if (s.kind === 'refuse' && !f.released) reader.ack(5, f.packetId, 0x80)
                else if (!f.released) {
                  reader.ack(5, f.packetId)
                  f.released = true
                  continue
                } else reader.ack(7, f.packetId)
                inFlight.splice(inFlight.indexOf(f), 1)
                room()
              }
              await take()
            }
            expect(t.count('cinque_mqtt_dropped_messages_total{reason="queue_full"}')).to.equal(dropped)
            await t.stop()
          },
        ),
        { numRuns: 40 },
      )
    })
  }
})

describe('a connected subscriber', () => {
  let t: TestBroker
  let reader: TestClient
  let publisher: TestClient

  beforeEach(async () => {
    t = await TestBroker.start({ mqtt: { max_queue_bytes: 5000 } })
    reader = await t.connect('reader', { properties: { receiveMaximum: 1 } })
    await reader.subscribe('x', { qos: 2 })
    publisher = await t.connect('publisher')
  })

  afterEach(() => t.stop())

  const dropped = (reason: string): number =>
    t.count(`cinque_mqtt_dropped_messages_total{reason="${reason}"}`)

  it('gets nothing that expired while it waited, and the rest of the interval of what did not', async () => {
    publisher.publish('x', 'first', { qos: 1 })
    publisher.publish('x', 'expires', { qos: 1, properties: { messageExpiryInterval: 10 } })
    publisher.publish('x', 'stays', { qos: 1, properties: { messageExpiryInterval: 60 } })
    await publisher.drain()
    await t.pass(20_000)
    const messages = await reader.messages()
    expect(texts(messages)).to.deep.equal(['first', 'stays'])
    expect(messages[1].properties.messageExpiryInterval).to.equal(40)
    expect(dropped('expired')).to.equal(1)
  })

  it('has a queue that counts bytes, properties too', async () => {
    const userProperties: [string, string][] = [['k', 'v'.repeat(2000)]]
    for (let i = 0; i < 6; i++) {
      publisher.wire.resume()
      publisher.publish('x', String(i), { qos: 1, properties: { userProperties } })
      await t.settled()
    }
    expect(dropped('queue_full')).to.equal(3)
    publisher.wire.resume()
    expect(texts(await reader.messages())).to.deep.equal(['0', '4', '5'])
  })

  it('is told that an identifier is not known when it sends a PUBREC for nothing', async () => {
    reader.ack(5, 999)
    const pubrel = await reader.expect(6)
    expect([pubrel.value.packetId, pubrel.value.reason]).to.deep.equal([999, 0x92])
  })

  it('does not get room by acknowledging what was never sent to it, or in the wrong way', async () => {
    const id = publisher.publish('x', '1', { qos: 2 })
    publisher.publish('x', '2', { qos: 2 })
    expect(id).to.equal(1)
    await t.settled()
    const [sent] = await reader.messages(false)
    reader.ack(4, sent.packetId)
    reader.ack(4, 77)
    reader.ack(7, 77)
    expect(await reader.messages(false)).to.deep.equal([])
    reader.ack(5, sent.packetId)
    await reader.expect(6)
    reader.ack(7, sent.packetId)
    expect(texts(await reader.messages(false))).to.deep.equal(['2'])
  })

  it('too small a maximum packet size: the message is as if delivered, the next one comes', async () => {
    const narrow = await t.connect('narrow', { properties: { receiveMaximum: 1, maximumPacketSize: 40 } })
    await narrow.subscribe('x', { qos: 1 })
    await publisher.publishAcknowledged('x', 'l'.repeat(100))
    await publisher.publishAcknowledged('x', 'short')
    expect(texts(await narrow.messages())).to.deep.equal(['short'])
    expect(dropped('larger_than_receiver_allows')).to.equal(1)
  })
})

describe('a member of a shared group that goes away', () => {
  it('leaves what it has not acknowledged at QoS 1, and what waited for it, to the others', async () => {
    const t = await TestBroker.start()
    const one = await t.connect('one', { properties: { receiveMaximum: 2 } })
    await one.subscribe('$share/g/x', { qos: 1 })
    const publisher = await t.connect('publisher')
    for (let i = 0; i < 5; i++) await publisher.publishAcknowledged('x', String(i))
    expect(texts(await one.messages(false))).to.deep.equal(['0', '1'])
    const two = await t.connect('two')
    await two.subscribe('$share/g/x', { qos: 1 })
    await one.vanish()
    await t.settled()
    expect(texts(await two.messages())).to.deep.equal(['0', '1', '2', '3', '4'])
    await t.stop()
  })

  it('holds no more than a few megabytes of what it does not acknowledge; the rest goes to who has room', async () => {
    const t = await TestBroker.start()
    const [one, two] = [await t.connect('one'), await t.connect('two')]
    for (const c of [one, two]) await c.subscribe('$share/g/x', { qos: 1 })
    const publisher = await t.connect('publisher')
    const payload = Buffer.alloc(200_000, 'x')
    let others = 0
    for (let i = 0; i < 80; i++) {
      publisher.publish('x', payload, { qos: 1 })
      await t.settled()
      others += (await two.messages()).length
    }
    const held = await one.messages(false)
    expect(held.length * payload.length).to.be.within(3_000_000, 5_000_000)
    expect(held.length + others).to.equal(80)
    await t.stop()
  })
})
