import { expect } from 'chai'
import { AclRules } from '#platform/auth/acl.ts'
import { encodePublish, noProperties } from '#broker/packets/index.ts'
import { TestBroker, type TestClient, texts } from './harness.ts'
import { eventually } from '../patience.ts'

function publish(payload: string, qos: 0 | 1 = 0, version: 4 | 5 = 4): Buffer {
  return encodePublish(
    {
      topic: 'x',
      qos,
      packetId: qos,
      payload: Buffer.from(payload),
      retain: false,
      dup: false,
      properties: noProperties,
    },
    version,
  )
}

describe('limits.message_rate', () => {
  let t: TestBroker
  let reader: TestClient

  beforeEach(async () => {
    t = await TestBroker.start({ limits: { message_rate: 10 } })
    reader = await t.connect('reader')
    await reader.subscribe('x', { qos: 1 })
  })

  afterEach(() => t.stop())

  for (const [version, qos] of [
    [4, 0],
    [4, 1],
    [5, 0],
  ] as const) {
    it(`holds for a client of version ${version} at QoS ${qos} that sends all at once: the rest comes later, none is lost`, async () => {
      await t.pass(2000)
      const fast = await t.connect('fast', {}, version)
      const all = Array.from({ length: 100 }, (_, i) => String(i))
      fast.send(Buffer.concat(all.map((text) => publish(text, qos, version))))
      await t.settled()
      expect(await reader.messages()).to.have.length(10)
      await t.pass(5000)
      const within = await reader.messages()
      expect(within.length).to.be.within(45, 50)
      await t.pass(10_000)
      const rest = await reader.messages()
      expect(texts([...within, ...rest])).to.deep.equal(all.slice(10))
    })
  }

  it('is told to a client of MQTT 5 at QoS 1', async () => {
    const fast = await t.connect('fast')
    const reasons: number[] = []
    for (let i = 0; i < 20; i++) reasons.push(await fast.publishAcknowledged('x', String(i)))
    expect(reasons.filter((reason) => reason === 0)).to.have.length(10)
    expect(reasons.slice(10)).to.deep.equal(Array.from({ length: 10 }, () => 0x97))
    expect(await reader.messages()).to.have.length(10)
  })
})

describe('quotas of an organisation', () => {
  let t: TestBroker
  afterEach(() => t.stop())

  it('messages: MQTT 5 is told 0x97, others are not heard, and nobody gets what is too much', async () => {
    t = await TestBroker.start({ quotas: { messages: 3 } })
    const reader = await t.connect('reader')
    await reader.subscribe('x', { qos: 1 })
    const one = await t.connect('one')
    const other = await t.connect('other', {}, 4)
    const reasons: number[] = []
    for (let i = 0; i < 4; i++) reasons.push(await one.publishAcknowledged('x', `one ${i}`))
    expect(reasons).to.deep.equal([0, 0, 0, 0x97])
    expect(await other.publishAcknowledged('x', 'other'), 'MQTT 3 has no word for it').to.equal(0)
    other.send(publish('other at QoS 0'))
    await t.settled()
    expect(texts(await reader.messages())).to.deep.equal(['one 0', 'one 1', 'one 2'])
    expect(t.broker.stats.dropped.quota.value).to.equal(3)
    t.clock.advance(86_400_000)
    t.broker.usage?.flush()
    expect(await one.publishAcknowledged('x', 'tomorrow')).to.equal(0)
  })

  it('messages of the short way count as well', async () => {
    t = await TestBroker.start({ quotas: { messages: 1000 } })
    const one = await t.connect('one', {}, 4)
    one.send(Buffer.concat(Array.from({ length: 50 }, (_, i) => publish(String(i)))))
    await t.settled()
    expect(t.broker.usage?.of('default').own.messages).to.equal(50)
  })

  it('connections: one too many is refused, and let in when another has gone', async () => {
    t = await TestBroker.start({ quotas: { connections: 2 } })
    const one = await t.connect('one')
    await t.connect('two')
    const error: unknown = await t.connect('three').then(
      () => null,
      (caught: unknown) => caught,
    )
    expect(String(error)).to.match(/0x97|151/)
    one.disconnect()
    await t.settled()
    await t.connect('three')
    expect(t.broker.usage?.of('default').connections).to.equal(2)
  })
})

describe('a packet that comes byte by byte', () => {
  const used = (): number => process.memoryUsage().heapUsed + process.memoryUsage().arrayBuffers

  it('costs about its bytes, not a buffer for each of them', async () => {
    const t = await TestBroker.start({ mqtt: { maximum_packet_size: 2_000_000 } })
    await t.connect('drip', {}, 4)
    const [connection] = t.broker.connections
    const packet = publish('p'.repeat(1_000_000))
    let at = 0
    const drip = (to: number): void => {
      for (; at < to; at++) {
        const chunk = Buffer.allocUnsafeSlow(1)
        chunk[0] = packet[at]
        connection.receive(chunk)
      }
    }
    const before = used()
    drip(packet.length - 1)
    expect(used() - before).to.be.lessThan(60_000_000) // a buffer each would be 150 MB
    const reader = await t.connect('reader')
    await reader.subscribe('x')
    drip(packet.length)
    expect((await reader.messages()).map((m) => m.payload.length)).to.deep.equal([1_000_000])
    await t.stop()
  })
})

describe('before CONNECT', () => {
  it('a client cannot make the broker hold a packet as large as those of known clients', async () => {
    const t = await TestBroker.start({ mqtt: { maximum_packet_size: 100_000_000 } })
    const stranger = t.dial()
    stranger.send(Buffer.from([0x10, 0xff, 0xff, 0xff, 0x1f]))
    await eventually('it is refused', () => t.broker.connections.size === 0)
    expect(t.count('cinque_mqtt_oversized_total')).to.equal(1)
    const known = await t.connect('known')
    await known.subscribe('x')
    known.publish('x', Buffer.alloc(1_000_000, 'x'))
    expect((await known.messages()).map((m) => m.payload.length)).to.deep.equal([1_000_000])
    await t.stop()
  })
})

describe('connect_timeout', () => {
  it('ends a connection without a complete CONNECT, also one that sends a byte now and then', async () => {
    const t = await TestBroker.start({ limits: { connect_timeout: 5 } })
    const slow = t.dial()
    for (let s = 0; s < 4; s++) {
      slow.wire.push(Buffer.of([0x10, 0x20, 0x00, 0x04][s]))
      await t.pass(1000)
      expect(t.broker.connections.size).to.equal(1)
    }
    await t.pass(1500)
    await slow.closed()
    expect(t.broker.connections.size).to.equal(0)
    await t.stop()
  })
})

describe('keep-alive', () => {
  let t: TestBroker
  beforeEach(async () => {
    t = await TestBroker.start()
  })
  afterEach(() => t.stop())

  it('ends a silent client after one and a half intervals, not before, and says why', async () => {
    const silent = await t.connect('silent', { keepAlive: 10 })
    await t.pass(14_500)
    expect(t.broker.connections.size).to.equal(1)
    await t.pass(1500)
    expect((await silent.expect(14)).value.reason).to.equal(0x8d)
    expect(t.broker.connections.size).to.equal(0)
  })

  it('is kept up by any packet', async () => {
    const alive = await t.connect('alive', { keepAlive: 10 })
    for (let i = 0; i < 5; i++) {
      await t.pass(9000)
      await alive.drain()
    }
    expect(t.broker.connections.size).to.equal(1)
  })

  it('0 never ends a client', async () => {
    await t.connect('eternal')
    await t.pass(3_600_000)
    expect(t.broker.connections.size).to.equal(1)
  })
})

describe('topics as long and deep as the configuration can allow', () => {
  let t: TestBroker
  let client: TestClient

  beforeEach(async () => {
    const device = { org: 'default', id: 'i'.repeat(36), name: 'd' }
    const acl = new AclRules([{ effect: 'allow', access: 'all', filter: '#' }])
    t = await TestBroker.start(
      { mqtt: { max_topic_bytes: 65_535, max_topic_levels: 1000 } },
      {
        authenticator: {
          authenticate: ({ clientId }) => ({
            org: device.org,
            username: device.name,
            device,
            acl: acl.for({ username: device.name, clientId }),
            quota: {},
          }),
        },
      },
    )
    client = await t.connect('device', { properties: { sessionExpiryInterval: 3600 } })
  })

  afterEach(() => t.stop())

  it('of 1000 levels are matched, live and retained', async () => {
    await client.subscribe(`${'+/'.repeat(999)}+`)
    client.publish(`${'a/'.repeat(999)}a`, 'deep', { retain: true })
    expect(texts(await client.messages())).to.deep.equal(['deep'])
    await client.subscribe(`a/${'+/'.repeat(998)}#`)
    expect(texts(await client.messages())).to.deep.equal(['deep'])
  })

  it('that would not fit a string any more with the id of the device in place of `me` are refused', async () => {
    const me = 'v1/devices/me/'
    expect(await client.subscribe(me + 'x'.repeat(65_535 - me.length))).to.deep.equal([0x8f])
    const shared = `$share/g/${me}`
    expect(await client.subscribe(shared + 'x'.repeat(65_535 - shared.length))).to.deep.equal([0x8f])
    const dying = t.dial()
    const topic = me + 'x'.repeat(65_535 - me.length)
    const will = { topic, payload: Buffer.of(1), qos: 0, retain: false, properties: noProperties } as const
    dying.connect('dying', { will })
    expect((await dying.expect(2)).value.reason).to.equal(0x90)
    client.publish(topic, 'x')
    expect((await client.expect(14)).value.reason).to.equal(0x90)
  })
})
