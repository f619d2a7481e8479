import { expect } from 'chai'
import { connectBytes, frame, props, str, u16, varint } from '../harness/bytes.ts'
import { fresh } from '../harness/fresh.ts'
import { suite } from '../harness/suite.ts'

const CONNECT_REASONS = [
  0x00, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8c, 0x90, 0x95, 0x97, 0x99, 0x9a,
  0x9b, 0x9c, 0x9d, 0x9f,
]
const KEPT = { sessionExpiryInterval: 60 }

suite('5.0', '3.2 CONNACK', {}, ({ broker, conforms }) => {
  conforms(['MQTT-3.2.0-1', 'MQTT-3.2.0-2'], 'CONNACK comes first, also when messages wait', async () => {
    const topic = fresh('t')
    const first = await broker.connect({ properties: KEPT })
    await first.subscribe(topic)
    await first.end()
    const publisher = await broker.connect()
    for (let n = 0; n < 10; n++) await publisher.publish(topic, 'x', { qos: 1 })
    const second = await broker.open()
    second.sendConnect({ clientId: first.clientId, clean: false, properties: KEPT })
    await second.expect('connack')
    for (let n = 0; n < 10; n++) await second.receive()
    await second.expectNothing()
  })

  conforms(['MQTT-3.2.2-1', 'MQTT-3.2.2-3'], 'the reserved acknowledge flags are 0', async () => {
    const [first, connack] = await broker.connack({ properties: KEPT })
    await first.end()
    const [, again] = await broker.connack({ clientId: first.clientId, clean: false })
    const flagsAt = (bytes: Buffer) => bytes[1 + varint(bytes.length - 2).length]
    expect(flagsAt(connack.frame)).to.equal(0)
    expect(flagsAt(again.frame)).to.equal(1)
  })

  conforms(
    ['MQTT-3.2.2-6', 'MQTT-3.2.2-7', 'MQTT-3.2.2-8', 'MQTT-4.12.0-1'],
    'a refusal says no session, even where there is one, and closes',
    async () => {
      const first = await broker.connect({ properties: KEPT })
      await first.end()
      const client = await broker.open()
      client.sendConnect({
        clientId: first.clientId,
        clean: false,
        properties: { authenticationMethod: 'no such method' },
      })
      const answer = await client.expectRefused([0x8c, 0x87])
      if (answer !== 'closed' && answer.cmd === 'connack') expect(answer.sessionPresent).to.equal(false)
      const [, connack] = await broker.connack({ clientId: first.clientId, clean: false })
      expect(connack.sessionPresent).to.equal(true)
    },
  )

  conforms(['MQTT-3.2.2-8'], 'reason codes of refusals are those of the table', async () => {
    for (const bytes of [
      connectBytes(5, { flags: 0x03 }),
      connectBytes(5, { level: 9 }),
      connectBytes(5, { flags: 0x1e, payload: [str('a'), props(), str('t'), str('x')] }),
      connectBytes(5, { properties: props([0x21], u16(0)), payload: [str('a')] }),
      connectBytes(5, { payload: [str('\0')] }),
    ]) {
      const client = await broker.open()
      client.send(bytes)
      await client.expectRefused([0x01, ...CONNECT_REASONS])
    }
  })

  conforms(['MQTT-4.12.0-6'], 'without an authentication method there is none in CONNACK', async () => {
    const [, connack] = await broker.connack()
    expect(connack.properties ?? {}).to.not.have.any.keys('authenticationMethod', 'authenticationData')
  })

  conforms(['MQTT-3.2.2-8'], 'what CONNACK says of limits is within the specification', async () => {
    const [, connack] = await broker.connack()
    const { receiveMaximum = 65_535, maximumPacketSize = 1, topicAliasMaximum = 0 } = connack.properties ?? {}
    expect(receiveMaximum).to.be.within(1, 65_535)
    expect(maximumPacketSize).to.be.at.least(1)
    expect(topicAliasMaximum).to.be.within(0, 65_535)
  })
})

for (const maximum of [0, 1] as const) {
  suite(
    '5.0',
    `3.2.2.3.4 maximum QoS ${maximum}`,
    { set: { 'mqtt.maximum_qos': maximum } },
    ({ broker, conforms }) => {
      conforms(['MQTT-3.2.2-9'], 'CONNACK says so', async () => {
        const [, connack] = await broker.connack()
        expect(Number(connack.properties?.maximumQoS)).to.equal(maximum)
      })

      conforms(['MQTT-3.2.2-10'], 'SUBSCRIBE of any QoS is accepted', async () => {
        const client = await broker.connect()
        const suback = await client.subscribe(([0, 1, 2] as const).map((qos) => ({ topic: fresh('t'), qos })))
        for (const granted of suback.granted) expect(granted).to.be.within(0, 2)
      })

      conforms(['MQTT-3.2.2-11'], 'a PUBLISH above it ends the connection with 0x9B', async () => {
        const client = await broker.connect()
        client.sendPublish(fresh('t'), 'x', { qos: maximum === 0 ? 1 : 2 })
        await client.expectDisconnect([0x9b])
      })

      conforms(['MQTT-3.2.2-12'], 'a will above it is refused with 0x9B', async () => {
        const client = await broker.open()
        client.sendConnect({ will: { topic: fresh('t'), payload: Buffer.from('x'), qos: 2 } })
        await client.expectRefused([0x9b])
      })

      conforms(['MQTT-3.2.2-12'], 'a will within it is accepted', async () => {
        const [, connack] = await broker.connack({
          will: { topic: fresh('t'), payload: Buffer.from('x'), qos: maximum },
        })
        expect(connack.reasonCode).to.equal(0)
      })
    },
  )
}

suite(
  '5.0',
  '3.2.2.3.5 retain available 0',
  { set: { 'mqtt.retain_available': false } },
  ({ broker, conforms }) => {
    conforms(
      ['MQTT-3.2.2-14'],
      'CONNACK says so, and a retained PUBLISH ends the connection with 0x9A',
      async () => {
        const [client, connack] = await broker.connack()
        expect(connack.properties?.retainAvailable).to.equal(false)
        client.sendPublish(fresh('t'), 'x', { retain: true })
        await client.expectDisconnect([0x9a])
      },
    )

    conforms(['MQTT-3.2.2-13'], 'a retained will is refused with 0x9A', async () => {
      const client = await broker.open()
      client.sendConnect({ will: { topic: fresh('t'), payload: Buffer.from('x'), retain: true } })
      await client.expectRefused([0x9a])
    })
  },
)

suite(
  '5.0',
  '3.2.2.3 limits of the server',
  { set: { 'mqtt.maximum_packet_size': 1024, 'mqtt.topic_alias_maximum': 0, 'mqtt.server_keep_alive': 1 } },
  ({ broker, conforms }) => {
    conforms(['MQTT-3.2.2-15'], 'CONNACK says the maximum packet size', async () => {
      const [, connack] = await broker.connack()
      expect(connack.properties?.maximumPacketSize).to.equal(1024)
    })

    conforms(
      ['MQTT-3.2.2-15'],
      'a larger packet ends the connection with 0x95 before it has come',
      async () => {
        const client = await broker.connect()
        client.send(Buffer.from([0x30, 0x80, 0x80, 0x80, 0x01]))
        await client.expectDisconnect([0x95])
      },
    )

    conforms(['MQTT-3.2.2-15'], 'a packet of exactly the maximum is taken', async () => {
      const topic = fresh('t')
      const client = await broker.connect()
      const bytes = frame(
        0x32,
        str(topic),
        u16(1),
        props(),
        Buffer.alloc(1024 - 3 - 2 - topic.length - 2 - 1),
      )
      expect(bytes.length).to.equal(1024)
      client.send(bytes)
      await client.expect('puback')
    })

    conforms(['MQTT-3.2.2-18', 'MQTT-3.3.2-9'], 'topic aliases end the connection with 0x94', async () => {
      const [client, connack] = await broker.connack()
      expect(connack.properties?.topicAliasMaximum ?? 0).to.equal(0)
      client.sendPublish(fresh('t'), 'x', { properties: { topicAlias: 1 } })
      await client.expectDisconnect([0x94])
    })

    conforms(
      ['MQTT-3.2.2-21', 'MQTT-3.1.2-21', 'MQTT-3.1.2-22'],
      'a longer keep-alive is replaced, and the client is held to it',
      async () => {
        for (const keepalive of [0, 60]) {
          const [client, connack] = await broker.connack({ keepalive })
          expect(connack.properties?.serverKeepAlive).to.equal(1)
          await client.expectRefused([0x8d])
        }
      },
    )
  },
)

suite(
  '5.0',
  '3.1.3.1 client ids that are rejected',
  { set: { 'mqtt.max_client_id_bytes': 23, 'mqtt.allow_empty_client_id': false } },
  ({ broker, conforms }) => {
    conforms(['MQTT-3.1.3-8'], 'a client id above the limit is refused with 0x85', async () => {
      const client = await broker.open()
      client.sendConnect({ clientId: 'x'.repeat(24) })
      await client.expectRefused([0x85])
      expect((await broker.connack({ clientId: 'x'.repeat(23) }))[1].reasonCode).to.equal(0)
    })

    conforms(
      ['MQTT-3.1.3-8', 'MQTT-3.1.3-6'],
      'an empty client id is refused with 0x85 where none is assigned',
      async () => {
        const client = await broker.open()
        client.sendConnect({ clientId: '' })
        await client.expectRefused([0x85])
      },
    )
  },
)
