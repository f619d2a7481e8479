import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import http from 'node:http'
import { expect } from 'chai'
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt'
import { attachWebSocket } from '#broker/listeners/index.ts'
import { createLogger } from '#platform/log.ts'
import { type Authority, type Identity, PemDirectory, makeAuthority } from './certificates.ts'
import { Harness, portOf } from './harness.ts'
import { eventually } from '../../patience.ts'
import { RunningBroker } from './running-broker.ts'

const SCHEMES = ['tcp', 'tls', 'ws', 'wss'] as const
type Scheme = (typeof SCHEMES)[number]
const DIALLED = { tcp: 'mqtt', tls: 'mqtts', ws: 'ws', wss: 'wss' } as const
const MOSQUITTO = { pub: 'mosquitto_pub', sub: 'mosquitto_sub' }
const hasMosquitto = spawnSync(MOSQUITTO.pub, ['--help']).error === undefined

describe('the broker behind each listener', () => {
  const files = new PemDirectory()
  let authority: Authority
  let device: Identity
  let tls: Record<string, string>
  let running: RunningBroker | null
  let clients: MqttClient[]
  let harness: Harness

  before(async () => {
    authority = await makeAuthority('cinque test CA')
    const server = await authority.server()
    device = await authority.client('device-7', [{ type: 'dns', value: 'device-7.acme.example' }])
    files.write('device.pem', device.cert)
    files.write('device.key', device.key)
    tls = {
      cert: files.write('server.pem', server.cert),
      key: files.write('server.key', server.key),
      ca: files.write('ca.pem', authority.cert),
      client_certificate: 'optional',
    }
  })
  after(() => files.remove())
  beforeEach(() => {
    running = null
    clients = []
    harness = new Harness()
  })
  afterEach(async () => {
    await Promise.all(clients.map((client) => client.endAsync(true)))
    await harness.close()
    await running?.stop()
  })

  const start = async (settings: Record<string, unknown> = {}, query = ''): Promise<RunningBroker> => {
    const listen = SCHEMES.map((scheme) => `${scheme}://127.0.0.1:0${query}`)
    return (running = await RunningBroker.start({ listen, tls, ...settings }))
  }
  const dial = async (scheme: Scheme, port: number, options: IClientOptions = {}): Promise<MqttClient> => {
    const client = mqtt.connect(`${DIALLED[scheme]}://localhost:${port}/mqtt`, {
      ca: authority.cert,
      reconnectPeriod: 0,
      connectTimeout: 5000,
      ...options,
    })
    clients.push(client)
    client.on('error', () => {})
    await new Promise<void>((resolve, reject) => {
      client.once('connect', () => resolve())
      client.once('error', reject)
      client.once('close', () => reject(new Error('closed before CONNACK')))
    })
    return client
  }
  const messages = (client: MqttClient): { topic: string; payload: Buffer }[] => {
    const got: { topic: string; payload: Buffer }[] = []
    client.on('message', (topic, payload) => got.push({ topic, payload }))
    return got
  }

  for (const scheme of SCHEMES) {
    for (const protocolVersion of [4, 5] as const)
      it(`${scheme}, version ${protocolVersion}: messages of every QoS, small and large, arrive in order`, async () => {
        const { broker } = await start()
        const subscriber = await dial(scheme, portFor(scheme), { protocolVersion })
        const got = messages(subscriber)
        await subscriber.subscribeAsync('t/#', { qos: 2 })
        const publisher = await dial(scheme, portFor(scheme), { protocolVersion })
        const sent: string[] = []
        const done: Promise<unknown>[] = []
        for (const qos of [0, 1, 2] as const)
          for (let i = 0; i < 100; i++) {
            sent.push(`t/${qos}/${i}`)
            done.push(publisher.publishAsync(`t/${qos}/${i}`, Buffer.alloc(i * 20, i), { qos }))
          }
        done.push(publisher.publishAsync('t/large', Buffer.alloc(250_000, 7), { qos: 1 }))
        await Promise.all(done)
        await eventually('all are there', () => got.length === 301)
        for (const qos of ['0', '1', '2'])
          expect(got.map((one) => one.topic).filter((topic) => topic.startsWith(`t/${qos}`))).to.deep.equal(
            sent.filter((topic) => topic.startsWith(`t/${qos}`)),
          )
        expect(got.find((one) => one.topic === 't/large')?.payload).to.deep.equal(Buffer.alloc(250_000, 7))
        await Promise.all([subscriber.endAsync(), publisher.endAsync()])
        await eventually('the broker has forgotten them', () => broker.connections.size === 0)
      })

    it(`${scheme}: a subscriber gets many retained messages also where the output limit is small`, async () => {
      await start({ limits: { output_high: 4096 } })
      const publisher = await dial(scheme, portFor(scheme))
      for (let i = 0; i < 2000; i++) publisher.publish(`r/${i}`, Buffer.alloc(1000), { retain: true })
      await publisher.publishAsync('done', '', { qos: 1 })
      const subscriber = await dial(scheme, portFor(scheme))
      const got = messages(subscriber)
      await subscriber.subscribeAsync('r/#')
      await eventually('all are there', () => got.length === 2000)
    })

    it(`${scheme}: the address behind a PROXY header is the client's`, async () => {
      const { shown } = await start({}, '?proxy=1')
      const port = await harness.proxy(
        'PROXY TCP4 192.0.2.1 198.51.100.1 4660 1883\r\n',
        true,
        portFor(scheme),
      )
      const client = await dial(scheme, port, { clientId: 'd1' })
      expect(shown.get('d1')?.remoteAddress).to.equal('192.0.2.1')
      const got = messages(client)
      await client.subscribeAsync('t', { qos: 1 })
      await client.publishAsync('t', 'hello', { qos: 1 })
      await eventually('it is there', () => got.length === 1)
    })
  }

  const portFor = (scheme: Scheme): number => running?.port(scheme) ?? 0

  for (const scheme of ['tls', 'wss'] as const)
    it(`${scheme}: the client certificate reaches the authenticator, once verified`, async () => {
      const { shown } = await start()
      await dial(scheme, portFor(scheme), { clientId: 'd1', ...device })
      expect(shown.get('d1')?.certificate).to.include({ cn: 'device-7' })
      expect(shown.get('d1')?.certificate?.sans).to.deep.equal(['device-7.acme.example'])
      await dial(scheme, portFor(scheme), { clientId: 'd2' })
      expect(shown.get('d2')).to.include({ certificate: undefined })
      const stranger = await (await makeAuthority('another CA')).client('device-7')
      const error: unknown = await dial(scheme, portFor(scheme), { clientId: 'd3', ...stranger }).catch(
        (reason: unknown) => reason,
      )
      expect(error).to.be.instanceOf(Error)
      expect(shown.has('d3')).to.equal(false)
    })

  it('a certificate reload leaves connected clients alone', async () => {
    const { broker } = await start()
    const ports = SCHEMES.map(portFor)
    const all = await Promise.all(SCHEMES.map((scheme, i) => dial(scheme, ports[i])))
    let closed = 0
    for (const client of all) client.on('close', () => closed++)
    const renewed = await authority.server('renewed')
    files.write('server.pem', renewed.cert)
    files.write('server.key', renewed.key)
    broker.reload()
    for (const client of all) await client.publishAsync('t', 'x', { qos: 1 })
    await dial('tls', portFor('tls'))
    expect(closed).to.equal(0)
  })

  it('a drain tells MQTT 5 clients on every listener why it ends', async () => {
    const { broker } = await start()
    const reasons: (number | undefined)[] = []
    for (const scheme of SCHEMES) {
      const client = await dial(scheme, portFor(scheme), { protocolVersion: 5 })
      client.on('disconnect', (packet) => reasons.push(packet.reasonCode))
    }
    await broker.drain()
    await eventually('all are told', () => reasons.length === SCHEMES.length)
    expect(reasons).to.deep.equal([0x8b, 0x8b, 0x8b, 0x8b])
  })

  describe('admission', () => {
    const refusal = async (options: IClientOptions = {}): Promise<number> => {
      const error: unknown = await dial('tcp', portFor('tcp'), { protocolVersion: 5, ...options }).catch(
        (reason: unknown) => reason,
      )
      return error instanceof Error && 'code' in error ? Number(error.code) : -1
    }

    it('answers 0x88 beyond max_connections, of all listeners together', async () => {
      await start({ limits: { max_connections: 2 } })
      await dial('tcp', portFor('tcp'))
      const second = await dial('ws', portFor('ws'))
      expect(await refusal()).to.equal(0x88)
      await second.endAsync()
      await eventually('there is room', () => running?.broker.connections.size === 1)
      await dial('tcp', portFor('tcp'))
    })

    it('answers 0x9F beyond connect_rate', async () => {
      await start({ limits: { connect_rate: 1, connect_burst: 3 } })
      const codes: number[] = []
      for (let i = 0; i < 6; i++) codes.push(await refusal())
      expect(codes.slice(0, 3)).to.deep.equal([-1, -1, -1])
      expect(codes).to.include(0x9f)
    })

    it('answers 0x8A to a client that flaps, and to a banned address', async () => {
      const { broker } = await start({ limits: { flapping_count: 2 } })
      const codes: number[] = []
      for (let i = 0; i < 3; i++) codes.push(await refusal({ clientId: 'flaps' }))
      expect(codes).to.deep.equal([-1, -1, 0x8a])
      expect(await refusal({ clientId: 'other' })).to.equal(-1)
      broker.admission.ban({ kind: 'address', org: '', value: '127.0.0.1' }, 60, 'test')
      expect(await refusal({ clientId: 'another' })).to.equal(0x8a)
    })
  })

  it('the port of an HTTP server carries MQTT beside the API', async () => {
    const { broker } = await start()
    const server = http.createServer((_request, response) => response.end('API'))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const detach = attachWebSocket(
      server,
      '/mqtt',
      (stream, info, head) => broker.accept(stream, info, head),
      { log: createLogger({ level: 'silent' }) },
    )
    const client = mqtt.connect(`ws://127.0.0.1:${portOf(server)}/mqtt`, { reconnectPeriod: 0 })
    clients.push(client)
    const got = messages(client)
    await client.subscribeAsync('t', { qos: 1 })
    await client.publishAsync('t', 'hello', { qos: 1 })
    await eventually('it is there', () => got.length === 1)
    detach()
    server.close()
  })

  if (hasMosquitto)
    it("serves mosquitto's own clients over TCP and TLS with a client certificate", async () => {
      const { shown } = await start({ tls: { ...tls, client_certificate: 'required' } })
      const common = ['-h', 'localhost', '-V', 'mqttv5', '-q', '1', '-t', 'm/t']
      const identity = ['--cert', `${files.path}/device.pem`, '--key', `${files.path}/device.key`]
      const secure = [...identity, '--cafile', tls['ca'], '-p', String(portFor('tls'))]
      const subscriber = spawn(MOSQUITTO.sub, [...common, ...secure, '-i', 'sub', '-C', '1', '-W', '10'])
      let output = ''
      subscriber.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
      const ended = once(subscriber, 'close')
      await eventually('it has subscribed', () => subscriptions(running) === 1)
      const publisher = spawn(MOSQUITTO.pub, [...common, '-p', String(portFor('tcp')), '-m', 'hello'])
      const [code] = await once(publisher, 'close')
      expect(code).to.equal(0)
      await ended
      expect(output).to.equal('hello\n')
      expect(shown.get('sub')?.certificate?.cn).to.equal('device-7')
    })
})

function subscriptions(running: RunningBroker | null): number {
  return Number(/^cinque_mqtt_subscriptions (\d+)$/m.exec(running?.metrics.render() ?? '')?.[1] ?? 0)
}
