import { expect } from 'chai'
import { hex } from '../harness/bytes.ts'
import type { Received } from '../harness/client.ts'
import { fresh } from '../harness/fresh.ts'
import type { Peer } from '../harness/peer.ts'
import { suite } from '../harness/suite.ts'

suite('3.1.1', '3.1.2.5 will', {}, ({ broker, conforms }) => {
  const watch = async (topic: string): Promise<Peer> => {
    const watcher = await broker.connect()
    await watcher.subscribe(topic)
    return watcher
  }

  const withWill = (topic: string, will: { qos?: 0 | 1 | 2; retain?: boolean; payload?: string } = {}) =>
    broker.connect({
      will: { topic, qos: 1, retain: false, ...will, payload: Buffer.from(will.payload ?? 'gone') },
    })

  const expectWill = async (watcher: Peer): Promise<Received<'publish'>> => {
    const packet = await watcher.receive()
    expect(packet.payload.toString()).to.equal('gone')
    return packet
  }

  conforms(['MQTT-3.1.2-8'], 'the will is published when the connection breaks', async () => {
    for (const leave of ['destroy', 'reset'] as const) {
      const topic = fresh('t')
      const watcher = await watch(topic)
      const client = await withWill(topic)
      await watcher.expectNothing()
      client[leave]()
      await expectWill(watcher)
    }
  })

  conforms(['MQTT-3.1.2-8'], 'the will is published after a protocol error', async () => {
    const topic = fresh('t')
    const watcher = await watch(topic)
    const client = await withWill(topic)
    client.send(hex('30 03 00 01 23'))
    await client.expectClosed()
    await expectWill(watcher)
  })

  conforms(
    ['MQTT-3.1.2-8', 'MQTT-3.1.4-2'],
    'the will of a connection that is taken over is published',
    async () => {
      const topic = fresh('t')
      const watcher = await watch(topic)
      const client = await withWill(topic)
      await broker.connect({ clientId: client.clientId })
      await expectWill(watcher)
    },
  )

  conforms(['MQTT-3.1.2-8'], 'each QoS of a will is kept', async () => {
    for (const qos of [0, 1, 2] as const) {
      const topic = fresh('t')
      const watcher = await watch(topic)
      ;(await withWill(topic, { qos })).destroy()
      expect((await expectWill(watcher)).qos).to.equal(qos)
    }
  })

  conforms(['MQTT-3.1.2-8'], 'a client may subscribe to its own will', async () => {
    const topic = fresh('t')
    const first = await broker.connect({
      clean: false,
      will: { topic, qos: 1, retain: false, payload: Buffer.from('gone') },
    })
    await first.subscribe(topic)
    first.destroy()
    const watcher = await watch(topic)
    const second = await broker.connect({ clientId: first.clientId, clean: false })
    await expectWill(second)
    await watcher.drain()
  })

  conforms(['MQTT-3.1.2-8'], 'an empty will is delivered', async () => {
    const topic = fresh('t')
    const watcher = await watch(topic)
    ;(await withWill(topic, { payload: '' })).destroy()
    expect((await watcher.receive()).payload.length).to.equal(0)
  })

  conforms(['MQTT-3.1.2-10', 'MQTT-3.14.4-3'], 'DISCONNECT discards the will', async () => {
    const topic = fresh('t')
    const watcher = await watch(topic)
    const client = await withWill(topic)
    await client.end()
    await broker.connect({ clientId: client.clientId })
    await watcher.expectNothing()
  })

  conforms(['MQTT-3.1.2-10'], 'a will is published once', async () => {
    const topic = fresh('t')
    const watcher = await watch(topic)
    const client = await broker.connect({
      clean: false,
      will: { topic, qos: 1, retain: false, payload: Buffer.from('gone') },
    })
    client.destroy()
    await expectWill(watcher)
    const again = await broker.connect({ clientId: client.clientId, clean: false })
    again.destroy()
    await (await broker.connect({ clientId: client.clientId, clean: false })).expectNothing()
    await watcher.expectNothing()
  })

  conforms(['MQTT-3.1.2-12'], 'without a will nothing is published', async () => {
    const topic = fresh('t')
    const watcher = await watch(`${topic}/#`)
    const first = await broker.connect({
      clean: false,
      will: { topic: `${topic}/a`, qos: 1, retain: false, payload: Buffer.from('x') },
    })
    await first.end()
    const second = await broker.connect({ clientId: first.clientId, clean: false })
    second.destroy()
    await broker.connect({ clientId: first.clientId, clean: false })
    await watcher.expectNothing()
  })

  conforms(['MQTT-3.1.2-16'], 'will retain 0: the will is not retained', async () => {
    const topic = fresh('t')
    const watcher = await watch(topic)
    ;(await withWill(topic, { retain: false })).destroy()
    expect((await expectWill(watcher)).retain).to.equal(false)
    await (await watch(topic)).expectNothing()
  })

  conforms(['MQTT-3.1.2-17'], 'will retain 1: the will is retained', async () => {
    const topic = fresh('t')
    const watcher = await watch(topic)
    ;(await withWill(topic, { retain: true })).destroy()
    expect((await expectWill(watcher)).retain).to.equal(false)
    expect((await expectWill(await watch(topic))).retain).to.equal(true)
  })

  conforms(
    ['MQTT-3.1.2-17', 'MQTT-3.3.1-10'],
    'an empty will with retain removes what was retained',
    async () => {
      const topic = fresh('t')
      await (await broker.connect()).publish(topic, 'online', { retain: true, qos: 1 })
      const watcher = await watch(topic)
      expect((await watcher.receive()).payload.toString()).to.equal('online')
      ;(await withWill(topic, { retain: true, payload: '' })).destroy()
      expect((await watcher.receive()).payload.length).to.equal(0)
      await (await watch(topic)).expectNothing()
    },
  )

  conforms(['MQTT-3.1.2-8', 'MQTT-3.1.2-5'], 'the will waits for a subscriber that is away', async () => {
    const topic = fresh('t')
    const first = await broker.connect({ clean: false })
    await first.subscribe(topic)
    await first.end()
    const watcher = await watch(topic)
    ;(await withWill(topic, { qos: 2 })).destroy()
    await expectWill(watcher)
    const second = await broker.connect({ clientId: first.clientId, clean: false })
    expect((await expectWill(second)).qos).to.equal(2)
  })
})
