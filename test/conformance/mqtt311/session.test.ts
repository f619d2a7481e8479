import { expect } from 'chai'
import { elapse, fresh } from '../harness/fresh.ts'
import { suite } from '../harness/suite.ts'

suite('3.1.1', '3.1.2.4 clean session, 4.1 session state', {}, ({ broker, conforms }) => {
  conforms(
    ['MQTT-3.1.2-4', 'MQTT-3.2.2-2', 'MQTT-3.2.2-3', 'MQTT-3.1.3-2', 'MQTT-4.1.0-1'],
    'clean session 0: the session is there when the client is back, with its subscriptions',
    async () => {
      const topic = fresh('t')
      const [first, created] = await broker.connack({ clean: false })
      expect(created.sessionPresent).to.equal(false)
      await first.subscribe([`${topic}/a`, { topic: `${topic}/+/b`, qos: 1 }])
      await first.end()
      const [second, resumed] = await broker.connack({ clientId: first.clientId, clean: false })
      expect(resumed.frame.toString('hex')).to.equal('20020100')
      const publisher = await broker.connect()
      await publisher.publish(`${topic}/a`, 'exact', { qos: 2 })
      expect((await second.receive()).qos).to.equal(2)
      await publisher.publish(`${topic}/x/b`, 'wild', { qos: 2 })
      expect((await second.receive()).qos).to.equal(1)
    },
  )

  conforms(['MQTT-3.1.2-4', 'MQTT-4.1.0-1'], 'it is there after a broken connection too', async () => {
    const topic = fresh('t')
    const first = await broker.connect({ clean: false })
    await first.subscribe(topic)
    first.destroy()
    const [second, connack] = await broker.connack({ clientId: first.clientId, clean: false })
    expect(connack.sessionPresent).to.equal(true)
    await (await broker.connect()).publish(topic, 'x', { qos: 1 })
    expect((await second.receive()).payload.toString()).to.equal('x')
  })

  conforms(
    ['MQTT-3.2.2-2', 'MQTT-4.1.0-2'],
    'a takeover with clean session 0 resumes the session',
    async () => {
      const topic = fresh('t')
      const first = await broker.connect({ clean: false })
      await first.subscribe(topic)
      const [second, connack] = await broker.connack({ clientId: first.clientId, clean: false })
      expect(connack.sessionPresent).to.equal(true)
      await first.expectClosed()
      await (await broker.connect()).publish(topic, 'x', { qos: 1 })
      expect((await second.receive()).payload.toString()).to.equal('x')
    },
  )

  conforms(
    ['MQTT-3.1.2-5', 'MQTT-4.5.0-1', 'MQTT-4.6.0-6'],
    'messages at QoS 1 and 2 wait for a session that is away, in order',
    async () => {
      const topic = fresh('t')
      const first = await broker.connect({ clean: false })
      await first.subscribe(`${topic}/#`)
      await first.end()
      const publisher = await broker.connect()
      for (let n = 0; n < 18; n++) {
        await publisher.publish(`${topic}/${n % 3}`, `${n}`, { qos: n % 2 === 0 ? 1 : 2 })
      }
      await publisher.publish(`${topic}/0`, 'once', { qos: 0 })
      const second = await broker.connect({ clientId: first.clientId, clean: false })
      const seen = new Map<string, number[]>()
      for (let left = 18; left > 0; ) {
        const packet = await second.expect('publish')
        // QoS 0 may be kept, or not.
        if (packet.qos === 0) continue
        expect(packet.dup).to.equal(false)
        const stream = `${packet.topic} ${packet.qos}`
        seen.set(stream, [...(seen.get(stream) ?? []), Number(packet.payload.toString())])
        left--
      }
      expect(seen.size).to.equal(6)
      for (const [stream, numbers] of seen) {
        expect(numbers, stream).to.deep.equal(numbers.toSorted((x, y) => x - y))
      }
      expect([...seen.values()].flat()).to.have.members(Array.from({ length: 18 }, (_, n) => n))
    },
  )

  conforms(['MQTT-3.1.2-5'], 'the granted QoS decides, not that of the publisher alone', async () => {
    const [once, atLeast] = [fresh('t'), fresh('t')]
    const first = await broker.connect({ clean: false })
    await first.subscribe([
      { topic: once, qos: 0 },
      { topic: atLeast, qos: 1 },
    ])
    await first.end()
    const publisher = await broker.connect()
    await publisher.publish(atLeast, 'x', { qos: 2 })
    const second = await broker.connect({ clientId: first.clientId, clean: false })
    const { topic, qos } = await second.receive()
    expect([topic, qos]).to.deep.equal([atLeast, 1])
    await second.expectNothing()
  })

  conforms(
    ['MQTT-3.1.2-6', 'MQTT-3.2.2-1', 'MQTT-3.1.4-3'],
    'clean session 1 forgets the session, and what waited for it',
    async () => {
      const topic = fresh('t')
      const first = await broker.connect({ clean: false })
      await first.subscribe(topic)
      await first.end()
      const publisher = await broker.connect()
      await publisher.publish(topic, 'before', { qos: 1 })
      const [second, connack] = await broker.connack({ clientId: first.clientId, clean: true })
      expect(connack.sessionPresent).to.equal(false)
      await publisher.publish(topic, 'after', { qos: 1 })
      await second.expectNothing()
    },
  )

  conforms(['MQTT-3.1.2-6', 'MQTT-3.2.2-3'], 'a clean session ends with its connection', async () => {
    const topic = fresh('t')
    for (const leave of ['end', 'destroy'] as const) {
      const first = await broker.connect({ clean: true })
      await first.subscribe(topic)
      await first[leave]()
      await broker.connect({ clientId: first.clientId, clean: true })
      const [third, connack] = await broker.connack({ clientId: first.clientId, clean: false })
      expect(connack.sessionPresent).to.equal(false)
      await (await broker.connect()).publish(topic, 'x', { qos: 1 })
      await third.expectNothing()
    }
  })

  conforms(['MQTT-3.1.2-6'], 'a clean takeover of a lasting session ends it for good', async () => {
    const topic = fresh('t')
    const first = await broker.connect({ clean: false })
    await first.subscribe(topic)
    const second = await broker.connect({ clientId: first.clientId, clean: true })
    await first.expectClosed()
    await second.end()
    const [, connack] = await broker.connack({ clientId: first.clientId, clean: false })
    expect(connack.sessionPresent).to.equal(false)
  })

  conforms(['MQTT-3.1.2-7'], 'retained messages outlive the session of their publisher', async () => {
    const topic = fresh('t')
    const publisher = await broker.connect({ clean: true })
    await publisher.publish(topic, 'kept', { qos: 1, retain: true })
    await publisher.end()
    await broker.connect({ clientId: publisher.clientId, clean: true })
    const client = await broker.connect()
    await client.subscribe(topic)
    expect((await client.receive()).payload.toString()).to.equal('kept')
  })

  conforms(['MQTT-4.1.0-2'], 'a session serves its client for as long as it is connected', async () => {
    const topic = fresh('t')
    const client = await broker.connect()
    await client.subscribe(topic)
    const publisher = await broker.connect()
    for (let n = 0; n < 3; n++) {
      await elapse(400)
      await publisher.publish(topic, `${n}`, { qos: 1 })
      expect((await client.receive()).payload.toString()).to.equal(`${n}`)
    }
  })

  conforms(['MQTT-3.1.2-4'], 'a session of MQTT 5 goes on under MQTT 3.1.1, and back', async () => {
    const topic = fresh('t')
    const five = await broker.connect({ properties: { sessionExpiryInterval: 60 } }, 5)
    await five.subscribe(topic, { subscriptionIdentifier: 7 })
    await five.end()
    const publisher = await broker.connect({}, 5)
    await publisher.publish(topic, 'one', { qos: 1, properties: { contentType: 'text/plain' } })
    const [four, connack] = await broker.connack({ clientId: five.clientId, clean: false })
    expect(connack.sessionPresent).to.equal(true)
    const one = await four.receive()
    expect(one.payload.toString()).to.equal('one')
    expect(one.frame.length).to.equal(2 + 2 + topic.length + 2 + 3)
    await four.end()
    await publisher.publish(topic, 'two', { qos: 1 })
    const [again, resumed] = await broker.connack({ clientId: five.clientId, clean: false }, 5)
    expect(resumed.sessionPresent).to.equal(true)
    const two = await again.receive()
    expect([two.payload.toString(), two.properties?.subscriptionIdentifier]).to.deep.equal(['two', 7])
  })
})

suite('3.1.1', '3.1.2.10 keep alive', { together: true }, ({ broker, conforms }) => {
  conforms(
    ['MQTT-3.1.2-24', 'MQTT-3.1.2-8'],
    'a silent client is cut off after 1.5 keep-alives, and its will is published',
    async () => {
      const topic = fresh('t')
      const watcher = await broker.connect()
      await watcher.subscribe(topic)
      const client = await broker.connect({
        keepalive: 2,
        will: { topic, payload: Buffer.from('silent'), qos: 1, retain: false },
      })
      const since = Date.now()
      await client.expectClosed(10_000)
      expect(Date.now() - since).to.be.at.least(2_900)
      expect((await watcher.receive()).payload.toString()).to.equal('silent')
    },
  )

  conforms(['MQTT-3.1.2-24'], 'any packet keeps the connection', async () => {
    const client = await broker.connect({ keepalive: 1 })
    const packets = [
      () => client.drain(),
      () => client.publish(fresh('t'), 'x', { qos: 1 }),
      () => client.subscribe(fresh('t')),
      () => client.publish(fresh('t'), 'x', { qos: 2 }),
      () => client.unsubscribe(fresh('t')),
    ]
    for (const send of packets) {
      await elapse(800)
      await send()
    }
    await client.expectNothing()
  })

  conforms(
    ['MQTT-3.1.2-24'],
    'the beginning of a packet is not a packet that keeps it for ever',
    async () => {
      const client = await broker.connect({ keepalive: 1 })
      client.send(Buffer.from([0x30, 0x40, 0x00]))
      await client.expectClosed(10_000)
    },
  )

  conforms(['MQTT-3.1.2-24'], 'packets to the client do not count', async () => {
    const topic = fresh('t')
    const client = await broker.connect({ keepalive: 1 })
    await client.subscribe(topic)
    const publisher = await broker.connect()
    let closed = false
    for (let n = 0; n < 12 && !closed; n++) {
      publisher.sendPublish(topic, 'x')
      closed = (await client.next()) === 'closed'
      await elapse(500)
    }
    expect(closed).to.equal(true)
  })

  conforms(['MQTT-3.1.2-24'], 'keep alive 0 turns it off', async () => {
    const client = await broker.connect({ keepalive: 0 })
    await elapse(2_500)
    await client.expectNothing()
  })
})

suite(
  '3.1.1',
  '3.1.2.10 server keep-alive',
  { set: { 'mqtt.server_keep_alive': 1 } },
  ({ broker, conforms }) => {
    conforms(['MQTT-3.1.2-24'], 'a broker may cut off a silent client earlier', async () => {
      for (const keepalive of [0, 600]) {
        const client = await broker.connect({ keepalive })
        await client.expectClosed(10_000)
      }
    })
  },
)
