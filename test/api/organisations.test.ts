import { expect } from 'chai'
import { expectProblem, startTestApi, type TestApi } from './fixture.ts'

describe('REST: organisations, and that none sees another (G9)', () => {
  let api: TestApi
  let acme: string
  let globex: string

  before(async () => {
    api = await startTestApi()
    acme = `Bearer ${(await api.ask('POST', '/v1/organisations', { body: { id: 'acme' } })).body.token}`
    globex = `Bearer ${(await api.ask('POST', '/v1/organisations', { body: { id: 'globex' } })).body.token}`
  })
  after(() => api.close())

  it('are created with a token that is shown this once and opens only them', async () => {
    const created = await api.ask('POST', '/v1/organisations', {
      body: { id: 'initech', name: 'Initech', iotguru_user: 'U_1' },
    })
    expect(created.status).to.equal(201)
    expect(created.body).to.include({ id: 'initech', name: 'Initech', iotguru_user: 'U_1', acl: null })
    const authorization = `Bearer ${created.body.token}`
    const read = await api.ask('GET', '/v1/organisations/initech', { authorization })
    expect(read.status).to.equal(200)
    expect(read.text).to.not.include(created.body.token)
    expectProblem(
      await api.ask('GET', '/v1/organisations/acme', { authorization }),
      404,
      'organisation_not_found',
    )
    expectProblem(await api.ask('GET', '/v1/organisations', { authorization }), 403, 'forbidden')
    expectProblem(
      await api.ask('POST', '/v1/organisations', { authorization, body: { id: 'x' } }),
      403,
      'forbidden',
    )
    expectProblem(await api.ask('DELETE', '/v1/organisations/initech', { authorization }), 403, 'forbidden')
  })

  it('say how far their writes must go, and change it', async () => {
    const created = await api.ask('POST', '/v1/organisations', { body: { id: 'careful', durability: 'geo' } })
    expect(created.body.durability).to.equal('geo')
    expect((await api.ask('GET', '/v1/organisations/acme')).body.durability).to.equal('local')
    const path = '/v1/organisations/careful'
    expect((await api.ask('PATCH', path, { body: { name: 'Careful' } })).body.durability).to.equal('geo')
    expect((await api.ask('PATCH', path, { body: { durability: 'local' } })).body.durability).to.equal(
      'local',
    )
    expect((await api.ask('GET', path)).body.durability).to.equal('local')
    const wrong = await api.ask('PATCH', path, { body: { durability: 'forever' } })
    expectProblem(wrong, 400, 'invalid_request')
    expect(wrong.body.errors[0].field).to.equal('body.durability')
  })

  it('answer the same for what belongs to another as for what is nowhere', async () => {
    const { id, key } = await api.device('secret-pump', 'globex')
    await api.ask('POST', '/v1/ingest', { body: { pressure: 7 }, authorization: `Device ${key}` })
    const calls: [method: string, path: string, code: string][] = [
      ['GET', '/v1/devices/{id}', 'device_not_found'],
      ['GET', '/v1/devices/{id}/latest', 'device_not_found'],
      ['GET', '/v1/devices/{id}/telemetry', 'device_not_found'],
      ['POST', '/v1/devices/{id}/key', 'device_not_found'],
      ['DELETE', '/v1/devices/{id}', 'device_not_found'],
      ['GET', '/v1/devices/{id}/nodes', 'device_not_found'],
      ['POST', '/v1/devices/{id}/nodes', 'device_not_found'],
      ['GET', '/v1/live?device={id}', 'device_not_found'],
      ['GET', '/v1/devices?organisation={org}', 'organisation_not_found'],
      ['POST', '/v1/devices?organisation={org}', 'organisation_not_found'],
      ['GET', '/v1/devices/{id}?organisation={org}', 'organisation_not_found'],
      ['GET', '/v1/live?organisation={org}', 'organisation_not_found'],
      ['GET', '/v1/organisations/{org}', 'organisation_not_found'],
      ['PATCH', '/v1/organisations/{org}', 'organisation_not_found'],
      ['POST', '/v1/organisations/{org}/token', 'organisation_not_found'],
    ]
    for (const [method, path, code] of calls) {
      const answers = await Promise.all(
        [
          { id, org: 'globex' },
          { id: 'secret-pump', org: 'globex' },
          { id: 'nowhere', org: 'nowhere' },
        ].map(async (names) => {
          const filled = path.replace('{id}', names.id).replace('{org}', names.org)
          const body = method === 'POST' || method === 'PATCH' ? { name: 'x' } : undefined
          const answer = await api.ask(method, filled, { authorization: acme, body })
          expectProblem(answer, 404, code)
          return answer.body.detail.replaceAll(names.id, '').replaceAll(names.org, '')
        }),
      )
      expect(new Set(answers).size, `${method} ${path}`).to.equal(1)
    }
    expect((await api.ask('GET', '/v1/devices', { authorization: acme })).body.items).to.deep.equal([])
    expect((await api.ask('GET', `/v1/devices/${id}`, { authorization: globex })).status).to.equal(200)
  })

  it('may use the same names for their devices', async () => {
    for (const authorization of [acme, globex]) {
      expect(
        (await api.ask('POST', '/v1/devices', { authorization, body: { name: 'same' } })).status,
      ).to.equal(201)
    }
  })

  it('change their name and rules, and only to what is allowed', async () => {
    const acl = [{ effect: 'allow', access: 'publish', filter: 'only/${device}/#' }]
    const changed = await api.ask('PATCH', '/v1/organisations/acme', {
      authorization: acme,
      body: { name: 'ACME', acl },
    })
    expect(changed.body).to.deep.include({ name: 'ACME', acl })
    const kept = await api.ask('PATCH', '/v1/organisations/acme', {
      authorization: acme,
      body: { name: 'Acme' },
    })
    expect(kept.body).to.deep.include({ name: 'Acme', acl })
    const reset = await api.ask('PATCH', '/v1/organisations/acme', {
      authorization: acme,
      body: { acl: null },
    })
    expect(reset.body).to.deep.include({ name: 'Acme', acl: null })
  })

  const badChanges: [name: string, body: unknown, code: string, field: string][] = [
    ['an empty name', { name: '' }, 'invalid_request', 'body.name'],
    ['another id', { id: 'x' }, 'invalid_request', 'body.id'],
    [
      'a rule without filter',
      { acl: [{ effect: 'allow', access: 'all' }] },
      'invalid_request',
      'body.acl[0].filter',
    ],
    [
      'a rule with an unknown effect',
      { acl: [{ effect: 'maybe', access: 'all', filter: '#' }] },
      'invalid_request',
      'body.acl[0].effect',
    ],
    [
      'a rule with a bad filter',
      { acl: [{ effect: 'allow', access: 'all', filter: 'a/#/b' }] },
      'invalid_field',
      'body.acl',
    ],
  ]
  for (const [name, body, code, field] of badChanges) {
    it(`refuse ${name} and name the field`, async () => {
      const answer = await api.ask('PATCH', '/v1/organisations/acme', { authorization: acme, body })
      expectProblem(answer, 400, code)
      expect(answer.body.errors[0].field).to.equal(field)
    })
  }

  for (const [id, code] of [
    ['ACME', 'invalid_request'],
    ['', 'invalid_request'],
    ['a/b', 'invalid_request'],
    ['acme', 'organisation_exists'],
  ]) {
    it(`refuse the id "${id}"`, async () => {
      expectProblem(
        await api.ask('POST', '/v1/organisations', { body: { id } }),
        code === 'invalid_request' ? 400 : 409,
        code,
      )
    })
  }

  it('lose the old token when they get a new one', async () => {
    const { token } = (await api.ask('POST', '/v1/organisations', { body: { id: 'turning' } })).body
    const rotated = await api.ask('POST', '/v1/organisations/turning/token', {
      authorization: `Bearer ${token}`,
    })
    expect(rotated.status).to.equal(201)
    expectProblem(
      await api.ask('GET', '/v1/devices', { authorization: `Bearer ${token}` }),
      401,
      'unauthenticated',
    )
    const again = await api.ask('GET', '/v1/devices', { authorization: `Bearer ${rotated.body.token}` })
    expect(again.status).to.equal(200)
  })

  it('are deleted when they are empty, and their id is not given again', async () => {
    await api.ask('POST', '/v1/organisations', { body: { id: 'short-lived' } })
    await api.device('last', 'short-lived')
    expectProblem(await api.ask('DELETE', '/v1/organisations/short-lived'), 409, 'organisation_not_empty')
    await api.ask('DELETE', '/v1/devices/last?organisation=short-lived')
    expect((await api.ask('DELETE', '/v1/organisations/short-lived')).status).to.equal(204)
    expectProblem(await api.ask('GET', '/v1/organisations/short-lived'), 404, 'organisation_not_found')
    expectProblem(
      await api.ask('POST', '/v1/organisations', { body: { id: 'short-lived' } }),
      409,
      'organisation_exists',
    )
    const listed = await api.ask('GET', '/v1/organisations?limit=1000')
    expect(listed.body.items.map(({ id }: { id: string }) => id))
      .to.include('acme')
      .and.not.include('short-lived')
  })

  describe('need a token or a key', () => {
    const wrong: [name: string, authorization: string | null][] = [
      ['none', null],
      ['an empty one', ''],
      ['another scheme', `Basic ${Buffer.from('admin:admin').toString('base64')}`],
      ['an unknown token', 'Bearer t_00000000000000000000000000000000'],
      ['a token with a stranger in it', 'Bearer t_ü'],
      ['an endless token', `Bearer ${'x'.repeat(5000)}`],
    ]
    for (const [name, authorization] of wrong) {
      it(`and refuse ${name}`, async () => {
        const headers =
          authorization === 'Bearer t_ü'
            ? { authorization: Buffer.from('Bearer t_ü').toString('latin1') }
            : {}
        const given = authorization === 'Bearer t_ü' ? null : authorization
        const answer = await api.ask('GET', '/v1/devices', { authorization: given, headers })
        expectProblem(answer, 401, 'unauthenticated')
        expect(answer.headers.get('www-authenticate')).to.equal('Bearer')
      })
    }
  })
})
