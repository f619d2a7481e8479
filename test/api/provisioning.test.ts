import { expect } from 'chai'
import type { Acl, Principal } from '#platform/auth/principal.ts'
import { type Answer, expectProblem, startTestApi, type TestApi } from './fixture.ts'

const nonce = 'Nonce-of-a-device-0001'

describe('REST and MQTT: devices get their keys', () => {
  let api: TestApi

  beforeEach(async () => {
    api = await startTestApi()
    await api.ask('POST', '/v1/groups', { body: { id: 'berlin' } })
  })
  afterEach(() => api.close())

  async function newKey(body: object = {}): Promise<{ id: string; key: string }> {
    const made = await api.ask('POST', '/v1/provisioning-keys', { body: { max_uses: 2, ...body } })
    expect(made.status, made.text).to.equal(201)
    return made.body
  }

  function provision(key: string, body: object): Promise<Answer> {
    return api.ask('POST', '/v1/provision', { body, authorization: `Device ${key}` })
  }

  async function me(key: string): Promise<Answer> {
    return api.ask('GET', '/v1/devices/me', { authorization: `Device ${key}` })
  }

  async function connect(key: string): Promise<Principal> {
    const found = await api.platform.authenticator.authenticate({
      clientId: 'new',
      password: Buffer.from(key),
      remoteAddress: '',
    })
    if ('denied' in found) throw new Error(found.explanation)
    return found
  }

  it('with a provisioning key: into its group, with its labels and profile', async () => {
    const { key } = await newKey({ groups: ['berlin'], labels: { batch: '7' }, profile: 'thermo' })
    const { body } = await provision(key, { name: 'one', nonce })
    expect(body).to.include({ status: 'provisioned', organisation: 'default', name: 'one' })
    const device = await me(body.key)
    expect(device.body).to.deep.include({
      id: body.id,
      groups: ['berlin'],
      labels: { batch: '7' },
      profile: 'thermo',
    })
  })

  it('the same device again, when its answer was lost: no second device, no second use', async () => {
    const { key } = await newKey({ max_uses: 1 })
    const first = await provision(key, { name: 'one', nonce })
    const again = await provision(key, { name: 'one', nonce })
    expect(again.body.id).to.equal(first.body.id)
    const { provisioning } = api.platform
    const by = await provisioning.find(key)
    if (by === undefined) throw new Error('the key is not known')
    const together = await Promise.all([1, 2].map(() => provisioning.provision(by, { name: 'one', nonce })))
    expect(new Set(together.map((one) => one?.key)).size, 'the same answer').to.equal(1)
    const { body: keys } = await api.ask('GET', '/v1/provisioning-keys')
    expect(keys.items[0]).to.include({ uses: 1 })
    const works = together[0]?.key ?? ''
    expect((await me(works)).status).to.equal(200)
    await api.platform.lanes.durable()
    expectProblem(await provision(key, { name: 'one', nonce }), 409, 'already_provisioned')
    expect((await me(works)).status, 'nobody takes it over by the nonce').to.equal(200)
  })

  it('no longer than for a day', async () => {
    const { key } = await newKey()
    await provision(key, { name: 'one', nonce })
    api.platform.clock.time += 86_400_001
    expectProblem(await provision(key, { name: 'one', nonce }), 409, 'already_provisioned')
  })

  it('a device that was deleted does not come back by its old nonce, also not with a key that is used up', async () => {
    const { key } = await newKey({ max_uses: 1 })
    await provision(key, { name: 'one', nonce })
    await api.ask('DELETE', '/v1/devices/one')
    api.platform.clock.time += 86_400_001
    expectProblem(await provision(key, { name: 'one', nonce }), 403, 'provisioning_refused')
  })

  it('no more of them than the key allows, also at a time; and not when it has expired or is deleted', async () => {
    const { key, id } = await newKey({ max_uses: 2 })
    const many = await Promise.all(
      [1, 2, 3, 4].map((n) => provision(key, { name: `d${n}`, nonce: `${nonce}-${n}` })),
    )
    expect(many.map(({ status }) => status)).to.have.members([200, 200, 403, 403])
    const end = new Date(api.platform.clock.time + 1000).toISOString()
    const short = await newKey({ expires_at: end })
    api.platform.clock.time += 1000
    expectProblem(await provision(short.key, { name: 'late', nonce }), 403, 'provisioning_refused')
    await api.ask('DELETE', `/v1/provisioning-keys/${id}`)
    expectProblem(await provision(key, { name: 'x', nonce }), 401, 'unauthenticated')
  })

  it('with a name of their own: one that is taken costs no use, and makes nothing', async () => {
    await api.device('taken')
    const { key } = await newKey()
    expectProblem(await provision(key, { name: 'taken', nonce }), 409, 'name_taken')
    expectProblem(await provision(key, { name: 'a/b', nonce }), 400, 'invalid_field')
    expectProblem(await provision(key, { nonce }), 400, 'invalid_field')
    expectProblem(await provision(key, { name: 'x', nonce: 'short' }), 400, 'invalid_request')
    const fresh = await provision(key, { name: 'fresh', nonce })
    expect(fresh.status, fresh.text).to.equal(200)
  })

  it('a provisioning key opens nothing else', async () => {
    const { key } = await newKey()
    expectProblem(await me(key), 401, 'unauthenticated')
    expectProblem(
      await api.ask('GET', '/v1/devices', { authorization: `Bearer ${key}` }),
      401,
      'unauthenticated',
    )
    const { acl, device } = await connect(key)
    expect(device).to.equal(null)
    const tried: [access: Parameters<Acl['check']>[0], name: string, allowed: boolean][] = [
      ['publish', '$cinque/provision', true],
      ['subscribe', `$cinque/provision/response/${nonce}`, true],
      ['subscribe', '$cinque/provision/response/+', false],
      ['subscribe', '$cinque/provision/response/#', false],
      ['subscribe', '$cinque/#', false],
      ['subscribe', '#', false],
      ['publish', `$cinque/provision/response/${nonce}`, false],
      ['publish', 'v1/devices/me/telemetry', false],
      ['publish', 'anything', false],
    ]
    for (const [access, name, allowed] of tried)
      expect(acl.check(access, name), `${access} ${name}`).to.equal(allowed)
    const { key: own } = await api.device('ordinary')
    const ordinary = await connect(own)
    expect(ordinary.acl.check('subscribe', `$cinque/provision/response/${nonce}`)).to.equal(false)
    expect(api.platform.conventions.sinkFor(ordinary, '$cinque/provision')).to.equal(null)
  })

  it('over MQTT, on the topic of their nonce', async () => {
    const { key } = await newKey()
    const principal = await connect(key)
    const sink = api.platform.conventions.sinkFor(principal, '$cinque/provision')
    const answered = Promise.withResolvers<{ topic: string; payload: Uint8Array; org: string }>()
    api.platform.outlet.open(async (message) => answered.resolve(message))
    const payload = Buffer.from(JSON.stringify({ name: 'mq', nonce }))
    for (const bad of ['{', '{}', '{"nonce":"x"}', JSON.stringify({ nonce, name: 5 })])
      expect(sink?.accept(Buffer.from(bad), 0)?.code, bad).to.equal('payload_format_invalid')
    expect(sink?.accept(payload, 0, 'v1/devices/other/x')?.code).to.equal('payload_format_invalid')
    expect(sink?.accept(payload, 0, `$cinque/provision/response/${nonce}`)).to.equal(undefined)
    const answer = await answered.promise
    expect(answer).to.include({ org: 'default', topic: `$cinque/provision/response/${nonce}` })
    const body = JSON.parse(Buffer.from(answer.payload).toString())
    expect(body).to.include({ nonce, status: 'provisioned', name: 'mq' })
    expect((await me(body.key)).body.name).to.equal('mq')
  })

  describe('by claim codes', () => {
    let code: string
    let key: string
    let authorization: string

    beforeEach(async () => {
      const end = new Date(api.platform.clock.time + 86_400_000).toISOString()
      const made = await api.ask('POST', '/v1/claim-codes', {
        body: { count: 3, expires_at: end, profile: 'thermo' },
      })
      expect(made.body.items).to.have.length(3)
      ;({ code, key } = made.body.items[0])
      expect(code).to.match(/^[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}$/)
      expect(made.body.items[0].qr).to.equal(`cinque:claim?code=${code.replaceAll('-', '')}`)
      const customer = await api.ask('POST', '/v1/organisations', { body: { id: 'customer' } })
      authorization = `Bearer ${customer.body.token}`
    })

    it('a person gets the device into his organisation, and it its key, whoever comes first', async () => {
      expect((await provision(key, { nonce })).body).to.deep.equal({ status: 'pending' })
      const typed = code.toLowerCase().replaceAll('-', ' ')
      const claimed = await api.ask('POST', '/v1/claims', {
        authorization,
        body: { code: typed, name: 'mine' },
      })
      expect(claimed.body).to.include({ organisation: 'customer', name: 'mine', profile: 'thermo' })
      const { body } = await provision(key, { nonce })
      expect(body).to.include({ status: 'provisioned', organisation: 'customer', id: claimed.body.id })
      expect((await me(body.key)).body.organisation).to.equal('customer')
      await api.platform.lanes.durable()
      expectProblem(await provision(key, { nonce: `${nonce}-again` }), 409, 'already_provisioned')
    })

    it('what was revoked or replaced does not come back by the key of the code, whatever its nonce', async () => {
      await api.ask('POST', '/v1/claims', { authorization, body: { code, name: 'mine' } })
      const { body } = await provision(key, { nonce })
      const keys = await api.ask('GET', '/v1/devices/mine/credentials', { authorization })
      const revoked = `/v1/devices/mine/credentials/${keys.body.items[0].id}`
      expect((await api.ask('DELETE', revoked, { authorization })).status).to.equal(204)
      expectProblem(await provision(key, { nonce: `${nonce}-2` }), 409, 'already_provisioned')
      expectProblem(await me(body.key), 401, 'unauthenticated')
      api.platform.clock.time += 86_400_001
      const replaced = await api.ask('POST', '/v1/devices/mine/key', { authorization })
      expectProblem(await provision(key, { nonce: `${nonce}-3` }), 409, 'already_provisioned')
      expect((await me(replaced.body.key)).status).to.equal(200)
    })

    it('each is for one organisation, once', async () => {
      const body = { code, name: 'mine' }
      const first = await api.ask('POST', '/v1/claims', { authorization, body })
      const again = await api.ask('POST', '/v1/claims', { authorization, body })
      expect([again.status, again.body.id]).to.deep.equal([201, first.body.id])
      expectProblem(await api.ask('POST', '/v1/claims', { body }), 404, 'claim_not_found')
    })

    it('one that was claimed already shows nothing to who was granted other groups', async () => {
      for (const id of ['mine', 'theirs']) await api.ask('POST', '/v1/groups', { body: { id } })
      const limited = async (group: string): Promise<string> => {
        const body = { name: group, role: 'developer', groups: [group] }
        return `Bearer ${(await api.ask('POST', '/v1/api-keys', { body })).body.secret}`
      }
      const claim = async (group: string): Promise<Answer> =>
        api.ask('POST', '/v1/claims', {
          authorization: await limited(group),
          body: { code, groups: [group] },
        })
      const first = await claim('mine')
      expect([first.status, (await claim('mine')).body.id], first.text).to.deep.equal([201, first.body.id])
      expectProblem(await claim('theirs'), 404, 'claim_not_found')
    })

    it('of two who claim at a time one gets it', async () => {
      const both = await Promise.all([
        api.ask('POST', '/v1/claims', { authorization, body: { code } }),
        api.ask('POST', '/v1/claims', { body: { code } }),
      ])
      expect(both.map(({ status }) => status)).to.have.members([201, 404])
    })

    it('a wrong code, an expired one and one of nobody look the same', async () => {
      const wrong = await api.ask('POST', '/v1/claims', { authorization, body: { code: 'AAAA-BBBB-CCCC' } })
      expectProblem(wrong, 404, 'claim_not_found')
      api.platform.clock.time += 86_400_001
      const late = await api.ask('POST', '/v1/claims', { authorization, body: { code } })
      expectProblem(late, 404, 'claim_not_found')
      expect(late.body.detail).to.equal(wrong.body.detail)
      expectProblem(await provision(key, { nonce }), 404, 'claim_not_found')
    })
  })

  it('keys of another organisation are neither shown nor deleted', async () => {
    const { id } = await newKey()
    const { body: other } = await api.ask('POST', '/v1/organisations', { body: { id: 'other' } })
    const authorization = `Bearer ${other.token}`
    expect((await api.ask('GET', '/v1/provisioning-keys', { authorization })).body.items).to.deep.equal([])
    expectProblem(
      await api.ask('DELETE', `/v1/provisioning-keys/${id}`, { authorization }),
      404,
      'provisioning_key_not_found',
    )
    expect((await api.ask('GET', '/v1/provisioning-keys')).body.items).to.have.length(1)
  })
})
