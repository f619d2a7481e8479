import { expect } from 'chai'
import { expectProblem, startTestApi, type TestApi } from './fixture.ts'

describe('REST: groups, labels and what is said of a device', () => {
  let api: TestApi
  let authorization: string

  beforeEach(async () => {
    api = await startTestApi()
    await api.ask('POST', '/v1/groups', { body: { id: 'berlin', name: 'Berlin' } })
    await api.ask('POST', '/v1/groups', { body: { id: 'roof', parent: 'berlin' } })
    await api.device('d')
    const { body } = await api.ask('POST', '/v1/organisations', { body: { id: 'other' } })
    authorization = `Bearer ${body.token}`
  })
  afterEach(() => api.close())

  const names = async (path: string): Promise<string[]> =>
    (await api.ask('GET', path)).body.items.map(({ name }: { name: string }) => name)

  it('a device may be in several groups, and is in those around them', async () => {
    await api.ask('POST', '/v1/groups', { body: { id: 'pilot' } })
    for (const group of ['roof', 'pilot', 'roof'])
      expect((await api.ask('PUT', `/v1/groups/${group}/members/d`)).status).to.equal(204)
    expect((await api.ask('GET', '/v1/devices/d')).body.groups).to.deep.equal(['roof', 'pilot'])
    for (const path of ['/v1/groups/berlin/devices', '/v1/groups/pilot/devices', '/v1/devices?group=berlin'])
      expect(await names(path), path).to.deep.equal(['d'])
    const { registry, organisation } = api.platform
    const device = await registry.devices.get(organisation, 'd')
    expect(device.groups, 'what is granted for Berlin is granted for its roof').to.have.members([
      'roof',
      'berlin',
      'pilot',
    ])
    await api.ask('DELETE', '/v1/groups/roof/members/d')
    expect(await names('/v1/groups/berlin/devices')).to.deep.equal([])
  })

  it('move as a whole: what is inside goes along', async () => {
    await api.ask('PUT', '/v1/groups/roof/members/d')
    await api.ask('POST', '/v1/groups', { body: { id: 'germany' } })
    await api.ask('PATCH', '/v1/groups/berlin', { body: { parent: 'germany' } })
    expect(await names('/v1/groups/germany/devices')).to.deep.equal(['d'])
    const ring = await api.ask('PATCH', '/v1/groups/germany', { body: { parent: 'roof' } })
    expectProblem(ring, 400, 'invalid_field')
    expectProblem(await api.ask('DELETE', '/v1/groups/berlin'), 409, 'group_not_empty')
  })

  it('end without their devices, and nobody gets the members by taking the id again', async () => {
    await api.ask('PUT', '/v1/groups/roof/members/d')
    expect((await api.ask('DELETE', '/v1/groups/roof')).status).to.equal(204)
    expect((await api.ask('GET', '/v1/devices/d')).body.groups).to.deep.equal([])
    expectProblem(await api.ask('POST', '/v1/groups', { body: { id: 'roof' } }), 409, 'group_exists')
    expectProblem(await api.ask('GET', '/v1/devices?group=roof'), 404, 'group_not_found')
  })

  it('two who change a group at a time: the second one hears of it', async () => {
    const { headers } = await api.ask('GET', '/v1/groups/berlin')
    const etag = { 'if-match': headers.get('etag') ?? '' }
    const first = await api.ask('PATCH', '/v1/groups/berlin', { body: { name: 'A' }, headers: etag })
    expect(first.body.name).to.equal('A')
    const second = await api.ask('PATCH', '/v1/groups/berlin', { body: { name: 'B' }, headers: etag })
    expectProblem(second, 412, 'precondition_failed')
  })

  it('of another organisation are as if they were not', async () => {
    const tried: [method: string, path: string, body?: object][] = [
      ['GET', '/v1/groups/berlin'],
      ['PATCH', '/v1/groups/berlin', { name: 'mine' }],
      ['DELETE', '/v1/groups/roof'],
      ['GET', '/v1/groups/berlin/devices'],
      ['PUT', '/v1/groups/berlin/members/d'],
      ['POST', '/v1/groups', { id: 'x', parent: 'berlin' }],
      ['POST', '/v1/devices', { name: 'x', groups: ['berlin'] }],
    ]
    for (const [method, path, body] of tried)
      expectProblem(
        await api.ask(method, path, { authorization, ...(body === undefined ? {} : { body }) }),
        404,
        'group_not_found',
      )
    expect((await api.ask('GET', '/v1/groups', { authorization })).body.items).to.deep.equal([])
    expect((await api.ask('GET', '/v1/devices', { authorization })).body.items).to.deep.equal([])
    expectProblem(
      await api.ask('PATCH', '/v1/devices/d', { authorization, body: { labels: { a: 'b' } } }),
      404,
      'device_not_found',
    )
  })

  it('a device is changed field by field; labels and groups are replaced; null takes the profile away', async () => {
    const change = { description: 'on the roof', labels: { site: 'x' }, groups: ['roof'], profile: 'thermo' }
    const changed = await api.ask('PATCH', '/v1/devices/d', { body: change })
    expect(changed.body).to.deep.include(change)
    const again = await api.ask('PATCH', '/v1/devices/d', { body: { labels: {}, profile: null } })
    expect(again.body).to.deep.include({ ...change, labels: {}, profile: null })
    expect((await api.ask('GET', '/v1/devices/d?fields=description,labels')).body).to.deep.equal({
      description: 'on the roof',
      labels: {},
    })
  })

  it('a device that is renamed is found by its new name only, and its old one is free', async () => {
    const { body: before } = await api.ask('GET', '/v1/devices/d')
    expect((await api.ask('PATCH', '/v1/devices/d', { body: { name: 'e' } })).body.id).to.equal(before.id)
    expectProblem(await api.ask('GET', '/v1/devices/d'), 404, 'device_not_found')
    const other = await api.device('d')
    expect(other.id).to.not.equal(before.id)
    expectProblem(await api.ask('PATCH', '/v1/devices/e', { body: { name: 'd' } }), 409, 'name_taken')
    expect(await names('/v1/devices')).to.deep.equal(['d', 'e'])
    expect((await api.ask('PATCH', '/v1/devices/e', { body: { name: 'e2' } })).status).to.equal(200)
    expect((await api.ask('PATCH', '/v1/devices/e2', { body: { name: 'e' } })).status).to.equal(200)
  })

  it('two who change a device at a time: the one who says what he saw does not overwrite the other', async () => {
    const { headers } = await api.ask('GET', '/v1/devices/d')
    const etag = { 'if-match': headers.get('etag') ?? '' }
    await api.ask('PATCH', '/v1/devices/d', { body: { labels: { by: 'one' } }, headers: etag })
    const second = await api.ask('PATCH', '/v1/devices/d', { body: { labels: { by: 'two' } }, headers: etag })
    expectProblem(second, 412, 'precondition_failed')
    expect((await api.ask('GET', '/v1/devices/d')).body.labels).to.deep.equal({ by: 'one' })
  })

  const bad: [what: string, body: object, status: number][] = [
    ['a label with a bad key', { labels: { 'a b': 'c' } }, 400],
    ['a label with a comma', { labels: { a: 'b,c' } }, 400],
    [
      'more labels than there may be',
      { labels: Object.fromEntries(Array.from({ length: 33 }, (_, i) => [`k${i}`, ''])) },
      400,
    ],
    ['a group that is not there', { groups: ['nowhere'] }, 404],
    ['a long description', { description: 'x'.repeat(257) }, 400],
    ['an unknown field', { colour: 'red' }, 400],
  ]
  for (const [what, body, status] of bad) {
    it(`refuses ${what}, and changes nothing`, async () => {
      const before = await api.ask('GET', '/v1/devices/d')
      expect((await api.ask('PATCH', '/v1/devices/d', { body })).status).to.equal(status)
      expect((await api.ask('GET', '/v1/devices/d')).text).to.equal(before.text)
    })
  }

  for (const query of [
    'label=a%20b',
    'label=',
    'online=maybe',
    'seen_before=yesterday',
    'fields=secret',
    'group=a%2Fb',
  ])
    it(`refuses the filter ${query}, which finds nothing by mistake`, async () => {
      expect((await api.ask('GET', `/v1/devices?${query}`)).status).to.equal(400)
    })

  describe('who was granted a group only', () => {
    let granted: string

    beforeEach(async () => {
      const made = await api.ask('POST', '/v1/api-keys', {
        body: { name: 'roofer', role: 'developer', groups: ['berlin'] },
      })
      expect(made.status, made.text).to.equal(201)
      granted = `Bearer ${made.body.secret}`
      await api.device('mine')
      await api.ask('PUT', '/v1/groups/roof/members/mine')
    })

    it('lists, searches, reads and changes what is in it or inside it, and nothing else', async () => {
      for (const path of ['/v1/devices', '/v1/devices?q=i', '/v1/groups/berlin/devices']) {
        const { body, text } = await api.ask('GET', path, { authorization: granted })
        expect(
          body.items?.map(({ name }: { name: string }) => name),
          text,
        ).to.deep.equal(['mine'])
      }
      const body = { description: 'changed' }
      expect((await api.ask('PATCH', '/v1/devices/mine', { authorization: granted, body })).status).to.equal(
        200,
      )
      expectProblem(
        await api.ask('PATCH', '/v1/devices/d', { authorization: granted, body }),
        404,
        'device_not_found',
      )
    })

    it('cannot give its devices to another group, nor take them out of all of its own', async () => {
      await api.ask('POST', '/v1/groups', { body: { id: 'secret' } })
      for (const groups of [['secret'], ['roof', 'secret'], []])
        expectProblem(
          await api.ask('PATCH', '/v1/devices/mine', { authorization: granted, body: { groups } }),
          403,
          'forbidden',
        )
      for (const [method, group] of [
        ['PUT', 'secret'],
        ['DELETE', 'roof'],
      ])
        expectProblem(
          await api.ask(method, `/v1/groups/${group}/members/mine`, { authorization: granted }),
          403,
          'forbidden',
        )
      expect((await api.ask('GET', '/v1/devices/mine')).body.groups).to.deep.equal(['roof'])
    })

    it('sees only its groups, and has no verbs for the whole organisation', async () => {
      await api.ask('POST', '/v1/groups', { body: { id: 'secret' } })
      const { body } = await api.ask('GET', '/v1/groups', { authorization: granted })
      expect(body.items.map(({ id }: { id: string }) => id)).to.deep.equal(['berlin', 'roof'])
      expectProblem(
        await api.ask('GET', '/v1/groups/secret', { authorization: granted }),
        404,
        'group_not_found',
      )
      for (const [method, path] of [
        ['DELETE', '/v1/devices?all=true'],
        ['PATCH', '/v1/devices?all=true'],
        ['POST', '/v1/imports'],
        ['GET', '/v1/tasks'],
        ['GET', '/v1/provisioning-keys'],
        ['GET', '/v1/authorities'],
        ['GET', '/v1/certificates'],
        ['POST', '/v1/claim-codes'],
      ])
        expectProblem(await api.ask(method, path, { authorization: granted }), 403, 'forbidden')
    })
  })

  it('live streams are told', async () => {
    const told: unknown[] = []
    api.platform.live.onTaken(({ type, data }) => type === 'registry' && told.push(data))
    await api.device('e')
    await api.ask('PATCH', '/v1/devices/e', { body: { description: 'x' } })
    await api.ask('DELETE', '/v1/devices/e')
    expect(told.map((data) => (data as { change: string }).change)).to.deep.equal([
      'created',
      'changed',
      'deleted',
    ])
  })
})
