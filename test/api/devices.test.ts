import { expect } from 'chai'
import { expectProblem, startTestApi, type TestApi } from './fixture.ts'

describe('REST: devices', () => {
  let api: TestApi

  before(async () => {
    api = await startTestApi()
  })
  after(() => api.close())

  it('are created with a key that is shown this once', async () => {
    const created = await api.ask('POST', '/v1/devices', { body: { name: 'one' } })
    expect(created.status).to.equal(201)
    expect(created.body).to.include.all.keys('id', 'name', 'organisation', 'created_at', 'key')
    expect(created.body.key).to.match(/^k_[0-9a-f]{32}$/)
    expect(created.headers.get('location')).to.equal(`/v1/devices/${created.body.id}`)
    for (const path of ['/v1/devices/one', `/v1/devices/${created.body.id}`, '/v1/devices']) {
      const read = await api.ask('GET', path)
      expect(read.status).to.equal(200)
      expect(read.text).to.not.include(created.body.key)
      expect(read.text).to.not.include('hash')
    }
  })

  const bad: [name: string, body: unknown, field: string][] = [
    ['no name', {}, 'body.name'],
    ['a name with a slash', { name: 'a/b' }, 'body.name'],
    ['a name that is a number', { name: 5 }, 'body.name'],
    ['a long name', { name: 'x'.repeat(65) }, 'body.name'],
    ['a bad id', { name: 'x', id: 'a b' }, 'body.id'],
    ['a short key', { name: 'x', key: 'secret' }, 'body.key'],
    ['an unknown field', { name: 'x', colour: 'red' }, 'body.colour'],
    ['an array', [], 'body'],
  ]
  for (const [name, body, field] of bad) {
    it(`refuses ${name} and names the field`, async () => {
      const answer = await api.ask('POST', '/v1/devices', { body })
      expectProblem(answer, 400, 'invalid_request')
      expect(answer.body.errors[0].field).to.equal(field)
      expect(answer.body.detail).to.include(field)
    })
  }

  it('refuses a name twice, an id twice, a key twice', async () => {
    await api.ask('POST', '/v1/devices', {
      body: { name: 'twin', id: 'TwinId', key: 'KeyKeyKeyKeyKeyKeyKey1' },
    })
    expectProblem(await api.ask('POST', '/v1/devices', { body: { name: 'twin' } }), 409, 'name_taken')
    expectProblem(
      await api.ask('POST', '/v1/devices', { body: { name: 'a', id: 'TwinId' } }),
      409,
      'id_taken',
    )
    const thief = { name: 'a', key: 'KeyKeyKeyKeyKeyKeyKey1' }
    expectProblem(await api.ask('POST', '/v1/devices', { body: thief }), 409, 'key_taken')
  })

  it('are listed by name, page by page', async () => {
    await api.ask('POST', '/v1/organisations', { body: { id: 'paged' } })
    for (const name of ['c', 'a', 'e', 'b', 'd']) await api.device(name, 'paged')
    const names: string[] = []
    let cursor: string | null = ''
    while (cursor !== null) {
      const query: string = cursor === '' ? '' : `&cursor=${cursor}`
      const page = await api.ask('GET', `/v1/devices?organisation=paged&limit=2${query}`)
      names.push(...page.body.items.map(({ name }: { name: string }) => name))
      cursor = page.body.next
    }
    expect(names).to.deep.equal(['a', 'b', 'c', 'd', 'e'])
    const some = await api.ask('GET', '/v1/devices?organisation=paged&prefix=b')
    expect(some.body).to.deep.include({ next: null })
    expect(some.body.items).to.have.length(1)
  })

  for (const [query, field] of [
    ['limit=0', 'query.limit'],
    ['limit=1001', 'query.limit'],
    ['limit=ten', 'query.limit'],
    ['limit=1.5', 'query.limit'],
    ['limit=1&limit=2', 'query.limit'],
    ['cursor=nonsense', 'query.cursor'],
    ['cursor=', 'query.cursor'],
    [`prefix=${'x'.repeat(65)}`, 'query.prefix'],
    ['sort=name', 'query.sort'],
  ]) {
    it(`refuses ?${query.slice(0, 20)} and names the parameter`, async () => {
      const answer = await api.ask('GET', `/v1/devices?${query}`)
      expectProblem(answer, 400, 'invalid_request')
      expect(answer.body.errors[0].field).to.equal(field)
    })
  }

  it('get a new key, and the old one is refused at once', async () => {
    const { key } = await api.device('rotated')
    expect((await api.ask('GET', '/v1/devices/me', { authorization: `Device ${key}` })).body.name).to.equal(
      'rotated',
    )
    const rotated = await api.ask('POST', '/v1/devices/rotated/key', { body: {} })
    expect(rotated.status).to.equal(201)
    expectProblem(
      await api.ask('GET', '/v1/devices/me', { authorization: `Device ${key}` }),
      401,
      'unauthenticated',
    )
    const again = await api.ask('GET', '/v1/devices/me', { authorization: `Device ${rotated.body.key}` })
    expect(again.body.name).to.equal('rotated')
  })

  it('are deleted with their data, key and name', async () => {
    const { key } = await api.device('gone')
    await api.ask('POST', '/v1/ingest', { body: { t: 1 }, authorization: `Device ${key}` })
    expect((await api.ask('DELETE', '/v1/devices/gone')).status).to.equal(204)
    expectProblem(await api.ask('DELETE', '/v1/devices/gone'), 404, 'device_not_found')
    expectProblem(await api.ask('GET', '/v1/devices/gone/latest'), 404, 'device_not_found')
    expectProblem(
      await api.ask('POST', '/v1/ingest', { body: { t: 1 }, authorization: `Device ${key}` }),
      401,
      'unauthenticated',
    )
    await api.device('gone')
    expect((await api.ask('GET', '/v1/devices/gone/latest')).body.items).to.deep.equal([])
  })

  it('may only look at themselves', async () => {
    const mine = await api.device('mine')
    const other = await api.device('other')
    const authorization = `Device ${mine.key}`
    for (const name of ['me', 'mine', mine.id]) {
      expect((await api.ask('GET', `/v1/devices/${name}`, { authorization })).body.id).to.equal(mine.id)
    }
    for (const path of [
      `/v1/devices/${other.id}`,
      '/v1/devices/other/latest',
      '/v1/devices/other/telemetry',
    ]) {
      expectProblem(await api.ask('GET', path, { authorization }), 404, 'device_not_found')
    }
    expectProblem(await api.ask('GET', '/v1/devices', { authorization }), 403, 'forbidden')
    expectProblem(await api.ask('DELETE', '/v1/devices/me', { authorization }), 403, 'forbidden')
    expectProblem(await api.ask('POST', '/v1/devices/me/key', { authorization, body: {} }), 403, 'forbidden')
  })

  it('have nodes with keys of their own', async () => {
    await api.device('with-nodes')
    const created = await api.ask('POST', '/v1/devices/with-nodes/nodes', { body: { id: 'kitchen' } })
    expect(created.status).to.equal(201)
    expect(created.body.key).to.match(/^n_/)
    const listed = await api.ask('GET', '/v1/devices/with-nodes/nodes')
    expect(listed.body.items).to.have.length(1)
    expect(listed.text).to.not.include(created.body.key)
    expectProblem(
      await api.ask('POST', '/v1/devices/with-nodes/nodes', { body: { id: 'kitchen' } }),
      409,
      'node_exists',
    )
    expect((await api.ask('DELETE', '/v1/devices/with-nodes/nodes/kitchen')).status).to.equal(204)
    expectProblem(await api.ask('DELETE', '/v1/devices/with-nodes/nodes/kitchen'), 404, 'node_not_found')
  })
})
