import { expect } from 'chai'
import { TestBroker, type TestClient, texts } from '../harness.ts'
import { eventually } from '../../patience.ts'

const TOPICS = 1000
const PAYLOAD = Buffer.alloc(1000, 'x')

describe('retained messages for a new subscription', () => {
  let t: TestBroker
  let publisher: TestClient

  async function start(mqtt: Record<string, unknown> = {}): Promise<void> {
    t = await TestBroker.start({ mqtt, limits: { output_high: 65_536 } })
    publisher = await t.connect('publisher')
    for (let i = 0; i < TOPICS; i++) publisher.publish(`r/${i}`, PAYLOAD, { retain: true, qos: 1 })
    await t.settled()
    await publisher.drain()
  }

  afterEach(() => t.stop())

  it('wait in the broker while the client does not read, once for each filter, however often it subscribes', async () => {
    await start()
    const retained = t.broker.space('default').retained
    let matches = 0
    const match = retained.match.bind(retained)
    retained.match = (filter) => {
      matches++
      return match(filter)
    }
    const reader = await t.connect('reader')
    reader.wire.stopReading()
    for (let i = 0; i < 200; i++) reader.sendSubscribe('#')
    await t.settled()
    expect(matches).to.equal(1)
    expect(reader.wire.writableLength).to.be.lessThan(200_000)
    reader.wire.readAgain()
    const packets = await reader.messages()
    expect(packets).to.have.length(2 * TOPICS)
    expect(matches).to.equal(2)
  })

  it('at QoS 1 none is lost to the limit of the queue of a client that acknowledges slowly', async () => {
    await start({ max_queue_messages: 100 })
    const reader = await t.connect('reader', { properties: { receiveMaximum: 10 } })
    reader.sendSubscribe('r/#', { qos: 1 })
    await reader.expect(9)
    const unanswered = await reader.messages(false)
    await t.pass(5000)
    expect(unanswered).to.have.length(10)
    for (const { packetId } of unanswered) reader.ack(4, packetId)
    const got = new Set(unanswered.map(({ topic }) => topic))
    while (got.size < TOPICS) {
      const messages = await reader.messages()
      for (const { topic } of messages) got.add(topic)
      if (messages.length === 0) await t.pass(250)
    }
    expect(t.count('cinque_mqtt_dropped_messages_total{reason="queue_full"}')).to.equal(0)
  })

  it('that became old while they waited do not come after newer ones', async () => {
    await start()
    const reader = await t.connect('reader')
    await reader.subscribe('nothing')
    reader.wire.stopReading()
    reader.sendSubscribe('r/#')
    await t.settled()
    publisher.publish(`r/${TOPICS - 1}`, 'new', { retain: true })
    await publisher.drain()
    reader.wire.readAgain()
    const last = (await reader.messages()).filter(({ topic }) => topic === `r/${TOPICS - 1}`)
    expect(texts(last)).to.deep.equal(['new'])
  })

  it('are not sent any more after UNSUBSCRIBE', async () => {
    await start()
    const reader = await t.connect('reader')
    reader.wire.stopReading()
    reader.sendSubscribe('r/#')
    await t.settled()
    reader.sendUnsubscribe('r/#')
    await t.settled()
    reader.wire.readAgain()
    expect((await reader.messages()).length).to.be.lessThan(TOPICS / 2)
  })

  it('with large properties are not taken for a client that does not read', async () => {
    t = await TestBroker.start({ limits: { output_high: 65_536, output_max: 1_000_000 } })
    publisher = await t.connect('publisher')
    const userProperties: [string, string][] = [['k', 'v'.repeat(60_000)]]
    for (let i = 0; i < 100; i++)
      publisher.publish(`r/${i}`, 'x', { retain: true, properties: { userProperties } })
    await publisher.drain()
    const reader = await t.connect('reader')
    reader.wire.stopReading()
    reader.sendSubscribe('#')
    await t.settled()
    reader.wire.readAgain()
    await eventually('all have come', () => t.broker.stats.sent.value === 100)
    expect(await reader.messages()).to.have.length(100)
    expect(t.count('cinque_mqtt_dropped_messages_total{reason="slow_receiver"}')).to.equal(0)
  })
})
