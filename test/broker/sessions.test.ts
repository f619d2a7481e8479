import { expect } from 'chai'
import {
  retained as retainedTable,
  session as sessionTable,
  subscription as subscriptionTable,
} from '#platform/store/tables.ts'
import { TestBroker, type TestClient, texts } from './harness.ts'
import { eventually } from '../patience.ts'

const KEPT = { cleanStart: false, properties: { sessionExpiryInterval: 100 } }

describe('a client id used twice', () => {
  let t: TestBroker

  beforeEach(async () => {
    t = await TestBroker.start()
  })

  afterEach(() => t.stop())

  it('belongs to the newest connection; the older one is told 0x8E and closed [MQTT-3.1.4-3]', async () => {
    const older = await t.connect('c', KEPT)
    await older.subscribe('x', { qos: 1 })
    const newer = await t.connect('c', KEPT)
    expect(newer.sessionPresent).to.equal(true)
    expect((await older.expect(14)).value.reason).to.equal(0x8e)
    await t.pass(2000)
    expect(older.wire.destroyed).to.equal(true)
    const publisher = await t.connect('publisher')
    await publisher.publishAcknowledged('x', 'm')
    expect(texts(await newer.messages())).to.deep.equal(['m'])
    expect(t.broker.space('default').sessions.size).to.equal(2)
  })

  it('what the older one sends after that is not taken any more', async () => {
    const older = await t.connect('c', KEPT)
    const newer = await t.connect('c', KEPT)
    await newer.subscribe('x')
    older.publish('x', 'from the dead')
    expect(await newer.messages()).to.deep.equal([])
  })

  it('by many at once before any is answered: one is left, with the session', async () => {
    t.disk.hold()
    const rivals: TestClient[] = []
    for (let i = 0; i < 10; i++) {
      const rival = t.dial()
      rival.connect('c', KEPT)
      rivals.push(rival)
      await eventually(
        'it is being answered',
        () => t.broker.space('default').sessions.get('c')?.claimant !== null,
      )
    }
    t.disk.release()
    await t.settled()
    const last = rivals.pop() as TestClient
    expect((await last.expect(2)).value.reason).to.equal(0)
    expect(await last.drain()).to.deep.equal([])
    expect(t.broker.connections.size).to.equal(1)
    for (const rival of rivals) expect(rival.wire.writableEnded).to.equal(true)
  })

  it('while a message is on its way to the older one: the newer one gets it', async () => {
    const older = await t.connect('c', KEPT)
    await older.subscribe('x', { qos: 1 })
    const publisher = await t.connect('publisher')
    publisher.publish('x', 'between', { qos: 1 })
    const newer = await t.connect('c', KEPT)
    expect(texts(await newer.messages())).to.deep.equal(['between'])
  })
})

describe('the end of a session', () => {
  let t: TestBroker
  beforeEach(async () => {
    t = await TestBroker.start()
  })
  afterEach(() => t.stop())

  const onDisk = async (): Promise<number> => (await t.store.scan(sessionTable, null, 10)).rows.length
  const router = () => t.broker.space('default').router

  it('comes when its expiry interval has passed without a connection, and takes everything with it', async () => {
    const client = await t.connect('c', KEPT)
    await client.subscribe(['x', 'y/#', '$share/g/z'], { qos: 1 })
    await client.vanish()
    await t.pass(99_000)
    expect([router().count, await onDisk()]).to.deep.equal([3, 1])
    await t.pass(2000)
    expect([router().count, router().shared, await onDisk()]).to.deep.equal([0, 0, 0])
    expect((await t.connect('c', KEPT)).sessionPresent).to.equal(false)
  })

  it('does not come while its client is connected, however long', async () => {
    const client = await t.connect('c', KEPT)
    await client.vanish()
    await t.pass(90_000)
    const again = await t.connect('c', KEPT)
    expect(again.sessionPresent).to.equal(true)
    await t.pass(500_000)
    expect(t.broker.connections.size).to.equal(1)
    await again.vanish()
    await t.pass(90_000)
    expect((await t.connect('c', KEPT)).sessionPresent).to.equal(true)
  })

  it('counts on over a restart', async () => {
    const client = await t.connect('c', KEPT)
    await client.vanish()
    await t.pass(60_000)
    const { store, clock } = t
    t.crash()
    t = await TestBroker.start({}, { store, clock })
    await t.pass(30_000)
    expect(t.broker.space('default').sessions.size).to.equal(1)
    await t.pass(15_000)
    expect(t.broker.space('default').sessions.size).to.equal(0)
  })

  it('does not come early or late when the clock is set', async () => {
    const client = await t.connect('c', KEPT)
    await client.vanish()
    t.clock.advance(-86_400_000)
    await t.pass(50_000)
    t.clock.advance(2 * 86_400_000)
    await t.pass(45_000)
    expect(t.broker.space('default').sessions.size).to.equal(1)
    await t.pass(10_000)
    expect(t.broker.space('default').sessions.size).to.equal(0)
  })

  it('never comes with 0xFFFFFFFF', async () => {
    const client = await t.connect('c', {
      cleanStart: false,
      properties: { sessionExpiryInterval: 0xffff_ffff },
    })
    await client.vanish()
    await t.pass(10_000_000)
    expect(t.broker.space('default').sessions.size).to.equal(1)
  })

  it('of a device comes when the device is deleted, connected or not', async () => {
    const device = (id: string) => ({ org: 'default', id, name: id })
    await t.stop()
    t = await TestBroker.start(
      {},
      {
        authenticator: {
          authenticate: ({ username = '' }) => ({
            org: 'default',
            username,
            device: device(username),
            acl: { check: () => true, explain: () => ({ allowed: true, reason: '' }) },
            quota: {},
          }),
        },
      },
    )
    const connected = await t.connect('a', { ...KEPT, username: 'd1' })
    await (await t.connect('b', { ...KEPT, username: 'd1' })).vanish()
    const other = await t.connect('c', { ...KEPT, username: 'd2' })
    t.broker.forgetDevice('default', 'd1')
    expect((await connected.expect(14)).value.reason).to.equal(0x87)
    await t.settled()
    expect([...t.broker.space('default').sessions.keys()]).to.deep.equal(['c'])
    expect(await onDisk()).to.equal(1)
    expect(await other.drain()).to.deep.equal([])
  })
})

describe('QoS 0 for a client that is away', () => {
  for (const payloadSize of [10, 5000]) {
    it(`is dropped and counted, by either way (${payloadSize} bytes)`, async () => {
      const t = await TestBroker.start()
      const client = await t.connect('c', KEPT)
      await client.subscribe('x', { qos: 0 })
      await client.vanish()
      const publisher = await t.connect('publisher')
      const payload = Buffer.alloc(payloadSize)
      for (let i = 0; i < 3; i++) publisher.publish('x', payload)
      publisher.publish('x', payload, { properties: { contentType: 'y' } })
      expect(await publisher.publishAcknowledged('x', 'z')).to.equal(0)
      expect(t.count('cinque_mqtt_dropped_messages_total{reason="qos0_offline"}')).to.equal(5)
      await t.stop()
    })
  }
})

describe('marks of what is gone', () => {
  it('do not stay on disk for ever: a restart clears them away, and brings nothing back', async () => {
    let t = await TestBroker.start()
    const client = await t.connect('c', KEPT)
    for (let i = 0; i < 20; i++) {
      await client.subscribe(`x${i}`, { qos: 1 })
      if (i > 0) await client.unsubscribe(`x${i}`)
      await client.publishAcknowledged(`r${i}`, 'm', { retain: true })
      if (i > 0) await client.publishAcknowledged(`r${i}`, '', { retain: true })
    }
    await t.settled()
    const { store, clock } = t
    for (let restart = 0; restart < 2; restart++) {
      t.crash()
      t = await TestBroker.start({}, { store, clock })
      await t.settled()
      expect((await store.scan(subscriptionTable, null, 100)).rows.map((r) => r.filter)).to.deep.equal(['x0'])
      expect((await store.scan(retainedTable, null, 100)).rows.map((r) => r.topic)).to.deep.equal(['r0'])
      expect(t.broker.space('default').router.count).to.equal(1)
      expect(t.broker.space('default').retained.count).to.equal(1)
    }
    await t.stop()
  })
})

describe('limits.max_sessions', () => {
  it('refuses one more session with 0x97, kept ones count; who has one comes in, and room comes back', async () => {
    const t = await TestBroker.start({ limits: { max_sessions: 2 } })
    const kept = await t.connect('kept', KEPT)
    await kept.vanish()
    const second = await t.connect('second')
    const third = t.dial()
    third.connect('third')
    expect((await third.expect(2)).value.reason).to.equal(0x97)
    expect((await t.connect('kept', KEPT)).sessionPresent).to.equal(true)
    await second.vanish()
    await t.connect('third')
    await t.stop()
  })
})

describe('drain', () => {
  it('acknowledges what was received, tells clients 0x8B, keeps sessions, and refuses newcomers', async () => {
    let t = await TestBroker.start()
    const reader = await t.connect('reader', {
      cleanStart: false,
      properties: { sessionExpiryInterval: 1000 },
    })
    await reader.subscribe('x', { qos: 1 })
    const publisher = await t.connect('publisher')
    const old = await t.connect('old', {}, 4)
    t.disk.hold()
    publisher.publish('x', 'last', { qos: 1 })
    await publisher.drain()
    const drained = t.broker.drain()
    const late = t.dial()
    late.connect('late')
    expect((await late.expect(2)).value.reason).to.equal(0x88)
    expect(await publisher.drain(), 'it waits for the disk').to.deep.equal([])
    t.disk.release()
    await drained
    expect((await publisher.expect(4)).value.reason).to.equal(0)
    expect((await publisher.expect(14)).value.reason).to.equal(0x8b)
    expect(old.wire.writableEnded).to.equal(true)
    const { store, clock } = t
    await t.stop()
    t = await TestBroker.start({}, { store, clock })
    const again = await t.connect('reader', {
      cleanStart: false,
      properties: { sessionExpiryInterval: 1000 },
    })
    expect(again.sessionPresent).to.equal(true)
    expect(texts(await again.messages())).to.deep.equal(['last'])
    await t.stop()
  })

  it('does not wait for a disk that does not come back longer than drain_timeout', async () => {
    const t = await TestBroker.start({ limits: { drain_timeout: 0.01 } })
    const client = await t.connect('c', KEPT)
    t.disk.hold()
    await client.vanish()
    await t.broker.drain()
    t.disk.release()
    await t.stop()
  })
})

describe('client trace', () => {
  it('shows every message of the watched client, also those that others take the short way with', async () => {
    const t = await TestBroker.start({ trace_clients: ['watched'] })
    const watched = await t.connect('watched')
    await watched.subscribe('to/watched')
    const other = await t.connect('other')
    await other.subscribe('from/watched')
    watched.publish('from/watched', 'a')
    await watched.drain()
    other.publish('to/watched', 'b')
    await other.drain()
    const traced = t.lines.filter((line) => line.event === 'trace').map((line) => [line.direction, line.msg])
    expect(traced.filter(([, text]) => String(text).startsWith('PUBLISH'))).to.deep.equal([
      ['in', 'PUBLISH from/watched qos 0 id 0'],
      ['out', 'PUBLISH to/watched qos 0 id 0'],
    ])
    t.broker.traceClient('watched', false)
    const before = t.lines.length
    watched.publish('from/watched', 'c')
    await watched.drain()
    expect(t.lines).to.have.length(before)
    await t.stop()
  })
})

describe('a client that keeps its socket open after DISCONNECT', () => {
  it('loses it, and got its acknowledgements first', async () => {
    const t = await TestBroker.start()
    const client = await t.connect('c')
    const packets: Buffer[] = []
    const send = client.send.bind(client)
    client.send = (packet) => packets.push(packet)
    client.publish('x', 'm', { qos: 1 })
    client.disconnect()
    send(Buffer.concat(packets))
    expect((await client.expect(4)).value.packetId).to.equal(1)
    expect(t.broker.connections.size).to.equal(0)
    await t.pass(2000)
    expect(client.wire.destroyed).to.equal(true)
    await t.stop()
  })
})
