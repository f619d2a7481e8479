import { expect } from 'chai'
import { frame, props, str, u16 } from '../harness/bytes.ts'
import { fresh } from '../harness/fresh.ts'
import { suite } from '../harness/suite.ts'

const KEPT = { sessionExpiryInterval: 60 }

suite('5.0', '3.3.1 PUBLISH fixed header', {}, ({ broker, conforms }) => {
  conforms(
    ['MQTT-3.3.1-1', 'MQTT-4.4.0-1'],
    'an unacknowledged message comes again with DUP and its identifier',
    async () => {
      for (const qos of [1, 2] as const) {
        const topic = fresh('t')
        const first = await broker.connect({ properties: KEPT })
        await first.subscribe(topic)
        await (await broker.connect()).publish(topic, 'x', { qos })
        const before = await first.expect('publish')
        expect([before.dup, before.qos]).to.deep.equal([false, qos])
        await first.expectNothing()
        first.destroy()
        const second = await broker.connect({ clientId: first.clientId, clean: false, properties: KEPT })
        const after = await second.receive()
        expect([after.dup, after.qos, after.messageId]).to.deep.equal([true, qos, before.messageId])
      }
    },
  )

  conforms(['MQTT-3.3.1-2', 'MQTT-4.3.1-1'], 'DUP is 0 at QoS 0', async () => {
    const topic = fresh('t')
    const client = await broker.connect()
    await client.subscribe(topic)
    await (await broker.connect()).publish(topic, 'x', { qos: 0 })
    const packet = await client.expect('publish')
    expect([packet.dup, packet.qos]).to.deep.equal([false, 0])
  })

  conforms(
    ['MQTT-3.3.1-3', 'MQTT-4.3.2-2', 'MQTT-4.3.3-2'],
    'DUP of the publisher is not passed on',
    async () => {
      const topic = fresh('t')
      const client = await broker.connect()
      await client.subscribe(topic)
      const publisher = await broker.connect()
      for (const qos of [1, 2] as const) {
        await publisher.publish(topic, 'x', { qos, dup: true })
        const packet = await client.receive()
        expect([packet.dup, packet.qos]).to.deep.equal([false, qos])
      }
    },
  )

  conforms(['MQTT-3.3.1-4', 'MQTT-4.13.1-1'], 'QoS 3 ends the connection', async () => {
    const client = await broker.connect()
    client.send(frame(0x36, str(fresh('t')), u16(1), props(), 'x'))
    await client.expectRefused([0x81])
  })

  conforms(['MQTT-3.3.1-5', 'MQTT-3.3.1-9'], 'the last retained message of a topic is kept', async () => {
    const topic = fresh('t')
    const publisher = await broker.connect()
    await publisher.publish(topic, 'one', { retain: true, qos: 2 })
    await publisher.publish(topic, 'two', { retain: true, qos: 1 })
    const client = await broker.connect()
    await client.subscribe(topic)
    const packet = await client.receive()
    expect([packet.payload.toString(), packet.retain, packet.qos]).to.deep.equal(['two', true, 1])
    await client.expectNothing()
  })

  conforms(['MQTT-3.3.1-5'], 'a retained message outlives the session of its publisher', async () => {
    const topic = fresh('t')
    const publisher = await broker.connect()
    await publisher.publish(topic, 'x', { retain: true })
    await publisher.end()
    const client = await broker.connect()
    await client.subscribe(topic)
    expect((await client.receive()).payload.toString()).to.equal('x')
  })

  conforms(
    ['MQTT-3.3.1-6', 'MQTT-3.3.1-7'],
    'an empty retained message is delivered and removes the other',
    async () => {
      const topic = fresh('t')
      const publisher = await broker.connect()
      await publisher.publish(topic, 'x', { retain: true, qos: 1 })
      const before = await broker.connect()
      await before.subscribe(topic)
      expect((await before.receive()).payload.toString()).to.equal('x')
      await publisher.publish(topic, '', { retain: true, qos: 1 })
      const packet = await before.receive()
      expect([packet.payload.length, packet.retain]).to.deep.equal([0, false])
      const after = await broker.connect()
      await after.subscribe(topic)
      await after.expectNothing()
    },
  )

  conforms(
    ['MQTT-3.3.1-8'],
    'a message without RETAIN neither becomes nor replaces a retained one',
    async () => {
      const [retained, plain] = [fresh('t'), fresh('t')]
      const publisher = await broker.connect()
      await publisher.publish(retained, 'kept', { retain: true, qos: 1 })
      await publisher.publish(retained, 'passing', { qos: 1 })
      await publisher.publish(retained, '', { qos: 1 })
      await publisher.publish(plain, 'passing', { qos: 1 })
      const client = await broker.connect()
      await client.subscribe([retained, plain])
      expect((await client.receive()).payload.toString()).to.equal('kept')
      await client.expectNothing()
    },
  )

  conforms(['MQTT-3.3.1-9'], 'retain handling 0: each SUBSCRIBE brings the retained messages', async () => {
    const topic = fresh('t')
    const publisher = await broker.connect()
    await publisher.publish(`${topic}/a`, 'a', { retain: true })
    await publisher.publish(`${topic}/b`, 'b', { retain: true })
    const client = await broker.connect()
    for (let n = 0; n < 2; n++) {
      await client.subscribe({ topic: `${topic}/+`, qos: 0, rh: 0 })
      const payloads = (await client.drain()).map((packet) =>
        'payload' in packet ? packet.payload.toString() : '',
      )
      expect(payloads.toSorted()).to.deep.equal(['a', 'b'])
    }
  })

  conforms(['MQTT-3.3.1-10'], 'retain handling 1: only a new subscription brings them', async () => {
    const topic = fresh('t')
    await (await broker.connect()).publish(topic, 'x', { retain: true })
    const client = await broker.connect()
    await client.subscribe({ topic, qos: 0, rh: 1 })
    expect((await client.receive()).payload.toString()).to.equal('x')
    await client.subscribe({ topic, qos: 1, rh: 1 })
    await client.expectNothing()
    await client.unsubscribe(topic)
    await client.subscribe({ topic, qos: 1, rh: 1 })
    expect((await client.receive()).payload.toString()).to.equal('x')
  })

  conforms(
    ['MQTT-3.3.1-10'],
    'retain handling 1: a subscription kept by the session is not new',
    async () => {
      const topic = fresh('t')
      await (await broker.connect()).publish(topic, 'x', { retain: true })
      const first = await broker.connect({ properties: KEPT })
      await first.subscribe({ topic, rh: 1 })
      await first.receive()
      await first.end()
      const second = await broker.connect({ clientId: first.clientId, clean: false })
      await second.subscribe({ topic, rh: 1 })
      await second.expectNothing()
    },
  )

  conforms(['MQTT-3.3.1-11'], 'retain handling 2: no SUBSCRIBE brings them', async () => {
    const topic = fresh('t')
    await (await broker.connect()).publish(topic, 'x', { retain: true })
    const client = await broker.connect()
    await client.subscribe({ topic, rh: 2 })
    await client.expectNothing()
  })

  conforms(['MQTT-3.3.1-12'], 'retain as published 0: RETAIN is 0 for what comes later', async () => {
    const topic = fresh('t')
    const client = await broker.connect()
    await client.subscribe({ topic, rap: false })
    const publisher = await broker.connect()
    for (const retain of [true, false]) {
      await publisher.publish(topic, 'x', { retain })
      expect((await client.receive()).retain).to.equal(false)
    }
  })

  conforms(['MQTT-3.3.1-13'], 'retain as published 1: RETAIN as it was published', async () => {
    const topic = fresh('t')
    const client = await broker.connect()
    await client.subscribe({ topic, rap: true })
    const publisher = await broker.connect()
    for (const retain of [true, false]) {
      await publisher.publish(topic, 'x', { retain, qos: 1 })
      expect((await client.receive()).retain).to.equal(retain)
    }
  })

  conforms(
    ['MQTT-3.3.1-13', 'MQTT-3.3.1-12'],
    'retain as published is remembered for messages that wait',
    async () => {
      const [published, cleared] = [fresh('t'), fresh('t')]
      const first = await broker.connect({ properties: KEPT })
      await first.subscribe([
        { topic: published, rap: true },
        { topic: cleared, rap: false },
      ])
      await first.end()
      const publisher = await broker.connect()
      await publisher.publish(published, 'x', { retain: true, qos: 1 })
      await publisher.publish(cleared, 'x', { retain: true, qos: 1 })
      const second = await broker.connect({ clientId: first.clientId, clean: false })
      const packets = [await second.receive(), await second.receive()]
      for (const { topic, retain } of packets) expect(retain).to.equal(topic === published)
    },
  )
})

suite('5.0', '3.3.2.1 topic name, 3.3.4 PUBLISH actions', {}, ({ broker, conforms }) => {
  conforms(['MQTT-3.3.2-2', 'MQTT-4.7.0-1'], 'wildcards in a topic name end the connection', async () => {
    for (const topic of ['a/#', '#', '+', 'a/+/b', 'a+', 'a#b']) {
      const client = await broker.connect()
      client.send(frame(0x30, str(topic), props(), 'x'))
      await client.expectRefused([0x81, 0x82, 0x90])
    }
  })

  conforms(
    ['MQTT-3.3.2-1', 'MQTT-4.7.3-1'],
    'an empty topic name without alias ends the connection',
    async () => {
      const client = await broker.connect()
      client.send(frame(0x30, str(''), props(), 'x'))
      await client.expectRefused([0x81, 0x82, 0x90])
    },
  )

  conforms(['MQTT-3.3.2-1'], 'a topic name cut short ends the connection', async () => {
    for (const bytes of [
      frame(0x30),
      frame(0x30, [0]),
      frame(0x30, u16(9), 'a'),
      frame(0x32, str('a'), [0]),
    ]) {
      const client = await broker.connect()
      client.send(bytes)
      await client.expectRefused([0x81, 0x82])
    }
  })

  conforms(
    ['MQTT-3.3.2-3', 'MQTT-4.5.0-1'],
    'a message comes with its own topic, to those whose filter matches',
    async () => {
      const topic = fresh('t')
      const filters = [
        `${topic}/a/b`,
        `${topic}/+/b`,
        `${topic}/a/+`,
        `${topic}/#`,
        `${topic}/+/+`,
        `${topic}/a/b/#`,
      ]
      const others = [`${topic}/a`, `${topic}/+`, `${topic}/a/b/c`, `${topic}/a/b/+`, `${topic}/A/b`]
      const matching = await Promise.all(filters.map(() => broker.connect()))
      const apart = await broker.connect()
      for (const [at, client] of matching.entries()) await client.subscribe(filters[at] ?? '')
      await apart.subscribe(others)
      await (await broker.connect()).publish(`${topic}/a/b`, 'x')
      for (const client of matching) expect((await client.receive()).topic).to.equal(`${topic}/a/b`)
      await apart.expectNothing()
    },
  )

  conforms(
    ['MQTT-3.3.4-1', 'MQTT-3.4.2-1', 'MQTT-3.5.2-1', 'MQTT-3.7.2-1'],
    'each QoS has its answers',
    async () => {
      const topic = fresh('t')
      const client = await broker.connect()
      await client.subscribe(topic)
      const publisher = await broker.connect()
      publisher.sendPublish(topic, 'x', { qos: 0 })
      await publisher.expectNothing()
      expect(await publisher.publish(topic, 'x', { qos: 1 })).to.equal(0)
      publisher.sendPublish(topic, 'x', { qos: 2, messageId: 77 })
      expect((await publisher.expect('pubrec')).reasonCode).to.equal(0)
      await publisher.expectNothing()
      publisher.send({ cmd: 'pubrel', messageId: 77 })
      expect((await publisher.expect('pubcomp')).reasonCode).to.equal(0)
      for (const qos of [0, 1, 2]) expect((await client.receive()).qos).to.equal(qos)
    },
  )

  conforms(
    ['MQTT-3.4.2-1', 'MQTT-3.5.2-1'],
    'without a subscriber a PUBLISH succeeds all the same',
    async () => {
      const client = await broker.connect()
      for (const qos of [1, 2] as const) {
        client.sendPublish(fresh('t'), 'x', { qos })
        const packet = await client.expect(qos === 1 ? 'puback' : 'pubrec')
        expect(packet.reasonCode).to.be.oneOf([0x00, 0x10])
      }
    },
  )

  conforms(
    ['MQTT-3.3.4-2', 'MQTT-3.3.4-3', 'MQTT-3.3.4-4', 'MQTT-3.3.4-5'],
    'overlapping subscriptions: one copy with all identifiers, or one copy each',
    async () => {
      const topic = fresh('t')
      const client = await broker.connect()
      await client.subscribe({ topic: `${topic}/#`, qos: 1 }, { subscriptionIdentifier: 11 })
      await client.subscribe({ topic: `${topic}/+`, qos: 2 }, { subscriptionIdentifier: 268_435_455 })
      await client.subscribe({ topic: `${topic}/other`, qos: 2 }, { subscriptionIdentifier: 33 })
      await (await broker.connect()).publish(`${topic}/a`, 'x', { qos: 2 })
      const packets = (await client.drain()).flatMap((packet) => (packet.cmd === 'publish' ? [packet] : []))
      const ids = packets.flatMap(({ properties }) => properties?.subscriptionIdentifier ?? [])
      expect(ids.toSorted((a, b) => a - b)).to.deep.equal([11, 268_435_455])
      expect(packets.length).to.be.oneOf([1, 2])
      expect(Math.max(...packets.map(({ qos }) => qos))).to.equal(2)
    },
  )

  conforms(['MQTT-3.3.4-3'], 'subscriptions without identifier put none into the message', async () => {
    const topic = fresh('t')
    const client = await broker.connect()
    await client.subscribe({ topic, qos: 0 }, { subscriptionIdentifier: 5 })
    await client.subscribe({ topic, qos: 0 })
    await (await broker.connect()).publish(topic, 'x')
    expect((await client.receive()).properties ?? {}).to.not.have.any.keys('subscriptionIdentifier')
  })

  conforms(
    ['MQTT-3.3.4-3'],
    'the identifier goes with messages that waited and with retained ones',
    async () => {
      const [topic, retained] = [fresh('t'), fresh('t')]
      const publisher = await broker.connect()
      await publisher.publish(retained, 'x', { retain: true, qos: 1 })
      const first = await broker.connect({ properties: KEPT })
      await first.subscribe([topic, retained], { subscriptionIdentifier: 300 })
      expect((await first.receive()).properties?.subscriptionIdentifier).to.equal(300)
      await first.end()
      await publisher.publish(topic, 'x', { qos: 1 })
      const second = await broker.connect({ clientId: first.clientId, clean: false })
      expect((await second.receive()).properties?.subscriptionIdentifier).to.equal(300)
    },
  )

  conforms(['MQTT-3.3.4-6'], 'a subscription identifier from a publisher ends the connection', async () => {
    const client = await broker.connect()
    client.send(frame(0x30, str(fresh('t')), props([0x0b, 1]), 'x'))
    await client.expectRefused([0x81, 0x82])
  })

  conforms(
    ['MQTT-3.3.4-9', 'MQTT-4.9.0-1', 'MQTT-4.9.0-2'],
    "no more messages under way than the client's receive maximum",
    async () => {
      for (const qos of [1, 2] as const) {
        const topic = fresh('t')
        const client = await broker.connect({ properties: { receiveMaximum: 2 } })
        await client.subscribe(topic)
        const publisher = await broker.connect()
        for (let n = 0; n < 5; n++) await publisher.publish(topic, `${n}`, { qos })
        const first = await client.expect('publish')
        const second = await client.expect('publish')
        await client.expectNothing()
        const messageId = first.messageId ?? 0
        if (qos === 1) client.send({ cmd: 'puback', messageId })
        else {
          client.send({ cmd: 'pubrec', messageId })
          await client.expect('pubrel')
          await client.expectNothing()
          client.send({ cmd: 'pubcomp', messageId })
        }
        expect((await client.expect('publish')).payload.toString()).to.equal('2')
        await client.expectNothing()
        // A refusal gives its place back as well.
        client.send({
          cmd: qos === 1 ? 'puback' : 'pubrec',
          messageId: second.messageId ?? 0,
          reasonCode: 0x80,
        })
        expect((await client.expect('publish')).payload.toString()).to.equal('3')
        await client.expectNothing()
      }
    },
  )

  conforms(
    ['MQTT-3.3.4-10', 'MQTT-4.9.0-3', 'MQTT-3.12.4-1'],
    'everything else is answered while a client owes acknowledgements',
    async () => {
      const topic = fresh('t')
      const client = await broker.connect({ properties: { receiveMaximum: 1 } })
      await client.subscribe(topic)
      const publisher = await broker.connect()
      for (let n = 0; n < 3; n++) await publisher.publish(topic, 'x', { qos: 1 })
      await client.expect('publish')
      await client.subscribe(fresh('t'))
      await client.unsubscribe(fresh('t'))
      expect(await client.publish(fresh('t'), 'x', { qos: 1 })).to.be.below(0x80)
      expect(await client.publish(fresh('t'), 'x', { qos: 2 })).to.be.below(0x80)
      await client.expectNothing()
    },
  )
})

suite(
  '5.0',
  '3.3.4 receive maximum of the server',
  { set: { 'mqtt.receive_maximum': 2 } },
  ({ broker, conforms }) => {
    conforms(
      ['MQTT-3.3.4-7'],
      'CONNACK says it, and a client that exceeds it is closed with 0x93',
      async () => {
        const [client, connack] = await broker.connack()
        expect(connack.properties?.receiveMaximum).to.equal(2)
        for (let n = 1; n <= 3; n++) client.sendPublish(fresh('t'), 'x', { qos: 2, messageId: n })
        await client.expect('pubrec')
        await client.expect('pubrec')
        await client.expectDisconnect([0x93])
      },
    )

    conforms(['MQTT-3.3.4-7'], 'a client within it goes on for ever', async () => {
      const client = await broker.connect()
      for (let round = 0; round < 5; round++) {
        const ids = [1, 2].map((messageId) => client.sendPublish(fresh('t'), 'x', { qos: 2, messageId }))
        for (const messageId of ids) {
          await client.expect('pubrec')
          client.send({ cmd: 'pubrel', messageId })
        }
        for (const _ of ids) await client.expect('pubcomp')
        expect(await client.publish(fresh('t'), 'x', { qos: 1 })).to.be.below(0x80)
      }
    })
  },
)
