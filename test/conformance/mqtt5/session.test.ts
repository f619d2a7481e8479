import { expect } from 'chai'
import { elapse, fresh } from '../harness/fresh.ts'
import { suite } from '../harness/suite.ts'

const KEPT = { sessionExpiryInterval: 60 }

suite('5.0', '3.1.2.4 clean start, 3.1.2.11.2 session expiry', { together: true }, ({ broker, conforms }) => {
  conforms(
    ['MQTT-3.1.2-4', 'MQTT-3.1.4-4', 'MQTT-3.2.2-2'],
    'clean start forgets the session before',
    async () => {
      const topic = fresh('t')
      const first = await broker.connect({ properties: KEPT })
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

  conforms(
    ['MQTT-3.1.2-5', 'MQTT-3.1.2-23', 'MQTT-3.2.2-3', 'MQTT-3.1.3-2', 'MQTT-4.5.0-1'],
    'a client that comes back finds its subscriptions and what came meanwhile',
    async () => {
      const topic = fresh('t')
      const first = await broker.connect({ properties: KEPT })
      await first.subscribe(topic)
      await first.end()
      const publisher = await broker.connect()
      await publisher.publish(topic, 'one', { qos: 1 })
      await publisher.publish(topic, 'two', { qos: 2 })
      const [second, connack] = await broker.connack({ clientId: first.clientId, clean: false })
      expect(connack.sessionPresent).to.equal(true)
      expect((await second.receive()).payload.toString()).to.equal('one')
      expect((await second.receive()).payload.toString()).to.equal('two')
      await publisher.publish(topic, 'three', { qos: 1 })
      expect((await second.receive()).payload.toString()).to.equal('three')
    },
  )

  conforms(['MQTT-3.1.2-6', 'MQTT-3.2.2-3'], 'without a session, clean start 0 makes one', async () => {
    const topic = fresh('t')
    const [first, connack] = await broker.connack({ clean: false, properties: KEPT })
    expect(connack.sessionPresent).to.equal(false)
    await first.subscribe(topic)
    await first.end()
    const [, again] = await broker.connack({ clientId: first.clientId, clean: false })
    expect(again.sessionPresent).to.equal(true)
  })

  conforms(['MQTT-4.1.0-2'], 'a session without expiry interval ends with the connection', async () => {
    const first = await broker.connect()
    await first.subscribe(fresh('t'))
    await first.end()
    const [, connack] = await broker.connack({ clientId: first.clientId, clean: false })
    expect(connack.sessionPresent).to.equal(false)
  })

  conforms(['MQTT-4.1.0-2'], 'a session is gone when its expiry interval has passed', async () => {
    const topic = fresh('t')
    const first = await broker.connect({ properties: { sessionExpiryInterval: 1 } })
    await first.subscribe(topic)
    await first.end()
    await (await broker.connect()).publish(topic, 'late', { qos: 1 })
    await elapse(3_000)
    const [second, connack] = await broker.connack({ clientId: first.clientId, clean: false })
    expect(connack.sessionPresent).to.equal(false)
    await second.expectNothing()
  })

  conforms(['MQTT-4.1.0-1'], 'a session does not expire while its client is connected', async () => {
    const topic = fresh('t')
    const client = await broker.connect({ properties: { sessionExpiryInterval: 1 } })
    await client.subscribe(topic)
    await elapse(2_500)
    await (await broker.connect()).publish(topic, 'x', { qos: 1 })
    expect((await client.receive()).payload.toString()).to.equal('x')
  })

  conforms(
    ['MQTT-3.1.2-23', 'MQTT-3.1.2-5'],
    'a takeover with clean start 0 goes on where the other was',
    async () => {
      const topic = fresh('t')
      const first = await broker.connect({ properties: KEPT })
      await first.subscribe(topic)
      const [second, connack] = await broker.connack({
        clientId: first.clientId,
        clean: false,
        properties: KEPT,
      })
      expect(connack.sessionPresent).to.equal(true)
      await (await broker.connect()).publish(topic, 'x', { qos: 1 })
      expect((await second.receive()).payload.toString()).to.equal('x')
    },
  )

  conforms(['MQTT-3.1.2-23'], 'DISCONNECT can shorten the session expiry interval to 0', async () => {
    const first = await broker.connect({ properties: KEPT })
    await first.end({ cmd: 'disconnect', reasonCode: 0, properties: { sessionExpiryInterval: 0 } })
    const [, connack] = await broker.connack({ clientId: first.clientId, clean: false })
    expect(connack.sessionPresent).to.equal(false)
  })

  conforms(['MQTT-3.1.2-23'], 'DISCONNECT can lengthen the session expiry interval', async () => {
    const first = await broker.connect({ properties: { sessionExpiryInterval: 1 } })
    await first.end({ cmd: 'disconnect', reasonCode: 0, properties: { sessionExpiryInterval: 60 } })
    await elapse(2_500)
    const [, connack] = await broker.connack({ clientId: first.clientId, clean: false })
    expect(connack.sessionPresent).to.equal(true)
  })

  conforms(['MQTT-4.13.1-1'], 'DISCONNECT cannot make a session persistent that was not', async () => {
    const client = await broker.connect()
    client.send({ cmd: 'disconnect', reasonCode: 0, properties: { sessionExpiryInterval: 60 } })
    await client.expectRefused([0x82])
    const [, connack] = await broker.connack({ clientId: client.clientId, clean: false })
    expect(connack.sessionPresent).to.equal(false)
  })
})

suite('5.0', '3.1.2.10 keep alive', { together: true }, ({ broker, conforms }) => {
  conforms(
    ['MQTT-3.1.2-22', 'MQTT-3.2.2-22'],
    'a silent client is cut off, and its will is published',
    async () => {
      const topic = fresh('t')
      const watcher = await broker.connect()
      await watcher.subscribe(topic)
      const [client, connack] = await broker.connack({
        keepalive: 1,
        will: { topic, payload: Buffer.from('silent') },
      })
      expect(connack.properties?.serverKeepAlive).to.equal(undefined)
      await client.expectRefused([0x8d])
      expect((await watcher.receive()).payload.toString()).to.equal('silent')
    },
  )

  conforms(['MQTT-3.1.2-22'], 'any packet keeps the connection', async () => {
    const client = await broker.connect({ keepalive: 1 })
    for (let n = 0; n < 5; n++) {
      await elapse(700)
      client.sendPublish(fresh('t'), 'x', { qos: 1 })
      await client.expect('puback')
    }
    await client.expectNothing()
  })

  conforms(['MQTT-3.1.2-22'], 'packets to the client do not count', async () => {
    const topic = fresh('t')
    const client = await broker.connect({ keepalive: 1 })
    await client.subscribe(topic)
    const publisher = await broker.connect()
    let closed = false
    for (let n = 0; n < 12 && !closed; n++) {
      publisher.sendPublish(topic, 'x')
      const event = await client.next()
      closed = event === 'closed' || event.cmd === 'disconnect'
      await elapse(500)
    }
    expect(closed).to.equal(true)
  })

  conforms(['MQTT-3.1.2-22'], 'keep alive 0 turns it off', async () => {
    const client = await broker.connect({ keepalive: 0 })
    await elapse(2_500)
    await client.expectNothing()
  })
})
