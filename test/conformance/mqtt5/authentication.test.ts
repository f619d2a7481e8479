import { expect } from 'chai'
import { connectBytes, props, str, u16, u32 } from '../harness/bytes.ts'
import { fresh } from '../harness/fresh.ts'
import type { Peer } from '../harness/peer.ts'
import { ScramClient } from '../harness/scram.ts'
import { suite } from '../harness/suite.ts'

const METHOD = 'SCRAM-SHA-256'
const CONTINUE = 0x18
const AGAIN = 0x19
const USERS = JSON.stringify([{ username: 'ada', password: 'lovelace' }])

suite('5.0', '4.12 enhanced authentication', { set: { 'auth.users': USERS } }, ({ broker, conforms }) => {
  const auth = (
    client: Peer,
    reasonCode: number,
    authenticationData: Buffer,
    authenticationMethod = METHOD,
  ) => client.send({ cmd: 'auth', reasonCode, properties: { authenticationMethod, authenticationData } })

  /** CONNECT with the first message; the broker's challenge is what comes next. */
  const begin = async (scram: ScramClient, maximumPacketSize = 10_000): Promise<Peer> => {
    const client = await broker.open()
    client.sendConnect({
      properties: {
        authenticationMethod: METHOD,
        authenticationData: scram.first(),
        maximumPacketSize,
        sessionExpiryInterval: 0,
      },
    })
    return client
  }

  const challenged = async (client: Peer): Promise<Buffer> => {
    const packet = await client.expect('auth')
    expect(packet.reasonCode).to.equal(CONTINUE)
    expect(packet.properties?.authenticationMethod).to.equal(METHOD)
    return packet.properties?.authenticationData ?? Buffer.alloc(0)
  }

  const authenticated = async (): Promise<Peer> => {
    const scram = new ScramClient('ada', 'lovelace')
    const client = await begin(scram)
    auth(client, CONTINUE, scram.final(await challenged(client)))
    const connack = await client.expect('connack')
    expect(connack.reasonCode).to.equal(0)
    return client
  }

  conforms(
    ['MQTT-4.12.0-2', 'MQTT-4.12.0-5', 'MQTT-3.15.2-1', 'MQTT-3.2.0-1'],
    'the broker challenges with AUTH 0x18, then accepts, and names the method each time',
    async () => {
      const scram = new ScramClient('ada', 'lovelace')
      const client = await begin(scram)
      auth(client, CONTINUE, scram.final(await challenged(client)))
      const connack = await client.expect('connack')
      expect(connack.reasonCode).to.equal(0)
      expect(connack.properties?.authenticationMethod).to.equal(METHOD)
      expect(scram.trusts(connack.properties?.authenticationData)).to.equal(true)
      expect(await client.publish(fresh('t'), 'x', { qos: 1 })).to.be.below(0x80)
    },
  )

  conforms(['MQTT-4.12.0-4', 'MQTT-3.1.4-2'], 'a wrong password is refused', async () => {
    for (const [username, password] of [
      ['ada', 'wrong'],
      ['nobody', 'lovelace'],
    ] as const) {
      const scram = new ScramClient(username, password)
      const client = await begin(scram)
      const packet = await client.next()
      if (packet === 'closed') continue
      if (packet.cmd === 'auth') {
        auth(client, CONTINUE, scram.final(packet.properties?.authenticationData ?? Buffer.alloc(0)))
        await client.expectRefused([0x86, 0x87])
      } else {
        expect(packet.cmd).to.equal('connack')
        await client.expectClosed()
      }
    }
  })

  conforms(['MQTT-4.12.0-3'], 'an answer with another reason code than 0x18 is refused', async () => {
    for (const reason of [0x00, AGAIN]) {
      const scram = new ScramClient('ada', 'lovelace')
      const client = await begin(scram)
      auth(client, reason, scram.final(await challenged(client)))
      await client.expectRefused([0x81, 0x82, 0x87, 0x8c])
    }
  })

  conforms(['MQTT-4.12.0-5'], 'an answer with another method is refused', async () => {
    const scram = new ScramClient('ada', 'lovelace')
    const client = await begin(scram)
    auth(client, CONTINUE, scram.final(await challenged(client)), 'OTHER')
    await client.expectRefused([0x82, 0x87, 0x8c])
  })

  conforms(
    ['MQTT-3.1.2-30', 'MQTT-3.1.4-6'],
    'anything but AUTH before CONNACK is refused and not done',
    async () => {
      const topic = fresh('t')
      const watcher = await authenticated()
      await watcher.subscribe(topic)
      const client = await begin(new ScramClient('ada', 'lovelace'))
      await challenged(client)
      client.sendPublish(topic, 'x')
      await client.expectRefused([0x82, 0x87])
      await watcher.expectNothing()
    },
  )

  conforms(
    ['MQTT-3.15.2-2', 'MQTT-3.15.2-3'],
    'explanations do not make AUTH larger than the client takes',
    async () => {
      const scram = new ScramClient('ada', 'lovelace')
      const limit = 256
      const client = await begin(scram, limit)
      const packet = await client.expect('auth')
      expect(packet.frame.length).to.be.at.most(limit)
    },
  )

  conforms(
    ['MQTT-4.12.1-1', 'MQTT-3.15.2-1'],
    'a client can authenticate again, and goes on working',
    async () => {
      const client = await authenticated()
      const scram = new ScramClient('ada', 'lovelace')
      auth(client, AGAIN, scram.first())
      auth(client, CONTINUE, scram.final(await challenged(client)))
      const packet = await client.expect('auth')
      expect(packet.reasonCode).to.equal(0)
      expect(packet.properties?.authenticationMethod).to.equal(METHOD)
      expect(scram.trusts(packet.properties?.authenticationData)).to.equal(true)
      expect(await client.publish(fresh('t'), 'x', { qos: 1 })).to.be.below(0x80)
    },
  )

  conforms(
    ['MQTT-4.12.1-2', 'MQTT-4.13.2-1'],
    'a re-authentication that fails ends the connection',
    async () => {
      const client = await authenticated()
      const scram = new ScramClient('ada', 'wrong')
      auth(client, AGAIN, scram.first())
      auth(client, CONTINUE, scram.final(await challenged(client)))
      await client.expectRefused([0x86, 0x87])
    },
  )

  conforms(['MQTT-4.12.1-1'], 're-authentication with another method ends the connection', async () => {
    const client = await authenticated()
    auth(client, AGAIN, Buffer.from('data'), 'OTHER')
    await client.expectRefused([0x82, 0x87, 0x8c])
  })

  conforms(['MQTT-3.15.2-1'], 'AUTH with a reason code that does not exist ends the connection', async () => {
    const client = await authenticated()
    auth(client, 0x42, Buffer.from('data'))
    await client.expectRefused([0x81, 0x82])
  })
})

suite('5.0', '3.1.4 user name and password', { set: { 'auth.users': USERS } }, ({ broker, conforms }) => {
  conforms(['MQTT-3.1.4-2', 'MQTT-3.2.2-7'], 'a wrong password is refused and closed', async () => {
    const client = await broker.open()
    client.sendConnect({ username: 'ada', password: Buffer.from('wrong') })
    await client.expectRefused([0x86, 0x87])
  })

  conforms(['MQTT-3.1.2-17', 'MQTT-3.1.2-19', 'MQTT-3.1.4-5'], 'the right one is accepted', async () => {
    const [, connack] = await broker.connack({ username: 'ada', password: Buffer.from('lovelace') })
    expect(connack.reasonCode).to.equal(0)
  })

  conforms(['MQTT-3.1.3-1', 'MQTT-3.1.2-9'], 'every field at once is understood in its order', async () => {
    const topic = fresh('t')
    const watcher = await broker.connect({ username: 'ada', password: Buffer.from('lovelace') })
    await watcher.subscribe(topic)
    const client = await broker.open()
    client.send(
      connectBytes(5, {
        flags: 0xc6,
        properties: props(
          [0x11],
          u32(0),
          [0x21],
          u16(10),
          [0x27],
          u32(1000),
          [0x22],
          u16(0),
          [0x19, 0],
          [0x17, 1],
        ),
        payload: [
          str(fresh('c')),
          props([0x18], u32(0)),
          str(topic),
          str('gone'),
          str('ada'),
          str('lovelace'),
        ],
      }),
    )
    expect((await client.expect('connack')).reasonCode).to.equal(0)
    client.destroy()
    expect((await watcher.receive()).payload.toString()).to.equal('gone')
  })

  conforms(['MQTT-3.1.4-6'], 'what follows a wrong password is not processed', async () => {
    const topic = fresh('t')
    const watcher = await broker.connect({ username: 'ada', password: Buffer.from('lovelace') })
    await watcher.subscribe(topic)
    const client = await broker.open()
    client.sendConnect({ username: 'ada', password: Buffer.from('wrong') })
    client.sendPublish(topic, 'x')
    await client.expectRefused([0x86, 0x87])
    await watcher.expectNothing()
  })
})
