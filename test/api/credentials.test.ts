import { expect } from 'chai'
import { expectProblem, startTestApi, type TestApi } from './fixture.ts'

describe('REST: keys of a device', () => {
  let api: TestApi
  let key: string

  beforeEach(async () => {
    api = await startTestApi()
    ;({ key } = await api.device('d'))
  })
  afterEach(() => api.close())

  async function works(one: string): Promise<boolean> {
    const mqtt = await api.platform.authenticator.authenticate({
      clientId: 'c',
      password: Buffer.from(one),
      remoteAddress: '127.0.0.1',
    })
    const http = await api.ask('GET', '/v1/devices/me', { authorization: `Device ${one}` })
    expect(http.status === 200, 'HTTP and MQTT say the same').to.equal(!('denied' in mqtt))
    return http.status === 200
  }

  const hour = 3_600_000

  it('rotate at once unless asked otherwise', async () => {
    expect(await works(key)).to.equal(true)
    const { body } = await api.ask('POST', '/v1/devices/d/key')
    expect([await works(key), await works(body.key)]).to.deep.equal([false, true])
  })

  it('rotate with an overlap in which both are good, so that no device is locked out on the way', async () => {
    const gone: unknown[] = []
    api.platform.registry.onRevoked((one) => gone.push(one))
    const { body } = await api.ask('POST', '/v1/devices/d/key?overlap=3600')
    expect([await works(key), await works(body.key)]).to.deep.equal([true, true])
    expect(gone, 'nobody is disconnected').to.deep.equal([])
    const { body: list } = await api.ask('GET', '/v1/devices/d/credentials')
    expect(list.items).to.have.length(2)
    expect(list.items[1]).to.include({
      label: 'before rotation',
      expires_at: new Date(api.platform.clock.time + hour).toISOString(),
    })
    const principal = await api.platform.authenticator.authenticate({
      clientId: 'c',
      password: Buffer.from(key),
      remoteAddress: '',
    })
    expect(principal, 'its connection ends then').to.include({ expiresAt: api.platform.clock.time + hour })
    api.platform.clock.time += hour
    expect([await works(key), await works(body.key)]).to.deep.equal([false, true])
  })

  it('may be several, each with a label, an end, and when it was last used', async () => {
    const { clock, lanes } = api.platform
    const end = new Date(clock.time + hour).toISOString()
    const made = await api.ask('POST', '/v1/devices/d/credentials', {
      body: { label: 'gateway', expires_at: end },
    })
    expect(made.status).to.equal(201)
    expect(await works(made.body.key)).to.equal(true)
    await lanes.durable()
    const { text, body } = await api.ask('GET', '/v1/devices/d/credentials')
    expect(body.items[1]).to.include({
      id: made.body.id,
      label: 'gateway',
      expires_at: end,
      last_used_at: new Date(clock.time).toISOString(),
    })
    expect(body.items[0].last_used_at).to.equal(null)
    expect(text).to.not.include(made.body.key)
    clock.time += hour
    expect(await works(made.body.key)).to.equal(false)
    expect((await api.ask('GET', '/v1/devices/d/credentials')).body.items).to.have.length(1)
  })

  it('are revoked one by one; only connections made with that one are closed', async () => {
    const { body: second } = await api.ask('POST', '/v1/devices/d/credentials', { body: {} })
    const gone: { hash?: Uint8Array | undefined }[] = []
    api.platform.registry.onRevoked((one) => gone.push(one))
    expect(await works(second.key)).to.equal(true)
    const path = `/v1/devices/d/credentials/${second.id}`
    expect((await api.ask('DELETE', path)).status).to.equal(204)
    expect([await works(key), await works(second.key)]).to.deep.equal([true, false])
    const principal = await api.platform.authenticator.authenticate({
      clientId: 'c',
      password: Buffer.from(key),
      remoteAddress: '',
    })
    expect(Buffer.from(gone[0]?.hash ?? []).toString('hex')).to.not.equal(
      'credential' in principal && principal.credential,
    )
    expectProblem(await api.ask('DELETE', path), 404, 'credential_not_found')
    const { body } = await api.ask('GET', '/v1/devices/d/credentials')
    await api.ask('DELETE', `/v1/devices/d/credentials/${body.items[0].id}`)
    expect(await works(key)).to.equal(false)
    expect((await api.ask('GET', '/v1/devices/d/credentials')).body.items).to.deep.equal([])
  })

  it('MainfluxLabs#1140: are rotated by the device itself, which keeps its old one until it has used the new one', async () => {
    const authorization = `Device ${key}`
    const { body } = await api.ask('POST', '/v1/key', { authorization })
    expect([await works(key), await works(body.key)]).to.deep.equal([true, true])
    api.platform.clock.time += hour
    expect([await works(key), await works(body.key)]).to.deep.equal([false, true])
    expectProblem(await api.ask('POST', '/v1/key'), 403, 'forbidden')
  })

  it('go with the device', async () => {
    const { body: second } = await api.ask('POST', '/v1/devices/d/credentials', { body: {} })
    expect(await works(second.key)).to.equal(true)
    await api.ask('DELETE', '/v1/devices/d')
    expect(await works(second.key)).to.equal(false)
    await api.device('d')
    expect(await works(second.key)).to.equal(false)
  })

  it('let nobody in while the device is disabled, and again when it is not', async () => {
    expect(await works(key)).to.equal(true)
    const gone: unknown[] = []
    api.platform.registry.onRevoked((one) => gone.push(one))
    await api.ask('PATCH', '/v1/devices/d', { body: { enabled: false } })
    expect(gone, 'its connections are closed').to.have.length(1)
    expect(await works(key)).to.equal(false)
    await api.ask('PATCH', '/v1/devices/d', { body: { enabled: true } })
    expect(await works(key)).to.equal(true)
  })

  it('are bounded, and end in the future', async () => {
    const body = { expires_at: '2020-01-01T00:00:00Z' }
    expectProblem(await api.ask('POST', '/v1/devices/d/credentials', { body }), 400, 'invalid_field')
    for (let i = 0; i < 16; i++) await api.ask('POST', '/v1/devices/d/credentials', { body: {} })
    expectProblem(await api.ask('POST', '/v1/devices/d/credentials', { body: {} }), 409, 'limit_reached')
    expectProblem(await api.ask('POST', '/v1/devices/d/key?overlap=9999999'), 400, 'invalid_request')
  })

  it('that have ended make room for others', async () => {
    const { clock } = api.platform
    let last = key
    for (let i = 0; i < 40; i++) {
      const { body } = await api.ask('POST', '/v1/key?overlap=60', { authorization: `Device ${last}` })
      last = body.key
      clock.time += 60_000
    }
    expect(await works(last)).to.equal(true)
    for (let i = 0; i < 16; i++) await api.ask('POST', '/v1/devices/d/key?overlap=3600')
    expectProblem(await api.ask('POST', '/v1/devices/d/key?overlap=3600'), 409, 'limit_reached')
    expect((await api.ask('POST', '/v1/devices/d/key')).status, 'at once it is always possible').to.equal(201)
  })

  it("of another organisation's device are as if they were not", async () => {
    const { body: other } = await api.ask('POST', '/v1/organisations', { body: { id: 'other' } })
    const authorization = `Bearer ${other.token}`
    const { body } = await api.ask('GET', '/v1/devices/d/credentials')
    const path = '/v1/devices/d/credentials'
    expectProblem(await api.ask('GET', path, { authorization }), 404, 'device_not_found')
    expectProblem(await api.ask('POST', path, { authorization, body: {} }), 404, 'device_not_found')
    const one = `${path}/${body.items[0].id}`
    expectProblem(await api.ask('DELETE', one, { authorization }), 404, 'device_not_found')
    expect(await works(key)).to.equal(true)
  })
})
