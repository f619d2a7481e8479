import { expect } from 'chai'
import { networkOf } from '#api/admission.ts'
import { expectProblem, startTestApi, type TestApi } from './fixture.ts'

const none = { organisation_rate: 0, caller_rate: 0, device_rate: 0, address_rate: 0, failure_rate: 0 }

describe('REST: limits', () => {
  describe('rates', () => {
    it('say how much is left, refuse what is too much, and let it through when time has passed', async () => {
      const api = await startTestApi({ rates: { ...none, caller_rate: 0.2, organisation_rate: 100 } })
      const { token } = await api.platform.registry.organisations.create({ id: 'o' })
      const authorization = `Bearer ${token}`
      const ask = () => api.ask('GET', '/v1/devices', { authorization })
      const first = await ask()
      expect(first.status).to.equal(200)
      expect(first.headers.get('ratelimit-policy')).to.equal('"caller";q=2;w=10, "organisation";q=1000;w=10')
      expect(first.headers.get('ratelimit')).to.equal('"caller";r=1;t=5')
      expect((await ask()).status).to.equal(200)
      const refused = await ask()
      expectProblem(refused, 429, 'rate_limited')
      expect(refused.headers.get('ratelimit')).to.equal('"caller";r=0;t=5')
      expect(refused.headers.get('retry-after')).to.equal('5')
      api.platform.clock.time += 5000
      expect((await ask()).status).to.equal(200)
      expect(api.platform.metrics.total('cinque_http_refused_total')).to.equal(1)
      await api.close()
    })

    it('are each caller’s own, and the organisation’s for all of its callers together', async () => {
      const api = await startTestApi({ rates: { ...none, device_rate: 0.1, organisation_rate: 0.2 } })
      const keys = await Promise.all(
        ['a', 'b', 'c'].map(async (name) => {
          const created = await api.platform.registry.devices.create('default', { name })
          return created.key
        }),
      )
      const ask = (key: string) => api.ask('GET', '/v1/devices/me', { authorization: `Device ${key}` })
      expect((await ask(keys[0])).status).to.equal(200)
      const again = await ask(keys[0])
      expectProblem(again, 429, 'rate_limited')
      expect(again.body.detail).to.include('this device')
      expect((await ask(keys[1])).status).to.equal(200)
      const third = await ask(keys[2])
      expectProblem(third, 429, 'rate_limited')
      expect(third.body.detail).to.include('organisation')
      await api.close()
    })

    it('stop who tries keys, by his address, and do not ask the store for him', async () => {
      const api = await startTestApi({ rates: { ...none, failure_rate: 0.3 } })
      const { key } = await api.platform.registry.devices.create('default', { name: 'd' })
      const guess = () =>
        api.ask('GET', '/v1/devices/me', { authorization: 'Device k_guessed-and-guessed-again' })
      for (let i = 0; i < 3; i++) expectProblem(await guess(), 401, 'unauthenticated')
      const refused = await guess()
      expectProblem(refused, 429, 'rate_limited')
      expect(refused.headers.get('retry-after')).to.equal('4')
      expect((await api.ask('GET', '/livez', { authorization: null })).status).to.equal(200)
      api.platform.clock.time += 60_000
      expect((await api.ask('GET', '/v1/devices/me', { authorization: `Device ${key}` })).status).to.equal(
        200,
      )
      await api.close()
    })

    it('stop him also where charts of IoT Guru pages are read', async () => {
      const api = await startTestApi({ rates: { ...none, failure_rate: 0.3 } })
      const authorization = 'Bearer guessed-and-guessed-again'
      const guess = () =>
        api.ask('GET', '/measurement/loadByNodeIds/a,b,c,d,e/f/DAY/1?device=d', { authorization })
      for (let i = 0; i < 3; i++) expectProblem(await guess(), 401, 'unauthenticated')
      expectProblem(await guess(), 429, 'rate_limited')
      await api.close()
    })

    it('are of a network where an address costs nothing (IPv6)', () => {
      expect(networkOf('2001:db8:1:2:3:4:5:6')).to.equal('2001:db8:1:2')
      expect(networkOf('2001:db8::6')).to.equal('2001:db8:0:0')
      expect(networkOf('2001:db8:1:2::')).to.equal('2001:db8:1:2')
      expect(networkOf('::1')).to.equal('0:0:0:0')
      expect(networkOf('::ffff:198.51.100.7')).to.equal('::ffff:198.51.100.7')
      expect(networkOf('198.51.100.7')).to.equal('198.51.100.7')
    })

    it('believe no proxy that is not named', async () => {
      const ask = (api: TestApi, address: string) =>
        api.ask('GET', '/v1/errors', { authorization: null, headers: { 'x-forwarded-for': address } })
      const rates = { ...none, address_rate: 0.1 }
      const direct = await startTestApi({ rates })
      expect((await ask(direct, '198.51.100.1')).status).to.equal(200)
      expectProblem(await ask(direct, '198.51.100.2'), 429, 'rate_limited')
      const behind = await startTestApi({ rates, trustedProxies: ['loopback'] })
      expect((await ask(behind, '198.51.100.1')).status).to.equal(200)
      expect((await ask(behind, '198.51.100.2')).status).to.equal(200)
      expectProblem(await ask(behind, '198.51.100.1'), 429, 'rate_limited')
      await Promise.all([direct.close(), behind.close()])
    })
  })

  describe('quotas', () => {
    let api: TestApi
    let authorization: string

    beforeEach(async () => {
      api = await startTestApi()
      const { token } = await api.platform.registry.organisations.create({ id: 'o' })
      authorization = `Bearer ${token}`
    })
    afterEach(() => api.close())

    const path = '/v1/organisations/o/quotas'

    it('are set by the platform, one change at a time, and hold at once', async () => {
      const before = await api.ask('GET', path)
      expect(before.body.limits.requests).to.equal(null)
      expect(before.headers.get('etag')).to.equal('"0"')
      const set = await api.ask('PUT', path, { body: { requests: 2 }, headers: { 'if-match': '"0"' } })
      expect(set.body).to.deep.include({ version: 1 })
      expect(set.body.effective).to.include({ requests: 2, points: null })
      const late = await api.ask('PUT', path, { body: {}, headers: { 'if-match': '"0"' } })
      expectProblem(late, 412, 'precondition_failed')
      expectProblem(await api.ask('PUT', path, { body: { requests: 9 }, authorization }), 403, 'forbidden')

      const ask = () => api.ask('GET', '/v1/devices', { authorization })
      const used = (await api.ask('GET', '/v1/usage', { authorization })).body.quotas.requests.used as number
      await api.ask('PUT', path, { body: { requests: used + 2 } })
      expect((await ask()).status).to.equal(200)
      expect((await ask()).status).to.equal(200)
      const refused = await ask()
      expectProblem(refused, 429, 'quota_exceeded')
      expect(refused.headers.get('retry-after'), 'noon to midnight').to.equal('43200')
      expect((await api.ask('GET', '/v1/devices')).status, 'nobody else').to.equal(200)
      expect((await api.ask('GET', '/v1/usage', { authorization })).status, 'who asks why').to.equal(200)
    })

    it('of values: what is too much is refused as a whole, over HTTP', async () => {
      const { key } = await api.platform.registry.devices.create('o', { name: 'd' })
      await api.ask('PUT', path, { body: { points: 3 } })
      const send = (body: object) => api.ask('POST', '/v1/ingest', { body, authorization: `Device ${key}` })
      expect((await send({ a: 1, b: 2 })).status).to.equal(200)
      expect((await send({ a: 1, b: 2 })).status, 'the last one may go over').to.equal(200)
      expectProblem(await send({ a: 1 }), 429, 'quota_exceeded')
    })

    it('of storage: no rule keeps values for longer', async () => {
      await api.ask('PUT', path, { body: { storage_days: 100 } })
      const put = (values: string) =>
        api.ask('PUT', '/v1/retention', {
          authorization,
          body: { rules: [{ profile: null, keys: null, values, aggregates: true }] },
        })
      const refused = await put('400d')
      expectProblem(refused, 409, 'limit_reached')
      expect(refused.body.errors[0].field).to.equal('body.rules[0].values')
      expect((await put('90d')).status).to.equal(200)
    })

    it('and use are shown to those who may look, of their own organisation', async () => {
      await api.ask('PUT', path, { body: { messages: 10, storage_days: 30 } })
      api.platform.usage.of('o').add('messages', 4)
      const { body } = await api.ask('GET', '/v1/usage?from=2026-11-01&to=2026-11-30', { authorization })
      expect(body).to.deep.include({
        organisation: 'o',
        today: '2026-11-21',
        resets_at: '2026-11-22T00:00:00.000Z',
      })
      expect(body.quotas).to.deep.include({
        messages: { used: 4, limit: 10 },
        storage_days: { used: null, limit: 30 },
        points: { used: 0, limit: null },
      })
      expect(body.days).to.deep.equal([
        { day: '2026-11-21', requests: 0, messages: 4, points: 0, connections_peak: 0 },
      ])
      const { key } = await api.platform.registry.devices.create('o', { name: 'd' })
      expectProblem(await api.ask('GET', '/v1/usage', { authorization: `Device ${key}` }), 403, 'forbidden')
      for (const bad of [
        'from=2026-11-22&to=2026-11-21',
        'from=2026-01-01',
        'from=yesterday',
        'to=2026-02-30',
      ])
        expectProblem(await api.ask('GET', `/v1/usage?${bad}`, { authorization }), 400, 'invalid_request')
    })
  })
})
