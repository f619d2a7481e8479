import { expect } from 'chai'
import { concat, connectBytes, frame, props, str, u16, u32 } from '../harness/bytes.ts'
import { reasonOf, type Received } from '../harness/client.ts'
import { fresh } from '../harness/fresh.ts'
import type { Peer } from '../harness/peer.ts'
import { suite } from '../harness/suite.ts'

/** Every kind of answer with something to explain: no subscriber, unknown identifiers, a filter nobody has. */
const explainable = async (client: Peer): Promise<Received[]> => {
  const topic = fresh('t')
  const packets: Received[] = []
  client.sendPublish(topic, 'x', { qos: 1 })
  packets.push(await client.expect('puback'))
  const messageId = client.sendPublish(topic, 'x', { qos: 2 })
  packets.push(await client.expect('pubrec'))
  client.send({ cmd: 'pubrel', messageId })
  packets.push(await client.expect('pubcomp'))
  client.send({ cmd: 'pubrel', messageId: 4711 })
  packets.push(await client.expect('pubcomp'))
  client.send({ cmd: 'pubrec', messageId: 4711 })
  packets.push(await client.expect('pubrel'))
  packets.push(await client.subscribe(topic))
  packets.push(await client.unsubscribe(fresh('never')))
  return packets
}

suite('5.0', '3.1.2.11 CONNECT properties', {}, ({ broker, conforms }) => {
  conforms(
    ['MQTT-3.1.2-24', 'MQTT-3.1.2-25'],
    'a message too large for the client is left out, the others come',
    async () => {
      const topic = fresh('t')
      const client = await broker.connect({ properties: { maximumPacketSize: 100, receiveMaximum: 1 } })
      await client.subscribe(topic)
      const publisher = await broker.connect()
      for (const qos of [0, 1, 2] as const) {
        await publisher.publish(topic, Buffer.alloc(200), { qos })
        await publisher.publish(topic, `small ${qos}`, { qos })
        expect((await client.receive()).payload.toString()).to.equal(`small ${qos}`)
      }
      await client.expectNothing()
    },
  )

  conforms(['MQTT-3.1.2-24'], 'a message of exactly the maximum packet size is delivered', async () => {
    const topic = fresh('t')
    const client = await broker.connect({ properties: { maximumPacketSize: 100 } })
    await client.subscribe(topic)
    const publisher = await broker.connect()
    // Fixed header 2, topic length 2, property length 1.
    await publisher.publish(topic, Buffer.alloc(101 - 5 - topic.length), { qos: 0 })
    await publisher.publish(topic, Buffer.alloc(100 - 5 - topic.length), { qos: 0 })
    expect((await client.receive()).frame.length).to.equal(100)
    await client.expectNothing()
  })

  conforms(['MQTT-3.1.2-25'], 'a message too large for the client does not wait for it either', async () => {
    const topic = fresh('t')
    const properties = { maximumPacketSize: 100, sessionExpiryInterval: 60 }
    const first = await broker.connect({ properties })
    await first.subscribe(topic)
    await first.end()
    const publisher = await broker.connect()
    await publisher.publish(topic, Buffer.alloc(200), { qos: 1 })
    await publisher.publish(topic, 'small', { qos: 1 })
    const second = await broker.connect({ clientId: first.clientId, clean: false, properties })
    expect((await second.receive()).payload.toString()).to.equal('small')
    await second.expectNothing()
  })

  conforms(
    ['MQTT-3.1.2-25'],
    'one client with a small limit does not keep a message from the others',
    async () => {
      const topic = fresh('t')
      const small = await broker.connect({ properties: { maximumPacketSize: 100 } })
      const large = await broker.connect()
      await small.subscribe(topic)
      await large.subscribe(topic)
      await (await broker.connect()).publish(topic, Buffer.alloc(200), { qos: 1 })
      expect((await large.receive()).payload.length).to.equal(200)
      await small.expectNothing()
    },
  )

  conforms(
    [
      'MQTT-3.2.2-19',
      'MQTT-3.2.2-20',
      'MQTT-3.4.2-2',
      'MQTT-3.4.2-3',
      'MQTT-3.5.2-2',
      'MQTT-3.5.2-3',
      'MQTT-3.6.2-2',
      'MQTT-3.6.2-3',
      'MQTT-3.7.2-2',
      'MQTT-3.7.2-3',
      'MQTT-3.9.2-1',
      'MQTT-3.9.2-2',
      'MQTT-3.11.2-1',
      'MQTT-3.11.2-2',
    ],
    'explanations do not make an answer larger than the client takes',
    async () => {
      const limit = 40
      const [client, connack] = await broker.connack({ properties: { maximumPacketSize: limit } })
      const packets = [connack, ...(await explainable(client))]
      for (const packet of packets) expect(packet.frame.length, packet.cmd).to.be.at.most(limit)
    },
  )

  conforms(
    ['MQTT-3.1.2-29'],
    'a client that wants no explanations gets none in acknowledgements',
    async () => {
      const client = await broker.connect({ properties: { requestProblemInformation: false } })
      for (const packet of await explainable(client)) {
        const properties = 'properties' in packet ? packet.properties : undefined
        expect(properties ?? {}, packet.cmd).to.not.have.any.keys('reasonString', 'userProperties')
      }
    },
  )

  conforms(['MQTT-3.1.2-28'], 'no response information unless it was asked for', async () => {
    for (const properties of [{}, { requestResponseInformation: false }]) {
      const [, connack] = await broker.connack({ properties })
      expect(connack.properties ?? {}).to.not.have.any.keys('responseInformation')
    }
  })

  conforms(['MQTT-3.1.2-27'], 'a client that allows no topic aliases gets none', async () => {
    const topic = fresh('t')
    for (const properties of [{}, { topicAliasMaximum: 0 }]) {
      const client = await broker.connect({ properties })
      await client.subscribe(`${topic}/#`)
      const publisher = await broker.connect()
      for (let n = 0; n < 5; n++) {
        await publisher.publish(`${topic}/a`, `${n}`)
        const packet = await client.receive()
        expect(packet.topic).to.equal(`${topic}/a`)
        expect(packet.properties ?? {}).to.not.have.any.keys('topicAlias')
      }
      await client.end()
    }
  })

  conforms(
    ['MQTT-3.1.2-26', 'MQTT-3.3.2-11', 'MQTT-3.3.2-8'],
    "the broker's topic aliases stay within the client's maximum and name the right topic",
    async () => {
      const topic = fresh('t')
      const maximum = 3
      const client = await broker.connect({ properties: { topicAliasMaximum: maximum } })
      await client.subscribe(`${topic}/#`)
      const publisher = await broker.connect()
      const aliases = new Map<number, string>()
      for (let n = 0; n < 40; n++) {
        const name = `${topic}/${n % 8}`
        await publisher.publish(name, name, { qos: n % 3 === 0 ? 0 : 1 })
        const packet = await client.receive()
        const alias = packet.properties?.topicAlias
        if (alias !== undefined) {
          expect(alias).to.be.within(1, maximum)
          if (packet.topic !== '') aliases.set(alias, packet.topic)
        }
        expect(packet.topic === '' ? aliases.get(alias ?? 0) : packet.topic).to.equal(name)
        expect(packet.payload.toString()).to.equal(name)
      }
    },
  )

  conforms(['MQTT-3.3.2-7'], "the broker's topic aliases begin anew with each connection", async () => {
    const topic = fresh('t')
    const properties = { topicAliasMaximum: 10, sessionExpiryInterval: 60 }
    const publisher = await broker.connect()
    const first = await broker.connect({ properties })
    await first.subscribe(topic)
    for (let n = 0; n < 3; n++) {
      await publisher.publish(topic, 'x', { qos: 1 })
      await first.receive()
    }
    await first.end()
    const second = await broker.connect({ clientId: first.clientId, clean: false, properties })
    await publisher.publish(topic, 'y', { qos: 1 })
    expect((await second.receive()).topic).to.equal(topic)
  })

  conforms(['MQTT-3.1.4-5'], 'user properties in CONNECT, repeated ones too, are accepted', async () => {
    const user = concat([0x26], str('a'), str('1'), [0x26], str('a'), str('1'))
    const client = await broker.open()
    client.send(
      connectBytes(5, {
        properties: props(
          user,
          [0x11],
          u32(0),
          [0x21],
          u16(65_535),
          [0x27],
          u32(0xffffffff),
          [0x22],
          u16(65_535),
        ),
        payload: [str(fresh('c'))],
      }),
    )
    expect(reasonOf(await client.expect('connack'))).to.equal(0)
    client.send(frame(0x30, str(fresh('t')), props(), 'x'))
    await client.expectNothing()
  })
})
