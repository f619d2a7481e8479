import { expect } from 'chai'
import { frame, props, str, u16 } from '../harness/bytes.ts'
import { fresh } from '../harness/fresh.ts'
import { suite } from '../harness/suite.ts'

const KEPT = { sessionExpiryInterval: 60 }

suite('5.0', '3.4 PUBACK, 3.5 PUBREC, 3.6 PUBREL, 3.7 PUBCOMP', {}, ({ broker, conforms }) => {
  conforms(['MQTT-3.6.1-1'], 'PUBREL with other flags ends the connection', async () => {
    for (const first of [0x60, 0x61, 0x63, 0x6a]) {
      const client = await broker.connect()
      client.sendPublish(fresh('t'), 'x', { qos: 2, messageId: 1 })
      await client.expect('pubrec')
      client.send(frame(first, u16(1)))
      await client.expectRefused([0x81])
    }
  })

  conforms(['MQTT-3.6.2-1', 'MQTT-4.3.3-4'], 'PUBREC is answered by PUBREL with its identifier', async () => {
    const topic = fresh('t')
    const client = await broker.connect()
    await client.subscribe(topic)
    await (await broker.connect()).publish(topic, 'x', { qos: 2 })
    const { messageId = 0 } = await client.expect('publish')
    client.send({ cmd: 'pubrec', messageId })
    const pubrel = await client.expect('pubrel')
    expect([pubrel.messageId, pubrel.reasonCode]).to.deep.equal([messageId, 0])
  })

  conforms(['MQTT-3.6.2-1'], 'PUBREC for an unknown identifier is answered by PUBREL', async () => {
    const client = await broker.connect()
    client.send({ cmd: 'pubrec', messageId: 4711 })
    const pubrel = await client.expect('pubrel')
    expect(pubrel.messageId).to.equal(4711)
    expect(pubrel.reasonCode).to.be.oneOf([0x00, 0x92])
  })

  conforms(
    ['MQTT-3.7.2-1', 'MQTT-4.3.3-11'],
    'PUBREL for an unknown identifier is answered by PUBCOMP',
    async () => {
      const client = await broker.connect()
      client.send({ cmd: 'pubrel', messageId: 4711 })
      const pubcomp = await client.expect('pubcomp')
      expect(pubcomp.messageId).to.equal(4711)
      expect(pubcomp.reasonCode).to.be.oneOf([0x00, 0x92])
    },
  )

  conforms(['MQTT-3.7.2-1'], 'PUBREL again is answered again', async () => {
    const client = await broker.connect()
    await client.publish(fresh('t'), 'x', { qos: 2, messageId: 7 })
    client.send({ cmd: 'pubrel', messageId: 7 })
    const pubcomp = await client.expect('pubcomp')
    expect(pubcomp.reasonCode).to.be.oneOf([0x00, 0x92])
  })

  conforms(['MQTT-4.13.1-1'], 'acknowledgements for nothing do no harm', async () => {
    const client = await broker.connect()
    client.send({ cmd: 'puback', messageId: 4711 }, { cmd: 'pubcomp', messageId: 4711 })
    await client.expectNothing()
  })

  conforms(
    ['MQTT-3.4.2-1', 'MQTT-4.3.2-3'],
    'acknowledgements in long form, with reason and properties, are taken',
    async () => {
      const topic = fresh('t')
      const client = await broker.connect({ properties: { receiveMaximum: 1 } })
      await client.subscribe(topic)
      const publisher = await broker.connect()
      for (let n = 0; n < 4; n++) await publisher.publish(topic, `${n}`, { qos: 1 })
      const explained = props([0x1f], str('why'), [0x26], str('a'), str('b'))
      for (const rest of [
        Buffer.alloc(0),
        Buffer.from([0x10]),
        Buffer.from([0x00, 0x00]),
        Buffer.concat([Buffer.from([0x10]), explained]),
      ]) {
        const { messageId = 0 } = await client.expect('publish')
        client.send(frame(0x40, u16(messageId), rest))
      }
      await client.expectNothing()
    },
  )

  conforms(['MQTT-4.13.1-1'], 'malformed acknowledgements end the connection', async () => {
    for (const bytes of [
      frame(0x40),
      frame(0x40, [0]),
      frame(0x50, [0]),
      frame(0x62, [0]),
      frame(0x70, [0]),
      frame(0x40, u16(1), [0x00], props([0x01, 1])),
      frame(0x40, u16(1), [0x00], [0x05, 0x1f]),
      frame(0x62, u16(1), [0x00], props([0x1f], str('a'), [0x1f], str('b'))),
    ]) {
      const client = await broker.connect()
      client.send(bytes)
      await client.expectRefused([0x81, 0x82])
    }
  })

  conforms(['MQTT-4.4.0-2'], 'a PUBACK of 0x80 and above ends the delivery', async () => {
    const topic = fresh('t')
    const first = await broker.connect({ properties: KEPT })
    await first.subscribe(topic)
    const publisher = await broker.connect()
    await publisher.publish(topic, 'one', { qos: 1 })
    await publisher.publish(topic, 'two', { qos: 2 })
    const one = await first.expect('publish')
    const two = await first.expect('publish')
    first.send({ cmd: 'puback', messageId: one.messageId ?? 0, reasonCode: 0x83 })
    first.send({ cmd: 'pubrec', messageId: two.messageId ?? 0, reasonCode: 0x83 })
    await first.expectNothing()
    await first.end()
    const [second, connack] = await broker.connack({ clientId: first.clientId, clean: false })
    expect(connack.sessionPresent).to.equal(true)
    await second.expectNothing()
  })

  conforms(
    ['MQTT-4.3.3-5', 'MQTT-4.3.3-6', 'MQTT-4.4.0-1'],
    'a PUBREL without PUBCOMP comes again on reconnect, the PUBLISH does not',
    async () => {
      const topic = fresh('t')
      const first = await broker.connect({ properties: KEPT })
      await first.subscribe(topic)
      await (await broker.connect()).publish(topic, 'x', { qos: 2 })
      const { messageId = 0 } = await first.expect('publish')
      first.send({ cmd: 'pubrec', messageId })
      await first.expect('pubrel')
      first.destroy()
      const second = await broker.connect({ clientId: first.clientId, clean: false, properties: KEPT })
      expect((await second.expect('pubrel')).messageId).to.equal(messageId)
      second.send({ cmd: 'pubcomp', messageId })
      await second.expectNothing()
      await second.end()
      await (await broker.connect({ clientId: first.clientId, clean: false })).expectNothing()
    },
  )

  conforms(['MQTT-4.4.0-1', 'MQTT-4.3.2-3'], 'nothing is sent again while the connection lasts', async () => {
    const topic = fresh('t')
    const client = await broker.connect()
    await client.subscribe(topic)
    await (await broker.connect()).publish(topic, 'x', { qos: 1 })
    await client.expect('publish')
    for (let n = 0; n < 3; n++) await client.expectNothing()
  })
})
