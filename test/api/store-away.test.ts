import { expect } from 'chai'
import { openApiDocument } from '#api/app.ts'
import type { Store } from '#platform/store/store.ts'
import { StoreError } from '#platform/store/store.ts'
import { expectProblem, startTestApi, type TestApi } from './fixture.ts'

const calls = ['get', 'range', 'write', 'putIf', 'scan'] as const

/** Makes every call of a store fail until it is switched back. */
function breakable(store: Store): { away: boolean } {
  const state = { away: false }
  for (const name of calls) {
    const call = store[name].bind(store) as (...given: unknown[]) => Promise<unknown>
    const failing = (...given: unknown[]): Promise<unknown> =>
      state.away
        ? Promise.reject(new StoreError('unavailable', 'no host at 10.1.2.3 answers'))
        : call(...given)
    Object.assign(store, { [name]: failing })
  }
  return state
}

const operations = Object.entries(openApiDocument('1').paths ?? {}).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, { security = [] }]) => ({
    method: method.toUpperCase(),
    path,
    open: security.length === 0,
  })),
)

describe('REST while the store is away', () => {
  let api: TestApi
  let store: { away: boolean }

  beforeEach(async () => {
    api = await startTestApi({ storeAway: () => (store.away ? 'the store does not answer' : null) })
    store = breakable(api.platform.store)
    store.away = false
  })
  afterEach(async () => {
    store.away = false
    await api.close()
  })

  it('every request that somebody must be known for is answered with 503 and when to come again, none with 500', async () => {
    const { key } = await api.platform.registry.devices.create('default', { name: 'd' })
    const { token } = await api.platform.registry.organisations.create({ id: 'o' })
    store.away = true
    for (const { method, path, open } of operations) {
      if (open) continue
      for (const authorization of [`Bearer ${token}`, `Device ${key}`]) {
        const target = path.replaceAll(/\{\w+\}/g, 'd')
        const answer = await api.ask(method, target, { authorization })
        expectProblem(answer, 503, 'store_unavailable')
        expect(Number(answer.headers.get('retry-after')), `${method} ${path}`).to.be.within(1, 60)
        expect(answer.text, 'says nothing of the inside').to.not.include('10.1.2.3')
      }
    }
  })

  it('the platform’s own token, which needs no store, gets no 500 either', async () => {
    store.away = true
    for (const { method, path, open } of operations) {
      if (open) continue
      const target = path.replaceAll(/\{\w+\}/g, 'd')
      const controller = new AbortController()
      const response = await fetch(api.url + target, {
        method,
        headers: { authorization: 'Bearer t_admin-for-the-tests' },
        signal: controller.signal,
      })
      expect(response.status, `${method} ${path}`).to.be.oneOf([200, 400, 403, 404, 503])
      if (response.status === 503) expect(response.headers.get('retry-after'), path).to.match(/^\d+$/)
      controller.abort()
    }
  })

  it('the process lives, is not ready, and goes on without a restart when the store is back', async () => {
    const { key } = await api.platform.registry.devices.create('default', { name: 'd' })
    const authorization = `Device ${key}`
    const send = (t: number) => api.ask('POST', '/v1/ingest', { body: { t }, authorization })
    expect((await send(1)).status).to.equal(200)
    store.away = true
    expect((await api.ask('GET', '/livez')).status).to.equal(200)
    const ready = await api.ask('GET', '/readyz')
    expect([ready.status, ready.body.reason]).to.deep.equal([503, 'the store does not answer'])
    expectProblem(await send(2), 503, 'store_unavailable')
    expectProblem(await api.ask('GET', '/v1/devices/d/latest', { authorization }), 503, 'store_unavailable')
    store.away = false
    expect((await api.ask('GET', '/readyz')).status).to.equal(200)
    expect((await send(3)).status).to.equal(200)
    const { body } = await api.ask('GET', '/v1/devices/d/telemetry?order=asc', { authorization })
    expect(
      body.items.map(({ value }: { value: number }) => value),
      'what was refused is not there',
    ).to.deep.equal([1, 3])
  })
})
