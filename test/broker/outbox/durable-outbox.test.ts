import { expect } from 'chai'
import { inbox } from '#platform/store/tables.ts'
import { TestBroker, type TestClient, texts } from '../harness.ts'

const KEPT = { cleanStart: false, properties: { sessionExpiryInterval: 0xffff_ffff } }
const numbers = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, i) => String(from + i))

describe('the inbox of a persistent session', () => {
  let t: TestBroker
  let publisher: TestClient

  async function start(mqtt: Record<string, unknown> = {}): Promise<void> {
    t = await TestBroker.start({ mqtt })
    publisher = await t.connect('publisher')
  }

  afterEach(() => t.stop())

  const connect = (receiveMaximum = 65_535): Promise<TestClient> =>
    t.connect('reader', { ...KEPT, properties: { ...KEPT.properties, receiveMaximum } })

  const dropped = (reason: string): number =>
    t.count(`cinque_mqtt_dropped_messages_total{reason="${reason}"}`)

  async function away(qos: 1 | 2 = 1): Promise<void> {
    const reader = await connect()
    await reader.subscribe('x', { qos })
    await reader.vanish()
    await t.settled()
  }

  async function publish(payloads: readonly string[], qos: 1 | 2 = 1): Promise<void> {
    for (const payload of payloads) {
      publisher.publish('x', payload, { qos })
      for (const packet of await publisher.drain())
        if (packet.type === 5) publisher.ack(6, packet.value.packetId)
    }
    await t.settled()
  }

  async function allOf(reader: TestClient): Promise<string[]> {
    const got: string[] = []
    for (let quiet = 0; quiet < 3; ) {
      const messages = await reader.messages()
      got.push(...texts(messages))
      quiet = messages.length === 0 ? quiet + 1 : 0
      await t.settled()
    }
    return got
  }

  it('holds more than fits in memory, and gives it in order while more arrives', async () => {
    await start()
    await away()
    await publish(numbers(0, 1500))
    const reader = await connect()
    await publish(numbers(1500, 1600))
    expect(await allOf(reader)).to.deep.equal(numbers(0, 1600))
    await t.pass(1000)
    expect((await t.store.scan(inbox, null, 5000)).rows).to.have.length(0)
  })

  it('gives no more at once than the client asked for, and goes on with each acknowledgement', async () => {
    await start()
    await away()
    await publish(numbers(0, 10))
    const reader = await connect(3)
    const first = await reader.messages(false)
    expect(texts(first)).to.deep.equal(['0', '1', '2'])
    reader.ack(4, first[1].packetId)
    expect(texts(await reader.messages(false))).to.deep.equal(['3'])
    expect(await reader.messages(false)).to.deep.equal([])
  })

  it('sends again, with DUP and in order, what was not acknowledged, before anything new', async () => {
    await start()
    await away()
    await publish(['a', 'b', 'c'])
    const before = await connect()
    const sent = await before.messages(false)
    before.ack(4, sent[1].packetId)
    await before.drain()
    await before.vanish()
    await publish(['d'])
    const after = await connect()
    const again = await after.messages(false)
    expect(again.map((m) => [m.payload.toString(), m.dup])).to.deep.equal([
      ['a', true],
      ['c', true],
      ['d', false],
    ])
    expect([again[0].packetId, again[1].packetId]).to.deep.equal([sent[0].packetId, sent[2].packetId])
  })

  it('with a smaller Receive Maximum than before sends again no more than that at once', async () => {
    await start()
    await away()
    await publish(numbers(0, 6))
    const before = await connect()
    expect(await before.messages(false)).to.have.length(6)
    await before.vanish()
    const after = await connect(2)
    expect(texts(await after.messages(false))).to.deep.equal(['0', '1'])
    const rest = await after.messages()
    expect(rest).to.deep.equal([])
    after.ack(4, 1)
    expect(texts(await after.messages(false))).to.deep.equal(['2'])
  })

  it('goes on with a QoS 2 handshake where it was: PUBREL again, not the message', async () => {
    await start()
    await away(2)
    await publish(['once', 'next'], 2)
    const before = await connect()
    await t.settled()
    const [first] = await before.messages(false)
    before.ack(5, first.packetId)
    await t.settled()
    await before.expect(6)
    await before.vanish()
    const after = await connect()
    await t.settled()
    const packets = await after.drain()
    expect(packets.map((p) => p.type)).to.deep.equal([6, 3])
    expect(packets[1]).to.have.nested.property('value.dup', true)
    after.ack(7, first.packetId)
    expect(texts(await after.messages())).to.deep.equal([])
  })

  it('does not give what has expired, and tells the rest of the interval', async () => {
    await start()
    await away()
    for (const [payload, expiry] of [
      ['short', 10],
      ['long', 100],
      ['for ever', undefined],
    ] as const) {
      await publisher.publishAcknowledged('x', payload, {
        properties: expiry === undefined ? {} : { messageExpiryInterval: expiry },
      })
    }
    t.clock.advance(30_000)
    const reader = await connect()
    const messages = await reader.messages()
    expect(texts(messages)).to.deep.equal(['long', 'for ever'])
    expect(messages.map((m) => m.properties.messageExpiryInterval)).to.deep.equal([70, undefined])
    expect(dropped('expired')).to.equal(1)
  })

  it('beyond its limit drops the oldest, and counts them', async () => {
    await start({ max_queue_messages: 100 })
    await away()
    await publish(numbers(0, 150))
    const got = await allOf(await connect())
    expect(got.at(-1)).to.equal('149')
    expect(got.length).to.be.within(100, 102)
    expect(got).to.deep.equal(numbers(150 - got.length, 150))
    expect(dropped('queue_full')).to.equal(150 - got.length)
  })

  it('or the newest, if so configured', async () => {
    await start({ max_queue_messages: 100, queue_policy: 'drop_newest' })
    await away()
    await publish(numbers(0, 150))
    expect(await allOf(await connect())).to.deep.equal(numbers(0, 100))
    expect(dropped('queue_full')).to.equal(50)
  })

  it('counts what was there before a restart towards its limit', async () => {
    await start({ max_queue_messages: 100 })
    await away()
    await publish(numbers(0, 80))
    const { store, clock } = t
    t.crash()
    t = await TestBroker.start({ mqtt: { max_queue_messages: 100 } }, { store, clock })
    publisher = await t.connect('publisher')
    await publish(numbers(80, 160))
    const got = await allOf(await connect())
    expect(got.length).to.be.within(100, 102)
    expect(got).to.deep.equal(numbers(160 - got.length, 160))
  })

  it('too small a maximum packet size: the message is as if delivered, now and after the next connect', async () => {
    await start()
    await away()
    await publish(['l'.repeat(200), 'short'])
    const narrow = await t.connect('reader', {
      ...KEPT,
      properties: { ...KEPT.properties, maximumPacketSize: 100 },
    })
    expect(texts(await narrow.messages())).to.deep.equal(['short'])
    await narrow.vanish()
    expect(await (await connect()).messages()).to.deep.equal([])
  })

  it('is not acknowledged to the publisher before it is on disk', async () => {
    await start()
    await away()
    t.disk.hold()
    publisher.publish('x', 'a', { qos: 1 })
    publisher.publish('y', 'nobody', { qos: 1 })
    for (let i = 0; i < 5; i++) expect(await publisher.drain()).to.deep.equal([])
    t.disk.release()
    await t.settled()
    expect((await publisher.drain()).map((p) => p.type)).to.deep.equal([4, 4])
  })

  it('that is ended by a clean start is gone, on disk too', async () => {
    await start()
    await away()
    await publish(numbers(0, 20))
    const fresh = await t.connect('reader', { properties: KEPT.properties })
    expect(fresh.sessionPresent).to.equal(false)
    await t.settled()
    expect((await t.store.scan(inbox, null, 100)).rows).to.deep.equal([])
    await publish(['not subscribed any more'])
    expect(await fresh.messages()).to.deep.equal([])
  })

  it('of a shared group whose session ends goes to the other members', async () => {
    await start()
    const one = await connect()
    await one.subscribe('$share/g/x', { qos: 1 })
    await publish(['in flight'])
    await one.vanish()
    await publish(['waiting'])
    const two = await t.connect('two', KEPT)
    await two.subscribe('$share/g/x', { qos: 1 })
    const ended = await t.connect('reader', { properties: KEPT.properties })
    expect(ended.sessionPresent).to.equal(false)
    await t.settled()
    await t.settled()
    expect(texts(await two.messages()).toSorted()).to.deep.equal(['in flight', 'waiting'])
  })
})
