import { expect } from 'chai'
import { ApiError, createClient, UnexpectedAnswerError, UnreachableError } from '#client/index.ts'
import { adminToken, startTestApi, type TestApi } from '../api/fixture.ts'
import { noon } from '../platform/telemetry/fixture.ts'
import { breaks, Host, json, problem } from './hosts.ts'

async function failure(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise
  } catch (error) {
    return error
  }
  return expect.fail('it did not fail')
}

const device = { id: 'd1', name: 'pump-1' }
const byName = { params: { path: { device: 'pump-1' } } }

describe('The client with the API', () => {
  let api: TestApi
  before(async () => {
    api = await startTestApi({ heartbeat: 20 })
  })
  after(() => api.close())

  it('makes, reads, changes and deletes what the types say', async () => {
    const client = createClient({ url: api.url, token: adminToken })
    const made = await client.post('/v1/devices', { body: { name: 'pump-1', labels: { site: 'berlin' } } })
    expect(made.key).to.match(/^k_/)
    expect(await client.get('/v1/devices/{device}', byName)).to.include({ id: made.id, name: 'pump-1' })
    const changed = await client.patch('/v1/devices/{device}', { ...byName, body: { labels: {} } })
    expect(changed.labels).to.deep.equal({})
    expect(await client.delete('/v1/devices/{device}', byName)).to.equal(undefined)
  })

  it('throws a problem with all that a program needs of it', async () => {
    const client = createClient({ url: api.url, token: adminToken })
    const missing = await failure(client.get('/v1/devices/{device}', byName))
    expect(missing).to.be.instanceOf(ApiError)
    expect(missing).to.include({ code: 'device_not_found', status: 404, retryAfter: undefined })
    expect((missing as ApiError).requestId).to.be.a('string')
    const wrong = (await failure(client.post('/v1/devices', { body: { name: '' } }))) as ApiError
    expect(wrong.errors.map(({ field }) => field)).to.deep.equal(['body.name'])
    const stranger = createClient({ url: api.url, token: 'wrong' })
    expect(await failure(stranger.get('/v1/devices'))).to.include({ code: 'unauthenticated', status: 401 })
  })

  it('reads lists to their end, page by page', async () => {
    const client = createClient({ url: api.url, token: adminToken })
    for (let i = 0; i < 5; i++) await api.device(`page-${i}`)
    const query = { prefix: 'page-', limit: 2 }
    const names: string[] = []
    for await (const { name } of client.items('/v1/devices', { params: { query } })) names.push(name)
    expect(names).to.deep.equal([0, 1, 2, 3, 4].map((i) => `page-${i}`))
  })

  it('is a device with a device key; exports and imports any number of values', async () => {
    const { key } = await api.device('meter-1')
    const me = createClient({ url: api.url, deviceKey: key })
    expect(await me.post('/v1/ingest', { body: { temp: 21.5 } })).to.deep.equal({ points: 1 })
    const admin = createClient({ url: api.url, token: adminToken })
    const params = { path: { device: 'meter-1' } }
    const imported = await admin.upload('/v1/devices/{device}/telemetry/import', {
      ...params,
      type: 'application/x-ndjson',
      body: `{"ts":${noon},"values":{"temp":1}}\n{"ts":${noon + 1000},"values":{"temp":2}}\n`,
    })
    expect(imported).to.include({ values: 2, refused: 0 })
    const rows = await Array.fromAsync(admin.rows('/v1/devices/{device}/telemetry/export', params))
    expect(rows).to.have.length(3)
    const bytes = await admin.stream('/v1/devices/{device}/telemetry/export', params)
    expect(Buffer.concat(await Array.fromAsync(bytes)).toString()).to.match(/^time,key,value,type\r\n/)
  })

  it('follows live events, and goes on behind the last one', async () => {
    const { key } = await api.device('live-1')
    const client = createClient({ url: api.url, token: adminToken })
    const me = createClient({ url: api.url, deviceKey: key })
    const stop = new AbortController()
    const open = Promise.withResolvers<void>()
    const events = client.live({ types: 'telemetry' }, { signal: stop.signal, onOpen: () => open.resolve() })
    const first = events.next()
    await open.promise
    await me.post('/v1/ingest', { body: { a: 1 } })
    const { value: event } = await first
    expect(event).to.have.nested.property('data.device.name', 'live-1')
    await events.return(undefined)
    await me.post('/v1/ingest', { body: { a: 2 } })
    const later = client.live({ types: 'telemetry' }, { signal: stop.signal, lastEventId: event?.id ?? '' })
    const { value: missed } = await later.next()
    expect(missed).to.have.nested.property('data.points[0].value', 2)
    stop.abort()
    expect((await later.next()).done).to.equal(true)
  })
})

describe('The client when hosts fail', () => {
  const hosts: Host[] = []
  async function host(...answers: Parameters<typeof Host.answering>): Promise<Host> {
    const one = await Host.answering(...answers)
    hosts.push(one)
    return one
  }
  afterEach(() => {
    for (const one of hosts.splice(0)) one.close()
  })

  it('asks the next host when one breaks off, and stays with it', async () => {
    const [bad, good] = [await host(breaks), await host(json(200, device))]
    const client = createClient({ urls: [bad.url, good.url], token: 't' })
    expect(await client.get('/v1/devices/{device}', byName)).to.deep.equal(device)
    await client.get('/v1/devices/{device}', byName)
    expect([bad.asked.length, good.asked.length]).to.deep.equal([1, 2])
    expect(good.asked[0]).to.include({ url: '/v1/devices/pump-1' })
    expect(good.asked[0].headers.authorization).to.equal('Bearer t')
  })

  it('asks the next host when the store of one is away', async () => {
    const [bad, good] = [
      await host(problem(503, 'store_unavailable', { 'retry-after': '5' })),
      await host(json(200, device)),
    ]
    const client = createClient({ urls: [bad.url, good.url] })
    expect(await client.get('/v1/devices/{device}', byName)).to.deep.equal(device)
  })

  it('sends a POST again with the same key and body, so that nothing is done twice', async () => {
    const [bad, good] = [await host(breaks), await host(json(201, device))]
    const client = createClient({ urls: [bad.url, good.url] })
    await client.post('/v1/devices', { body: { name: 'pump-1' } })
    const [first, again] = [bad.asked[0], good.asked[0]]
    expect(first.headers['idempotency-key']).to.be.a('string')
    expect(again.headers['idempotency-key']).to.equal(first.headers['idempotency-key'])
    expect([again.body, again.headers['content-type']]).to.deep.equal([
      '{"name":"pump-1"}',
      'application/json',
    ])
  })

  it('does not send a POST again that could be done twice', async () => {
    const [bad, good] = [await host(breaks), await host(json(201, {}))]
    const client = createClient({ urls: [bad.url, good.url] })
    const body = { email: 'ada@example.com', password: 'secret' }
    expect(await failure(client.post('/v1/sessions', { body }))).to.be.instanceOf(UnreachableError)
    expect(good.asked).to.have.length(0)
  })

  it('waits as long as Retry-After says, if that is not too long', async () => {
    const limited = await host(problem(429, 'rate_limited', { 'retry-after': '0' }), json(200, device))
    expect(await createClient({ url: limited.url }).get('/v1/devices/{device}', byName)).to.deep.equal(device)
    const closed = await host(problem(429, 'quota_exceeded', { 'retry-after': '3600' }))
    const error = await failure(createClient({ url: closed.url }).get('/v1/devices/{device}', byName))
    expect(error).to.include({ code: 'quota_exceeded', retryAfter: 3600 })
    expect(closed.asked).to.have.length(1)
  })

  it('gives up after `retries`, and says why', async () => {
    const away = await host(problem(503, 'store_unavailable', { 'retry-after': '0' }))
    const error = await failure(createClient({ url: away.url, retries: 3 }).get('/v1/devices'))
    expect(error).to.include({ code: 'store_unavailable', status: 503 })
    expect(away.asked).to.have.length(4)
    const nobody = createClient({ urls: ['http://127.0.0.1:2', 'http://127.0.0.1:3'] })
    expect(await failure(nobody.get('/v1/devices'))).to.be.instanceOf(UnreachableError)
  })

  it('takes "not found" as done when it had sent a DELETE before, whose answer was lost', async () => {
    const lost = await host(breaks, problem(404, 'device_not_found'))
    expect(await createClient({ url: lost.url }).delete('/v1/devices/{device}', byName)).to.equal(undefined)
    const plain = await host(problem(404, 'device_not_found'))
    expect(await failure(createClient({ url: plain.url }).delete('/v1/devices/{device}', byName))).to.include(
      {
        code: 'device_not_found',
      },
    )
  })

  it('does not wait for ever for an answer', async () => {
    const silent = await host(() => undefined)
    const client = createClient({ url: silent.url, timeout: 20, retries: 0 })
    const error = (await failure(client.get('/v1/devices'))) as Error
    expect(error).to.be.instanceOf(UnreachableError)
    expect(error.cause).to.have.property('name', 'TimeoutError')
  })

  it('ends at once when its signal aborts', async () => {
    const silent = await host(() => stop.abort(new Error('enough')))
    const stop = new AbortController()
    const client = createClient({ url: silent.url })
    const error = (await failure(client.get('/v1/devices', { signal: stop.signal }))) as Error
    expect(error.message).to.equal('enough')
    expect(silent.asked).to.have.length(1)
  })

  it('says so when something else answers, and when an answer breaks off', async () => {
    const other = await host((response) => response.end('<html>'))
    expect(await failure(createClient({ url: other.url }).get('/v1/devices'))).to.be.instanceOf(
      UnexpectedAnswerError,
    )
    const proxy = await host((response) => response.writeHead(502).end('bad gateway'))
    expect(await failure(createClient({ url: proxy.url }).get('/v1/devices'))).to.include({
      code: 'unknown',
      status: 502,
    })
    const half = await host((response) => {
      response.writeHead(200, { 'content-type': 'application/x-ndjson', 'content-length': '100' })
      response.write('{"a":1}\n')
      setImmediate(() => response.destroy())
    })
    const rows = createClient({ url: half.url }).rows('/v1/audit/export')
    expect(await failure(Array.fromAsync(rows))).to.be.instanceOf(UnexpectedAnswerError)
  })

  it('never lets a name lead to another path', async () => {
    const any = await host(json(200, {}))
    const client = createClient({ url: any.url })
    for (const name of ['', '.', '..']) {
      const error = await failure(
        client.delete('/v1/devices/{device}', { params: { path: { device: name } } }),
      )
      expect(error, name).to.be.instanceOf(TypeError)
    }
    await client.get('/v1/devices/{device}', { params: { path: { device: 'a/b?c=$&' } } })
    expect(any.asked.map(({ url }) => url)).to.deep.equal(['/v1/devices/a%2Fb%3Fc%3D%24%26'])
  })

  it('names the organisation where one may be chosen, and nowhere else', async () => {
    const any = await host(json(200, {}))
    const client = createClient({ url: any.url, organisation: 'acme' })
    await client.get('/v1/devices')
    await client.get('/v1/me')
    await client.get('/v1/devices', { params: { query: { organisation: 'other' } } })
    expect(any.asked.map(({ url }) => url)).to.deep.equal([
      '/v1/devices?organisation=acme',
      '/v1/me',
      '/v1/devices?organisation=other',
    ])
  })

  it('opens a stream that ended again behind its last event, on another host, and ends when refused', async () => {
    const events = (text: string) => (response: import('node:http').ServerResponse) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.end(`retry: 1\n\n${text}`)
    }
    const one = await host(events('id: 1\nevent: telemetry\ndata: {"n":1}\n\n'), breaks)
    const two = await host(events('id: 2\ndata: {"n":2}\n\n'), problem(403, 'forbidden'))
    const seen: unknown[] = []
    const follow = async (): Promise<void> => {
      const client = createClient({ urls: [one.url, two.url], retries: 0 })
      for await (const { id, data } of client.live()) seen.push([id, data])
    }
    expect(await failure(follow())).to.include({ code: 'forbidden' })
    expect(seen).to.deep.equal([
      ['1', { n: 1 }],
      ['2', { n: 2 }],
    ])
    expect(one.asked.map(({ headers }) => headers['last-event-id'])).to.deep.equal([undefined, '1'])
    expect(two.asked.map(({ headers }) => headers['last-event-id'])).to.deep.equal(['1', '2'])
  })

  it('says what is wrong with its options', () => {
    expect(() => createClient({})).to.throw(TypeError, 'at least one address')
    expect(() => createClient({ url: 'here' })).to.throw(TypeError, 'url here: expected one like https://')
    expect(() => createClient({ url: 'http://x', token: 't', deviceKey: 'k' })).to.throw(TypeError, 'exclude')
  })
})
