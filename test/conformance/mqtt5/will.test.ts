import { expect } from 'chai'
import type { IConnectPacket } from 'mqtt-packet'
import { concat, connectBytes, props, str, u32 } from '../harness/bytes.ts'
import { elapse, fresh } from '../harness/fresh.ts'
import { suite } from '../harness/suite.ts'

type Will = NonNullable<IConnectPacket['will']>

suite('5.0', '3.1.2.5 will', {}, ({ broker, conforms }) => {
  const watch = async (topic: string) => {
    const watcher = await broker.connect()
    await watcher.subscribe({ topic, qos: 2, rap: true })
    return watcher
  }

  const withWill = (topic: string, more: Partial<Will> = {}, sessionExpiryInterval = 0) =>
    broker.connect({
      will: { topic, payload: Buffer.from('gone'), ...more },
      properties: { sessionExpiryInterval },
    })

  conforms(['MQTT-3.1.2-7', 'MQTT-3.1.2-8'], 'the will is published when the connection breaks', async () => {
    const topic = fresh('t')
    const watcher = await watch(topic)
    const client = await withWill(topic, { qos: 1 })
    await watcher.expectNothing()
    client.reset()
    const packet = await watcher.receive()
    expect(packet.payload.toString()).to.equal('gone')
    expect(packet.qos).to.equal(1)
  })

  conforms(['MQTT-3.1.2-8'], 'the will is published when the client closes without DISCONNECT', async () => {
    const topic = fresh('t')
    const watcher = await watch(topic)
    const client = await withWill(topic, { qos: 2 })
    client.destroy()
    expect((await watcher.receive()).qos).to.equal(2)
  })

  conforms(['MQTT-3.1.2-8'], 'the will is published after a protocol error', async () => {
    const topic = fresh('t')
    const watcher = await watch(topic)
    const client = await withWill(topic)
    client.sendConnect()
    await client.expectRefused([0x82])
    expect((await watcher.receive()).payload.toString()).to.equal('gone')
  })

  conforms(
    ['MQTT-3.1.2-8', 'MQTT-3.1.2-10'],
    'the will is published after DISCONNECT 0x04, once',
    async () => {
      const topic = fresh('t')
      const watcher = await watch(topic)
      const client = await withWill(topic)
      await client.end({ cmd: 'disconnect', reasonCode: 0x04 })
      expect((await watcher.receive()).payload.toString()).to.equal('gone')
      await (await broker.connect({ clientId: client.clientId })).end()
      await watcher.expectNothing()
    },
  )

  conforms(['MQTT-3.1.2-10', 'MQTT-3.14.4-3'], 'DISCONNECT 0x00 discards the will', async () => {
    const topic = fresh('t')
    const watcher = await watch(topic)
    const client = await withWill(topic)
    await client.end()
    // Nor does it come when the session is taken up again and broken off.
    const again = await broker.connect({ clientId: client.clientId, clean: false })
    again.destroy()
    const marker = await withWill(topic, { payload: Buffer.from('marker') })
    marker.destroy()
    expect((await watcher.receive()).payload.toString()).to.equal('marker')
  })

  conforms(['MQTT-3.1.2-8'], 'the will of a connection that is taken over is published', async () => {
    const topic = fresh('t')
    const watcher = await watch(topic)
    const older = await withWill(topic)
    await broker.connect({ clientId: older.clientId })
    expect((await watcher.receive()).payload.toString()).to.equal('gone')
  })

  conforms(['MQTT-3.1.2-14'], 'a will without retain is not retained', async () => {
    const topic = fresh('t')
    const watcher = await watch(topic)
    const client = await withWill(topic, { retain: false })
    client.destroy()
    expect((await watcher.receive()).retain).to.equal(false)
    await (await watch(topic)).expectNothing()
  })

  conforms(['MQTT-3.1.2-15'], 'a will with retain is retained', async () => {
    const topic = fresh('t')
    const watcher = await watch(topic)
    const client = await withWill(topic, { retain: true })
    client.destroy()
    expect((await watcher.receive()).retain).to.equal(true)
    const late = await (await watch(topic)).receive()
    expect([late.retain, late.payload.toString()]).to.deep.equal([true, 'gone'])
  })

  conforms(
    ['MQTT-3.1.3-10', 'MQTT-3.1.2-7'],
    'the will carries its properties, user properties in order',
    async () => {
      const topic = fresh('t')
      const watcher = await watch(topic)
      const user = concat([0x26], str('b'), str('1'), [0x26], str('a'), str('2'), [0x26], str('b'), str('1'))
      const client = await broker.open()
      client.send(
        connectBytes(5, {
          flags: 0x06,
          payload: [
            str(fresh('c')),
            props([0x01, 1], [0x03], str('text/plain'), [0x08], str('reply/to'), [0x09], str('id'), user),
            str(topic),
            str('gone'),
          ],
        }),
      )
      await client.expect('connack')
      client.destroy()
      const packet = await watcher.receive()
      expect(packet.properties?.payloadFormatIndicator).to.equal(true)
      expect(packet.properties?.contentType).to.equal('text/plain')
      expect(packet.properties?.responseTopic).to.equal('reply/to')
      expect(packet.properties?.correlationData?.toString()).to.equal('id')
      expect(packet.frame.includes(user)).to.equal(true)
    },
  )

  conforms(['MQTT-3.1.2-8'], 'an empty will is delivered', async () => {
    const topic = fresh('t')
    const watcher = await watch(topic)
    const client = await broker.open()
    client.send(connectBytes(5, { flags: 0x06, payload: [str(fresh('c')), props(), str(topic), str('')] }))
    await client.expect('connack')
    client.destroy()
    expect((await watcher.receive()).payload.length).to.equal(0)
  })
})

suite('5.0', '3.1.3.2.2 will delay', { together: true }, ({ broker, conforms }) => {
  const watch = async (topic: string) => {
    const watcher = await broker.connect()
    await watcher.subscribe(topic)
    return watcher
  }

  const withDelay = (topic: string, willDelayInterval: number, sessionExpiryInterval: number) =>
    broker.connect({
      will: { topic, payload: Buffer.from('gone'), properties: { willDelayInterval } },
      properties: { sessionExpiryInterval },
    })

  conforms(['MQTT-3.1.2-8'], 'the will waits for its delay', async () => {
    const topic = fresh('t')
    const watcher = await watch(topic)
    const client = await withDelay(topic, 2, 60)
    client.destroy()
    await elapse(500)
    await watcher.expectNothing()
    expect((await watcher.receive()).payload.toString()).to.equal('gone')
  })

  conforms(
    ['MQTT-3.1.3-9'],
    'a client that is back within the delay keeps its will unpublished',
    async () => {
      const topic = fresh('t')
      const watcher = await watch(topic)
      const client = await withDelay(topic, 1, 60)
      client.destroy()
      const again = await broker.connect({
        clientId: client.clientId,
        clean: false,
        properties: { sessionExpiryInterval: 60 },
      })
      await elapse(2_500)
      await watcher.expectNothing()
      await again.expectNothing()
    },
  )

  conforms(['MQTT-3.1.2-8'], 'the end of the session ends the delay', async () => {
    const topic = fresh('t')
    const watcher = await watch(topic)
    const client = await withDelay(topic, 3_600, 0)
    client.destroy()
    expect((await watcher.receive()).payload.toString()).to.equal('gone')
  })

  conforms(['MQTT-3.1.2-8'], 'the expiry of the session ends the delay', async () => {
    const topic = fresh('t')
    const watcher = await watch(topic)
    const client = await withDelay(topic, 3_600, 1)
    client.destroy()
    expect((await watcher.receive()).payload.toString()).to.equal('gone')
  })

  conforms(['MQTT-3.1.2-8'], 'a clean start ends the session and so the delay', async () => {
    const topic = fresh('t')
    const watcher = await watch(topic)
    const client = await withDelay(topic, 3_600, 3_600)
    client.destroy()
    await broker.connect({ clientId: client.clientId, clean: true })
    expect((await watcher.receive()).payload.toString()).to.equal('gone')
  })

  conforms(['MQTT-3.1.2-10', 'MQTT-3.14.4-3'], 'DISCONNECT 0x00 discards a delayed will', async () => {
    const topic = fresh('t')
    const watcher = await watch(topic)
    const client = await withDelay(topic, 1, 60)
    await client.end()
    await elapse(2_000)
    await watcher.expectNothing()
  })

  conforms(['MQTT-3.3.2-6'], 'the expiry of a will counts from its publication', async () => {
    const topic = fresh('t')
    const watcher = await watch(topic)
    const client = await broker.open()
    client.send(
      connectBytes(5, {
        flags: 0x06,
        properties: props([0x11], u32(60)),
        payload: [str(fresh('c')), props([0x18], u32(2), [0x02], u32(100)), str(topic), str('gone')],
      }),
    )
    await client.expect('connack')
    client.destroy()
    expect((await watcher.receive()).properties?.messageExpiryInterval).to.be.oneOf([99, 100])
  })
})
