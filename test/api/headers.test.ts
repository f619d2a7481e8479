import { gunzipSync } from 'node:zlib'
import { expect } from 'chai'
import { rawRequest, startTestApi, type TestApi } from './fixture.ts'

const origin = 'https://console.example.org'

describe('REST: headers for browsers and proxies', () => {
  let api: TestApi

  before(async () => {
    api = await startTestApi({ corsOrigins: [origin] })
  })
  after(() => api.close())

  it('a page of an allowed origin may call it, any other may not', async () => {
    const preflight = { origin, 'access-control-request-method': 'PUT' }
    const asked = await api.ask('OPTIONS', '/v1/devices', { authorization: null, headers: preflight })
    expect(asked.status).to.equal(204)
    expect(asked.headers.get('access-control-allow-origin')).to.equal(origin)
    expect(asked.headers.get('access-control-allow-methods')).to.include('PUT')
    expect(asked.headers.get('access-control-allow-headers')).to.include('idempotency-key')
    const answer = await api.ask('GET', '/v1/devices', { headers: { origin } })
    expect(answer.headers.get('access-control-allow-origin')).to.equal(origin)
    expect(answer.headers.get('access-control-expose-headers')).to.include('x-request-id')
    expect(answer.headers.get('vary')).to.match(/origin/i)

    const other = { ...preflight, origin: 'https://evil.example.org' }
    const refused = await api.ask('OPTIONS', '/v1/devices', { authorization: null, headers: other })
    expect(refused.status).to.equal(405)
    expect(refused.headers.get('access-control-allow-origin')).to.equal(null)
    const failed = await api.ask('GET', '/v1/devices/none', { headers: { origin } })
    expect(failed.headers.get('access-control-allow-origin'), 'errors are read as well').to.equal(origin)
  })

  it('any page may where all are allowed, none where nobody is', async () => {
    const open = await startTestApi({ corsOrigins: ['*'] })
    const closed = await startTestApi()
    const headers = { origin }
    expect(
      (await open.ask('GET', '/livez', { headers })).headers.get('access-control-allow-origin'),
    ).to.equal('*')
    expect(
      (await closed.ask('GET', '/livez', { headers })).headers.get('access-control-allow-origin'),
    ).to.equal(null)
    await Promise.all([open.close(), closed.close()])
  })

  it('a browser loads nothing from elsewhere, frames nothing, and guesses no types', async () => {
    const { headers } = await api.ask('GET', '/v1/errors')
    expect(headers.get('content-security-policy')).to.match(/^default-src 'self';/)
    expect(headers.get('content-security-policy')).to.include("frame-ancestors 'none'")
    expect(headers.get('x-content-type-options')).to.equal('nosniff')
    expect(headers.get('referrer-policy')).to.equal('no-referrer')
  })

  it('long answers are compressed for who asks, short ones and live streams are not', async () => {
    const request = (path: string) =>
      rawRequest(
        api.url,
        `GET ${path} HTTP/1.0\r\nHost: x\r\nAccept-Encoding: gzip\r\nAuthorization: Bearer t_admin-for-the-tests\r\n\r\n`,
      )
    const long = await request('/v1/errors')
    expect(long).to.match(/content-encoding: gzip/i)
    const body = Buffer.from(long.slice(long.indexOf('\r\n\r\n') + 4), 'latin1')
    expect(JSON.parse(gunzipSync(body).toString()).items).to.have.length.above(20)
    expect(await request('/livez')).to.not.match(/content-encoding/i)

    const live = await fetch(`${api.url}/v1/live`, {
      headers: { authorization: 'Bearer t_admin-for-the-tests', 'accept-encoding': 'gzip' },
    })
    expect(live.headers.get('content-encoding')).to.equal(null)
    await live.body?.cancel()
  })

  it('an answer that has not changed is not sent again, also without a version', async () => {
    const first = await api.ask('GET', '/v1/errors')
    const headers = { 'if-none-match': first.headers.get('etag') ?? '' }
    const again = await api.ask('GET', '/v1/errors', { headers })
    expect([again.status, again.text]).to.deep.equal([304, ''])
  })
})
