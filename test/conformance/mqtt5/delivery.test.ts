import { expect } from 'chai'
import { elapse, fresh } from '../harness/fresh.ts'
import { suite } from '../harness/suite.ts'

const KEPT = { sessionExpiryInterval: 60 }

suite('5.0', '4.3 quality of service, 4.4 retry, 4.6 order', {}, ({ broker, conforms }) => {
  conforms(['MQTT-4.3.2-5'], 'after PUBACK the identifier is a new message, DUP or not', async () => {
    const topic = fresh('t')
    const client = await broker.connect()
    await client.subscribe({ topic, qos: 0 })
    const publisher = await broker.connect()
    await publisher.publish(topic, 'one', { qos: 1, messageId: 1 })
    await publisher.publish(topic, 'two', { qos: 1, messageId: 1, dup: true })
    expect((await client.receive()).payload.toString()).to.equal('one')
    expect((await client.receive()).payload.toString()).to.equal('two')
  })

  conforms(
    ['MQTT-4.3.3-10', 'MQTT-4.3.3-8'],
    'until PUBREL the same QoS 2 PUBLISH is answered and delivered once',
    async () => {
      const topic = fresh('t')
      const client = await broker.connect()
      await client.subscribe({ topic, qos: 0 })
      const publisher = await broker.connect()
      for (let n = 0; n < 3; n++) {
        publisher.sendPublish(topic, 'x', { qos: 2, messageId: 9, dup: n > 0 })
        expect((await publisher.expect('pubrec')).messageId).to.equal(9)
      }
      publisher.send({ cmd: 'pubrel', messageId: 9 })
      await publisher.expect('pubcomp')
      expect((await client.receive()).payload.toString()).to.equal('x')
      await client.expectNothing()
    },
  )

  conforms(
    ['MQTT-4.3.3-10', 'MQTT-4.4.0-1'],
    'a publisher that comes back may send its PUBLISH again: delivered once',
    async () => {
      const topic = fresh('t')
      const client = await broker.connect()
      await client.subscribe({ topic, qos: 0 })
      const first = await broker.connect({ properties: KEPT })
      first.sendPublish(topic, 'x', { qos: 2, messageId: 9 })
      await first.expect('pubrec')
      first.destroy()
      const second = await broker.connect({ clientId: first.clientId, clean: false, properties: KEPT })
      second.sendPublish(topic, 'x', { qos: 2, messageId: 9, dup: true })
      await second.expect('pubrec')
      second.send({ cmd: 'pubrel', messageId: 9 })
      expect((await second.expect('pubcomp')).reasonCode).to.equal(0)
      expect((await client.receive()).payload.toString()).to.equal('x')
      await client.expectNothing()
    },
  )

  conforms(['MQTT-4.3.3-12'], 'after PUBCOMP the identifier is a new message', async () => {
    const topic = fresh('t')
    const client = await broker.connect()
    await client.subscribe({ topic, qos: 0 })
    const publisher = await broker.connect()
    for (const payload of ['one', 'two'])
      await publisher.publish(topic, payload, { qos: 2, messageId: 9, dup: payload === 'two' })
    expect((await client.receive()).payload.toString()).to.equal('one')
    expect((await client.receive()).payload.toString()).to.equal('two')
  })

  conforms(
    ['MQTT-4.3.3-3', 'MQTT-4.3.2-3', 'MQTT-4.4.0-1'],
    'what was not acknowledged comes again on reconnect, in order',
    async () => {
      const topic = fresh('t')
      const first = await broker.connect({ properties: KEPT })
      await first.subscribe(topic)
      const publisher = await broker.connect()
      for (let n = 0; n < 6; n++) await publisher.publish(topic, `${n}`, { qos: n % 2 === 0 ? 1 : 2 })
      const before = []
      for (let n = 0; n < 6; n++) before.push(await first.expect('publish'))
      first.destroy()
      const second = await broker.connect({ clientId: first.clientId, clean: false, properties: KEPT })
      for (const { messageId, payload, qos } of before) {
        const packet = await second.expect('publish')
        expect([packet.messageId, packet.payload.toString(), packet.qos, packet.dup]).to.deep.equal([
          messageId,
          payload.toString(),
          qos,
          true,
        ])
      }
      await second.expectNothing()
    },
  )

  conforms(['MQTT-4.3.2-3', 'MQTT-4.4.0-1'], 'what was acknowledged does not come again', async () => {
    const topic = fresh('t')
    const first = await broker.connect({ properties: KEPT })
    await first.subscribe(topic)
    const publisher = await broker.connect()
    for (let n = 0; n < 4; n++) await publisher.publish(topic, `${n}`, { qos: 1 })
    for (let n = 0; n < 2; n++) await first.receive()
    expect(await first.drain()).to.have.length(2)
    await first.end()
    const second = await broker.connect({ clientId: first.clientId, clean: false })
    expect((await second.receive()).payload.toString()).to.equal('2')
    expect((await second.receive()).payload.toString()).to.equal('3')
    await second.expectNothing()
  })

  conforms(
    ['MQTT-4.6.0-5', 'MQTT-4.6.0-6'],
    'messages of a publisher, topic and QoS arrive in order',
    async () => {
      for (const qos of [0, 1, 2] as const) {
        const topic = fresh('t')
        const client = await broker.connect()
        await client.subscribe(topic)
        const publisher = await broker.connect()
        const count = 300
        for (let n = 0; n < count; n++) publisher.sendPublish(topic, `${n}`, { qos: 0 })
        await publisher.expectNothing()
        for (let n = 0; n < count; n++)
          expect((await client.expect('publish')).payload.toString()).to.equal(`${n}`)
        if (qos === 0) continue
        for (let n = 0; n < 20; n++) publisher.sendPublish(topic, `${n}`, { qos })
        for (let n = 0; n < 20; n++) {
          await publisher.expect(qos === 1 ? 'puback' : 'pubrec')
          if (qos === 2) publisher.send({ cmd: 'pubrel', messageId: n + 1 })
        }
        for (let n = 0; n < 20; n++) {
          const packet = await client.expect('publish')
          expect([packet.payload.toString(), packet.qos]).to.deep.equal([`${n}`, qos])
        }
      }
    },
  )

  conforms(['MQTT-4.6.0-5'], 'messages that waited come before those after, in order', async () => {
    const topic = fresh('t')
    const first = await broker.connect({ properties: KEPT })
    await first.subscribe(topic)
    await first.end()
    const publisher = await broker.connect()
    for (let n = 0; n < 50; n++) await publisher.publish(topic, `${n}`, { qos: 1 })
    const second = await broker.connect({ clientId: first.clientId, clean: false })
    for (let n = 50; n < 60; n++) await publisher.publish(topic, `${n}`, { qos: 1 })
    for (let n = 0; n < 60; n++) expect((await second.receive()).payload.toString()).to.equal(`${n}`)
  })

  conforms(['MQTT-4.5.0-1'], 'every subscriber, connected or away, gets its copy', async () => {
    const topic = fresh('t')
    const away = await broker.connect({ properties: KEPT })
    await away.subscribe(topic)
    await away.end()
    const clients = await Promise.all(Array.from({ length: 10 }, () => broker.connect()))
    for (const client of clients) await client.subscribe(topic)
    await (await broker.connect()).publish(topic, 'x', { qos: 1 })
    const back = await broker.connect({ clientId: away.clientId, clean: false })
    for (const client of [...clients, back]) {
      expect((await client.receive()).payload.toString()).to.equal('x')
      await client.expectNothing()
    }
  })
})

suite('5.0', '4.3.3 QoS 2 and message expiry', { together: true }, ({ broker, conforms }) => {
  const expiring = { qos: 2, properties: { messageExpiryInterval: 1 } } as const

  conforms(
    ['MQTT-4.3.3-7'],
    'a message that was sent does not expire: the broker goes on with it',
    async () => {
      const topic = fresh('t')
      const client = await broker.connect()
      await client.subscribe(topic)
      await (await broker.connect()).publish(topic, 'x', expiring)
      const { messageId = 0 } = await client.expect('publish')
      await elapse(2_100)
      client.send({ cmd: 'pubrec', messageId })
      expect((await client.expect('pubrel')).reasonCode).to.equal(0)
      client.send({ cmd: 'pubcomp', messageId })
      await client.expectNothing()
    },
  )

  conforms(
    ['MQTT-4.3.3-13'],
    'the publisher can finish its handshake after the message has expired',
    async () => {
      const topic = fresh('t')
      const publisher = await broker.connect()
      const messageId = publisher.sendPublish(topic, 'x', expiring)
      await publisher.expect('pubrec')
      await elapse(2_100)
      publisher.send({ cmd: 'pubrel', messageId })
      expect((await publisher.expect('pubcomp')).reasonCode).to.equal(0)
    },
  )
})

suite(
  '5.0',
  '4.3.3 a PUBLISH that is refused',
  {
    set: {
      'auth.acl':
        '[{effect: deny, access: publish, filter: "denied/#"}, {effect: allow, access: all, filter: "#"}]',
    },
  },
  ({ broker, conforms }) => {
    conforms(['MQTT-3.4.2-1', 'MQTT-3.5.2-1'], 'PUBACK and PUBREC say 0x87', async () => {
      const client = await broker.connect()
      expect(await client.publish('denied/a', 'x', { qos: 1 })).to.equal(0x87)
      expect(await client.publish('denied/a', 'x', { qos: 2 })).to.equal(0x87)
    })

    conforms(
      ['MQTT-4.3.3-9'],
      'after a PUBREC of 0x80 and above the identifier is a new message',
      async () => {
        const topic = fresh('t')
        const client = await broker.connect()
        await client.subscribe({ topic, qos: 0 })
        const publisher = await broker.connect()
        expect(await publisher.publish('denied/a', 'x', { qos: 2, messageId: 9 })).to.equal(0x87)
        expect(await publisher.publish(topic, 'y', { qos: 2, messageId: 9 })).to.equal(0)
        expect((await client.receive()).payload.toString()).to.equal('y')
      },
    )

    conforms(
      ['MQTT-3.4.2-2', 'MQTT-3.4.2-3', 'MQTT-3.5.2-2', 'MQTT-3.5.2-3'],
      'the refusal fits the client',
      async () => {
        const client = await broker.connect({ properties: { maximumPacketSize: 30 } })
        client.sendPublish('denied/a', 'x', { qos: 1 })
        expect((await client.expect('puback')).frame.length).to.be.at.most(30)
        client.sendPublish('denied/a', 'x', { qos: 2 })
        expect((await client.expect('pubrec')).frame.length).to.be.at.most(30)
      },
    )

    conforms(['MQTT-3.1.2-29'], 'a client that wants no explanation gets the bare refusal', async () => {
      const client = await broker.connect({ properties: { requestProblemInformation: false } })
      client.sendPublish('denied/a', 'x', { qos: 1 })
      expect((await client.expect('puback')).properties ?? {}).to.not.have.any.keys(
        'reasonString',
        'userProperties',
      )
    })
  },
)
