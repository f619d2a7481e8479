import { expect } from 'chai'
import { concat, frame, hex, str, u16 } from '../harness/bytes.ts'
import { fresh } from '../harness/fresh.ts'
import { suite } from '../harness/suite.ts'

suite('3.1.1', '3.3 PUBLISH', {}, ({ broker, conforms }) => {
  conforms(
    ['MQTT-3.3.1-1', 'MQTT-4.4.0-1', 'MQTT-4.3.2-1', 'MQTT-4.3.3-1'],
    'an unacknowledged message comes again with DUP and its identifier',
    async () => {
      for (const qos of [1, 2] as const) {
        const topic = fresh('t')
        const first = await broker.connect({ clean: false })
        await first.subscribe(topic)
        await (await broker.connect()).publish(topic, 'x', { qos })
        const before = await first.expect('publish')
        expect([before.dup, before.qos]).to.deep.equal([false, qos])
        await first.expectNothing()
        first.destroy()
        const second = await broker.connect({ clientId: first.clientId, clean: false })
        const after = await second.receive()
        expect([after.dup, after.qos, after.messageId]).to.deep.equal([true, qos, before.messageId])
        expect(after.payload.toString()).to.equal('x')
      }
    },
  )

  conforms(['MQTT-3.3.1-2', 'MQTT-4.3.1-1'], 'DUP is 0 at QoS 0', async () => {
    const topic = fresh('t')
    const client = await broker.connect()
    await client.subscribe({ topic, qos: 0 })
    const publisher = await broker.connect()
    await publisher.publish(topic, 'x', { qos: 0 })
    await publisher.publish(topic, 'x', { qos: 2, dup: true })
    for (let n = 0; n < 2; n++) {
      const packet = await client.expect('publish')
      expect([packet.dup, packet.qos]).to.deep.equal([false, 0])
    }
  })

  conforms(['MQTT-3.3.1-2'], 'DUP at QoS 0 is a protocol violation, or is overlooked', async () => {
    const topic = fresh('t')
    const watcher = await broker.connect()
    await watcher.subscribe(topic)
    const client = await broker.connect()
    client.send(frame(0x38, str(topic), 'x'), hex('c0 00'))
    const event = await client.next()
    if (event !== 'closed') {
      expect(event.cmd).to.equal('pingresp')
      expect((await watcher.receive()).dup).to.equal(false)
    } else await watcher.expectNothing()
  })

  conforms(['MQTT-3.3.1-3'], 'DUP of the publisher is not passed on', async () => {
    const topic = fresh('t')
    const client = await broker.connect()
    await client.subscribe(topic)
    const publisher = await broker.connect()
    for (const qos of [1, 2] as const) {
      await publisher.publish(topic, 'x', { qos, dup: true })
      const packet = await client.receive()
      expect([packet.dup, packet.qos]).to.deep.equal([false, qos])
    }
  })

  conforms(['MQTT-3.3.1-4', 'MQTT-4.8.0-1'], 'QoS 3 ends the connection', async () => {
    for (const first of [0x36, 0x3e, 0x37]) {
      const client = await broker.connect()
      client.send(frame(first, str(fresh('t')), u16(1), 'x'))
      await client.expectClosed()
    }
  })

  conforms(
    ['MQTT-3.3.1-5', 'MQTT-3.3.1-6', 'MQTT-3.3.1-8'],
    'a new subscription gets the last retained message of each topic that matches, with its QoS and RETAIN 1',
    async () => {
      const topic = fresh('t')
      const publisher = await broker.connect()
      for (const qos of [0, 1, 2] as const) {
        await publisher.publish(`${topic}/${qos}`, 'old', { retain: true, qos: 1 })
        await publisher.publish(`${topic}/${qos}`, `new${qos}`, { retain: true, qos })
      }
      await publisher.publish(`${topic}/0/deeper`, 'deep', { retain: true })
      for (const [filter, expected] of [
        [`${topic}/+`, ['new0', 'new1', 'new2']],
        [`${topic}/#`, ['new0', 'new1', 'new2', 'deep']],
        [`${topic}/1`, ['new1']],
        [topic, []],
      ] as const) {
        const client = await broker.connect()
        await client.subscribe(filter)
        const packets = await client.drain()
        const got = packets.flatMap((packet) => (packet.cmd === 'publish' ? [packet] : []))
        expect(
          got.map(({ payload }) => payload.toString()),
          filter,
        ).to.have.members([...expected])
        for (const { payload, qos, retain, dup } of got) {
          const last = Number(payload.toString().slice(-1))
          expect([qos, retain, dup]).to.deep.equal([Number.isNaN(last) ? 0 : last, true, false])
        }
      }
    },
  )

  conforms(['MQTT-3.3.1-7'], 'a retained message at QoS 0 replaces the one before', async () => {
    const topic = fresh('t')
    const publisher = await broker.connect()
    await publisher.publish(topic, 'one', { retain: true, qos: 2 })
    await publisher.publish(topic, 'two', { retain: true, qos: 0 })
    const client = await broker.connect()
    await client.subscribe(topic)
    const packets = await client.drain()
    const payloads = packets.flatMap((packet) => ('payload' in packet ? [packet.payload.toString()] : []))
    // It may be discarded at any time.
    expect(payloads.filter((payload) => payload !== 'two')).to.deep.equal([])
  })

  conforms(['MQTT-3.3.1-9'], 'RETAIN is 0 for an established subscription', async () => {
    const topic = fresh('t')
    const client = await broker.connect()
    await client.subscribe(topic)
    const publisher = await broker.connect()
    for (const qos of [0, 1, 2] as const) {
      await publisher.publish(topic, 'x', { retain: true, qos })
      const packet = await client.receive()
      expect([packet.retain, packet.qos]).to.deep.equal([false, qos])
    }
  })

  conforms(
    ['MQTT-3.3.1-9'],
    'RETAIN is 0 for what waited, and for a subscription that was resumed',
    async () => {
      const topic = fresh('t')
      const first = await broker.connect({ clean: false })
      await first.subscribe(topic)
      await first.end()
      await (await broker.connect()).publish(topic, 'x', { retain: true, qos: 1 })
      const second = await broker.connect({ clientId: first.clientId, clean: false })
      expect((await second.receive()).retain).to.equal(false)
      await second.expectNothing()
    },
  )

  conforms(
    ['MQTT-3.3.1-10', 'MQTT-3.3.1-11'],
    'an empty retained message is delivered and removes the other',
    async () => {
      for (const qos of [0, 1, 2] as const) {
        const topic = fresh('t')
        const publisher = await broker.connect()
        await publisher.publish(topic, 'x', { retain: true, qos: 1 })
        const before = await broker.connect()
        await before.subscribe(topic)
        expect((await before.receive()).payload.toString()).to.equal('x')
        await publisher.publish(topic, '', { retain: true, qos })
        const packet = await before.receive()
        expect([packet.payload.length, packet.retain]).to.deep.equal([0, false])
        const after = await broker.connect()
        await after.subscribe(topic)
        await after.expectNothing()
      }
    },
  )

  conforms(['MQTT-3.3.1-12'], 'a message without RETAIN leaves the retained one alone', async () => {
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
  })

  conforms(['MQTT-3.3.2-2'], 'wildcards in a topic name end the connection', async () => {
    for (const topic of ['a/#', '#', '+', 'a/+/b', 'a+', 'a#b']) {
      for (const packet of [frame(0x30, str(topic), 'x'), frame(0x32, str(topic), u16(1), 'x')]) {
        const client = await broker.connect()
        client.send(packet)
        await client.expectClosed()
      }
    }
  })

  conforms(['MQTT-3.3.2-1'], 'a topic name cut short ends the connection', async () => {
    for (const bytes of [
      frame(0x30),
      frame(0x30, [0]),
      frame(0x30, u16(9), 'a'),
      frame(0x32, str('a'), [0]),
    ]) {
      const client = await broker.connect()
      client.send(bytes)
      await client.expectClosed()
    }
  })

  conforms(
    ['MQTT-3.3.2-3', 'MQTT-4.5.0-1'],
    'a message goes to all whose filter matches, and to them only',
    async () => {
      const topic = fresh('t')
      const filters = [`${topic}/a/b`, `${topic}/+/b`, `${topic}/#`, `${topic}/+/+`, `${topic}/a/b/#`]
      const matching = await Promise.all(filters.map(() => broker.connect()))
      const apart = await broker.connect()
      for (const [at, client] of matching.entries()) await client.subscribe(filters[at] ?? '')
      await apart.subscribe([`${topic}/a`, `${topic}/+`, `${topic}/a/b/c`, `${topic}/a/b/+`, `${topic}/A/b`])
      await (await broker.connect()).publish(`${topic}/a/b`, 'x', { qos: 1 })
      for (const client of matching) expect((await client.receive()).topic).to.equal(`${topic}/a/b`)
      await apart.expectNothing()
    },
  )

  conforms(['MQTT-3.3.4-1', 'MQTT-4.3.2-2', 'MQTT-4.3.3-2'], 'each QoS has its answers', async () => {
    const client = await broker.connect()
    client.sendPublish(fresh('t'), 'x', { qos: 0 })
    await client.expectNothing()
    client.sendPublish(fresh('t'), 'x', { qos: 1, messageId: 7 })
    expect((await client.expect('puback')).frame.toString('hex')).to.equal('40020007')
    client.sendPublish(fresh('t'), 'x', { qos: 2, messageId: 8 })
    expect((await client.expect('pubrec')).frame.toString('hex')).to.equal('50020008')
    await client.expectNothing()
    client.send({ cmd: 'pubrel', messageId: 8 })
    expect((await client.expect('pubcomp')).frame.toString('hex')).to.equal('70020008')
  })

  conforms(['MQTT-3.3.5-1'], 'overlapping subscriptions: the highest QoS of them is respected', async () => {
    const topic = fresh('t')
    const client = await broker.connect()
    await client.subscribe([
      { topic: `${topic}/#`, qos: 0 },
      { topic: `${topic}/+`, qos: 2 },
      { topic: `${topic}/a`, qos: 1 },
    ])
    await (await broker.connect()).publish(`${topic}/a`, 'x', { qos: 2 })
    const qos = (await client.drain()).flatMap((packet) => (packet.cmd === 'publish' ? [packet.qos] : []))
    expect(Math.max(...qos)).to.equal(2)
    expect(qos.length).to.be.within(1, 3)
  })

  conforms(['MQTT-3.3.4-1'], 'a client gets what it publishes itself', async () => {
    const topic = fresh('t')
    const client = await broker.connect()
    await client.subscribe(topic)
    client.sendPublish(topic, 'x', { qos: 1, messageId: 9 })
    const events = [await client.next(), await client.next()]
    expect(events.map((event) => event !== 'closed' && event.cmd)).to.have.members(['puback', 'publish'])
  })

  conforms(['MQTT-7.0.0-2'], 'properties of MQTT 5 publishers are kept from MQTT 3.1.1 clients', async () => {
    const topic = fresh('t')
    const client = await broker.connect()
    await client.subscribe(topic)
    const publisher = await broker.connect({}, 5)
    await publisher.publish(topic, 'x', {
      qos: 1,
      properties: { contentType: 'text/plain', messageExpiryInterval: 60, userProperties: { a: 'b' } },
    })
    const packet = await client.receive()
    expect(packet.frame.subarray(1)).to.deep.equal(
      frame(0, str(topic), u16(packet.messageId ?? 0), 'x').subarray(1),
    )
  })

  conforms(['MQTT-7.0.0-2'], 'MQTT 5 subscribers hear MQTT 3.1.1 publishers', async () => {
    const topic = fresh('t')
    const client = await broker.connect({}, 5)
    await client.subscribe(topic)
    await (await broker.connect()).publish(topic, 'x', { qos: 2 })
    const packet = await client.receive()
    expect([packet.qos, packet.payload.toString()]).to.deep.equal([2, 'x'])
  })

  conforms(['MQTT-7.1.1-1'], 'a thousand messages in one write arrive, each once', async () => {
    const topic = fresh('t')
    const client = await broker.connect()
    await client.subscribe({ topic, qos: 1 })
    const publisher = await broker.connect()
    publisher.send(
      concat(...Array.from({ length: 1_000 }, (_, n) => frame(0x32, str(topic), u16(n + 1), u16(n)))),
    )
    for (let n = 1; n <= 1_000; n++) expect((await publisher.expect('puback')).messageId).to.equal(n)
    for (let n = 0; n < 1_000; n++) expect((await client.receive()).payload).to.deep.equal(u16(n))
    await client.expectNothing()
  })
})

suite('3.1.1', '3.6 PUBREL', {}, ({ broker, conforms }) => {
  conforms(['MQTT-3.6.1-1'], 'PUBREL with other flags ends the connection', async () => {
    for (const first of [0x60, 0x61, 0x63, 0x6a]) {
      const client = await broker.connect()
      client.sendPublish(fresh('t'), 'x', { qos: 2, messageId: 1 })
      await client.expect('pubrec')
      client.send(frame(first, u16(1)))
      await client.expectClosed()
    }
  })

  conforms(
    ['MQTT-4.3.3-2', 'MQTT-4.3.3-1'],
    'acknowledgements of identifiers that are not under way are answered alike',
    async () => {
      const client = await broker.connect()
      client.send({ cmd: 'pubrel', messageId: 4711 })
      expect((await client.expect('pubcomp')).frame.toString('hex')).to.equal('70021267')
      client.send({ cmd: 'puback', messageId: 4711 }, { cmd: 'pubcomp', messageId: 4711 })
      await client.expectNothing()
    },
  )
})

suite(
  '3.1.1',
  '3.3.5 PUBLISH that is not allowed',
  {
    set: {
      'auth.acl':
        '[{effect: deny, access: all, filter: denied/#}, {effect: allow, access: all, filter: "#"}]',
    },
  },
  ({ broker, conforms }) => {
    conforms(['MQTT-3.3.5-2'], 'it is acknowledged as usual and goes to nobody', async () => {
      const watcher = await broker.connect()
      await watcher.subscribe('allowed/#')
      const client = await broker.connect()
      await client.publish('denied/a', 'x', { qos: 1, retain: true })
      await client.publish('denied/a', 'x', { qos: 2 })
      await client.publish('denied/a', 'x', { qos: 0 })
      await client.publish('allowed/a', 'y', { qos: 2 })
      expect((await watcher.receive()).payload.toString()).to.equal('y')
      await watcher.expectNothing()
    })

    conforms(
      ['MQTT-3.9.3-2', 'MQTT-3.8.4-5'],
      'a filter that is not allowed gets 0x80, others their QoS',
      async () => {
        const client = await broker.connect()
        const { granted } = await client.subscribe([
          { topic: 'allowed/a', qos: 1 },
          { topic: 'denied/a', qos: 1 },
          { topic: '#', qos: 1 },
          { topic: 'allowed/b', qos: 2 },
        ])
        expect(granted).to.deep.equal([1, 0x80, 0x80, 2])
      },
    )

    conforms(['MQTT-3.1.2-8', 'MQTT-3.2.2-4'], 'a will that is not allowed is refused at once', async () => {
      const client = await broker.open()
      client.sendConnect({ will: { topic: 'denied/a', qos: 0, retain: false, payload: Buffer.from('x') } })
      await client.expectRefused([0x05])
    })
  },
)
