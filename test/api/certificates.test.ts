import 'reflect-metadata'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt'
import { Broker } from '#broker/broker.ts'
import { Control } from '#broker/cluster/control.ts'
import { brokerConfig } from '#broker/config.ts'
import { createLogger } from '#platform/log.ts'
import { make, type Made, type MakeOptions } from '../platform/pki/certificate-maker.ts'
import { expectProblem, startTestApi, type Answer, type TestApi } from './fixture.ts'

/** Good by the machine's clock, and by that of the tests. */
const lasting = { from: new Date('2020-01-01T00:00:00Z'), until: new Date('2120-01-01T00:00:00Z') }

const issue = (options: MakeOptions): Promise<Made> => make({ ...lasting, ...options })

describe('devices with certificates of an authority of their organisation', () => {
  const directory = mkdtempSync(join(tmpdir(), 'cinque-ca-'))
  let server: Made
  let root: Made
  let api: TestApi
  let broker: Broker
  let port: string
  let clients: MqttClient[]

  before(async () => {
    server = await issue({ cn: 'localhost', sans: [{ type: 'dns', value: 'localhost' }] })
    root = await issue({ cn: 'acme devices', ca: true })
    writeFileSync(join(directory, 'server.pem'), server.cert)
    writeFileSync(join(directory, 'server.key'), server.key)
  })
  after(() => rmSync(directory, { recursive: true }))

  beforeEach(async () => {
    clients = []
    api = await startTestApi()
    const { platform } = api
    const { metrics, clock, store } = platform
    const config = brokerConfig.parse({
      listen: ['tls://127.0.0.1:0'],
      sys_interval: 0,
      tls: {
        cert: join(directory, 'server.pem'),
        key: join(directory, 'server.key'),
        client_certificate: 'optional',
        organisation_authorities: true,
      },
    })
    const log = createLogger({ level: 'silent' })
    broker = new Broker({ ...platform, config, store, log, metrics, clock })
    void new Control(broker, platform)
    const [url] = await broker.start()
    ;({ port } = new URL(url))
  })
  afterEach(async () => {
    await Promise.all(clients.map((client) => client.endAsync(true)))
    await broker.drain()
    await api.close()
  })

  async function connect(shown: Made | null, options: IClientOptions = {}): Promise<MqttClient> {
    const client = mqtt.connect(`mqtts://localhost:${port}`, {
      ca: server.cert,
      clientId: `c${clients.length}`,
      reconnectPeriod: 0,
      ...(shown === null ? {} : { cert: shown.cert, key: shown.key }),
      ...options,
    })
    clients.push(client)
    client.on('error', () => undefined)
    await new Promise<void>((connected, failed) => {
      client.once('connect', () => connected())
      client.once('error', failed)
      client.once('close', () => failed(new Error('closed before CONNACK')))
    })
    return client
  }

  async function outcome(shown: Made | null, options: IClientOptions = {}): Promise<string> {
    try {
      const client = await connect(shown, options)
      const [connection] = Array.from(broker.connections).filter(
        ({ clientId }) => clientId === client.options.clientId,
      )
      return connection.principal?.device?.name ?? 'nobody'
    } catch {
      return 'refused'
    }
  }

  async function registered(ca: Made, body: object = {}, authorization?: string): Promise<Answer> {
    const who = authorization === undefined ? {} : { authorization }
    const made = await api.ask('POST', '/v1/authorities', { body: { certificate: ca.cert, ...body }, ...who })
    expect(made.status, made.text).to.equal(201)
    const path = `/v1/authorities/${made.body.id}/proof`
    const active = await api.ask('POST', path, { body: { signature: ca.sign(made.body.nonce) }, ...who })
    expect(active.body.state, active.text).to.equal('active')
    return active
  }

  const device = (cn: string, by = root): Promise<Made> => issue({ cn, by })

  it('come to be known by their first connection, which succeeds (AWS refuses it)', async () => {
    await api.ask('POST', '/v1/groups', { body: { id: 'berlin' } })
    await registered(root, { groups: ['berlin'], labels: { line: '3' }, profile: 'thermo' })
    expect(await outcome(await device('thermo-1'))).to.equal('thermo-1')
    expect((await api.ask('GET', '/v1/devices/thermo-1')).body).to.deep.include({
      groups: ['berlin'],
      labels: { line: '3' },
      profile: 'thermo',
    })
    const { body: list } = await api.ask('GET', '/v1/certificates')
    expect(list.items).to.have.length(1)
    expect(list.items[0]).to.include({ subject: 'thermo-1', revoked_at: null })
    const [entry] = (await api.ask('GET', '/v1/audit?operation=registerDevice')).body.items
    expect(entry.after).to.include({ name: 'thermo-1', fingerprint: list.items[0].fingerprint })
  })

  it('are one device when they come twice at a time, and when they come again', async () => {
    await registered(root)
    const one = await device('twice')
    const both = await Promise.all([outcome(one, { clientId: 'a' }), outcome(one, { clientId: 'b' })])
    expect(both).to.deep.equal(['twice', 'twice'])
    expect(await outcome(one)).to.equal('twice')
    expect((await api.ask('GET', '/v1/devices')).body.items).to.have.length(1)
  })

  it('thingsboard#6735: are who their CN says, or their SAN where that is wanted', async () => {
    await registered(root, { register: false })
    await api.device('by-cn')
    expect(await outcome(await device('by-cn'))).to.equal('by-cn')
    expect(await outcome(await device('unknown'))).to.equal('refused')
    const other = await issue({ cn: 'other', ca: true })
    await registered(other, { identity: 'san' })
    const san = await issue({ cn: 'by-cn', by: other, sans: [{ type: 'dns', value: 'by-san' }] })
    expect(await outcome(san)).to.equal('by-san')
  })

  it('may have another certificate when the first one ends; a certificate stays its device’s', async () => {
    await registered(root)
    const first = await device('d')
    expect(await outcome(first)).to.equal('d')
    expect(await outcome(await device('d'))).to.equal('d')
    await api.ask('PATCH', '/v1/devices/d', { body: { name: 'renamed' } })
    expect(await outcome(first)).to.equal('renamed')
    expect(await outcome(first, { username: 'somebody' })).to.equal('refused')
  })

  it('thingsboard#662 #4093: one certificate is many devices only where that was asked for', async () => {
    const one = await device('fleet')
    const made = await registered(root)
    expect(await outcome(one, { username: 'd1' })).to.equal('refused')
    await api.ask('PATCH', `/v1/authorities/${made.body.id}`, { body: { shared: true } })
    api.platform.clock.time += 10_000
    expect(await outcome(one, { username: 'd1' })).to.equal('d1')
    expect(await outcome(one, { username: 'd2' })).to.equal('d2')
    expect(await outcome(one)).to.equal('refused')
  })

  it('of nobody’s authority, a disabled one, one that is not proven: are refused', async () => {
    const one = await device('d')
    expect(await outcome(one)).to.equal('refused')
    const made = await api.ask('POST', '/v1/authorities', { body: { certificate: root.cert } })
    expect(await outcome(one)).to.equal('refused')
    const path = `/v1/authorities/${made.body.id}`
    await api.ask('POST', `${path}/proof`, { body: { signature: root.sign(made.body.nonce) } })
    expect(await outcome(one)).to.equal('d')
    await api.ask('PATCH', path, { body: { enabled: false } })
    expect(await outcome(one)).to.equal('refused')
    await api.ask('PATCH', path, { body: { enabled: true } })
    expect(await outcome(one)).to.equal('d')
    await api.ask('DELETE', path)
    expect(await outcome(one)).to.equal('refused')
  })

  it('are not those of an authority that only has the same name', async () => {
    await registered(root)
    const twin = await issue({ cn: 'acme devices', ca: true })
    expect(await outcome(await device('d', twin))).to.equal('refused')
  })

  it('are of the organisation whose key signed them, whatever the names say', async () => {
    const { body: other } = await api.ask('POST', '/v1/organisations', { body: { id: 'other' } })
    const authorization = `Bearer ${other.token}`
    const twin = await issue({ cn: 'acme devices', ca: true })
    await registered(twin, {}, authorization)
    await registered(root)
    await api.device('d')
    await connect(await device('d', twin))
    const [{ principal }] = broker.connections
    expect(principal?.org).to.equal('other')
    expect((await api.ask('GET', '/v1/certificates')).body.items).to.deep.equal([])
    const { body: theirs } = await api.ask('GET', '/v1/certificates', { authorization })
    expect(theirs.items).to.have.length(1)
    const [{ fingerprint }] = theirs.items
    await api.ask('POST', `/v1/certificates/${fingerprint}/revoke`)
    expect(broker.connections.size, 'what another organisation revokes is not revoked').to.equal(1)
    expect(await outcome(await device('d', twin), { clientId: 'again' })).to.equal('d')
  })

  it('are disconnected when their certificate is revoked, by fingerprint or by serial number', async () => {
    const made = await registered(root)
    for (const how of ['fingerprint', 'serial']) {
      const one = await device(`by-${how}`)
      const client = await connect(one)
      const { body: list } = await api.ask('GET', '/v1/certificates?revoked=false')
      const { fingerprint, serial } = list.items[0]
      const closed = new Promise<void>((gone) => client.once('close', () => gone()))
      const answer =
        how === 'serial'
          ? await api.ask('POST', `/v1/authorities/${made.body.id}/revocations`, { body: { serial } })
          : await api.ask('POST', `/v1/certificates/${fingerprint}/revoke`)
      expect(answer.status).to.equal(204)
      await closed
      expect(await outcome(one)).to.equal('refused')
      expectProblem(await api.ask('DELETE', `/v1/certificates/${fingerprint}`), 404, 'certificate_not_found')
    }
  })

  it('that were deleted do not come back by their certificate, unless somebody forgets it', async () => {
    await registered(root)
    const one = await device('d')
    expect(await outcome(one)).to.equal('d')
    await api.ask('DELETE', '/v1/devices/d')
    expect(await outcome(one)).to.equal('refused')
    const { body } = await api.ask('GET', '/v1/certificates')
    await api.ask('DELETE', `/v1/certificates/${body.items[0].fingerprint}`)
    expect(await outcome(one)).to.equal('d')
  })

  it('that are disabled are refused', async () => {
    await registered(root)
    const one = await device('d')
    expect(await outcome(one)).to.equal('d')
    await api.ask('PATCH', '/v1/devices/d', { body: { enabled: false } })
    expect(await outcome(one)).to.equal('refused')
  })

  it('keys and no certificates go on as before on the same port', async () => {
    const { key } = await api.device('plain')
    expect(await outcome(null, { username: 'plain', password: key })).to.equal('plain')
    expect(await outcome(null)).to.equal('refused')
  })

  describe('an authority', () => {
    it('is active only for who has its key: the nonce signed, or a certificate for it', async () => {
      const { body } = await api.ask('POST', '/v1/authorities', { body: { certificate: root.cert } })
      const path = `/v1/authorities/${body.id}/proof`
      const stranger = await issue({ cn: 'stranger', ca: true })
      for (const proof of [
        { signature: stranger.sign(body.nonce) },
        { signature: root.sign('another nonce') },
        { signature: 'nonsense' },
        { certificate: (await issue({ cn: body.nonce, by: stranger })).cert },
        { certificate: (await issue({ cn: 'another', by: root })).cert },
      ])
        expectProblem(await api.ask('POST', path, { body: proof }), 400, 'invalid_certificate')
      expectProblem(await api.ask('POST', path, { body: {} }), 400, 'invalid_request')
      const proof = { certificate: (await issue({ cn: body.nonce, by: root })).cert }
      expect((await api.ask('POST', path, { body: proof })).body).to.include({ state: 'active', nonce: null })
    })

    it('is of one organisation; what is none is not taken', async () => {
      await registered(root)
      const { body: other } = await api.ask('POST', '/v1/organisations', { body: { id: 'other' } })
      const authorization = `Bearer ${other.token}`
      const body = { certificate: root.cert }
      expectProblem(await api.ask('POST', '/v1/authorities', { body }), 409, 'authority_exists')
      const second = await api.ask('POST', '/v1/authorities', { body, authorization })
      const proof = { signature: root.sign(second.body.nonce) }
      const path = `/v1/authorities/${second.body.id}/proof`
      expectProblem(await api.ask('POST', path, { body: proof, authorization }), 409, 'authority_exists')
      for (const certificate of ['nonsense', (await device('d')).cert, root.cert + root.cert]) {
        const answer = await api.ask('POST', '/v1/authorities', { body: { certificate } })
        expectProblem(answer, 400, 'invalid_certificate')
      }
    })

    it('of another organisation is as if it were not', async () => {
      const { body } = await registered(root)
      const { body: other } = await api.ask('POST', '/v1/organisations', { body: { id: 'other' } })
      const authorization = `Bearer ${other.token}`
      const path = `/v1/authorities/${body.id}`
      expect((await api.ask('GET', '/v1/authorities', { authorization })).body.items).to.deep.equal([])
      const tried: [method: string, path: string, body?: object][] = [
        ['PATCH', path, { enabled: false }],
        ['DELETE', path],
        ['POST', `${path}/proof`, { signature: 'x' }],
        ['POST', `${path}/revocations`, { serial: 'AB' }],
      ]
      for (const [method, to, content] of tried)
        expectProblem(
          await api.ask(method, to, { authorization, ...(content === undefined ? {} : { body: content }) }),
          404,
          'authority_not_found',
        )
      expect(await outcome(await device('d'))).to.equal('d')
    })
  })

  it('end when their certificate does, also while connected', async () => {
    await registered(root)
    const end = new Date(Date.now() + 86_400_000)
    const short = await issue({ cn: 'short', by: root, until: end })
    const client = await connect(short)
    const closed = new Promise<void>((gone) => client.once('close', () => gone()))
    api.platform.clock.time = end.getTime() + 1
    await closed
  })

  it('are counted when they end within 7 or 30 days, and no device is named by a metric', async () => {
    await registered(root)
    const now = api.platform.clock.time
    for (const days of [3, 20, 300]) {
      const until = new Date(now + days * 86_400_000)
      await connect(await issue({ cn: `in-${days}`, by: root, until }))
    }
    await api.platform.certificateExpiry.count()
    const { text } = await api.ask('GET', '/metrics')
    const lines = text.split('\n').filter((line) => line.startsWith('cinque_certificates_expiring{'))
    expect(lines).to.deep.equal([
      'cinque_certificates_expiring{days="7"} 1',
      'cinque_certificates_expiring{days="30"} 2',
    ])
  })
})
