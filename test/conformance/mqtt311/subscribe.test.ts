import { expect } from 'chai'
import { concat, frame, hex, str, u16 } from '../harness/bytes.ts'
import { fresh } from '../harness/fresh.ts'
import { suite } from '../harness/suite.ts'

suite('3.1.1', '3.8 SUBSCRIBE, 3.9 SUBACK', {}, ({ broker, conforms }) => {
  conforms(['MQTT-3.8.1-1'], 'SUBSCRIBE with other flags ends the connection', async () => {
    for (const first of [0x80, 0x81, 0x83, 0x8a]) {
      const client = await broker.connect()
      client.send(frame(first, u16(1), str(fresh('t')), [0]))
      await client.expectClosed()
    }
  })

  conforms(['MQTT-3.8.3-3'], 'SUBSCRIBE without a filter ends the connection', async () => {
    const client = await broker.connect()
    client.send(frame(0x82, u16(1)))
    await client.expectClosed()
  })

  conforms(['MQTT-3.8.3-1', 'MQTT-4.8.0-1'], 'a filter cut short ends the connection', async () => {
    for (const rest of [str('a'), concat(u16(5), 'a', [0]), concat(str('a'), [0], str('b')), hex('00')]) {
      const client = await broker.connect()
      client.send(frame(0x82, u16(1), rest))
      await client.expectClosed()
    }
  })

  conforms(['MQTT-3.8.3-4'], 'reserved bits and QoS 3 end the connection', async () => {
    for (const options of [0x03, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0x82]) {
      const client = await broker.connect()
      client.send(frame(0x82, u16(1), str(fresh('t')), [options]))
      await client.expectClosed()
    }
  })

  conforms(
    ['MQTT-3.8.4-1', 'MQTT-3.8.4-2', 'MQTT-3.8.4-4', 'MQTT-3.8.4-5', 'MQTT-3.9.3-1', 'MQTT-3.9.3-2'],
    'one SUBACK answers each filter, in their order',
    async () => {
      const topic = fresh('t')
      const client = await broker.connect()
      client.send(
        frame(
          0x82,
          u16(0x0102),
          ...[2, 0, 1, 0, 2].flatMap((qos, at) => [str(`${topic}/${at}`), Buffer.from([qos])]),
        ),
      )
      const suback = await client.expect('suback')
      expect(suback.frame.toString('hex')).to.equal('900701020200010002')
      const publisher = await broker.connect()
      for (let at = 0; at < 5; at++) await publisher.publish(`${topic}/${at}`, 'x', { qos: 2 })
      const delivered: Record<string, unknown> = {}
      for (let n = 0; n < 5; n++) {
        const packet = await client.expect('publish')
        delivered[packet.topic.slice(-1)] = packet.qos
      }
      expect(delivered).to.deep.equal({ 0: 2, 1: 0, 2: 1, 3: 0, 4: 2 })
    },
  )

  conforms(
    ['MQTT-3.8.4-3'],
    'the same filter again replaces the subscription and sends retained messages again',
    async () => {
      const topic = fresh('t')
      const publisher = await broker.connect()
      await publisher.publish(topic, 'kept', { retain: true, qos: 1 })
      const client = await broker.connect()
      for (const qos of [2, 0, 1] as const) {
        expect((await client.subscribe({ topic, qos })).granted).to.deep.equal([qos])
        const retained = await client.receive()
        expect([retained.payload.toString(), retained.retain, retained.qos]).to.deep.equal([
          'kept',
          true,
          Math.min(qos, 1),
        ])
        await publisher.publish(topic, 'live', { qos: 2 })
        const live = await client.receive()
        expect([live.payload.toString(), live.retain, live.qos]).to.deep.equal(['live', false, qos])
        await client.expectNothing()
      }
    },
  )

  conforms(['MQTT-3.8.4-3'], 'replacing a subscription loses nothing', async () => {
    const topic = fresh('t')
    const client = await broker.connect()
    await client.subscribe({ topic, qos: 1 })
    const publisher = await broker.connect()
    for (let n = 0; n < 100; n++) {
      publisher.sendPublish(topic, `${n}`, { qos: 1 })
      if (n % 10 === 0) client.send(frame(0x82, u16(n + 1), str(topic), [1]))
    }
    for (let n = 0; n < 100; n++) await publisher.expect('puback')
    const payloads: string[] = []
    while (payloads.length < 100) {
      const event = await client.next()
      if (event === 'closed') throw new Error('closed')
      if (event.cmd !== 'publish') continue
      payloads.push(event.payload.toString())
      client.send({ cmd: 'puback', messageId: event.messageId ?? 0 })
    }
    expect(payloads).to.deep.equal(Array.from({ length: 100 }, (_, n) => `${n}`))
  })

  conforms(['MQTT-3.8.4-4'], 'the same filter twice in a packet acts in turn', async () => {
    const topic = fresh('t')
    const client = await broker.connect()
    const { granted } = await client.subscribe([
      { topic, qos: 2 },
      { topic, qos: 0 },
    ])
    expect(granted).to.deep.equal([2, 0])
    await (await broker.connect()).publish(topic, 'x', { qos: 2 })
    expect((await client.receive()).qos).to.equal(0)
    await client.expectNothing()
  })

  conforms(['MQTT-3.8.4-6'], 'delivery is at the lower of published and granted QoS', async () => {
    const topic = fresh('t')
    const clients = await Promise.all([0, 1, 2].map(() => broker.connect()))
    for (const [at, client] of clients.entries()) {
      await client.subscribe({ topic, qos: at === 0 ? 0 : at === 1 ? 1 : 2 })
    }
    const publisher = await broker.connect()
    for (const qos of [0, 1, 2] as const) {
      await publisher.publish(topic, 'x', { qos })
      for (const [at, client] of clients.entries()) {
        expect((await client.receive()).qos).to.equal(Math.min(at, qos))
      }
    }
  })

  conforms(
    ['MQTT-4.7.2-1'],
    '$SYS is shown to those who ask for it, and cannot be published to',
    async () => {
      const client = await broker.connect()
      expect((await client.subscribe({ topic: '$SYS/#', qos: 0 })).granted).to.deep.equal([0])
      expect((await client.receive()).topic).to.match(/^\$SYS\/broker\//)
      const topic = `$SYS/${fresh('t')}`
      await (await broker.connect()).publish(topic, 'forged', { qos: 1, retain: true })
      const seen = (await client.drain()).flatMap((packet) => ('topic' in packet ? [packet.topic] : []))
      expect(seen).to.not.include(topic)
    },
  )

  conforms(['MQTT-3.8.4-1'], 'a client may have a great many subscriptions', async () => {
    const topic = fresh('t')
    const client = await broker.connect()
    for (let n = 0; n < 20; n++) {
      await client.subscribe(Array.from({ length: 50 }, (_, m) => ({ topic: `${topic}/${n}/${m}`, qos: 0 })))
    }
    const publisher = await broker.connect()
    for (const [n, m] of [
      [0, 0],
      [7, 31],
      [19, 49],
    ]) {
      await publisher.publish(`${topic}/${n}/${m}`, 'x')
      expect((await client.receive()).topic).to.equal(`${topic}/${n}/${m}`)
    }
  })
})

suite(
  '3.1.1',
  '3.8.3 no wildcards',
  { set: { 'mqtt.wildcard_subscription_available': false } },
  ({ broker, conforms }) => {
    conforms(
      ['MQTT-3.8.3-2', 'MQTT-3.9.3-2'],
      'a broker without wildcards rejects filters with them',
      async () => {
        const client = await broker.connect()
        const { granted } = await client.subscribe(['#', { topic: 'a/b', qos: 1 }, 'a/+'])
        expect(granted).to.deep.equal([0x80, 1, 0x80])
        await (await broker.connect()).publish('a/c', 'x')
        await client.expectNothing()
      },
    )
  },
)

suite('3.1.1', '3.8.4 maximum QoS', { set: { 'mqtt.maximum_qos': 1 } }, ({ broker, conforms }) => {
  conforms(['MQTT-3.8.4-5', 'MQTT-3.8.4-6'], 'a broker may grant less than was asked for', async () => {
    const topic = fresh('t')
    const client = await broker.connect()
    expect((await client.subscribe({ topic, qos: 2 })).granted).to.deep.equal([1])
    await (await broker.connect()).publish(topic, 'x', { qos: 1 })
    expect((await client.receive()).qos).to.equal(1)
  })
})

suite('3.1.1', '3.10 UNSUBSCRIBE, 3.11 UNSUBACK', {}, ({ broker, conforms }) => {
  conforms(['MQTT-3.10.1-1'], 'UNSUBSCRIBE with other flags ends the connection', async () => {
    for (const first of [0xa0, 0xa1, 0xa3, 0xaa]) {
      const client = await broker.connect()
      client.send(frame(first, u16(1), str(fresh('t'))))
      await client.expectClosed()
    }
  })

  conforms(
    ['MQTT-3.10.3-1', 'MQTT-3.10.3-2'],
    'UNSUBSCRIBE without a filter, or with one cut short, ends the connection',
    async () => {
      for (const rest of [Buffer.alloc(0), concat(u16(5), 'a'), hex('00')]) {
        const client = await broker.connect()
        client.send(frame(0xa2, u16(1), rest))
        await client.expectClosed()
      }
    },
  )

  conforms(
    ['MQTT-3.10.4-1', 'MQTT-3.10.4-2', 'MQTT-3.10.4-4'],
    'only the filter that is equal character by character is deleted',
    async () => {
      const topic = fresh('t')
      const client = await broker.connect()
      await client.subscribe([`${topic}/a`, `${topic}/+`])
      const publisher = await broker.connect()
      for (const other of [`${topic}/#`, `${topic}/A`, `${topic}/a/`, `${topic}/b`, topic]) {
        await client.unsubscribe(other)
      }
      await publisher.publish(`${topic}/a`, 'both', { qos: 1 })
      expect((await client.receive()).payload.toString()).to.equal('both')
      await client.drain()
      expect((await client.unsubscribe(`${topic}/+`)).frame.length).to.equal(4)
      await publisher.publish(`${topic}/b`, 'nobody', { qos: 1 })
      await client.expectNothing()
      await publisher.publish(`${topic}/a`, 'exact', { qos: 1 })
      expect((await client.receive()).payload.toString()).to.equal('exact')
      await client.unsubscribe(`${topic}/a`)
      await publisher.publish(`${topic}/a`, 'nobody', { qos: 2 })
      await client.expectNothing()
    },
  )

  conforms(['MQTT-3.10.4-5', 'MQTT-3.10.4-4'], 'UNSUBACK also comes if nothing was deleted', async () => {
    const client = await broker.connect()
    client.send(frame(0xa2, u16(0x1234), str(fresh('t'))))
    expect((await client.expect('unsuback')).frame.toString('hex')).to.equal('b0021234')
  })

  conforms(['MQTT-3.10.4-6'], 'several filters are deleted with one UNSUBACK', async () => {
    const topic = fresh('t')
    const client = await broker.connect()
    await client.subscribe([`${topic}/a`, `${topic}/b`, `${topic}/c`, `${topic}/d/#`])
    await client.unsubscribe(`${topic}/a`, `${topic}/x`, `${topic}/c`, `${topic}/d/#`)
    const publisher = await broker.connect()
    for (const level of ['a', 'b', 'c', 'd', 'd/e'])
      await publisher.publish(`${topic}/${level}`, 'x', { qos: 1 })
    expect((await client.receive()).topic).to.equal(`${topic}/b`)
    await client.expectNothing()
  })

  conforms(['MQTT-3.10.4-2'], 'a deleted subscription stays deleted when the session goes on', async () => {
    const topic = fresh('t')
    const first = await broker.connect({ clean: false })
    await first.subscribe([topic, `${topic}/+`])
    await first.unsubscribe(topic)
    await first.end()
    const publisher = await broker.connect()
    await publisher.publish(topic, 'x', { qos: 1 })
    await publisher.publish(`${topic}/a`, 'y', { qos: 1 })
    const second = await broker.connect({ clientId: first.clientId, clean: false })
    expect((await second.receive()).payload.toString()).to.equal('y')
    await second.expectNothing()
  })

  conforms(['MQTT-3.10.4-3'], 'deliveries under way are completed after UNSUBSCRIBE', async () => {
    const topic = fresh('t')
    const first = await broker.connect({ clean: false })
    await first.subscribe(topic)
    const publisher = await broker.connect()
    await publisher.publish(topic, 'one', { qos: 1 })
    const one = await first.expect('publish')
    await publisher.publish(topic, 'two', { qos: 2 })
    const two = await first.expect('publish')
    await first.unsubscribe(topic)
    first.send({ cmd: 'pubrec', messageId: two.messageId ?? 0 })
    expect((await first.expect('pubrel')).messageId).to.equal(two.messageId)
    first.destroy()
    const second = await broker.connect({ clientId: first.clientId, clean: false })
    const events = [await second.next(), await second.next()]
    const described = events.map((event) =>
      event === 'closed' ? event : [event.cmd, event.messageId, 'dup' in event ? event.dup : undefined],
    )
    expect(described).to.have.deep.members([
      ['publish', one.messageId, true],
      ['pubrel', two.messageId, false],
    ])
    second.send(
      { cmd: 'puback', messageId: one.messageId ?? 0 },
      { cmd: 'pubcomp', messageId: two.messageId ?? 0 },
    )
    await second.expectNothing()
  })
})

suite('3.1.1', '3.12 PINGREQ, 3.14 DISCONNECT', {}, ({ broker, conforms }) => {
  conforms(['MQTT-3.12.4-1'], 'each PINGREQ is answered by PINGRESP', async () => {
    const client = await broker.connect()
    client.send(hex('c0 00 c0 00 c0 00'))
    for (let n = 0; n < 3; n++)
      expect((await client.expect('pingresp')).frame.toString('hex')).to.equal('d000')
    await client.expectNothing()
  })

  conforms(
    ['MQTT-3.14.1-1'],
    'DISCONNECT with reserved bits set is no DISCONNECT: the will is published',
    async () => {
      for (const bytes of ['e1 00', 'e2 00', 'e8 00']) {
        const topic = fresh('t')
        const watcher = await broker.connect()
        await watcher.subscribe(topic)
        const client = await broker.connect({
          will: { topic, qos: 0, retain: false, payload: Buffer.from('gone') },
        })
        client.send(hex(bytes))
        await client.expectClosed()
        expect((await watcher.receive()).payload.toString()).to.equal('gone')
      }
    },
  )

  conforms(['MQTT-3.14.4-2'], 'nothing behind DISCONNECT is processed', async () => {
    const topic = fresh('t')
    const watcher = await broker.connect()
    await watcher.subscribe(topic)
    const client = await broker.connect()
    client.send(concat(frame(0x30, str(topic), 'before'), hex('e0 00'), frame(0x30, str(topic), 'after')))
    await client.expectClosed()
    expect((await watcher.receive()).payload.toString()).to.equal('before')
    await watcher.expectNothing()
  })

  conforms(['MQTT-3.14.4-3'], 'DISCONNECT discards the will, also of a session that goes on', async () => {
    const topic = fresh('t')
    const watcher = await broker.connect()
    await watcher.subscribe(topic)
    const client = await broker.connect({
      clean: false,
      will: { topic, qos: 1, retain: false, payload: Buffer.from('gone') },
    })
    await client.end()
    const again = await broker.connect({ clientId: client.clientId, clean: false })
    again.destroy()
    await broker.connect({ clientId: client.clientId, clean: false })
    await watcher.expectNothing()
  })
})
