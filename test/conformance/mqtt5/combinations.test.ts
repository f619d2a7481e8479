import { expect } from 'chai'
import { frame, props, str, u16, u32 } from '../harness/bytes.ts'
import type { Received } from '../harness/client.ts'
import { fresh } from '../harness/fresh.ts'
import type { ConnectOptions, Peer } from '../harness/peer.ts'
import { suite } from '../harness/suite.ts'

const KEPT = { sessionExpiryInterval: 60 }

const take = async (client: Peer, count: number): Promise<Received<'publish'>[]> => {
  const packets: Received<'publish'>[] = []
  while (packets.length < count) packets.push(await client.expect('publish'))
  return packets
}

const texts = (packets: readonly Received<'publish'>[]): string[] =>
  packets.map(({ payload }) => payload.toString())

/** What each statement shows alone has to hold where features meet; sessions that end and sessions that stay. */
for (const [kind, kept] of [
  ['a session that ends', {}],
  ['a session that stays', KEPT],
] as const) {
  suite('5.0', `features together, ${kind}`, {}, ({ broker, conforms }) => {
    const connect = (properties: ConnectOptions['properties'] = {}): Promise<Peer> =>
      broker.connect({ properties: { ...kept, ...properties } })

    conforms(
      ['MQTT-3.1.2-24', 'MQTT-3.1.2-25', 'MQTT-3.3.2-11'],
      'a message that is too large for a client introduces no topic alias',
      async () => {
        for (const qos of [0, 1, 2] as const) {
          const topic = fresh('t')
          const client = await connect({ topicAliasMaximum: 5, maximumPacketSize: 100 })
          await client.subscribe(topic)
          const publisher = await broker.connect()
          await publisher.publish(topic, 'x'.repeat(200), { qos })
          await publisher.publish(topic, 'small', { qos })
          await publisher.publish(topic, 'again', { qos })
          const names = new Map<number, string>()
          for (const expected of ['small', 'again']) {
            const packet = await client.expect('publish')
            const alias = packet.properties?.topicAlias ?? 0
            if (packet.topic !== '') names.set(alias, packet.topic)
            expect(packet.payload.toString()).to.equal(expected)
            expect(packet.topic === '' ? names.get(alias) : packet.topic).to.equal(topic)
          }
          await client.expectNothing()
        }
      },
    )

    conforms(
      ['MQTT-3.1.2-24', 'MQTT-3.1.2-25'],
      'a packet of just the maximum size is sent, one byte more is not',
      async () => {
        const topic = fresh('t')
        const client = await connect({ maximumPacketSize: 120 })
        await client.subscribe(topic)
        const publisher = await broker.connect()
        for (const [qos, overhead] of [
          [0, 2 + 2 + topic.length + 1],
          [1, 2 + 2 + topic.length + 2 + 1],
        ] as const) {
          await publisher.publish(topic, 'x'.repeat(120 - overhead + 1), { qos })
          await publisher.publish(topic, 'x'.repeat(120 - overhead), { qos })
          expect((await client.receive()).frame.length).to.equal(120)
          await client.expectNothing()
        }
      },
    )

    conforms(
      ['MQTT-3.3.4-9', 'MQTT-4.9.0-3'],
      'QoS 0 is not held back by what is unacknowledged',
      async () => {
        const topic = fresh('t')
        const client = await connect({ receiveMaximum: 1 })
        await client.subscribe(topic)
        const publisher = await broker.connect()
        await publisher.publish(topic, 'first', { qos: 1 })
        await publisher.publish(topic, 'second', { qos: 1 })
        await publisher.publish(topic, 'once', { qos: 0 })
        const packets = await take(client, 2)
        expect(texts(packets)).to.deep.equal(['first', 'once'])
        client.send({ cmd: 'puback', messageId: packets[0]?.messageId ?? 0 })
        expect((await client.receive()).payload.toString()).to.equal('second')
      },
    )

    conforms(
      ['MQTT-3.3.4-9', 'MQTT-4.9.0-2', 'MQTT-2.2.1-4'],
      'a window of one lets a hundred messages through, mixed, none twice',
      async () => {
        const topic = fresh('t')
        const client = await connect({ receiveMaximum: 1 })
        await client.subscribe(topic)
        const publisher = await broker.connect()
        for (let n = 0; n < 100; n++) await publisher.publish(topic, `${n}`, { qos: n % 2 === 0 ? 1 : 2 })
        const seen: string[] = []
        for (let n = 0; n < 100; n++) seen.push((await client.receive()).payload.toString())
        expect(seen).to.deep.equal(Array.from({ length: 100 }, (_, n) => `${n}`))
        await client.expectNothing()
      },
    )

    conforms(['MQTT-3.8.3-3', 'MQTT-3.3.4-3'], 'No Local silences its own subscription only', async () => {
      const topic = fresh('t')
      const client = await connect()
      await client.subscribe({ topic: `${topic}/#`, qos: 2, nl: true }, { subscriptionIdentifier: 1 })
      await client.subscribe({ topic: `${topic}/+`, qos: 1 }, { subscriptionIdentifier: 2 })
      client.sendPublish(`${topic}/a`, 'own', { qos: 1, messageId: 50 })
      client.sendPublish(`${topic}/a/b`, 'silent', { qos: 0 })
      const [own] = await takeBesides(client, 1)
      expect([own?.payload.toString(), own?.properties?.subscriptionIdentifier]).to.deep.equal(['own', 2])
      client.send({ cmd: 'puback', messageId: own?.messageId ?? 0 })
      expect((await client.drain()).filter(({ cmd }) => cmd !== 'puback')).to.deep.equal([])
      await (await broker.connect()).publish(`${topic}/a`, 'other', { qos: 2 })
      const ids = (await client.drain()).flatMap((packet) =>
        packet.cmd === 'publish' ? (packet.properties?.subscriptionIdentifier ?? []) : [],
      )
      expect(ids).to.have.members([1, 2])
    })

    conforms(
      ['MQTT-3.3.2-15', 'MQTT-3.3.2-16', 'MQTT-3.8.3-3'],
      'a request is answered on the topic that it names, over No Local subscriptions',
      async () => {
        const topic = fresh('t')
        const [asking, answering] = [await connect(), await connect()]
        for (const client of [asking, answering]) await client.subscribe({ topic, qos: 2, nl: true })
        await asking.publish(topic, 'request', {
          qos: 1,
          properties: { responseTopic: topic, correlationData: Buffer.from('334') },
        })
        const request = await answering.receive()
        const { responseTopic = '', correlationData = Buffer.alloc(0) } = request.properties ?? {}
        expect([responseTopic, correlationData.toString()]).to.deep.equal([topic, '334'])
        await answering.publish(responseTopic, 'response', { qos: 2, properties: { correlationData } })
        const response = await asking.receive()
        expect([response.payload.toString(), response.properties?.correlationData?.toString()]).to.deep.equal(
          ['response', '334'],
        )
        await asking.expectNothing()
        await answering.expectNothing()
      },
    )

    conforms(
      ['MQTT-3.3.4-3', 'MQTT-4.8.2-3'],
      'a shared and a plain subscription of one client each bring their copy, with their identifiers',
      async () => {
        const topic = fresh('t')
        const client = await connect()
        await client.subscribe({ topic: `$share/g/${topic}`, qos: 1 }, { subscriptionIdentifier: 1 })
        await client.subscribe({ topic, qos: 0 }, { subscriptionIdentifier: 2 })
        await (await broker.connect()).publish(topic, 'x', { qos: 2 })
        const packets = await take(client, 2)
        const described = packets.map(({ qos, properties }) => [qos, properties?.subscriptionIdentifier])
        expect(described).to.have.deep.members([
          [1, 1],
          [0, 2],
        ])
        await client.expectNothing()
      },
    )

    conforms(
      ['MQTT-3.3.2-17', 'MQTT-3.3.2-18', 'MQTT-2.2.2-1'],
      'thousands of bytes of properties arrive as they were sent',
      async () => {
        const topic = fresh('t')
        const client = await connect()
        await client.subscribe(topic)
        const publisher = await broker.connect()
        const pairs = Array.from({ length: 200 }, (_, n) => [`key${n % 7}`, `${n}`.repeat(50)] as const)
        const users = pairs.flatMap(([name, value]) => [[0x26], str(name), str(value)])
        publisher.send(frame(0x32, str(topic), u16(1), props([0x02], u32(600), ...users), 'x'))
        const packet = await client.receive()
        const sent = Buffer.concat(users.map((part) => Buffer.from(part)))
        expect(packet.frame.includes(sent)).to.equal(true)
        expect(packet.properties?.messageExpiryInterval).to.be.within(598, 600)
      },
    )

    conforms(
      ['MQTT-3.3.1-9', 'MQTT-3.3.1-12', 'MQTT-3.3.4-3', 'MQTT-3.3.2-11'],
      'retained messages come with alias, identifier, RETAIN and what is left of their expiry',
      async () => {
        const topic = fresh('t')
        const publisher = await broker.connect()
        for (const level of ['a', 'b']) {
          await publisher.publish(`${topic}/${level}`, level, {
            qos: 1,
            retain: true,
            properties: { messageExpiryInterval: 600, contentType: 'text/plain' },
          })
        }
        const client = await connect({ topicAliasMaximum: 1 })
        await client.subscribe({ topic: `${topic}/+`, qos: 1, rap: false }, { subscriptionIdentifier: 9 })
        for (const packet of await take(client, 2)) {
          const { properties } = packet
          expect(packet.topic).to.equal(`${topic}/${packet.payload.toString()}`)
          expect(packet.retain).to.equal(true)
          expect([properties?.subscriptionIdentifier, properties?.contentType]).to.deep.equal([
            9,
            'text/plain',
          ])
          expect(properties?.messageExpiryInterval).to.be.within(590, 600)
        }
      },
    )

    conforms(
      ['MQTT-3.10.4-2', 'MQTT-3.3.4-2'],
      'UNSUBSCRIBE leaves the overlapping subscription',
      async () => {
        const topic = fresh('t')
        const client = await connect()
        await client.subscribe({ topic: `${topic}/#`, qos: 2 }, { subscriptionIdentifier: 1 })
        await client.subscribe({ topic: `${topic}/a`, qos: 0, rap: true }, { subscriptionIdentifier: 2 })
        await client.unsubscribe(`${topic}/#`)
        const publisher = await broker.connect()
        await publisher.publish(`${topic}/a`, 'x', { qos: 2, retain: true })
        const packet = await client.receive()
        expect([packet.qos, packet.retain, packet.properties?.subscriptionIdentifier]).to.deep.equal([
          0,
          true,
          2,
        ])
        await publisher.publish(`${topic}/b`, 'x', { qos: 2 })
        await client.expectNothing()
      },
    )
  })
}

/** So many PUBLISH, whatever acknowledgements come between. */
const takeBesides = async (client: Peer, count: number): Promise<Received<'publish'>[]> => {
  const packets: Received<'publish'>[] = []
  while (packets.length < count) {
    const event = await client.next()
    if (event === 'closed') throw new Error('the connection was closed')
    if (event.cmd === 'publish') packets.push(event)
  }
  return packets
}

suite('5.0', 'features together, over a reconnect', {}, ({ broker, conforms }) => {
  const again = (client: Peer, properties: ConnectOptions['properties'] = {}): Promise<Peer> =>
    broker.connect({ clientId: client.clientId, clean: false, properties: { ...KEPT, ...properties } })

  conforms(
    ['MQTT-3.3.4-9', 'MQTT-4.4.0-1', 'MQTT-4.9.0-1'],
    'a smaller receive maximum holds back what is sent again, in order',
    async () => {
      const topic = fresh('t')
      const first = await broker.connect({ properties: { ...KEPT, receiveMaximum: 10 } })
      await first.subscribe(topic)
      const publisher = await broker.connect()
      for (let n = 0; n < 6; n++) await publisher.publish(topic, `${n}`, { qos: n < 4 ? 1 : 2 })
      const sent = await take(first, 6)
      await first.end()
      const second = await again(first, { receiveMaximum: 2 })
      const seen: Received<'publish'>[] = [await second.expect('publish'), await second.expect('publish')]
      await second.expectNothing()
      for (let n = 0; n < 6; n++) {
        const messageId = seen[n]?.messageId ?? 0
        if (seen[n]?.qos === 1) second.send({ cmd: 'puback', messageId })
        else {
          second.send({ cmd: 'pubrec', messageId })
          expect((await second.expect('pubrel')).messageId).to.equal(messageId)
          second.send({ cmd: 'pubcomp', messageId })
        }
        if (seen.length < 6) seen.push(await second.expect('publish'))
      }
      expect(texts(seen)).to.deep.equal(['0', '1', '2', '3', '4', '5'])
      expect(seen.map(({ messageId }) => messageId)).to.deep.equal(sent.map(({ messageId }) => messageId))
      expect(seen.every(({ dup }) => dup)).to.equal(true)
      await second.expectNothing()
    },
  )

  conforms(
    ['MQTT-4.4.0-1', 'MQTT-3.3.2-7'],
    'what is sent again names its topic, whatever aliases there were',
    async () => {
      const topic = fresh('t')
      const first = await broker.connect({ properties: { ...KEPT, topicAliasMaximum: 5 } })
      await first.subscribe(topic, { subscriptionIdentifier: 4 })
      const publisher = await broker.connect()
      for (const payload of ['one', 'two']) await publisher.publish(topic, payload, { qos: 1 })
      await take(first, 2)
      await first.end()
      const plain = await again(first)
      for (const packet of await take(plain, 2)) {
        expect([packet.topic, packet.properties?.topicAlias]).to.deep.equal([topic, undefined])
        expect(packet.properties?.subscriptionIdentifier).to.equal(4)
      }
      await plain.end()
      const aliased = await again(first, { topicAliasMaximum: 5 })
      const [one] = await take(aliased, 2)
      expect(one?.topic).to.equal(topic)
    },
  )

  conforms(
    ['MQTT-3.1.2-25', 'MQTT-4.4.0-1'],
    'what has become too large for the client is dropped, the rest comes',
    async () => {
      const topic = fresh('t')
      const first = await broker.connect({ properties: KEPT })
      await first.subscribe(topic)
      const publisher = await broker.connect()
      await publisher.publish(topic, 'x'.repeat(300), { qos: 1 })
      await publisher.publish(topic, 'small', { qos: 1 })
      await take(first, 2)
      await first.end()
      await publisher.publish(topic, 'y'.repeat(300), { qos: 2 })
      await publisher.publish(topic, 'late', { qos: 2 })
      const second = await again(first, { maximumPacketSize: 100 })
      expect((await second.receive()).payload.toString()).to.equal('small')
      expect((await second.receive()).payload.toString()).to.equal('late')
      await second.expectNothing()
      await second.end()
      await (await again(first)).expectNothing()
    },
  )

  conforms(
    ['MQTT-3.1.3-7', 'MQTT-3.2.2-16', 'MQTT-3.2.2-3'],
    'a client that was given its id comes back under it',
    async () => {
      const topic = fresh('t')
      const [first, connack] = await broker.connack({ clientId: '', properties: KEPT })
      const clientId = connack.properties?.assignedClientIdentifier ?? ''
      expect(clientId).to.not.equal('')
      await first.subscribe(topic)
      await first.end()
      await (await broker.connect()).publish(topic, 'x', { qos: 1 })
      const [second, resumed] = await broker.connack({ clientId, clean: false })
      expect(resumed.sessionPresent).to.equal(true)
      expect(resumed.properties?.assignedClientIdentifier).to.equal(undefined)
      expect((await second.receive()).payload.toString()).to.equal('x')
    },
  )

  conforms(
    ['MQTT-3.1.2-23', 'MQTT-4.1.0-2'],
    'a session that is resumed without an interval ends with that connection',
    async () => {
      const first = await broker.connect({ properties: KEPT })
      await first.subscribe(fresh('t'))
      await first.end()
      const [second, resumed] = await broker.connack({ clientId: first.clientId, clean: false })
      expect(resumed.sessionPresent).to.equal(true)
      await second.end()
      const [, connack] = await broker.connack({ clientId: first.clientId, clean: false })
      expect(connack.sessionPresent).to.equal(false)
    },
  )

  conforms(
    ['MQTT-4.8.2-3', 'MQTT-4.5.0-1'],
    'a group whose members are all away keeps its messages for one of them',
    async () => {
      const topic = fresh('t')
      const members = [await broker.connect({ properties: KEPT }), await broker.connect({ properties: KEPT })]
      for (const member of members) await member.subscribe(`$share/g/${topic}`)
      for (const member of members) await member.end()
      const publisher = await broker.connect()
      for (let n = 0; n < 6; n++) await publisher.publish(topic, `${n}`, { qos: 1 })
      const seen: string[] = []
      for (const member of members) {
        const packets = await (await again(member)).drain()
        for (const packet of packets) if (packet.cmd === 'publish') seen.push(packet.payload.toString())
      }
      expect(seen.toSorted()).to.deep.equal(['0', '1', '2', '3', '4', '5'])
    },
  )
})
