import { expect } from 'chai'
import { TestBroker, type TestClient, texts } from './harness.ts'
import { eventually } from '../patience.ts'

const LIMITS = { output_high: 16_384, output_max: 65_536, stall_timeout: 5 }

describe('a subscriber that does not read', () => {
  let t: TestBroker
  let slow: TestClient
  let publisher: TestClient

  beforeEach(async () => {
    t = await TestBroker.start({
      limits: LIMITS,
      mqtt: { max_queue_bytes: 100_000, max_queue_messages: 1000 },
    })
    slow = await t.connect('slow')
    publisher = await t.connect('publisher')
  })

  afterEach(() => t.stop())

  const dropped = (reason: string): number =>
    t.count(`cinque_mqtt_dropped_messages_total{reason="${reason}"}`)

  /** Whether the broker reads from a client. */
  const isRead = (client: TestClient): boolean => !client.wire.isPaused()

  async function fill(qos: 0 | 1): Promise<void> {
    await slow.subscribe('x', { qos })
    slow.wire.stopReading()
    for (let i = 0; i < 29; i++) publisher.publish('x', Buffer.alloc(1000, 'x'), { qos })
    await t.settled()
    publisher.publish('x', Buffer.alloc(1000, 'x'), { qos })
    await eventually('the publisher waits', () => !isRead(publisher))
  }

  it('makes its publisher wait and nobody else, and lets it go on as soon as it reads again', async () => {
    await fill(0)
    const other = await t.connect('other')
    await other.subscribe('y')
    other.publish('y', 'still here')
    expect(texts(await other.messages())).to.deep.equal(['still here'])
    expect(isRead(publisher)).to.equal(false)
    slow.wire.readAgain()
    await eventually('the publisher goes on', () => isRead(publisher))
    expect(await slow.messages()).to.have.length(30)
    expect(dropped('slow_receiver')).to.equal(0)
  })

  it('no longer makes anybody wait after stall_timeout: QoS 0 is dropped and counted, memory stays bounded', async () => {
    await fill(0)
    await t.pass(LIMITS.stall_timeout * 1000 + 2000)
    expect(isRead(publisher)).to.equal(true)
    for (let i = 0; i < 200; i++) publisher.publish('x', Buffer.alloc(1000, 'y'))
    await publisher.drain()
    expect(slow.wire.writableLength).to.be.lessThan(2 * LIMITS.output_max)
    expect(dropped('slow_receiver')).to.equal(200)
    slow.wire.readAgain()
    await eventually('it has read', () => slow.wire.writableLength === 0)
    publisher.publish('x', 'back')
    expect(texts(await slow.messages()).at(-1)).to.equal('back')
  })

  it('at QoS 1 costs no more than its socket and its queue, and gets all that they hold when it reads again', async () => {
    await fill(1)
    await t.pass(LIMITS.stall_timeout * 1000 + 2000)
    for (let i = 0; i < 300; i++) publisher.publish('x', Buffer.alloc(1000, 'y'), { qos: 1 })
    await publisher.drain()
    expect(slow.wire.writableLength).to.be.lessThan(2 * LIMITS.output_max)
    const lost = dropped('queue_full')
    expect(lost).to.be.greaterThan(100)
    slow.wire.readAgain()
    expect(await slow.messages()).to.have.length(330 - lost)
  })

  it('is closed when it asks and never reads the answers', async () => {
    slow.wire.stopReading()
    for (let i = 0; i < 20 && !slow.wire.destroyed; i++) {
      slow.wire.push(Buffer.alloc(60_000, Buffer.of(0xc0, 0)))
      await t.settled()
    }
    await slow.closed()
    expect(t.count('cinque_mqtt_slow_closed_total')).to.equal(1)
  })

  it('that disconnects lets its publishers go on', async () => {
    await fill(0)
    await slow.vanish()
    expect(isRead(publisher)).to.equal(true)
  })

  it('whose publisher disconnects while it waits: DISCONNECT behind the messages closes the socket', async () => {
    await slow.subscribe('x')
    slow.wire.stopReading()
    publisher.publish('x', Buffer.alloc(20_000, 'x'))
    await t.settled()
    const packets: Buffer[] = []
    publisher.send = (packet) => packets.push(packet)
    publisher.publish('x', 'and')
    publisher.disconnect()
    publisher.wire.push(Buffer.concat(packets))
    await eventually('it is gone', () => t.broker.connections.size === 1)
    await t.pass(2000)
    expect(publisher.wire.destroyed).to.equal(true)
  })

  it('is not taken for dead by its keep-alive while the broker itself does not read from it', async () => {
    const waiting = await t.connect('waiting', { keepAlive: 10 })
    await slow.subscribe('x')
    slow.wire.stopReading()
    waiting.publish('x', Buffer.alloc(20_000, 'x'))
    await t.settled()
    waiting.publish('x', Buffer.alloc(20_000, 'x'))
    await eventually('it waits', () => !isRead(waiting))
    // some progress every second, so that it is not taken for stalled
    for (let s = 0; s < 30; s++) {
      slow.wire.readAgain()
      slow.wire.stopReading()
      waiting.publish('x', Buffer.alloc(20_000, 'x'))
      await t.pass(1000)
    }
    slow.wire.readAgain()
    await eventually('it goes on', () => isRead(waiting))
    await t.pass(1000)
    expect(waiting.wire.destroyed).to.equal(false)
  })
})

describe('a client that publishes to itself at QoS 1 faster than it acknowledges', () => {
  it('is still read from, because its acknowledgements come the same way', async () => {
    const t = await TestBroker.start({ mqtt: { max_queue_messages: 100 } })
    const client = await t.connect('narcissus', { properties: { receiveMaximum: 1 } })
    await client.subscribe('x', { qos: 1 })
    for (let i = 0; i < 90; i++) client.publish('x', String(i), { qos: 1 })
    await t.settled()
    expect(client.wire.isPaused()).to.equal(false)
    expect(texts(await client.messages())).to.deep.equal(Array.from({ length: 90 }, (_, i) => String(i)))
    await t.stop()
  })
})

describe('publishers of a subscriber that acknowledges slowly', () => {
  it('wait when half of its queue is in use, and go on when there is room', async () => {
    const t = await TestBroker.start({ mqtt: { max_queue_messages: 100 } })
    const slow = await t.connect('slow', { properties: { receiveMaximum: 5 } })
    await slow.subscribe('x', { qos: 1 })
    const publisher = await t.connect('publisher')
    for (let i = 0; i < 60; i++) publisher.publish('x', String(i), { qos: 1 })
    await eventually('the publisher waits', () => publisher.wire.isPaused())
    expect(texts(await slow.messages())).to.deep.equal(Array.from({ length: 60 }, (_, i) => String(i)))
    expect(publisher.wire.isPaused()).to.equal(false)
    expect(t.count('cinque_mqtt_dropped_messages_total{reason="queue_full"}')).to.equal(0)
    await t.stop()
  })
})
