import { expect } from 'chai'
import { frame, hex, props, str, u16, u32 } from '../harness/bytes.ts'
import { reasonOf, type Received } from '../harness/client.ts'
import { fresh } from '../harness/fresh.ts'
import type { Peer } from '../harness/peer.ts'
import { suite } from '../harness/suite.ts'

const DISCONNECT_REASONS = [
  0x00, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8b, 0x8d, 0x8e, 0x8f, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99,
  0x9a, 0x9b, 0x9c, 0x9d, 0x9e, 0x9f, 0xa0, 0xa1, 0xa2,
]

/** Ways to make the broker end a connection. */
const OFFENCES: Readonly<Record<string, Buffer>> = {
  'a malformed packet': frame(0x36, str('t'), u16(1), props(), 'x'),
  'a protocol error': frame(0x10, str('MQTT'), [5, 2], u16(0), props(), str('a')),
  'a wildcard in a topic': frame(0x30, str('#'), props(), 'x'),
  'an invalid alias': frame(0x30, str('t'), props([0x23], u16(0)), 'x'),
  'an unknown packet': frame(0x00),
  'SUBSCRIBE without a filter': frame(0x82, u16(1), props()),
}

suite('5.0', '3.14 DISCONNECT', {}, ({ broker, conforms }) => {
  const ended = async (client: Peer): Promise<Received<'disconnect'> | undefined> => {
    const event = await client.next()
    if (event === 'closed') return undefined
    if (event.cmd !== 'disconnect') throw new Error(`got ${event.cmd}`)
    await client.expectClosed()
    return event
  }

  for (const [what, bytes] of Object.entries(OFFENCES)) {
    conforms(
      ['MQTT-3.14.2-1', 'MQTT-3.14.2-2', 'MQTT-3.14.4-1', 'MQTT-3.14.4-2', 'MQTT-4.13.1-1', 'MQTT-4.13.2-1'],
      `${what} is answered by a DISCONNECT of the table, or none, and the end`,
      async () => {
        const client = await broker.connect({ properties: { sessionExpiryInterval: 60 } })
        client.send(bytes)
        const packet = await ended(client)
        if (packet === undefined) return
        expect(reasonOf(packet)).to.be.oneOf(DISCONNECT_REASONS.slice(1))
        expect(packet.properties ?? {}).to.not.have.any.keys('sessionExpiryInterval')
      },
    )
  }

  conforms(
    ['MQTT-3.14.2-3', 'MQTT-3.14.2-4'],
    'explanations do not make DISCONNECT larger than the client takes',
    async () => {
      for (const bytes of Object.values(OFFENCES)) {
        const client = await broker.connect({ properties: { maximumPacketSize: 30 } })
        client.send(bytes)
        expect((await ended(client))?.frame.length ?? 0).to.be.at.most(30)
      }
    },
  )

  conforms(['MQTT-3.14.1-1'], 'DISCONNECT with reserved bits ends the connection as malformed', async () => {
    for (const first of [0xe1, 0xe2, 0xe8]) {
      const client = await broker.connect()
      client.send(frame(first))
      await client.expectRefused([0x81])
    }
  })

  conforms(['MQTT-3.14.4-2'], 'the broker closes after DISCONNECT, in every form', async () => {
    for (const bytes of [
      hex('e0 00'),
      hex('e0 01 00'),
      hex('e0 02 00 00'),
      frame(0xe0, [0x00], props([0x1f], str('bye'))),
    ]) {
      const client = await broker.connect()
      client.send(bytes)
      await client.expectClosed()
    }
  })

  conforms(['MQTT-3.14.4-1'], 'what follows a DISCONNECT is not processed', async () => {
    const topic = fresh('t')
    const watcher = await broker.connect()
    await watcher.subscribe(topic)
    const client = await broker.connect()
    client.send(hex('e0 00'), frame(0x30, str(topic), props(), 'x'))
    await client.expectClosed()
    await watcher.expectNothing()
  })

  conforms(
    ['MQTT-3.14.4-3', 'MQTT-3.1.2-10'],
    'DISCONNECT 0x00 in every form discards the will',
    async () => {
      const topic = fresh('t')
      const watcher = await broker.connect()
      await watcher.subscribe(topic)
      for (const bytes of [hex('e0 00'), hex('e0 01 00'), hex('e0 02 00 00')]) {
        const client = await broker.connect({ will: { topic, payload: Buffer.from('gone') } })
        client.send(bytes)
        await client.expectClosed()
      }
      await watcher.expectNothing()
    },
  )

  conforms(['MQTT-4.13.1-1'], 'a malformed DISCONNECT is no normal end: the will is published', async () => {
    const topic = fresh('t')
    const watcher = await broker.connect()
    await watcher.subscribe(topic)
    for (const bytes of [
      frame(0xe0, [0x00], props([0x01, 1])),
      frame(0xe0, [0x00], props([0x11], u32(1), [0x11], u32(1))),
      frame(0xe0, [0x00], [0x09, 0x1f]),
    ]) {
      const client = await broker.connect({
        will: { topic, payload: Buffer.from('gone') },
        properties: { sessionExpiryInterval: 0 },
      })
      client.send(bytes)
      await client.expectRefused([0x81, 0x82])
      expect((await watcher.receive()).payload.toString()).to.equal('gone')
    }
  })

  conforms(['MQTT-3.14.0-1'], 'a refused CONNECT is not followed by DISCONNECT', async () => {
    const client = await broker.open()
    client.send(frame(0x10, str('MQTT'), [5, 3], u16(0), props(), str('a')))
    const event = await client.next()
    if (event === 'closed') return
    expect(event.cmd).to.equal('connack')
    await client.expectClosed()
  })
})

suite('5.0', '3.15 AUTH without enhanced authentication', {}, ({ broker, conforms }) => {
  conforms(['MQTT-3.15.1-1'], 'AUTH with flags ends the connection as malformed', async () => {
    for (const first of [0xf1, 0xf2, 0xf8]) {
      const client = await broker.connect()
      client.send(frame(first, [0x18], props([0x15], str('m'))))
      await client.expectRefused([0x81])
    }
  })

  conforms(
    ['MQTT-4.12.0-7', 'MQTT-4.12.0-6'],
    'AUTH from a client without authentication method ends the connection',
    async () => {
      for (const reason of [0x18, 0x19]) {
        const client = await broker.connect()
        client.send({
          cmd: 'auth',
          reasonCode: reason,
          properties: { authenticationMethod: 'SCRAM-SHA-256' },
        })
        await client.expectRefused([0x82, 0x8c])
      }
    },
  )

  conforms(['MQTT-4.12.0-1'], 'an unknown authentication method is refused', async () => {
    const client = await broker.open()
    client.sendConnect({ properties: { authenticationMethod: 'X', authenticationData: Buffer.from('data') } })
    await client.expectRefused([0x8c, 0x87])
  })
})
