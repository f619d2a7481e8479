import { expect } from 'chai'
import { concat, connectBytes, frame, hex, props, str, u16, u32, varint } from '../harness/bytes.ts'
import { fresh } from '../harness/fresh.ts'
import { suite } from '../harness/suite.ts'

const MALFORMED = [0x81]
const USER_PROPERTY = 0x26

const ILL_FORMED: Readonly<Record<string, Buffer>> = {
  'a surrogate (U+D800)': hex('61 ed a0 80'),
  'a surrogate (U+DFFF)': hex('61 ed bf bf'),
  'an overlong form': hex('61 c0 af'),
  'a sequence cut short': hex('61 e2 82'),
  'a stray continuation byte': hex('61 80'),
  'a code point above U+10FFFF': hex('61 f4 90 80 80'),
}

const publish = (topic: Buffer, properties = props()): Buffer => frame(0x30, str(topic), properties, 'x')

const subscribe = (filter: Buffer): Buffer => frame(0x82, u16(1), props(), str(filter), [0])

suite('5.0', '1.5 data representation, 2 packet format', {}, ({ broker, conforms }) => {
  for (const [name, text] of Object.entries(ILL_FORMED)) {
    conforms(['MQTT-1.5.4-1', 'MQTT-3.3.2-1'], `a topic name with ${name} ends the connection`, async () => {
      const client = await broker.connect()
      client.send(publish(text))
      await client.expectRefused(MALFORMED)
    })
  }

  conforms(
    ['MQTT-1.5.4-1', 'MQTT-3.8.3-1'],
    'a topic filter that is not UTF-8 ends the connection',
    async () => {
      const client = await broker.connect()
      client.send(subscribe(hex('61 ed a0 80')))
      await client.expectRefused(MALFORMED)
    },
  )

  conforms(['MQTT-1.5.4-1', 'MQTT-3.1.3-4'], 'a client id that is not UTF-8 is refused', async () => {
    const client = await broker.open()
    client.send(connectBytes(5, { payload: [str(hex('61 ed a0 80'))] }))
    await client.expectRefused([0x81, 0x85])
  })

  conforms(['MQTT-1.5.4-1', 'MQTT-3.1.3-11'], 'a will topic that is not UTF-8 is refused', async () => {
    const client = await broker.open()
    client.send(connectBytes(5, { flags: 0x06, payload: [str('a'), props(), str(hex('c0 af')), str('x')] }))
    await client.expectRefused([0x81, 0x90])
  })

  conforms(['MQTT-1.5.4-1', 'MQTT-3.1.3-12'], 'a user name that is not UTF-8 is refused', async () => {
    const client = await broker.open()
    client.send(connectBytes(5, { flags: 0x82, payload: [str(fresh('c')), str(hex('c0 af'))] }))
    await client.expectRefused([0x81, 0x86])
  })

  conforms(['MQTT-1.5.4-2', 'MQTT-4.7.3-2'], 'U+0000 in a topic name ends the connection', async () => {
    const client = await broker.connect()
    client.send(publish(Buffer.from('a\0b')))
    await client.expectRefused([0x81, 0x90])
  })

  conforms(['MQTT-1.5.4-2', 'MQTT-4.7.3-2'], 'U+0000 in a topic filter ends the connection', async () => {
    const client = await broker.connect()
    client.send(subscribe(Buffer.from('a\0b')))
    await client.expectRefused([0x81, 0x8f])
  })

  conforms(['MQTT-1.5.4-2'], 'U+0000 in a client id is refused', async () => {
    const client = await broker.open()
    client.send(connectBytes(5, { payload: [str('a\0b')] }))
    await client.expectRefused([0x81, 0x85])
  })

  conforms(
    ['MQTT-1.5.4-3'],
    'a zero width no-break space is part of a topic like any character',
    async () => {
      const plain = fresh('bom')
      const topic = `\uFEFF${plain}`
      const client = await broker.connect()
      await client.subscribe([topic, plain])
      await (await broker.connect()).publish(topic, 'x')
      expect((await client.expect('publish')).topic).to.equal(topic)
      await client.expectNothing()
    },
  )

  conforms(
    ['MQTT-1.5.7-1'],
    'a user property that is not UTF-8, in name or value, ends the connection',
    async () => {
      for (const pair of [
        concat(str(hex('61 ed a0 80')), str('value')),
        concat(str('name'), str(hex('61 ed a0 80'))),
      ]) {
        const client = await broker.connect()
        client.send(publish(Buffer.from(fresh('t')), props([USER_PROPERTY], pair)))
        await client.expectRefused(MALFORMED)
      }
    },
  )

  conforms(['MQTT-1.5.5-1'], 'a remaining length of five bytes ends the connection', async () => {
    const client = await broker.connect()
    client.send(hex('30 80 80 80 80 01'))
    await client.expectRefused(MALFORMED)
  })

  conforms(
    ['MQTT-1.5.5-1'],
    'the remaining length of delivered packets is in its shortest form',
    async () => {
      const topic = fresh('t')
      const client = await broker.connect()
      await client.subscribe(topic)
      const publisher = await broker.connect()
      const overhead = 2 + topic.length + 1
      for (const size of [127, 128, 16_383, 16_384]) {
        await publisher.publish(topic, Buffer.alloc(size - overhead, 'x'))
        const packet = await client.expect('publish')
        expect(packet.frame.subarray(1, 1 + varint(size).length).equals(varint(size))).to.equal(true)
        expect(packet.frame.length).to.equal(1 + varint(size).length + size)
      }
    },
  )
})

const WRONG_FLAGS: Readonly<Record<string, Buffer>> = {
  'type 0': frame(0x00),
  PUBACK: frame(0x41, u16(1)),
  PUBREC: frame(0x51, u16(1)),
  PUBREL: frame(0x60, u16(1)),
  PUBCOMP: frame(0x71, u16(1)),
  SUBSCRIBE: frame(0x80, u16(1), props(), str('a'), [0]),
  UNSUBSCRIBE: frame(0xa0, u16(1), props(), str('a')),
  PINGREQ: frame(0xc1),
  DISCONNECT: frame(0xe1),
  AUTH: frame(0xf1),
}

const EXTRA: Readonly<Record<string, readonly string[]>> = {
  PUBREL: ['MQTT-3.6.1-1'],
  SUBSCRIBE: ['MQTT-3.8.1-1'],
  UNSUBSCRIBE: ['MQTT-3.10.1-1'],
  DISCONNECT: ['MQTT-3.14.1-1'],
  AUTH: ['MQTT-3.15.1-1'],
}

/** What only a server sends. */
const SERVER_PACKETS: Readonly<Record<string, Buffer>> = {
  CONNACK: hex('20 03 00 00 00'),
  SUBACK: hex('90 04 00 01 00 00'),
  UNSUBACK: hex('b0 04 00 01 00 00'),
  PINGRESP: hex('d0 00'),
}

suite('5.0', '2.1 fixed header, 2.2 variable header', {}, ({ broker, conforms }) => {
  for (const [name, bytes] of Object.entries(WRONG_FLAGS)) {
    conforms(
      ['MQTT-2.1.3-1', 'MQTT-4.13.1-1', ...(EXTRA[name] ?? [])],
      `${name} with wrong flags ends the connection`,
      async () => {
        const client = await broker.connect()
        client.send(bytes)
        await client.expectRefused([0x81, 0x82])
      },
    )
  }

  conforms(['MQTT-2.1.3-1', 'MQTT-3.1.4-1'], 'CONNECT with wrong flags is refused', async () => {
    const client = await broker.open()
    const bytes = connectBytes(5, { payload: [str(fresh('c'))] })
    bytes[0] = 0x11
    client.send(bytes)
    await client.expectRefused(MALFORMED)
  })

  for (const [name, bytes] of Object.entries(SERVER_PACKETS)) {
    conforms(['MQTT-4.13.1-1'], `${name} from a client ends the connection`, async () => {
      const client = await broker.connect()
      client.send(bytes)
      await client.expectRefused([0x81, 0x82])
    })
  }

  conforms(['MQTT-2.1.3-1', 'MQTT-3.6.1-1'], "the broker's packets have the listed flags", async () => {
    const topic = fresh('t')
    const [client, connack] = await broker.connack()
    const suback = await client.subscribe({ topic, qos: 2 })
    const publisher = await broker.connect()
    publisher.sendPublish(topic, 'x', { qos: 1 })
    const puback = await publisher.expect('puback')
    const messageId = publisher.sendPublish(topic, 'x', { qos: 2 })
    const pubrec = await publisher.expect('pubrec')
    publisher.send({ cmd: 'pubrel', messageId })
    const pubcomp = await publisher.expect('pubcomp')
    const first = await client.receive()
    expect(first.qos).to.equal(1)
    const second = await client.expect('publish')
    client.send({ cmd: 'pubrec', messageId: second.messageId ?? 0 })
    const pubrel = await client.expect('pubrel')
    client.send({ cmd: 'pubcomp', messageId: second.messageId ?? 0 })
    const unsuback = await client.unsubscribe(topic)
    client.send({ cmd: 'pingreq' })
    const pingresp = await client.expect('pingresp')
    const packets = [connack, suback, puback, pubrec, pubcomp, pubrel, unsuback, pingresp]
    expect(packets.map(({ frame: bytes }) => bytes[0])).to.deep.equal([
      0x20, 0x90, 0x40, 0x50, 0x70, 0x62, 0xb0, 0xd0,
    ])
  })

  conforms(
    ['MQTT-2.2.1-2', 'MQTT-2.2.2-1'],
    'a QoS 0 message has no identifier and a property length of 0',
    async () => {
      const topic = fresh('t')
      const client = await broker.connect()
      await client.subscribe(topic)
      await (await broker.connect()).publish(topic, 'payload')
      const packet = await client.expect('publish')
      expect(packet.frame.toString('hex')).to.equal(
        frame(0x30, str(topic), props(), 'payload').toString('hex'),
      )
    },
  )

  conforms(
    ['MQTT-2.2.1-6', 'MQTT-2.2.2-1'],
    'SUBACK and UNSUBACK carry the identifier of the request',
    async () => {
      const topic = fresh('t')
      const client = await broker.connect()
      client.send(frame(0x82, hex('a5 5a'), props(), str(topic), [0x01]))
      expect((await client.expect('suback')).frame.toString('hex')).to.equal('9004a55a0001')
      client.send(frame(0xa2, hex('5a a5'), props(), str(topic)))
      expect((await client.expect('unsuback')).frame.toString('hex')).to.equal('b0045aa50000')
    },
  )

  conforms(
    ['MQTT-2.2.1-4', 'MQTT-4.3.2-1', 'MQTT-4.3.3-1'],
    'deliveries under way have identifiers of their own',
    async () => {
      const topic = fresh('t')
      const client = await broker.connect()
      await client.subscribe(topic)
      const publisher = await broker.connect()
      for (let n = 0; n < 20; n++) await publisher.publish(topic, `${n}`, { qos: n % 2 === 0 ? 1 : 2 })
      const ids = new Set<number | undefined>()
      for (let n = 0; n < 20; n++) ids.add((await client.expect('publish')).messageId)
      expect(ids.size).to.equal(20)
      expect(ids.has(0) || ids.has(undefined)).to.equal(false)
    },
  )

  conforms(
    ['MQTT-2.2.1-5', 'MQTT-4.3.2-4', 'MQTT-4.3.3-8', 'MQTT-4.3.3-11'],
    'acknowledgements carry the identifier of the PUBLISH',
    async () => {
      const client = await broker.connect()
      client.sendPublish(fresh('t'), 'x', { qos: 1, messageId: 0xa55a })
      expect((await client.expect('puback')).messageId).to.equal(0xa55a)
      client.sendPublish(fresh('t'), 'x', { qos: 2, messageId: 0x5aa5 })
      expect((await client.expect('pubrec')).messageId).to.equal(0x5aa5)
      client.send({ cmd: 'pubrel', messageId: 0x5aa5 })
      expect((await client.expect('pubcomp')).messageId).to.equal(0x5aa5)
    },
  )

  conforms(['MQTT-2.2.1-3', 'MQTT-4.13.1-1'], 'an identifier of 0 ends the connection', async () => {
    for (const bytes of [
      frame(0x32, str(fresh('t')), u16(0), props(), 'x'),
      frame(0x34, str(fresh('t')), u16(0), props(), 'x'),
      frame(0x82, u16(0), props(), str(fresh('t')), [0]),
      frame(0xa2, u16(0), props(), str(fresh('t'))),
    ]) {
      const client = await broker.connect()
      client.send(bytes)
      await client.expectRefused([0x81, 0x82])
    }
  })

  conforms(['MQTT-4.13.1-1'], 'properties that do not fit end the connection', async () => {
    const topic = str(fresh('t'))
    for (const [why, properties] of Object.entries({
      'unknown identifier': props([0x7f], [1]),
      'of another packet type': props([0x11], u32(1)),
      'length beyond the packet': Buffer.from([0x7f, 0x01, 0x00]),
      'cut short': props([0x02], u16(1)),
      'given twice': props([0x01], [1], [0x01], [1]),
    })) {
      const client = await broker.connect()
      client.send(frame(0x30, topic, properties))
      await client.expectRefused([0x81, 0x82]).catch((error: unknown) => {
        throw new Error(`${why}: ${String(error)}`)
      })
    }
  })
})
