import { expect } from 'chai'
import { frame, hex, props, str, u16, varint } from '../harness/bytes.ts'
import { fresh } from '../harness/fresh.ts'
import { suite } from '../harness/suite.ts'

const SUBSCRIBE = 0x82
const KEPT = { sessionExpiryInterval: 60 }
const SUBSCRIBE_REASONS = [0x00, 0x01, 0x02, 0x80, 0x83, 0x87, 0x8f, 0x91, 0x97, 0x9e, 0xa1, 0xa2]

suite('5.0', '3.8 SUBSCRIBE, 3.9 SUBACK', {}, ({ broker, conforms }) => {
  const subscribe = (filter: string, options: number, properties = props()) =>
    frame(SUBSCRIBE, u16(1), properties, str(filter), [options])

  conforms(['MQTT-3.8.1-1'], 'SUBSCRIBE with other flags ends the connection', async () => {
    for (const first of [0x80, 0x81, 0x83, 0x8a]) {
      const client = await broker.connect()
      client.send(frame(first, u16(1), props(), str(fresh('t')), [0]))
      await client.expectRefused([0x81])
    }
  })

  conforms(['MQTT-3.8.3-2'], 'SUBSCRIBE without a filter ends the connection', async () => {
    const client = await broker.connect()
    client.send(frame(SUBSCRIBE, u16(1), props()))
    await client.expectRefused([0x81, 0x82])
  })

  conforms(['MQTT-3.8.3-5'], 'reserved subscription options end the connection', async () => {
    for (const options of [0x40, 0x80, 0xc0]) {
      const client = await broker.connect()
      client.send(subscribe(fresh('t'), options))
      await client.expectRefused([0x81, 0x82])
    }
  })

  conforms(['MQTT-4.13.1-1'], 'QoS 3 and retain handling 3 end the connection', async () => {
    for (const options of [0x03, 0x30]) {
      const client = await broker.connect()
      client.send(subscribe(fresh('t'), options))
      await client.expectRefused([0x81, 0x82])
    }
  })

  conforms(['MQTT-4.13.1-1'], 'a malformed SUBSCRIBE ends the connection', async () => {
    for (const bytes of [
      frame(SUBSCRIBE),
      frame(SUBSCRIBE, u16(1)),
      frame(SUBSCRIBE, u16(1), props(), str('a')),
      frame(SUBSCRIBE, u16(1), props(), u16(9), 'a', [0]),
      subscribe('a', 0, props([0x0b, 0])),
      subscribe('a', 0, props([0x0b, 1], [0x0b, 2])),
      subscribe('a', 0, props([0x0b], hex('80 80 80 80 01'))),
      subscribe('a', 0, props([0x01, 1])),
    ]) {
      const client = await broker.connect()
      client.send(bytes)
      await client.expectRefused([0x81, 0x82])
    }
  })

  conforms(
    ['MQTT-3.8.4-1', 'MQTT-3.8.4-2', 'MQTT-3.8.4-6', 'MQTT-3.8.4-7'],
    'SUBACK answers each filter',
    async () => {
      const topic = fresh('t')
      const client = await broker.connect()
      client.send(
        frame(
          SUBSCRIBE,
          hex('12 34'),
          props(),
          str(`${topic}/0`),
          [0],
          str(`${topic}/1`),
          [1],
          str(`${topic}/2`),
          [2],
        ),
      )
      const suback = await client.expect('suback')
      expect(suback.messageId).to.equal(0x1234)
      expect(suback.granted).to.deep.equal([0, 1, 2])
    },
  )

  conforms(
    ['MQTT-3.9.3-1', 'MQTT-3.9.3-2', 'MQTT-3.8.4-5'],
    'a filter that is refused leaves the others alone',
    async () => {
      const topic = fresh('t')
      const client = await broker.connect()
      client.send(
        frame(
          SUBSCRIBE,
          u16(1),
          props(),
          str(`${topic}/a`),
          [1],
          str('bad/#/filter'),
          [2],
          str(`${topic}/b`),
          [2],
        ),
      )
      const event = await client.next()
      // A broker may also take an invalid filter for a malformed packet.
      if (event === 'closed' || event.cmd !== 'suback') return
      expect(event.granted).to.have.length(3)
      for (const reason of event.granted) expect(reason).to.be.oneOf(SUBSCRIBE_REASONS)
      expect([event.granted[0], event.granted[2]]).to.deep.equal([1, 2])
      expect(event.granted[1]).to.be.oneOf(SUBSCRIBE_REASONS.slice(3))
      await (await broker.connect()).publish(`${topic}/b`, 'x', { qos: 2 })
      expect((await client.receive()).qos).to.equal(2)
    },
  )

  conforms(['MQTT-3.8.4-5', 'MQTT-3.9.3-1'], 'the same filter twice in a packet acts in turn', async () => {
    const topic = fresh('t')
    const client = await broker.connect()
    const suback = await client.subscribe([
      { topic, qos: 2 },
      { topic, qos: 0 },
    ])
    expect(suback.granted).to.deep.equal([2, 0])
    await (await broker.connect()).publish(topic, 'x', { qos: 2 })
    expect((await client.receive()).qos).to.equal(0)
    await client.expectNothing()
  })

  conforms(
    ['MQTT-3.8.3-3'],
    'No Local: what a client publishes does not come back to it, others get it',
    async () => {
      const topic = fresh('t')
      const client = await broker.connect()
      await client.subscribe({ topic, qos: 1, nl: true })
      const other = await broker.connect()
      await other.subscribe({ topic, qos: 1, nl: true })
      expect(await client.publish(topic, 'mine', { qos: 1 })).to.be.below(0x80)
      expect((await other.receive()).payload.toString()).to.equal('mine')
      await client.expectNothing()
      await other.publish(topic, 'theirs', { qos: 1 })
      expect((await client.receive()).payload.toString()).to.equal('theirs')
      await client.subscribe({ topic, qos: 1, nl: false })
      client.sendPublish(topic, 'both')
      expect((await client.receive()).payload.toString()).to.equal('both')
    },
  )

  conforms(['MQTT-3.8.3-3'], 'No Local lasts while the client is away', async () => {
    const topic = fresh('t')
    const first = await broker.connect({ properties: KEPT })
    await first.subscribe({ topic, qos: 1, nl: true })
    await first.end()
    const second = await broker.connect({ clientId: first.clientId, clean: false, properties: KEPT })
    await second.publish(topic, 'mine', { qos: 1 })
    await second.expectNothing()
  })

  conforms(['MQTT-3.8.3-4'], 'No Local on a shared subscription ends the connection', async () => {
    const client = await broker.connect()
    client.send(subscribe(`$share/g/${fresh('t')}`, 0x05))
    await client.expectRefused([0x82])
  })

  conforms(
    ['MQTT-3.8.4-3', 'MQTT-3.8.4-4'],
    'the same filter again replaces the subscription and its options',
    async () => {
      const topic = fresh('t')
      const publisher = await broker.connect()
      await publisher.publish(topic, 'kept', { retain: true, qos: 2 })
      const client = await broker.connect()
      await client.subscribe({ topic, qos: 2, rh: 0 }, { subscriptionIdentifier: 1 })
      expect((await client.receive()).qos).to.equal(2)
      await client.subscribe({ topic, qos: 1, rh: 0, rap: true }, { subscriptionIdentifier: 2 })
      const again = await client.receive()
      expect([again.qos, again.payload.toString(), again.retain]).to.deep.equal([1, 'kept', true])
      await publisher.publish(topic, 'new', { qos: 2, retain: true })
      const packet = await client.receive()
      expect([packet.qos, packet.retain]).to.deep.equal([1, true])
      expect(packet.properties?.subscriptionIdentifier).to.deep.equal(2)
      await client.expectNothing()
    },
  )

  conforms(['MQTT-3.8.4-4'], 'nothing is lost while a subscription is replaced', async () => {
    const topic = fresh('t')
    const client = await broker.connect()
    await client.subscribe({ topic, qos: 1 })
    const publisher = await broker.connect()
    for (let n = 0; n < 50; n++) {
      publisher.sendPublish(topic, `${n}`, { qos: 1 })
      if (n % 5 === 0) client.send(frame(SUBSCRIBE, u16(n + 1), props(), str(topic), [1]))
    }
    const payloads: string[] = []
    while (payloads.length < 50) {
      const packet = await client.next()
      if (packet === 'closed') throw new Error('closed')
      if (packet.cmd !== 'publish') continue
      payloads.push(packet.payload.toString())
      client.send({ cmd: 'puback', messageId: packet.messageId ?? 0 })
    }
    expect(payloads).to.deep.equal(Array.from({ length: 50 }, (_, n) => `${n}`))
  })

  conforms(['MQTT-3.8.4-8', 'MQTT-4.8.2-3'], 'delivery is at the lower QoS, shared or not', async () => {
    for (const prefix of ['', '$share/g/']) {
      for (const granted of [0, 1, 2] as const) {
        const topic = fresh('t')
        const client = await broker.connect()
        await client.subscribe({ topic: `${prefix}${topic}`, qos: granted })
        const publisher = await broker.connect()
        for (const published of [0, 1, 2] as const) {
          await publisher.publish(topic, 'x', { qos: published })
          expect((await client.receive()).qos).to.equal(Math.min(granted, published))
        }
      }
    }
  })

  conforms(['MQTT-3.8.4-8'], 'a retained message is delivered at the lower QoS', async () => {
    const topic = fresh('t')
    await (await broker.connect()).publish(topic, 'x', { qos: 1, retain: true })
    const client = await broker.connect()
    for (const [granted, delivered] of [
      [0, 0],
      [2, 1],
    ] as const) {
      await client.subscribe({ topic, qos: granted })
      expect((await client.receive()).qos).to.equal(delivered)
    }
  })

  conforms(['MQTT-3.3.4-3'], 'subscription identifiers of every size come back', async () => {
    const client = await broker.connect()
    const publisher = await broker.connect()
    for (const identifier of [1, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152, 268_435_455]) {
      const topic = fresh('t')
      await client.subscribe(topic, { subscriptionIdentifier: identifier })
      await publisher.publish(topic, 'x')
      const packet = await client.receive()
      expect(packet.properties?.subscriptionIdentifier).to.deep.equal(identifier)
      expect(packet.frame.includes(varint(identifier))).to.equal(true)
    }
  })
})

suite('5.0', '3.10 UNSUBSCRIBE, 3.11 UNSUBACK', {}, ({ broker, conforms }) => {
  const UNSUBSCRIBE = 0xa2

  conforms(['MQTT-3.10.1-1'], 'UNSUBSCRIBE with other flags ends the connection', async () => {
    for (const first of [0xa0, 0xa1, 0xa3, 0xaa]) {
      const client = await broker.connect()
      client.send(frame(first, u16(1), props(), str(fresh('t'))))
      await client.expectRefused([0x81])
    }
  })

  conforms(['MQTT-3.10.3-1', 'MQTT-3.10.3-2'], 'a malformed UNSUBSCRIBE ends the connection', async () => {
    for (const bytes of [
      frame(UNSUBSCRIBE, u16(1), props()),
      frame(UNSUBSCRIBE, u16(1), props(), u16(9), 'a'),
      frame(UNSUBSCRIBE, u16(1), props(), str(hex('61 ed a0 80'))),
      frame(UNSUBSCRIBE, u16(1), props([0x0b, 1]), str('a')),
    ]) {
      const client = await broker.connect()
      client.send(bytes)
      await client.expectRefused([0x81, 0x82, 0x8f])
    }
  })

  conforms(
    ['MQTT-3.10.4-1', 'MQTT-3.10.4-2', 'MQTT-3.10.4-4'],
    'only the equal filter is deleted',
    async () => {
      const topic = fresh('t')
      const client = await broker.connect()
      await client.subscribe({ topic: `${topic}/a`, qos: 1 })
      await client.subscribe({ topic: `${topic}/+`, qos: 1 })
      await client.unsubscribe(`${topic}/+`)
      const publisher = await broker.connect()
      await publisher.publish(`${topic}/b`, 'gone', { qos: 1 })
      await publisher.publish(`${topic}/a`, 'stays', { qos: 1 })
      expect((await client.receive()).payload.toString()).to.equal('stays')
      await client.unsubscribe(`${topic}/#`)
      await publisher.publish(`${topic}/a`, 'still', { qos: 1 })
      expect((await client.receive()).payload.toString()).to.equal('still')
      await client.unsubscribe(`${topic}/a`)
      await publisher.publish(`${topic}/a`, 'never', { qos: 1 })
      await client.expectNothing()
    },
  )

  conforms(['MQTT-3.10.4-2'], 'a deleted subscription stays deleted when the session goes on', async () => {
    const topic = fresh('t')
    const first = await broker.connect({ properties: KEPT })
    await first.subscribe(topic)
    await first.unsubscribe(topic)
    await first.end()
    await (await broker.connect()).publish(topic, 'x', { qos: 1 })
    const [second, connack] = await broker.connack({ clientId: first.clientId, clean: false })
    expect(connack.sessionPresent).to.equal(true)
    await second.expectNothing()
  })

  conforms(
    ['MQTT-3.10.4-3'],
    'deliveries under way are completed after UNSUBSCRIBE, also on reconnect',
    async () => {
      const topic = fresh('t')
      const first = await broker.connect({ properties: KEPT })
      await first.subscribe(topic)
      const publisher = await broker.connect()
      await publisher.publish(topic, 'one', { qos: 2 })
      await publisher.publish(topic, 'two', { qos: 1 })
      const one = await first.expect('publish')
      const two = await first.expect('publish')
      await first.unsubscribe(topic)
      const messageId = one.messageId ?? 0
      first.send({ cmd: 'pubrec', messageId })
      await first.expect('pubrel')
      first.send({ cmd: 'pubcomp', messageId })
      await first.end()
      const second = await broker.connect({ clientId: first.clientId, clean: false })
      const again = await second.receive()
      expect([again.messageId, again.dup, again.payload.toString()]).to.deep.equal([
        two.messageId,
        true,
        'two',
      ])
      await second.expectNothing()
    },
  )

  conforms(
    ['MQTT-3.10.4-5', 'MQTT-3.11.3-1', 'MQTT-3.11.3-2', 'MQTT-3.10.4-6'],
    'UNSUBACK answers each filter, known or not',
    async () => {
      const topic = fresh('t')
      const client = await broker.connect()
      await client.subscribe([`${topic}/a`, `${topic}/b`])
      const { granted } = await client.unsubscribe(`${topic}/a`, fresh('never'), `${topic}/b`, `${topic}/a`)
      expect(granted).to.deep.equal([0x00, 0x11, 0x00, 0x11])
    },
  )
})
