import { expect } from 'chai'
import { concat, connectBytes, frame, hex, str, u16 } from '../harness/bytes.ts'
import { fresh } from '../harness/fresh.ts'
import { suite } from '../harness/suite.ts'

/** What is not well-formed UTF-8 (RFC 3629), or encodes a surrogate. */
const MALFORMED = [
  'ff',
  'c3 28',
  'c0 80',
  'e2 82',
  'f0 28 8c bc',
  'ed a0 80',
  'ed bf bf',
  'f4 90 80 80',
  'fe',
]

suite('3.1.1', '1.5 data representation, 2 packet format', {}, ({ broker, conforms }) => {
  conforms(
    ['MQTT-1.5.3-1', 'MQTT-3.3.2-1'],
    'a topic name that is not UTF-8 ends the connection',
    async () => {
      for (const bytes of MALFORMED) {
        const client = await broker.connect()
        client.send(frame(0x30, str(concat('a/', hex(bytes))), 'x'))
        await client.expectClosed()
      }
    },
  )

  conforms(
    ['MQTT-1.5.3-1', 'MQTT-3.8.3-1', 'MQTT-3.10.3-1'],
    'a filter that is not UTF-8 ends the connection',
    async () => {
      for (const bytes of MALFORMED) {
        const filter = str(concat('a/', hex(bytes)))
        const [subscriber, other] = [await broker.connect(), await broker.connect()]
        subscriber.send(frame(0x82, u16(1), filter, [0]))
        await subscriber.expectClosed()
        other.send(frame(0xa2, u16(1), filter))
        await other.expectClosed()
      }
    },
  )

  const strings: readonly [what: string, id: string, packet: (text: Buffer) => Buffer][] = [
    ['client id', 'MQTT-3.1.3-4', (text) => connectBytes(4, { payload: [str(text)] })],
    [
      'will topic',
      'MQTT-3.1.3-10',
      (text) => connectBytes(4, { flags: 0x06, payload: [str(fresh('c')), str(text), str('x')] }),
    ],
    [
      'user name',
      'MQTT-3.1.3-11',
      (text) => connectBytes(4, { flags: 0x82, payload: [str(fresh('c')), str(text)] }),
    ],
  ]
  for (const [what, id, packet] of strings) {
    conforms(['MQTT-1.5.3-1', id], `a ${what} that is not UTF-8 ends the connection`, async () => {
      for (const bytes of MALFORMED) {
        const client = await broker.open()
        client.send(packet(concat('a', hex(bytes))))
        await client.expectClosed()
      }
    })

    conforms(['MQTT-1.5.3-2'], `a ${what} with U+0000 ends the connection`, async () => {
      const client = await broker.open()
      client.send(packet(Buffer.from('a\0b')))
      await client.expectClosed()
    })
  }

  conforms(['MQTT-1.5.3-3'], 'U+FEFF is a character like any other', async () => {
    const topic = fresh('t')
    const client = await broker.connect()
    await client.subscribe([`\uFEFF${topic}`, `${topic}/\uFEFF`].map((filter) => ({ topic: filter, qos: 0 })))
    const publisher = await broker.connect()
    for (const name of [topic, `\uFEFF${topic}`, `${topic}/`, `${topic}/\uFEFF`]) {
      await publisher.publish(name, 'x')
    }
    expect((await client.receive()).topic).to.equal(`\uFEFF${topic}`)
    expect((await client.receive()).topic).to.equal(`${topic}/\uFEFF`)
    await client.expectNothing()
  })

  conforms(
    ['MQTT-2.2.2-1', 'MQTT-2.2.2-2'],
    'flags other than the listed ones end the connection',
    async () => {
      const bodies: readonly [type: number, flags: number, body: Buffer][] = [
        [0x40, 0, u16(1)],
        [0x50, 0, u16(1)],
        [0x60, 2, u16(1)],
        [0x70, 0, u16(1)],
        [0x80, 2, concat(u16(1), str('a'), [0])],
        [0xa0, 2, concat(u16(1), str('a'))],
        [0xc0, 0, Buffer.alloc(0)],
        [0xe0, 0, Buffer.alloc(0)],
      ]
      for (const [type, listed, body] of bodies) {
        for (const flags of [0, 1, 2, 4, 8, 15]) {
          if (flags === listed) continue
          const client = await broker.connect()
          client.send(frame(type | flags, body))
          await client.expectClosed()
        }
      }
    },
  )

  conforms(['MQTT-2.2.2-2'], 'CONNECT with flags is not answered', async () => {
    for (const flags of [1, 2, 8]) {
      const client = await broker.open()
      client.send(concat([0x10 | flags], connectBytes(4, { payload: [str(fresh('c'))] }).subarray(1)))
      await client.expectClosed()
    }
  })

  conforms(
    ['MQTT-4.8.0-1'],
    'packet types that do not exist or are for servers end the connection',
    async () => {
      for (const bytes of ['00 00', 'f0 00', '20 02 00 00', '90 03 00 01 00', 'b0 02 00 01', 'd0 00']) {
        const client = await broker.connect()
        client.send(hex(bytes))
        await client.expectClosed()
      }
    },
  )

  conforms(['MQTT-4.8.0-1'], 'a remaining length of more than four bytes ends the connection', async () => {
    const client = await broker.connect()
    client.send(hex('30 ff ff ff ff 01'))
    await client.expectClosed()
  })

  conforms(['MQTT-4.8.0-1'], 'a packet longer or shorter than its content ends the connection', async () => {
    for (const bytes of [
      '30 01 00',
      '30 03 00 09 61',
      '40 01 00',
      '62 01 00',
      'c0 01 00',
      '82 01 00',
      'a2 00',
    ]) {
      const client = await broker.connect()
      client.send(hex(bytes))
      await client.expectClosed()
    }
  })

  conforms(['MQTT-7.1.1-1'], 'packets may come in single bytes, and many in one write', async () => {
    const topic = fresh('t')
    const client = await broker.open()
    for (const byte of connectBytes(4, { payload: [str(fresh('c'))] })) client.send(Buffer.from([byte]))
    expect((await client.expect('connack')).returnCode).to.equal(0)
    client.send(
      concat(
        frame(0x82, u16(1), str(topic), [1]),
        ...Array.from({ length: 50 }, (_, n) => frame(0x30, str(topic), `${n}`)),
        hex('c0 00'),
      ),
    )
    await client.expect('suback')
    for (let n = 0; n < 50; n++) expect((await client.receive()).payload.toString()).to.equal(`${n}`)
    await client.expect('pingresp')
  })

  conforms(['MQTT-2.2.2-1'], 'payloads of any length arrive, in the shortest length', async () => {
    const topic = fresh('t')
    const client = await broker.connect()
    await client.subscribe({ topic, qos: 0 })
    const publisher = await broker.connect()
    const overhead = 2 + topic.length
    for (const length of [overhead, 127, 128, 16_383, 16_384, 131_072]) {
      await publisher.publish(topic, Buffer.alloc(length - overhead, 'x'))
      const packet = await client.receive()
      const bytesOfLength = length < 128 ? 1 : length < 16_384 ? 2 : 3
      expect(packet.frame.length).to.equal(1 + bytesOfLength + length)
      expect(packet.payload.length).to.equal(length - overhead)
    }
  })
})

suite('3.1.1', '2.3.1 packet identifiers', {}, ({ broker, conforms }) => {
  conforms(['MQTT-2.3.1-1'], 'the packet identifier 0 ends the connection', async () => {
    for (const bytes of [
      frame(0x32, str(fresh('t')), u16(0), 'x'),
      frame(0x34, str(fresh('t')), u16(0), 'x'),
      frame(0x82, u16(0), str(fresh('t')), [0]),
      frame(0xa2, u16(0), str(fresh('t'))),
    ]) {
      const client = await broker.connect()
      client.send(bytes)
      await client.expectClosed()
    }
  })

  conforms(['MQTT-2.3.1-1', 'MQTT-4.8.0-1'], 'a missing packet identifier ends the connection', async () => {
    for (const bytes of [frame(0x32, str('a')), frame(0x34, str('a'), [0]), frame(0x82), frame(0xa2)]) {
      const client = await broker.connect()
      client.send(bytes)
      await client.expectClosed()
    }
  })

  conforms(
    ['MQTT-2.3.1-4'],
    'messages under way to a client have identifiers of their own, other than 0',
    async () => {
      const topic = fresh('t')
      const client = await broker.connect()
      await client.subscribe(topic)
      const publisher = await broker.connect()
      for (let n = 0; n < 20; n++) await publisher.publish(topic, `${n}`, { qos: n % 2 === 0 ? 1 : 2 })
      const ids = (await client.drain()).map((packet) => packet.messageId)
      expect(ids).to.have.length(20)
      expect(new Set(ids).size).to.equal(20)
      expect(ids).to.not.include.members([0]).and.not.include.members([undefined])
    },
  )

  conforms(['MQTT-2.3.1-5'], 'at QoS 0 the payload follows the topic', async () => {
    const topic = fresh('t')
    const client = await broker.connect()
    await client.subscribe({ topic, qos: 0 })
    const publisher = await broker.connect()
    publisher.send(frame(0x30, str(topic), hex('00 01 61')))
    const packet = await client.receive()
    expect(packet.payload.toString('hex')).to.equal('000161')
    expect(packet.frame.length).to.equal(2 + 2 + topic.length + 3)
  })

  conforms(
    ['MQTT-2.3.1-6', 'MQTT-2.3.1-7'],
    'answers repeat the identifier of what they answer, the largest too',
    async () => {
      const client = await broker.connect()
      for (const messageId of [1, 256, 65_535]) {
        client.sendPublish(fresh('t'), 'x', { qos: 1, messageId })
        expect((await client.expect('puback')).messageId).to.equal(messageId)
        client.sendPublish(fresh('t'), 'x', { qos: 2, messageId })
        expect((await client.expect('pubrec')).messageId).to.equal(messageId)
        client.send({ cmd: 'pubrel', messageId })
        expect((await client.expect('pubcomp')).messageId).to.equal(messageId)
        client.send(frame(0x82, u16(messageId), str(fresh('t')), [0]))
        expect((await client.expect('suback')).messageId).to.equal(messageId)
        client.send(frame(0xa2, u16(messageId), str(fresh('t'))))
        expect((await client.expect('unsuback')).messageId).to.equal(messageId)
      }
    },
  )

  conforms(['MQTT-2.3.1-6'], 'each side has its own identifiers', async () => {
    const topic = fresh('t')
    const client = await broker.connect()
    await client.subscribe(topic)
    await (await broker.connect()).publish(topic, 'x', { qos: 1 })
    const { messageId = 0 } = await client.expect('publish')
    client.sendPublish(fresh('t'), 'x', { qos: 2, messageId })
    expect((await client.expect('pubrec')).messageId).to.equal(messageId)
    client.send({ cmd: 'puback', messageId }, { cmd: 'pubrel', messageId })
    expect((await client.expect('pubcomp')).messageId).to.equal(messageId)
    await client.expectNothing()
  })
})
