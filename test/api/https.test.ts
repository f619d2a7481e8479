import { once } from 'node:events'
import { request } from 'node:https'
import { connect as connectTcp } from 'node:net'
import { connect, type TLSSocket } from 'node:tls'
import { expect } from 'chai'
import mqtt from 'mqtt'
import mqttPacket from 'mqtt-packet'
import { type ApiServer, startApi } from '#api/server.ts'
import { attachWebSocket } from '#broker/listeners/index.ts'
import { createLogger } from '#platform/log.ts'
import { type Authority, PemDirectory, makeAuthority } from '../broker/listeners/certificates.ts'
import { eventually } from '../patience.ts'
import { openTestPlatform, type TestPlatform } from '../platform/telemetry/fixture.ts'
import { adminToken } from './fixture.ts'

describe('API over TLS', () => {
  const directory = new PemDirectory()
  let authority: Authority
  let platform: TestPlatform
  let api: ApiServer
  const logged: string[] = []

  async function writeCertificate(name: string): Promise<{ cert: string; key: string }> {
    const { cert, key } = await authority.server(name)
    return { cert: directory.write('server.pem', cert), key: directory.write('server.key', key) }
  }
  async function start(files: { cert: string; key: string }): Promise<ApiServer> {
    const { metrics, clock } = platform
    const destination = { write: (line: string) => void logged.push(line) }
    const log = createLogger({ level: 'info', destination })
    const at = { host: '127.0.0.1', port: 0 }
    return startApi(
      { platform, log, metrics, clock, adminToken, version: '1.2.3', checkAnswers: true },
      { ...at, https: { ...at, files: { ...files, min_version: 'TLSv1.2' } } },
    )
  }
  function port(): number {
    return Number(new URL(api.secureUrl ?? '').port)
  }
  /** Name in the certificate that a new connection sees. */
  async function shown(): Promise<string> {
    const socket = connect({ host: '127.0.0.1', port: port(), ca: authority.cert, servername: 'localhost' })
    await once(socket, 'secureConnect')
    const { subject } = socket.getPeerCertificate()
    socket.destroy()
    return String(subject.CN)
  }
  function get(path: string, socket?: TLSSocket): Promise<number> {
    return new Promise((resolve, reject) => {
      const options = { ca: authority.cert, servername: 'localhost', headers: { connection: 'keep-alive' } }
      const own = socket === undefined ? {} : { createConnection: () => socket }
      request(`https://127.0.0.1:${port()}${path}`, { ...options, ...own, agent: false }, (response) => {
        response.resume().once('end', () => resolve(response.statusCode ?? 0))
      })
        .once('error', reject)
        .end()
    })
  }

  before(async () => (authority = await makeAuthority('cinque test CA')))
  after(() => directory.remove())
  beforeEach(async () => {
    platform = await openTestPlatform()
    api = await start(await writeCertificate('first'))
  })
  afterEach(async () => {
    await api.close(500)
    await platform.close()
  })

  it('answers on a port of its own beside the plain one', async () => {
    expect(await get('/livez')).to.equal(200)
    expect((await fetch(`${api.url}/livez`)).status).to.equal(200)
    expect(new URL(api.url).port).not.to.equal(String(port()))
  })

  it('shows a renewed certificate to new connections, and goes on with open ones', async () => {
    const open = connect({ host: '127.0.0.1', port: port(), ca: authority.cert, servername: 'localhost' })
    await once(open, 'secureConnect')
    await writeCertificate('second')
    await eventually(
      () => 'the old certificate is shown',
      async () => (await shown()) === 'second',
    )
    expect(await get('/livez', open)).to.equal(200)
  })

  it('keeps its certificate while the new files are bad', async () => {
    directory.write('server.key', 'no key')
    await eventually(
      () => 'nothing is said about the bad files',
      () => logged.some((line) => line.includes('certificate.kept')),
    )
    expect(await shown()).to.equal('first')
    expect(() => api.reload()).to.throw(/^listener https:.*tls\.key .*server\.key is not a usable PEM/)
  })

  it('does not start with a certificate that is not there, and says which', async () => {
    const missing = { cert: '/nowhere/cert.pem', key: '/nowhere/key.pem' }
    const error = await start(missing).then(
      () => null,
      (reason: unknown) => reason,
    )
    expect(String(error)).to.match(/tls\.cert \/nowhere\/cert\.pem cannot be read/)
  })

  it('ends at once though somebody never ends the handshake, and counts plain HTTP sent there', async () => {
    const plain = connectTcp(port(), '127.0.0.1', () => plain.write('GET / HTTP/1.1\r\n\r\n'))
    plain.on('error', () => undefined).resume()
    await once(plain, 'close')
    expect(platform.metrics.render()).to.match(/^cinque_http_tls_failures_total 1$/m)
    const silent = connectTcp(port(), '127.0.0.1')
    await once(silent, 'connect')
    await eventually(
      () => 'the server has not accepted it',
      async () => (await connections(api)) > 0,
    )
    const gone = once(silent, 'close')
    silent.on('error', () => undefined).resume()
    await api.close(60_000)
    await gone
  })

  it('carries MQTT over WebSocket, and knows that it came by TLS', async () => {
    const protocols: string[] = []
    attachWebSocket(
      api.servers[1],
      '/mqtt',
      (stream, info) => {
        protocols.push(info.protocol)
        stream.on('error', () => undefined)
        stream.once('data', () =>
          stream.write(mqttPacket.generate({ cmd: 'connack', returnCode: 0, sessionPresent: false })),
        )
      },
      { log: createLogger({ level: 'silent' }) },
    )
    const client = await mqtt.connectAsync(`wss://localhost:${port()}/mqtt`, {
      ca: authority.cert,
      protocolVersion: 4,
      reconnectPeriod: 0,
    })
    expect(protocols).to.deep.equal(['wss'])
    await client.endAsync(true)
  })
})

function connections({ servers }: ApiServer): Promise<number> {
  return new Promise((resolve, reject) => {
    servers[1].getConnections((error, count) => (error === null ? resolve(count) : reject(error)))
  })
}
