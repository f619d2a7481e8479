import { gzipSync } from 'node:zlib'
import { expect } from 'chai'
import { noon } from '../platform/telemetry/fixture.ts'
import { type AskOptions, type Answer, expectProblem, startTestApi, type TestApi } from './fixture.ts'

describe('REST: telemetry in and out', () => {
  let api: TestApi
  let authorization: string
  let count = 0
  let name: string

  before(async () => {
    api = await startTestApi()
  })
  after(() => api.close())
  beforeEach(async () => {
    name = `device-${++count}`
    authorization = `Device ${(await api.device(name)).key}`
  })

  function ingest(body: unknown, options: AskOptions = {}): Promise<Answer> {
    return api.ask('POST', '/v1/ingest', { body, authorization, ...options })
  }
  async function history(
    query: string,
  ): Promise<{ items: { key: string; ts: number; value: unknown }[]; next: string | null }> {
    const answer = await api.ask('GET', `/v1/devices/${name}/telemetry?${query}`)
    expect(answer.status, answer.text).to.equal(200)
    return answer.body
  }

  it('stores what a device posts and shows it as latest and as history', async () => {
    const posted = await ingest({ temp: 21.5, on: true, mode: 'eco', place: { lat: 47.5 } })
    expect(posted.status).to.equal(200)
    expect(posted.body).to.deep.equal({ points: 4 })
    const latest = await api.ask('GET', `/v1/devices/${name}/latest`)
    expect(latest.body.items).to.deep.equal([
      { key: 'mode', ts: noon, value: 'eco' },
      { key: 'on', ts: noon, value: true },
      { key: 'place', ts: noon, value: { lat: 47.5 } },
      { key: 'temp', ts: noon, value: 21.5 },
    ])
    expect((await history('order=asc')).items).to.deep.equal(latest.body.items)
    const some = await api.ask('GET', `/v1/devices/${name}/latest?keys=temp,nothing`)
    expect(some.body.items).to.deep.equal([{ key: 'temp', ts: noon, value: 21.5 }])
  })

  it('takes the copy-paste line of curl: a form content type, the key as Bearer', async () => {
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    const bearer = authorization.replace('Device', 'Bearer')
    expect((await ingest('{"temp":21.5}', { headers, authorization: bearer })).status).to.equal(200)
  })

  it('takes a compressed body', async () => {
    const body = gzipSync(JSON.stringify({ temp: 1 }))
    expect((await ingest(body, { headers: { 'content-encoding': 'gzip' } })).status).to.equal(200)
  })

  const bad: [
    name: string,
    body: unknown,
    options: AskOptions,
    status: number,
    code: string,
    field: string | undefined,
  ][] = [
    ['no body', undefined, {}, 400, 'invalid_telemetry', 'body'],
    ['text', 'hello', {}, 400, 'invalid_telemetry', 'body'],
    [
      'a bad value deep in an array',
      [{ a: 1 }, { ts: noon, values: { b: null } }],
      {},
      400,
      'invalid_telemetry',
      'body[1].values.b',
    ],
    ['a bad key', { 'a,b': 1 }, {}, 400, 'invalid_telemetry', 'body."a,b"'],
    ['a bad time', { ts: 5, values: { a: 1 } }, {}, 400, 'invalid_telemetry', 'body.ts'],
    ['too long a body', `{"a":"${'x'.repeat(262_144)}"}`, {}, 413, 'body_too_large', undefined],
    [
      'a bomb',
      gzipSync(`{"a":"${'x'.repeat(1_000_000)}"}`),
      { headers: { 'content-encoding': 'gzip' } },
      413,
      'body_too_large',
      undefined,
    ],
    [
      'a broken compression',
      'nonsense',
      { headers: { 'content-encoding': 'gzip' } },
      400,
      'invalid_request',
      undefined,
    ],
    [
      'an unknown compression',
      '{}',
      { headers: { 'content-encoding': 'zip' } },
      415,
      'unsupported_media_type',
      undefined,
    ],
  ]
  for (const [what, body, options, status, code, field] of bad) {
    it(`refuses ${what} and stores nothing`, async () => {
      const answer = await ingest(body, options)
      expectProblem(answer, status, code)
      expect(answer.body.errors?.[0].field).to.equal(field)
      expect((await api.ask('GET', `/v1/devices/${name}/latest`)).body.items).to.deep.equal([])
    })
  }

  it("takes values only from a device's own key", async () => {
    expectProblem(await ingest({ a: 1 }, { authorization: null }), 401, 'unauthenticated')
    expectProblem(await api.ask('POST', '/v1/ingest', { body: { a: 1 } }), 403, 'forbidden')
  })

  it('refuses one key more than a device may have', async () => {
    await ingest(Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`k${i}`, i])))
    expectProblem(await ingest({ extra: 1 }), 409, 'limit_reached')
  })

  describe('history', () => {
    beforeEach(async () => {
      const hour = 3_600_000
      await ingest(Array.from({ length: 50 }, (_, i) => ({ ts: noon - i * hour, values: { a: i, b: -i } })))
    })

    it('is newest first, and the other way round if asked', async () => {
      const newest = await history('keys=a&limit=3')
      expect(newest.items.map(({ value }) => value)).to.deep.equal([0, 1, 2])
      const oldest = await history('keys=a&limit=3&order=asc')
      expect(oldest.items.map(({ value }) => value)).to.deep.equal([49, 48, 47])
    })

    it('comes page by page, across days, each value once', async () => {
      for (const order of ['asc', 'desc']) {
        const seen: string[] = []
        let cursor: string | null = ''
        while (cursor !== null) {
          const page: Awaited<ReturnType<typeof history>> = await history(
            `limit=7&order=${order}${cursor && `&cursor=${cursor}`}`,
          )
          seen.push(...page.items.map(({ key, ts }) => `${key}${ts}`))
          cursor = page.next
        }
        expect(seen).to.have.length(100)
        expect(new Set(seen).size).to.equal(100)
      }
    })

    it('is of a range of time: from inclusive, to exclusive, in milliseconds or RFC 3339', async () => {
      const within = await history(`keys=a&from=${noon - 7_200_000}&to=${noon}`)
      expect(within.items.map(({ value }) => value)).to.deep.equal([1, 2])
      const same = await history('keys=a&from=2026-11-21T10:00:00Z&to=2026-11-21T13:00:00%2B01:00')
      expect(same.items).to.deep.equal(within.items)
    })

    it('is never more than asked for, and says when there is more', async () => {
      const some = await history('limit=99')
      expect(some.items).to.have.length(99)
      expect(some.next).to.be.a('string')
      expect(await history('limit=100')).to.include({ next: null })
    })

    for (const [query, field] of [
      ['limit=0', 'query.limit'],
      ['limit=10001', 'query.limit'],
      ['limit=', 'query.limit'],
      ['order=up', 'query.order'],
      ['from=yesterday', 'query.from'],
      ['from=-1', 'query.from'],
      ['from=2026-11-21', 'query.from'],
      ['to=2026-13-01T00:00:00Z', 'query.to'],
      ['from=5&to=5', 'query.to'],
      ['keys=', 'query.keys'],
      ['keys=a,,b', 'query.keys[1]'],
      [`keys=${'x'.repeat(129)}`, 'query.keys[0]'],
      [`keys=${'x,'.repeat(100)}x`, 'query.keys'],
      ['cursor=AAAA', 'query.cursor'],
      [`cursor=${Buffer.from('[1,"a",-1]').toString('base64url')}`, 'query.cursor'],
      ['step=60', 'query.step'],
    ]) {
      it(`refuses ?${query.slice(0, 24)} and names the parameter`, async () => {
        const answer = await api.ask('GET', `/v1/devices/${name}/telemetry?${query}`)
        expectProblem(answer, 400, 'invalid_request')
        expect(answer.body.errors[0].field).to.equal(field)
      })
    }
  })
})
