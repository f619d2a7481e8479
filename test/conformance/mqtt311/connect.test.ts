import { expect } from 'chai'
import { concat, connectBytes, frame, hex, str, u16 } from '../harness/bytes.ts'
import { fresh } from '../harness/fresh.ts'
import { suite } from '../harness/suite.ts'

const CLEAN = 0x02
const WILL = 0x04

suite('3.1.1', '3.1 CONNECT', {}, ({ broker, conforms }) => {
  conforms(['MQTT-3.1.4-4', 'MQTT-3.2.0-1'], 'a valid CONNECT is answered by CONNACK 0x00', async () => {
    const [client, connack] = await broker.connack()
    expect(connack.frame.toString('hex')).to.equal('20020000')
    await client.expectNothing()
  })

  conforms(['MQTT-3.1.0-1'], 'anything else than CONNECT first is closed without a word', async () => {
    for (const bytes of [
      hex('c0 00'),
      hex('e0 00'),
      frame(0x30, str(fresh('t')), 'x'),
      frame(0x82, u16(1), str('a'), [0]),
      frame(0x40, u16(1)),
    ]) {
      const client = await broker.open()
      client.send(bytes)
      await client.expectClosed()
    }
  })

  conforms(['MQTT-3.1.0-2', 'MQTT-4.8.0-1'], 'a second CONNECT ends the connection', async () => {
    const client = await broker.connect()
    client.sendConnect({ clientId: client.clientId })
    await client.expectClosed()
  })

  conforms(['MQTT-3.1.2-1'], 'another protocol name is refused', async () => {
    for (const protocol of ['MQTX', 'mqtt', '', 'MQTTX', 'HTTP']) {
      const client = await broker.open()
      client.send(connectBytes(4, { protocol, payload: [str(fresh('c'))] }))
      await client.expectRefused([0x01])
    }
  })

  conforms(
    ['MQTT-3.1.2-2', 'MQTT-3.2.2-4', 'MQTT-3.2.2-5'],
    'a protocol level that is not served gets CONNACK 0x01 and is closed',
    async () => {
      for (const level of [0, 1, 2, 6, 0x7f]) {
        const client = await broker.open()
        client.send(connectBytes(4, { level, payload: [str(fresh('c'))] }))
        expect((await client.expect('connack')).frame.toString('hex'), `level ${level}`).to.equal('20020001')
        await client.expectClosed()
      }
    },
  )

  const malformed: readonly [what: string, ids: readonly string[], bytes: () => Buffer][] = [
    ['with the reserved flag', ['MQTT-3.1.2-3'], () => plain(CLEAN | 0x01)],
    ['with a will QoS but no will', ['MQTT-3.1.2-11', 'MQTT-3.1.2-13'], () => plain(CLEAN | 0x08)],
    ['with will retain but no will', ['MQTT-3.1.2-11', 'MQTT-3.1.2-15'], () => plain(CLEAN | 0x20)],
    [
      'with will QoS 3',
      ['MQTT-3.1.2-14'],
      () => connectBytes(4, { flags: CLEAN | WILL | 0x18, payload: [str(fresh('c')), str('a'), str('x')] }),
    ],
    ['with a will flag but no will', ['MQTT-3.1.2-9'], () => plain(CLEAN | WILL)],
    [
      'with a will topic but no will message',
      ['MQTT-3.1.2-9'],
      () => connectBytes(4, { flags: CLEAN | WILL, payload: [str(fresh('c')), str('a')] }),
    ],
    [
      'with a will but no will flag',
      ['MQTT-3.1.2-11'],
      () => connectBytes(4, { payload: [str(fresh('c')), str('a'), str('x')] }),
    ],
    ['with a user name flag but no user name', ['MQTT-3.1.2-19'], () => plain(CLEAN | 0x80)],
    [
      'with a user name but no flag',
      ['MQTT-3.1.2-18'],
      () => connectBytes(4, { payload: [str(fresh('c')), str('user')] }),
    ],
    [
      'with a password flag but no password',
      ['MQTT-3.1.2-21'],
      () => connectBytes(4, { flags: CLEAN | 0xc0, payload: [str(fresh('c')), str('user')] }),
    ],
    [
      'with a password but no flag',
      ['MQTT-3.1.2-20'],
      () => connectBytes(4, { flags: CLEAN | 0x80, payload: [str(fresh('c')), str('user'), str('secret')] }),
    ],
    [
      'with a password but no user name',
      ['MQTT-3.1.2-22'],
      () => connectBytes(4, { flags: CLEAN | 0x40, payload: [str(fresh('c')), str('secret')] }),
    ],
    ['without a client id', ['MQTT-3.1.3-3', 'MQTT-3.1.3-1'], () => connectBytes(4, { payload: [] })],
    ['that is empty', ['MQTT-3.1.4-1'], () => frame(0x10)],
    ['that ends in the protocol name', ['MQTT-3.1.4-1'], () => frame(0x10, u16(4), 'MQ')],
    ['that ends in the keep-alive', ['MQTT-3.1.4-1'], () => frame(0x10, str('MQTT'), [4, 2, 0])],
    [
      'with more bytes than its fields',
      ['MQTT-3.1.4-1'],
      () => connectBytes(4, { payload: [str(fresh('c')), 'x'] }),
    ],
  ]
  for (const [what, ids, bytes] of malformed) {
    conforms(
      ids.includes('MQTT-3.1.4-1') ? ids : [...ids, 'MQTT-3.1.4-1'],
      `a CONNECT ${what} is closed without CONNACK`,
      async () => {
        const client = await broker.open()
        client.send(bytes())
        await client.expectClosed()
      },
    )
  }

  conforms(['MQTT-3.1.4-1', 'MQTT-3.2.2-6'], 'wildcards in the will topic are refused', async () => {
    for (const topic of ['a/#', '+', '']) {
      const client = await broker.open()
      client.send(connectBytes(4, { flags: CLEAN | WILL, payload: [str(fresh('c')), str(topic), str('x')] }))
      await client.expectRefused([0x05])
    }
  })

  conforms(['MQTT-3.1.3-1'], 'client id, will, user name and password come in this order', async () => {
    const topic = fresh('t')
    const watcher = await broker.connect()
    await watcher.subscribe(topic)
    const client = await broker.open()
    const fields = [str(fresh('c')), str(topic), str('gone'), str('user'), str('secret')]
    client.send(connectBytes(4, { flags: CLEAN | WILL | 0xc0, payload: fields }))
    const { returnCode } = await client.expect('connack')
    expect(returnCode).to.be.oneOf([0, 4, 5])
    client.destroy()
    if (returnCode === 0) expect((await watcher.receive()).payload.toString()).to.equal('gone')
  })

  conforms(['MQTT-3.1.3-5'], 'client ids of 1 to 23 letters and digits are accepted', async () => {
    const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'
    for (const clientId of ['a', 'Z', '0', letters.slice(0, 23), letters.slice(23, 46), letters.slice(-23)]) {
      const [, connack] = await broker.connack({ clientId })
      expect(connack.returnCode).to.equal(0)
    }
  })

  conforms(['MQTT-3.1.3-2'], 'client ids that differ in case are different clients', async () => {
    const id = fresh('c')
    const first = await broker.connect({ clientId: id })
    await broker.connect({ clientId: id.toUpperCase() })
    await first.expectNothing()
  })

  conforms(
    ['MQTT-3.1.3-6', 'MQTT-3.1.3-7'],
    'clients with an empty client id and clean session 1 do not meet each other',
    async () => {
      const first = await broker.connect({ clientId: '' })
      const second = await broker.connect({ clientId: '' })
      await first.expectNothing()
      await second.expectNothing()
    },
  )

  conforms(
    ['MQTT-3.1.3-8', 'MQTT-3.1.3-7', 'MQTT-3.2.2-4', 'MQTT-3.2.2-5'],
    'an empty client id with clean session 0 gets CONNACK 0x02 and is closed',
    async () => {
      const client = await broker.open()
      client.send(connectBytes(4, { flags: 0, payload: [str('')] }))
      const connack = await client.expect('connack')
      expect([connack.returnCode, connack.sessionPresent]).to.deep.equal([0x02, false])
      await client.expectClosed()
    },
  )

  conforms(
    ['MQTT-3.1.4-2'],
    'an older connection of the client id is closed, whatever its session',
    async () => {
      for (const clean of [true, false]) {
        const first = await broker.connect({ clean })
        const second = await broker.connect({ clientId: first.clientId, clean })
        await first.expectClosed()
        await second.expectNothing()
      }
    },
  )

  conforms(['MQTT-3.1.4-2'], 'a takeover crosses protocol versions', async () => {
    const old = await broker.connect()
    const newer = await broker.connect({ clientId: old.clientId }, 5)
    await old.expectClosed()
    const newest = await broker.connect({ clientId: old.clientId })
    await newer.expectRefused([0x8e])
    await newest.expectNothing()
  })

  conforms(['MQTT-3.1.4-2'], 'of many takeovers at once one client is left', async () => {
    const clientId = fresh('c')
    const clients = await Promise.all(Array.from({ length: 10 }, () => broker.open()))
    for (const client of clients) client.sendConnect({ clientId, clean: false })
    const last = await broker.connect({ clientId, clean: false })
    for (const client of clients) {
      const event = await client.next()
      if (event === 'closed') continue
      expect(event.cmd).to.equal('connack')
      await client.expectClosed()
    }
    await last.expectNothing()
  })

  conforms(['MQTT-3.1.4-4'], 'packets that follow CONNECT at once are processed after it', async () => {
    const topic = fresh('t')
    const client = await broker.open()
    client.send(
      concat(
        connectBytes(4, { payload: [str(fresh('c'))] }),
        frame(0x82, u16(1), str(topic), [1]),
        frame(0x32, str(topic), u16(2), 'x'),
        hex('c0 00'),
      ),
    )
    await client.expect('connack')
    await client.expect('suback')
    const rest = [await client.next(), await client.next(), await client.next()]
    const commands = rest.map((event) => (event === 'closed' ? event : event.cmd))
    expect(commands).to.have.members(['publish', 'puback', 'pingresp'])
  })

  conforms(['MQTT-3.1.4-5'], 'what follows a CONNECT that is refused is not processed', async () => {
    const topic = fresh('t')
    const watcher = await broker.connect()
    await watcher.subscribe(topic)
    for (const connect of [plain(CLEAN | 0x01), connectBytes(4, { flags: 0, payload: [str('')] })]) {
      const client = await broker.open()
      client.send(concat(connect, frame(0x30, str(topic), 'x')))
      await client.expectRefused([0x02])
    }
    await watcher.expectNothing()
  })
})

const plain = (flags: number): Buffer => connectBytes(4, { flags, payload: [str(fresh('c'))] })

suite(
  '3.1.1',
  '3.2 CONNACK for clients that are not let in',
  { set: { 'mqtt.allow_empty_client_id': false, 'mqtt.max_client_id_bytes': 23 } },
  ({ broker, conforms }) => {
    conforms(
      ['MQTT-3.1.3-9', 'MQTT-3.1.3-8', 'MQTT-3.2.2-5'],
      'client ids that the broker rejects get CONNACK 0x02 and are closed',
      async () => {
        for (const clientId of ['', 'x'.repeat(24)]) {
          const client = await broker.open()
          client.sendConnect({ clientId })
          const connack = await client.expect('connack')
          expect([connack.returnCode, connack.sessionPresent]).to.deep.equal([0x02, false])
          await client.expectClosed()
        }
      },
    )

    conforms(['MQTT-3.1.3-5'], 'the shortest ids that have to be accepted are', async () => {
      const [, connack] = await broker.connack({ clientId: 'x'.repeat(23) })
      expect(connack.returnCode).to.equal(0)
    })
  },
)

suite(
  '3.1.1',
  '3.1.3.4 user names and passwords',
  { set: { 'auth.users': '[{username: ada, password: lovelace}]' } },
  ({ broker, conforms }) => {
    conforms(
      ['MQTT-3.2.2-4', 'MQTT-3.2.2-5', 'MQTT-3.1.4-5'],
      'a wrong password gets CONNACK 0x04 or 0x05, is closed, and nothing behind it is done',
      async () => {
        const topic = fresh('t')
        const watcher = await broker.connect({ username: 'ada', password: Buffer.from('lovelace') })
        await watcher.subscribe(topic)
        const cases = [
          { flags: CLEAN | 0xc0, payload: [str('c'), str('ada'), str('wrong')] },
          { flags: CLEAN | 0xc0, payload: [str('c'), str('ada'), str('')] },
          { flags: CLEAN | 0x80, payload: [str('c'), str('ada')] },
          { flags: CLEAN | 0xc0, payload: [str('c'), str('bob'), str('lovelace')] },
        ]
        for (const part of cases) {
          const client = await broker.open()
          client.send(concat(connectBytes(4, part), frame(0x30, str(topic), 'x')))
          const connack = await client.expect('connack')
          expect(connack.returnCode).to.be.oneOf([0x04, 0x05])
          expect(connack.sessionPresent).to.equal(false)
          await client.expectClosed()
        }
        await watcher.expectNothing()
      },
    )

    conforms(['MQTT-3.1.2-19', 'MQTT-3.1.2-21', 'MQTT-3.1.4-4'], 'the right one is accepted', async () => {
      const [, connack] = await broker.connack({ username: 'ada', password: Buffer.from('lovelace') })
      expect(connack.returnCode).to.equal(0)
    })

    conforms(
      ['MQTT-3.1.4-2'],
      'a refused CONNECT does not cut off the client whose id it claims',
      async () => {
        const owner = await broker.connect({ username: 'ada', password: Buffer.from('lovelace') })
        const other = await broker.open()
        other.sendConnect({ clientId: owner.clientId, username: 'ada', password: Buffer.from('wrong') })
        await other.expectRefused([0x04, 0x05])
        await owner.expectNothing()
      },
    )
  },
)
