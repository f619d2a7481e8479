import { expect } from 'chai'
import { concat, frame, hex, str, u16 } from '../harness/bytes.ts'
import type { Received } from '../harness/client.ts'
import { fresh } from '../harness/fresh.ts'
import type { Peer } from '../harness/peer.ts'
import { suite } from '../harness/suite.ts'

const publishBytes = (first: number, topic: string, messageId: number, payload: string): Buffer =>
  frame(first, str(topic), u16(messageId), payload)

const take = async (client: Peer, count: number): Promise<Received<'publish'>[]> => {
  const packets: Received<'publish'>[] = []
  while (packets.length < count) packets.push(await client.expect('publish'))
  return packets
}

const texts = (packets: readonly Received<'publish'>[]): string[] =>
  packets.map(({ payload }) => payload.toString())

suite('3.1.1', '4.3 quality of service, the broker receives', {}, ({ broker, conforms }) => {
  conforms(['MQTT-4.3.2-2'], 'after PUBACK the identifier is a new message, DUP or not', async () => {
    const topic = fresh('t')
    const client = await broker.connect()
    await client.subscribe(topic)
    const publisher = await broker.connect()
    for (const first of [0x32, 0x3a, 0x32]) {
      publisher.send(publishBytes(first, topic, 5, 'x'))
      expect((await publisher.expect('puback')).messageId).to.equal(5)
      await client.receive()
    }
    await client.expectNothing()
  })

  conforms(
    ['MQTT-4.3.3-2', 'MQTT-2.3.1-6'],
    'until PUBREL the same QoS 2 PUBLISH is answered and delivered once',
    async () => {
      const topic = fresh('t')
      const client = await broker.connect()
      await client.subscribe(topic)
      const publisher = await broker.connect()
      for (const first of [0x34, 0x3c, 0x3c]) {
        publisher.send(publishBytes(first, topic, 9, 'x'))
        expect((await publisher.expect('pubrec')).messageId).to.equal(9)
      }
      for (let n = 0; n < 2; n++) {
        publisher.send({ cmd: 'pubrel', messageId: 9 })
        expect((await publisher.expect('pubcomp')).messageId).to.equal(9)
      }
      await client.receive()
      await client.expectNothing()
    },
  )

  conforms(['MQTT-4.3.3-2'], 'after PUBCOMP the identifier is a new message', async () => {
    const topic = fresh('t')
    const client = await broker.connect()
    await client.subscribe(topic)
    const publisher = await broker.connect()
    for (const payload of ['one', 'two']) {
      await publisher.publish(topic, payload, { qos: 2, messageId: 3 })
      expect((await client.receive()).payload.toString()).to.equal(payload)
    }
  })

  conforms(['MQTT-4.3.3-2'], 'handshakes of several messages may be mixed', async () => {
    const topic = fresh('t')
    const client = await broker.connect()
    await client.subscribe({ topic, qos: 1 })
    const publisher = await broker.connect()
    for (const id of [1, 2, 3]) publisher.send(publishBytes(0x34, topic, id, `${id}`))
    for (const id of [1, 2, 3]) expect((await publisher.expect('pubrec')).messageId).to.equal(id)
    for (const id of [3, 1, 2]) {
      publisher.send({ cmd: 'pubrel', messageId: id })
      expect((await publisher.expect('pubcomp')).messageId).to.equal(id)
    }
    expect(texts(await take(client, 3))).to.have.members(['1', '2', '3'])
    await client.expectNothing()
  })

  conforms(
    ['MQTT-4.3.3-2', 'MQTT-4.4.0-1', 'MQTT-4.1.0-1'],
    'a publisher that comes back may send its QoS 2 PUBLISH again: delivered once',
    async () => {
      const topic = fresh('t')
      const client = await broker.connect()
      await client.subscribe(topic)
      const first = await broker.connect({ clean: false })
      first.send(publishBytes(0x34, topic, 9, 'x'))
      await first.expect('pubrec')
      first.destroy()
      const second = await broker.connect({ clientId: first.clientId, clean: false })
      second.send(publishBytes(0x3c, topic, 9, 'x'))
      expect((await second.expect('pubrec')).messageId).to.equal(9)
      second.send({ cmd: 'pubrel', messageId: 9 })
      await second.expect('pubcomp')
      await client.receive()
      await client.expectNothing()
    },
  )

  conforms(
    ['MQTT-4.3.3-2', 'MQTT-4.4.0-1'],
    'a publisher that comes back may go on with PUBREL',
    async () => {
      const topic = fresh('t')
      const client = await broker.connect()
      await client.subscribe(topic)
      const first = await broker.connect({ clean: false })
      first.send(publishBytes(0x34, topic, 9, 'one'))
      await first.expect('pubrec')
      first.destroy()
      const second = await broker.connect({ clientId: first.clientId, clean: false })
      second.send({ cmd: 'pubrel', messageId: 9 })
      expect((await second.expect('pubcomp')).messageId).to.equal(9)
      await second.publish(topic, 'two', { qos: 2, messageId: 9 })
      expect(texts(await take(client, 2))).to.deep.equal(['one', 'two'])
      await client.expectNothing()
    },
  )

  conforms(['MQTT-4.1.0-2'], 'a clean session knows no identifiers of the one before', async () => {
    const topic = fresh('t')
    const client = await broker.connect()
    await client.subscribe({ topic, qos: 0 })
    const first = await broker.connect()
    first.send(publishBytes(0x34, topic, 9, 'one'))
    await first.expect('pubrec')
    first.destroy()
    const second = await broker.connect({ clientId: first.clientId })
    await second.publish(topic, 'two', { qos: 2, messageId: 9 })
    // The broker may pass a message on before its PUBREL, or after.
    const [seen] = texts(await take(client, 1))
    if (seen === 'one') expect(texts(await take(client, 1))).to.deep.equal(['two'])
    else expect(seen).to.equal('two')
    await client.expectNothing()
  })
})

suite('3.1.1', '4.3 quality of service, the broker sends', {}, ({ broker, conforms }) => {
  conforms(
    ['MQTT-4.3.2-1', 'MQTT-4.3.3-1', 'MQTT-2.3.1-4'],
    'PUBLISH, PUBREL and their identifiers come as they have to, and once while the connection lasts',
    async () => {
      const topic = fresh('t')
      const client = await broker.connect()
      await client.subscribe(topic)
      const publisher = await broker.connect()
      await publisher.publish(topic, 'one', { qos: 1 })
      const one = await client.expect('publish')
      expect([one.qos, one.dup]).to.deep.equal([1, false])
      await client.expectNothing()
      client.send({ cmd: 'puback', messageId: one.messageId ?? 0 })
      await publisher.publish(topic, 'two', { qos: 2 })
      const two = await client.expect('publish')
      expect([two.qos, two.dup]).to.deep.equal([2, false])
      await client.expectNothing()
      client.send({ cmd: 'pubrec', messageId: two.messageId ?? 0 })
      expect((await client.expect('pubrel')).frame).to.deep.equal(frame(0x62, u16(two.messageId ?? 0)))
      await client.expectNothing()
      client.send({ cmd: 'pubcomp', messageId: two.messageId ?? 0 })
      await client.expectNothing()
    },
  )

  conforms(
    ['MQTT-4.3.3-1', 'MQTT-4.4.0-1'],
    'after PUBREC only the PUBREL comes again on reconnect',
    async () => {
      const topic = fresh('t')
      const first = await broker.connect({ clean: false })
      await first.subscribe(topic)
      await (await broker.connect()).publish(topic, 'x', { qos: 2 })
      const { messageId = 0 } = await first.expect('publish')
      first.send({ cmd: 'pubrec', messageId })
      await first.expect('pubrel')
      first.destroy()
      const second = await broker.connect({ clientId: first.clientId, clean: false })
      expect((await second.expect('pubrel')).messageId).to.equal(messageId)
      second.destroy()
      const third = await broker.connect({ clientId: first.clientId, clean: false })
      expect((await third.expect('pubrel')).messageId).to.equal(messageId)
      third.send({ cmd: 'pubcomp', messageId })
      await third.expectNothing()
      await third.end()
      await (await broker.connect({ clientId: first.clientId, clean: false })).expectNothing()
    },
  )

  conforms(
    ['MQTT-4.4.0-1', 'MQTT-4.6.0-1', 'MQTT-3.3.1-1'],
    'what is unacknowledged comes again in the original order, then what waited',
    async () => {
      const topic = fresh('t')
      const first = await broker.connect({ clean: false })
      await first.subscribe(topic)
      const publisher = await broker.connect()
      for (let n = 0; n < 6; n++) await publisher.publish(topic, `${n}`, { qos: 1 })
      const sent = await take(first, 6)
      for (const n of [1, 3]) first.send({ cmd: 'puback', messageId: sent[n]?.messageId ?? 0 })
      await first.expectNothing()
      await first.end()
      await publisher.publish(topic, '6', { qos: 1 })
      const second = await broker.connect({ clientId: first.clientId, clean: false })
      const again = await take(second, 5)
      expect(texts(again)).to.deep.equal(['0', '2', '4', '5', '6'])
      expect(again.map(({ dup }) => dup)).to.deep.equal([true, true, true, true, false])
      expect(again.slice(0, 4).map(({ messageId }) => messageId)).to.deep.equal(
        [0, 2, 4, 5].map((n) => sent[n]?.messageId),
      )
      expect(new Set(again.map(({ messageId }) => messageId)).size).to.equal(5)
      for (const { messageId = 0 } of again) second.send({ cmd: 'puback', messageId })
      await second.expectNothing()
      await second.end()
      await (await broker.connect({ clientId: first.clientId, clean: false })).expectNothing()
    },
  )

  conforms(['MQTT-4.4.0-1'], 'a takeover is a reconnect', async () => {
    const topic = fresh('t')
    const first = await broker.connect({ clean: false })
    await first.subscribe(topic)
    await (await broker.connect()).publish(topic, 'x', { qos: 1 })
    const before = await first.expect('publish')
    const second = await broker.connect({ clientId: first.clientId, clean: false })
    const after = await second.receive()
    expect([after.dup, after.messageId]).to.deep.equal([true, before.messageId])
  })

  conforms(['MQTT-4.4.0-1'], 'a clean session brings nothing again', async () => {
    const topic = fresh('t')
    const first = await broker.connect({ clean: false })
    await first.subscribe(topic)
    const publisher = await broker.connect()
    await publisher.publish(topic, 'one', { qos: 1 })
    await publisher.publish(topic, 'two', { qos: 2 })
    await take(first, 2)
    first.destroy()
    const second = await broker.connect({ clientId: first.clientId, clean: true })
    await second.expectNothing()
  })

  conforms(
    ['MQTT-4.4.0-1', 'MQTT-3.1.2-4'],
    'acknowledgements for what the last connection sent are taken',
    async () => {
      const topic = fresh('t')
      const first = await broker.connect({ clean: false })
      await first.subscribe(topic)
      const publisher = await broker.connect()
      await publisher.publish(topic, 'one', { qos: 2 })
      const { messageId = 0 } = await first.expect('publish')
      first.destroy()
      const second = await broker.connect({ clientId: first.clientId, clean: false })
      await second.expect('publish')
      second.send({ cmd: 'pubrec', messageId })
      await second.expect('pubrel')
      second.send({ cmd: 'pubcomp', messageId })
      await publisher.publish(topic, 'two', { qos: 2 })
      expect((await second.receive()).payload.toString()).to.equal('two')
    },
  )
})

suite('3.1.1', '4.5 delivery, 4.6 order', {}, ({ broker, conforms }) => {
  conforms(
    ['MQTT-4.6.0-5', 'MQTT-4.6.0-6'],
    'messages of a publisher arrive in order at every QoS and at every subscriber',
    async () => {
      const topic = fresh('t')
      const subscribers = await Promise.all([0, 1, 2].map(() => broker.connect()))
      for (const [at, client] of subscribers.entries()) {
        await client.subscribe({ topic: `${topic}/+`, qos: at === 0 ? 0 : at === 1 ? 1 : 2 })
      }
      const publisher = await broker.connect()
      const sent = Array.from({ length: 18 }, (_, n) => n)
      for (const n of sent) publisher.sendPublish(`${topic}/${n % 2}`, `${n}`, { qos: 2, messageId: n + 1 })
      for (const n of sent) {
        expect((await publisher.expect('pubrec')).messageId).to.equal(n + 1)
        publisher.send({ cmd: 'pubrel', messageId: n + 1 })
      }
      for (const client of subscribers) {
        const numbers = texts(await take(client, sent.length)).map(Number)
        for (const half of [0, 1]) {
          expect(numbers.filter((n) => n % 2 === half)).to.deep.equal(sent.filter((n) => n % 2 === half))
        }
      }
    },
  )

  conforms(['MQTT-4.6.0-6'], 'acknowledgements come in the order of the messages', async () => {
    const topic = fresh('t')
    const publisher = await broker.connect()
    const waiting = await broker.connect({ clean: false })
    await waiting.subscribe(`${topic}/stored`)
    await waiting.end()
    const names = ['nobody', 'stored', 'nobody', 'stored', 'stored', 'nobody']
    for (const [at, name] of names.entries()) {
      publisher.sendPublish(`${topic}/${name}`, 'x', { qos: 1, messageId: at + 1 })
    }
    for (const at of names.keys()) expect((await publisher.expect('puback')).messageId).to.equal(at + 1)
  })

  conforms(['MQTT-4.5.0-1'], 'every subscriber, connected or away, gets its copy', async () => {
    const topic = fresh('t')
    const connected = await Promise.all([0, 1, 2].map(() => broker.connect()))
    for (const client of connected) await client.subscribe(topic)
    const away: string[] = []
    for (let n = 0; n < 3; n++) {
      const client = await broker.connect({ clean: false })
      await client.subscribe(topic)
      await client.end()
      away.push(client.clientId)
    }
    await (await broker.connect()).publish(topic, 'x', { qos: 1 })
    for (const client of connected) expect((await client.receive()).payload.toString()).to.equal('x')
    for (const clientId of away) {
      const client = await broker.connect({ clientId, clean: false })
      expect((await client.receive()).payload.toString()).to.equal('x')
      await client.expectNothing()
    }
  })

  conforms(
    ['MQTT-4.6.0-6', 'MQTT-2.3.1-4'],
    'more messages than there are identifiers pass, in order',
    async () => {
      const topic = fresh('t')
      const client = await broker.connect()
      await client.subscribe({ topic, qos: 1 })
      const publisher = await broker.connect()
      const batch = 20
      for (let start = 0; start < 70_000; start += batch) {
        const packets = Array.from({ length: batch }, (_, n) => {
          const number = start + n
          return publishBytes(0x32, topic, (number % 65_535) + 1, `${number}`)
        })
        publisher.send(concat(...packets))
        const acks: Buffer[] = []
        for (let n = 0; n < batch; n++) {
          const packet = await client.expect('publish')
          if (packet.payload.toString() !== `${start + n}`)
            throw new Error(`got ${packet.payload.toString()}`)
          acks.push(frame(0x40, u16(packet.messageId ?? 0)))
          await publisher.expect('puback')
        }
        client.send(concat(...acks))
      }
      await client.expectNothing()
    },
  )

  conforms(
    ['MQTT-4.8.0-1', 'MQTT-4.8.0-2'],
    'the end of one connection leaves the others alone',
    async () => {
      const topic = fresh('t')
      const client = await broker.connect()
      await client.subscribe(topic)
      const publisher = await broker.connect()
      for (const bytes of ['30 03 00 01 23', 'ff ff ff ff ff', '82 02 00 01']) {
        const bad = await broker.connect()
        bad.send(hex(bytes))
        await bad.expectClosed()
        await publisher.publish(topic, 'x', { qos: 1 })
        await client.receive()
      }
    },
  )
})
