import { expect } from 'chai'
import { createApi } from '#api/app.ts'
import { problems } from '#api/problems.ts'
import { createLogger } from '#platform/log.ts'
import { StoreError } from '#platform/store/store.ts'
import { type AskOptions, expectProblem, rawRequest, startTestApi, type TestApi } from './fixture.ts'

describe('REST: what every request has', () => {
  let api: TestApi

  before(async () => {
    api = await startTestApi()
  })
  after(() => api.close())

  it('lists every error code, and each is a status and words', async () => {
    const { body } = await api.ask('GET', '/v1/errors', { authorization: null })
    expect(body.items.map(({ code }: { code: string }) => code)).to.deep.equal(Object.keys(problems))
    for (const { status, title } of body.items) {
      expect(status).to.be.within(400, 599)
      expect(title).to.have.length.above(10)
    }
  })

  it('answers JSON problems for unknown paths and methods', async () => {
    expectProblem(await api.ask('GET', '/v2/devices'), 404, 'not_found')
    expectProblem(await api.ask('GET', '/'), 404, 'not_found')
    expectProblem(await api.ask('GET', '/v1/devices/%ff'), 400, 'invalid_request')
    const wrong = await api.ask('PUT', '/v1/devices')
    expectProblem(wrong, 405, 'method_not_allowed')
    expect(wrong.headers.get('allow')).to.match(/^POST, GET\b/)
  })

  it('takes JSON only where it says so', async () => {
    const headers = { 'content-type': 'text/plain' }
    expectProblem(
      await api.ask('POST', '/v1/devices', { body: '{"name":"x"}', headers }),
      415,
      'unsupported_media_type',
    )
    const json = { headers: { 'content-type': 'application/json' } }
    expectProblem(await api.ask('POST', '/v1/devices', { body: '{"name":', ...json }), 400, 'invalid_json')
    expectProblem(await api.ask('POST', '/v1/devices', { body: '"text"', ...json }), 400, 'invalid_json')
    expectProblem(await api.ask('POST', '/v1/devices'), 400, 'invalid_request')
    const long = JSON.stringify({ name: 'x'.repeat(70_000) })
    expectProblem(await api.ask('POST', '/v1/devices', { body: long, ...json }), 413, 'body_too_large')
  })

  it('gives every answer a request id, the given one if it is sensible', async () => {
    const given = await api.ask('GET', '/livez', { headers: { 'x-request-id': 'abc-1' } })
    expect(given.headers.get('x-request-id')).to.equal('abc-1')
    for (const bad of ['a b', 'x'.repeat(65), '<script>']) {
      const made = await api.ask('GET', '/livez', { headers: { 'x-request-id': bad } })
      expect(made.headers.get('x-request-id')).to.match(/^[0-9a-f-]{36}$/)
    }
  })

  it('does not say what it is made of', async () => {
    const { headers } = await api.ask('GET', '/livez')
    expect(headers.get('x-powered-by')).to.equal(null)
    expect(headers.get('server')).to.equal(null)
  })

  it('is alive, and ready until it stops', async () => {
    expect((await api.ask('GET', '/livez', { authorization: null })).body).to.deep.equal({ status: 'ok' })
    expect((await api.ask('GET', '/readyz', { authorization: null })).body).to.deep.equal({ status: 'ok' })
    let reason: string | null = null
    const draining = await startTestApi({ notReady: () => reason })
    expect((await draining.ask('GET', '/readyz')).status).to.equal(200)
    reason = 'draining'
    const answer = await draining.ask('GET', '/readyz')
    expect([answer.status, answer.body]).to.deep.equal([503, { status: 'unavailable', reason: 'draining' }])
    await draining.close()
  })

  it('counts requests by route, with no id, name or key in it', async () => {
    const { id, key } = await api.device('counted')
    await api.ask('GET', `/v1/devices/${id}/latest`)
    await api.ask('GET', `/firmware/check/${key}`)
    const { text, headers } = await api.ask('GET', '/metrics', { authorization: null })
    expect(headers.get('content-type')).to.match(/^text\/plain; version=0\.0\.4/)
    expect(text).to.include(
      'cinque_http_requests_total{method="GET",route="/v1/devices/:device/latest",status="200"} 1',
    )
    expect(text).to.include('route="/firmware/check/:deviceKey",status="200"} 1')
    expect(text).to.not.include(key)
    expect(text).to.not.include(id)
  })

  it('describes itself: every route, with its parameters, answers and problems', async () => {
    const { status, body } = await api.ask('GET', '/v1/openapi.json', { authorization: null })
    expect(status).to.equal(200)
    expect(body).to.include({ openapi: '3.1.0' })
    expect(body.info).to.include({ title: 'cinque', version: '1.2.3' })
    const operations = Object.entries<
      Record<string, { responses: object; security?: object[]; parameters?: { in: string; name: string }[] }>
    >(body.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
    )
    expect(operations).to.have.length.above(18)
    for (const { path, method, operation } of operations) {
      const inPath =
        operation.parameters?.filter((one) => one.in === 'path').map((one) => `{${one.name}}`) ?? []
      expect(path.match(/\{\w+\}/g) ?? [], `${method} ${path}`).to.have.members(inPath)
      expect(Object.keys(operation.responses), `${method} ${path}`).to.include('500')
      const answer = await api.ask(method.toUpperCase(), path.replaceAll(/\{\w+\}/g, 'x'), {
        authorization: null,
      })
      const open = (operation.security ?? []).length === 0
      expect(answer.status, `${method} ${path}`).to.be.oneOf(open ? [200, 400, 404] : [401])
    }
    expect(body.components.schemas).to.include.keys('Device', 'Organisation', 'Point', 'Problem')
  })

  it('is not started with an admin token that can be guessed', () => {
    const { platform } = api
    const deps = {
      platform,
      metrics: platform.metrics,
      clock: platform.clock,
      version: '',
      adminToken: 'admin',
    }
    expect(() => createApi({ ...deps, log: createLogger({ level: 'silent' }) })).to.throw(
      RangeError,
      'adminToken',
    )
  })

  it('closes a connection whose request never ends or is no HTTP', async () => {
    expect(await rawRequest(api.url, 'GARBAGE\r\n\r\n')).to.match(/^HTTP\/1\.1 400 /)
    const headers = `GET /livez HTTP/1.1\r\nHost: x\r\nX-Long: ${'x'.repeat(20_000)}\r\n\r\n`
    expect(await rawRequest(api.url, headers)).to.match(/^HTTP\/1\.1 431 /)
  })

  describe('when the store fails', () => {
    it('answers 503 and never shows a stack, and stores when the store is back', async () => {
      const own = await startTestApi({ durableTimeout: 50 })
      const { store } = own.platform
      const { key } = await own.device('d')
      const write = store.write.bind(store)
      store.write = () => Promise.reject(new StoreError('full', 'no space at /secret/path'))
      const authorization = `Device ${key}`
      expectProblem(
        await own.ask('POST', '/v1/ingest', { body: { t: 1 }, authorization }),
        503,
        'outcome_unknown',
      )
      const created = await own.ask('POST', '/v1/devices', { body: { name: 'x' } })
      expectProblem(created, 503, 'store_unavailable')
      expect(created.text).to.not.include('secret')
      expect(created.headers.get('retry-after')).to.equal('1')
      expectProblem(
        await own.ask('POST', '/v1/ingest', { body: { t: 2 }, authorization }),
        503,
        'store_unavailable',
      )
      expect((await own.ask('GET', '/readyz')).status).to.equal(503)
      expect((await own.ask('GET', '/v1/devices/d/latest')).body.items).to.deep.equal([])
      store.write = write
      await own.platform.lanes.durable()
      expect((await own.ask('GET', '/v1/devices/d/latest')).body.items[0].value).to.equal(1)
      expect((await own.ask('GET', '/readyz')).status).to.equal(200)
      await own.close()
    })

    it('refuses what would change something before it begins while the store is away, and says so to who sends requests', async () => {
      let away: string | null = null
      const own = await startTestApi({ storeAway: () => away })
      const { key } = await own.device('d')
      const authorization = `Device ${key}`
      away = 'Cassandra of dc01 does not answer'
      const writes: [method: string, path: string, options: AskOptions][] = [
        ['POST', '/v1/devices', { body: { name: 'half' } }],
        ['DELETE', '/v1/devices/d', {}],
        ['POST', '/v1/devices/d/key', { body: {} }],
        ['PATCH', '/v1/organisations/default', { body: { name: 'x' } }],
        ['POST', '/v1/ingest', { body: { t: 1 }, authorization }],
      ]
      for (const [method, path, options] of writes) {
        const answer = await own.ask(method, path, options)
        expectProblem(answer, 503, 'store_unavailable')
        expect(answer.headers.get('retry-after')).to.equal('5')
        expect(answer.body.detail).to.include('dc01')
      }
      const ready = await own.ask('GET', '/readyz')
      expect([ready.status, ready.body]).to.deep.equal([
        503,
        { status: 'unavailable', reason: 'Cassandra of dc01 does not answer' },
      ])
      away = null
      expect((await own.ask('GET', '/readyz')).status).to.equal(200)
      expect((await own.ask('POST', '/v1/devices', { body: { name: 'half' } })).status).to.equal(201)
      expect((await own.ask('GET', '/v1/devices/me', { authorization })).body.name).to.equal('d')
      await own.close()
    })

    it('frees the name of a device that could not be made, so that it can be tried again at once', async () => {
      const own = await startTestApi()
      const { store } = own.platform
      const write = store.write.bind(store)
      let failures = 1
      store.write = (batch) =>
        !batch.mutations.some(({ table }) => table.name === 'audit') && failures-- > 0
          ? Promise.reject(new StoreError('unavailable', 'away for a moment'))
          : write(batch)
      expectProblem(await own.ask('POST', '/v1/devices', { body: { name: 'x' } }), 503, 'store_unavailable')
      expect((await own.ask('POST', '/v1/devices', { body: { name: 'x' } })).status).to.equal(201)
      await own.close()
    })

    it('says why it takes no requests: the cell, its clock', async () => {
      let reason: string | null = 'the clock is 5 s behind that of the others'
      const own = await startTestApi({ notReady: () => reason })
      expect((await own.ask('GET', '/readyz')).body.reason).to.equal(reason)
      reason = null
      expect((await own.ask('GET', '/readyz')).status).to.equal(200)
      await own.close()
    })

    it('slows senders down before memory grows (G7)', async () => {
      const own = await startTestApi({ maxStaged: 0 })
      const { key } = await own.device('d')
      const device = await own.platform.registry.devices.get('default', 'd')
      own.platform.telemetry.ingestJson(device, Buffer.from('{"t":1}'), own.platform.clock.now())
      const hold = own.platform.store.write.bind(own.platform.store)
      const gate = Promise.withResolvers<void>()
      own.platform.store.write = async (batch) => {
        await gate.promise
        await hold(batch)
      }
      const answer = await own.ask('POST', '/v1/ingest', { body: { t: 2 }, authorization: `Device ${key}` })
      gate.resolve()
      expectProblem(answer, 429, 'overloaded')
      expect(answer.headers.get('retry-after')).to.equal('1')
      await own.close()
    })
  })
})
