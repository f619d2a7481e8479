import { expect } from 'chai'
import { concat, frame, hex, props, str, u16, u32 } from '../harness/bytes.ts'
import { elapse, fresh } from '../harness/fresh.ts'
import { suite } from '../harness/suite.ts'

const KEPT = { sessionExpiryInterval: 60 }

suite('5.0', '3.3.2.3 PUBLISH properties', {}, ({ broker, conforms }) => {
  /** Every property that is passed on, user properties in an order of their own and repeated. */
  const everything = concat(
    [0x01, 1],
    [0x03],
    str('application/json; ü'),
    [0x08],
    str('reply/to'),
    [0x09],
    str(hex('00 ff 80')),
    ...['b', 'a', 'b', 'b', ''].flatMap((name, n) => [[0x26], str(name), str(`${n % 3}`)]),
  )

  conforms(
    ['MQTT-3.3.2-4', 'MQTT-3.3.2-15', 'MQTT-3.3.2-16', 'MQTT-3.3.2-17', 'MQTT-3.3.2-18', 'MQTT-3.3.2-20'],
    'properties are passed on, user properties in order, at each QoS, retained and to those who were away',
    async () => {
      const user = everything.subarray(everything.indexOf(concat([0x26], str('b'))))
      const topic = fresh('t')
      const away = await broker.connect({ properties: KEPT })
      await away.subscribe(topic)
      await away.end()
      const client = await broker.connect()
      await client.subscribe(topic)
      const publisher = await broker.connect()
      publisher.send(frame(0x30, str(topic), props(everything), 'x'))
      publisher.send(frame(0x32, str(topic), u16(1), props(everything), 'x'))
      await publisher.expect('puback')
      publisher.send(frame(0x35, str(topic), u16(2), props(everything), 'x'))
      await publisher.expect('pubrec')
      publisher.send({ cmd: 'pubrel', messageId: 2 })
      await publisher.expect('pubcomp')
      const late = await broker.connect()
      await late.subscribe(topic)
      const back = await broker.connect({ clientId: away.clientId, clean: false })
      for (const packet of [
        await client.receive(),
        await client.receive(),
        await client.receive(),
        await late.receive(),
        await back.receive(),
      ]) {
        const { properties } = packet
        expect(properties?.payloadFormatIndicator).to.equal(true)
        expect(properties?.contentType).to.equal('application/json; ü')
        expect(properties?.responseTopic).to.equal('reply/to')
        expect(properties?.correlationData?.toString('hex')).to.equal('00ff80')
        expect(packet.frame.includes(user), 'user properties in order').to.equal(true)
      }
    },
  )

  conforms(['MQTT-3.3.2-4'], 'a payload format indicator of 0, or none, is passed on as that', async () => {
    const topic = fresh('t')
    const client = await broker.connect()
    await client.subscribe(topic)
    const publisher = await broker.connect()
    publisher.send(frame(0x30, str(topic), props([0x01, 0]), hex('ff')))
    publisher.send(frame(0x30, str(topic), props(), hex('ff')))
    expect((await client.receive()).properties?.payloadFormatIndicator ?? false).to.equal(false)
    expect((await client.receive()).properties?.payloadFormatIndicator ?? false).to.equal(false)
  })

  conforms(
    ['MQTT-3.3.2-13', 'MQTT-1.5.4-1'],
    'a response topic that is not UTF-8 ends the connection',
    async () => {
      const client = await broker.connect()
      client.send(frame(0x30, str(fresh('t')), props([0x08], str(hex('c0 af'))), 'x'))
      await client.expectRefused([0x81])
    },
  )

  conforms(['MQTT-3.3.2-14'], 'wildcards in a response topic end the connection', async () => {
    for (const topic of ['reply/#', '+/reply']) {
      const client = await broker.connect()
      client.send(frame(0x30, str(fresh('t')), props([0x08], str(topic)), 'x'))
      await client.expectRefused([0x81, 0x82, 0x90])
    }
  })

  conforms(
    ['MQTT-3.3.2-19', 'MQTT-1.5.4-1'],
    'a content type that is not UTF-8 ends the connection',
    async () => {
      const client = await broker.connect()
      client.send(frame(0x30, str(fresh('t')), props([0x03], str(hex('61 ed a0 80'))), 'x'))
      await client.expectRefused([0x81])
    },
  )

  conforms(['MQTT-4.13.1-1'], 'properties given twice end the connection', async () => {
    for (const properties of [
      props([0x02], u32(1), [0x02], u32(1)),
      props([0x03], str('a'), [0x03], str('a')),
      props([0x08], str('a'), [0x08], str('a')),
      props([0x09], str('a'), [0x09], str('a')),
      props([0x23], u16(1), [0x23], u16(1)),
    ]) {
      const client = await broker.connect()
      client.send(frame(0x30, str(fresh('t')), properties, 'x'))
      await client.expectRefused([0x81, 0x82, 0x99])
    }
  })
})

suite('5.0', '3.3.2.3.3 message expiry', { together: true }, ({ broker, conforms }) => {
  conforms(['MQTT-3.3.2-5'], 'what expires while a client is away does not come', async () => {
    const topic = fresh('t')
    const first = await broker.connect({ properties: KEPT })
    await first.subscribe(topic)
    await first.end()
    const publisher = await broker.connect()
    await publisher.publish(topic, 'short', { qos: 1, properties: { messageExpiryInterval: 1 } })
    await publisher.publish(topic, 'long', { qos: 1, properties: { messageExpiryInterval: 60 } })
    await publisher.publish(topic, 'ever', { qos: 2 })
    await elapse(2_100)
    const second = await broker.connect({ clientId: first.clientId, clean: false })
    expect((await second.receive()).payload.toString()).to.equal('long')
    expect((await second.receive()).payload.toString()).to.equal('ever')
    await second.expectNothing()
  })

  conforms(['MQTT-3.3.2-5'], 'what expires while a client owes acknowledgements does not come', async () => {
    const topic = fresh('t')
    const client = await broker.connect({ properties: { receiveMaximum: 1 } })
    await client.subscribe(topic)
    const publisher = await broker.connect()
    await publisher.publish(topic, 'first', { qos: 1 })
    await publisher.publish(topic, 'short', { qos: 1, properties: { messageExpiryInterval: 1 } })
    await publisher.publish(topic, 'ever', { qos: 1 })
    const first = await client.expect('publish')
    await elapse(2_100)
    client.send({ cmd: 'puback', messageId: first.messageId ?? 0 })
    expect((await client.receive()).payload.toString()).to.equal('ever')
  })

  conforms(['MQTT-3.3.2-5'], 'an expired retained message is gone', async () => {
    const topic = fresh('t')
    const publisher = await broker.connect()
    await publisher.publish(topic, 'x', { retain: true, properties: { messageExpiryInterval: 1 } })
    const before = await broker.connect()
    await before.subscribe(topic)
    await before.receive()
    await elapse(2_100)
    const after = await broker.connect()
    await after.subscribe(topic)
    await after.expectNothing()
  })

  conforms(['MQTT-3.3.2-6'], 'the interval is passed on less the time waited', async () => {
    const topic = fresh('t')
    const client = await broker.connect()
    await client.subscribe(topic)
    const first = await broker.connect({ properties: KEPT })
    await first.subscribe(topic)
    await first.end()
    const publisher = await broker.connect()
    await publisher.publish(topic, 'x', { qos: 1, retain: true, properties: { messageExpiryInterval: 100 } })
    expect((await client.receive()).properties?.messageExpiryInterval).to.be.within(98, 100)
    await elapse(2_100)
    const second = await broker.connect({ clientId: first.clientId, clean: false })
    expect((await second.receive()).properties?.messageExpiryInterval).to.be.within(90, 98)
    const late = await broker.connect()
    await late.subscribe(topic)
    expect((await late.receive()).properties?.messageExpiryInterval).to.be.within(90, 98)
  })

  conforms(['MQTT-3.3.2-6'], 'a message without expiry gets none', async () => {
    const topic = fresh('t')
    const client = await broker.connect()
    await client.subscribe(topic)
    await (await broker.connect()).publish(topic, 'x', { qos: 1 })
    expect((await client.receive()).properties ?? {}).to.not.have.any.keys('messageExpiryInterval')
  })
})

suite('5.0', '3.3.2.3.4 topic aliases of the client', {}, ({ broker, conforms }) => {
  const alias = (value: number, topic: string, payload: string) =>
    frame(0x30, str(topic), props([0x23], u16(value)), payload)

  conforms(
    ['MQTT-3.3.2-12', 'MQTT-3.2.2-17'],
    'every alias up to the maximum can be set, used and set anew',
    async () => {
      const topic = fresh('t')
      const client = await broker.connect()
      await client.subscribe(`${topic}/#`)
      const [publisher, connack] = await broker.connack()
      const maximum = Math.min(connack.properties?.topicAliasMaximum ?? 0, 50)
      expect(maximum).to.be.above(0)
      for (let n = 1; n <= maximum; n++) publisher.send(alias(n, `${topic}/${n}`, 'set'))
      for (let n = 1; n <= maximum; n++) publisher.send(alias(n, '', 'used'))
      publisher.send(alias(1, `${topic}/other`, 'anew'), alias(1, '', 'used'))
      for (let n = 1; n <= maximum; n++) expect((await client.receive()).topic).to.equal(`${topic}/${n}`)
      for (let n = 1; n <= maximum; n++) expect((await client.receive()).topic).to.equal(`${topic}/${n}`)
      for (let n = 0; n < 2; n++) expect((await client.receive()).topic).to.equal(`${topic}/other`)
    },
  )

  conforms(['MQTT-3.3.2-12'], "the client's alias is not passed on", async () => {
    const topic = fresh('t')
    const client = await broker.connect()
    await client.subscribe(topic)
    const publisher = await broker.connect()
    publisher.send(alias(1, topic, 'x'), alias(1, '', 'y'))
    for (let n = 0; n < 2; n++) {
      const packet = await client.receive()
      expect(packet.topic).to.equal(topic)
      expect(packet.properties ?? {}).to.not.have.any.keys('topicAlias')
    }
  })

  conforms(['MQTT-3.3.2-12'], 'an alias serves QoS 1 and 2 as well', async () => {
    const topic = fresh('t')
    const client = await broker.connect()
    await client.subscribe(topic)
    const publisher = await broker.connect()
    await publisher.publish(topic, 'x', { qos: 1, properties: { topicAlias: 1 } })
    await publisher.publish('', 'y', { qos: 2, properties: { topicAlias: 1 } })
    expect((await client.receive()).topic).to.equal(topic)
    expect((await client.receive()).topic).to.equal(topic)
  })

  conforms(['MQTT-3.3.2-7'], 'aliases end with the connection, also when the session goes on', async () => {
    const topic = fresh('t')
    const first = await broker.connect({ properties: KEPT })
    first.send(alias(1, topic, 'x'))
    await first.expectNothing()
    await first.end()
    const second = await broker.connect({ clientId: first.clientId, clean: false })
    second.send(alias(1, '', 'y'))
    await second.expectRefused([0x82, 0x94])
  })

  conforms(['MQTT-3.3.2-7'], 'aliases belong to one connection', async () => {
    const [one, other] = [await broker.connect(), await broker.connect()]
    one.send(alias(1, fresh('t'), 'x'))
    await one.expectNothing()
    other.send(alias(1, '', 'y'))
    await other.expectRefused([0x82, 0x94])
  })

  conforms(['MQTT-3.3.2-8'], 'alias 0 ends the connection', async () => {
    const client = await broker.connect()
    client.send(alias(0, fresh('t'), 'x'))
    await client.expectRefused([0x81, 0x82, 0x94])
  })

  conforms(
    ['MQTT-3.3.2-9', 'MQTT-3.2.2-17'],
    'an alias above the maximum ends the connection with 0x94',
    async () => {
      const [client, connack] = await broker.connack()
      client.send(alias((connack.properties?.topicAliasMaximum ?? 0) + 1, fresh('t'), 'x'))
      await client.expectDisconnect([0x94])
    },
  )
})
