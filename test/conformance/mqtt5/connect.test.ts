import { expect } from 'chai'
import { concat, connectBytes, frame, hex, props, str, u16, u32 } from '../harness/bytes.ts'
import { fresh } from '../harness/fresh.ts'
import { suite } from '../harness/suite.ts'

const WILL = 0x04
const USER_NAME = 0x80
const PASSWORD = 0x40
const CLEAN = 0x02

/** CONNECT packets that no 3.1 allows, each with what is wrong. */
const malformed = (): Readonly<Record<string, Buffer>> => {
  const id = str(fresh('c'))
  const connect = (flags: number, ...payload: Buffer[]) => connectBytes(5, { flags, payload })
  const withProperties = (...parts: (Buffer | number[])[]) =>
    connectBytes(5, { properties: props(...parts), payload: [id] })
  return {
    'no bytes at all': frame(0x10),
    'nothing after the protocol version': frame(0x10, str('MQTT'), [5]),
    'no client id': connect(CLEAN),
    'a client id cut short': connect(CLEAN, concat(u16(9), 'abc')),
    'bytes after the payload': connect(CLEAN, id, Buffer.from('more')),
    'a will flag without a will': connect(CLEAN | WILL, id),
    'a will without payload': connect(CLEAN | WILL, id, props(), str('topic')),
    'a user name flag without user name': connect(CLEAN | USER_NAME, id),
    'a password flag without password': connect(CLEAN | USER_NAME | PASSWORD, id, str('user')),
    'a user name without its flag': connect(CLEAN, id, str('user')),
    'a password without its flag': connect(CLEAN | USER_NAME, id, str('user'), str('secret')),
    'will QoS 3': connect(CLEAN | WILL | 0x18, id, props(), str('topic'), str('x')),
    'will QoS 1 without a will': connect(CLEAN | 0x08, id),
    'will retain without a will': connect(CLEAN | 0x20, id),
    'properties longer than the packet': connectBytes(5, { properties: Buffer.from([0x7f]), payload: [id] }),
    'a property of PUBLISH': withProperties([0x23], u16(1)),
    'an unknown property': withProperties([0x7f, 1]),
    'session expiry interval twice': withProperties([0x11], u32(1), [0x11], u32(1)),
    'receive maximum 0': withProperties([0x21], u16(0)),
    'receive maximum twice': withProperties([0x21], u16(1), [0x21], u16(1)),
    'maximum packet size 0': withProperties([0x27], u32(0)),
    'topic alias maximum twice': withProperties([0x22], u16(1), [0x22], u16(1)),
    'request response information 2': withProperties([0x19, 2]),
    'request problem information 2': withProperties([0x17, 2]),
    'authentication data without a method': withProperties([0x16], str('data')),
    'a will delay among the properties of CONNECT': withProperties([0x18], u32(1)),
    'a session expiry among the properties of the will': connect(
      CLEAN | WILL,
      id,
      props([0x11], u32(1)),
      str('topic'),
      str('x'),
    ),
    'a will delay twice': connect(
      CLEAN | WILL,
      id,
      props([0x18], u32(1), [0x18], u32(1)),
      str('topic'),
      str('x'),
    ),
    'a will to a topic with a wildcard': connect(CLEAN | WILL, id, props(), str('a/#'), str('x')),
    'a will to an empty topic': connect(CLEAN | WILL, id, props(), str(''), str('x')),
  }
}

const SHOWS: Readonly<Record<string, readonly string[]>> = {
  'no client id': ['MQTT-3.1.3-3'],
  'a will flag without a will': ['MQTT-3.1.2-9'],
  'a will without payload': ['MQTT-3.1.2-9'],
  'a user name flag without user name': ['MQTT-3.1.2-17'],
  'a password flag without password': ['MQTT-3.1.2-19'],
  'a user name without its flag': ['MQTT-3.1.2-16'],
  'a password without its flag': ['MQTT-3.1.2-18'],
  'will QoS 3': ['MQTT-3.1.2-12'],
  'will QoS 1 without a will': ['MQTT-3.1.2-11'],
  'will retain without a will': ['MQTT-3.1.2-13'],
}

suite('5.0', '3.1 CONNECT', {}, ({ broker, conforms }) => {
  conforms(['MQTT-3.1.4-5', 'MQTT-4.2-1'], 'a valid CONNECT is accepted', async () => {
    const [, connack] = await broker.connack()
    expect(connack.reasonCode).to.equal(0)
  })

  conforms(
    ['MQTT-3.1.0-1', 'MQTT-3.14.0-1'],
    'anything else than CONNECT first is closed without a word',
    async () => {
      for (const bytes of [
        hex('c0 00'),
        frame(0x30, str(fresh('t')), props(), 'x'),
        frame(0x82, u16(1), props(), str('a'), [0]),
        hex('e0 00'),
        hex('f0 00'),
      ]) {
        const client = await broker.open()
        client.send(bytes)
        await client.expectClosed()
      }
    },
  )

  conforms(['MQTT-3.1.0-2', 'MQTT-3.2.0-2'], 'a second CONNECT ends the connection', async () => {
    const client = await broker.connect()
    client.sendConnect({ clientId: client.clientId })
    await client.expectRefused([0x82])
  })

  conforms(['MQTT-3.1.2-1'], 'another protocol name is refused', async () => {
    for (const protocol of ['MQTX', 'mqtt', '', 'MQTTX']) {
      const client = await broker.open()
      client.send(connectBytes(5, { protocol, payload: [str(fresh('c'))] }))
      await client.expectRefused([0x84, 0x01, 0x81, 0x82])
    }
  })

  conforms(['MQTT-3.1.2-2'], 'a protocol version that does not exist is refused', async () => {
    for (const level of [0, 6, 127]) {
      const client = await broker.open(level > 5 ? 5 : 4)
      client.send(connectBytes(5, { level, payload: [str(fresh('c'))] }))
      // 0x01 is how MQTT 3.1.1 says it.
      await client.expectRefused([0x84, 0x01])
    }
  })

  conforms(['MQTT-3.1.2-3'], 'the reserved flag is refused', async () => {
    const client = await broker.open()
    client.send(connectBytes(5, { flags: CLEAN | 0x01, payload: [str(fresh('c'))] }))
    await client.expectRefused([0x81, 0x82])
  })

  for (const [what, bytes] of Object.entries(malformed())) {
    conforms(
      ['MQTT-3.1.4-1', 'MQTT-4.13.1-1', ...(SHOWS[what] ?? [])],
      `CONNECT with ${what} is refused`,
      async () => {
        const client = await broker.open()
        client.send(bytes)
        await client.expectRefused([0x81, 0x82, 0x85, 0x90])
      },
    )
  }

  conforms(['MQTT-3.1.3-5'], 'client ids of 1 to 23 letters and digits are accepted', async () => {
    const letters = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'
    for (const clientId of ['Z', letters.slice(0, 23), letters.slice(23, 46), letters.slice(39)]) {
      const [, connack] = await broker.connack({ clientId })
      expect(connack.reasonCode).to.equal(0)
    }
  })

  conforms(
    ['MQTT-3.1.3-6', 'MQTT-3.1.3-7', 'MQTT-3.2.2-16'],
    'clients without an id are told ids of their own',
    async () => {
      const ids = new Set<string>()
      for (let n = 0; n < 5; n++) {
        const [, connack] = await broker.connack({ clientId: '' })
        ids.add(connack.properties?.assignedClientIdentifier ?? '')
      }
      expect(ids.size).to.equal(5)
      expect(ids.has('')).to.equal(false)
    },
  )

  conforms(['MQTT-3.1.3-7', 'MQTT-3.1.3-2'], 'an assigned client id is one to come back with', async () => {
    const topic = fresh('t')
    const [first, connack] = await broker.connack({ clientId: '', properties: { sessionExpiryInterval: 60 } })
    await first.subscribe(topic)
    await first.end()
    await (await broker.connect()).publish(topic, 'kept', { qos: 1 })
    const clientId = connack.properties?.assignedClientIdentifier ?? ''
    const [second, again] = await broker.connack({ clientId, clean: false })
    expect(again.sessionPresent).to.equal(true)
    expect((await second.receive()).payload.toString()).to.equal('kept')
  })

  conforms(
    ['MQTT-3.1.4-3', 'MQTT-4.13.2-1'],
    'the older connection of a client id is told and closed',
    async () => {
      const older = await broker.connect()
      const newer = await broker.connect({ clientId: older.clientId })
      await older.expectDisconnect([0x8e])
      await newer.expectNothing()
    },
  )

  conforms(['MQTT-3.1.4-6', 'MQTT-3.1.4-2'], 'what follows a rejected CONNECT is not processed', async () => {
    const topic = fresh('t')
    const watcher = await broker.connect()
    await watcher.subscribe(topic)
    const client = await broker.open()
    client.send(
      connectBytes(5, { flags: CLEAN | 0x01, payload: [str(fresh('c'))] }),
      frame(0x30, str(topic), props(), 'x'),
    )
    await client.expectRefused([0x81, 0x82])
    await watcher.expectNothing()
  })

  conforms(
    ['MQTT-3.1.4-5'],
    'a CONNECT in single bytes is accepted, and so is what follows it at once',
    async () => {
      const topic = fresh('t')
      const client = await broker.open()
      const bytes = connectBytes(5, { payload: [str(fresh('c'))] })
      for (const byte of bytes) client.send(Buffer.from([byte]))
      await client.expect('connack')
      const hasty = await broker.open()
      hasty.send(
        connectBytes(5, { payload: [str(fresh('c'))] }),
        frame(0x82, u16(1), props(), str(topic), [0]),
      )
      hasty.send(frame(0x30, str(topic), props(), 'x'))
      await hasty.expect('connack')
      await hasty.expect('suback')
      expect((await hasty.expect('publish')).topic).to.equal(topic)
    },
  )
})
