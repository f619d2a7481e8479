import { expect } from 'chai'
import { z } from 'zod'
import { route } from '#api/route.ts'
import { expectProblem, rawRequest, startTestApi, type TestApi } from './fixture.ts'

const read = (path: string, names: readonly string[]) =>
  route({
    method: 'get',
    path,
    access: 'public',
    summary: path,
    tag: 'test',
    params: z.strictObject(Object.fromEntries(names.map((name) => [name, z.string()]))),
    status: 200,
    answer: z.object({ path: z.string(), params: z.unknown() }),
    handle: ({ params }) => ({ path, params }),
  })

describe('REST: paths', () => {
  let api: TestApi

  before(async () => {
    api = await startTestApi({}, [
      read('/v1/things/{thing}', ['thing']),
      read('/v1/things/all', []),
      read('/v1/things/all/{part}/of', ['part']),
      read('/v1/things/{thing}/parts/{part}', ['thing', 'part']),
    ])
  })
  after(() => api.close())

  const ask = async (path: string) => (await api.ask('GET', path)).body

  it('lead to the one route that is meant; a word counts before a name', async () => {
    expect(await ask('/v1/things/all')).to.deep.equal({ path: '/v1/things/all', params: {} })
    expect(await ask('/v1/things/x')).to.deep.equal({ path: '/v1/things/{thing}', params: { thing: 'x' } })
    expect(await ask('/v1/things/all/x/of')).to.include({ path: '/v1/things/all/{part}/of' })
    expect(await ask('/v1/things/all/parts/2')).to.deep.equal({
      path: '/v1/things/{thing}/parts/{part}',
      params: { thing: 'all', part: '2' },
    })
    expect(await ask('/v1/things/a%2Fb%20%C3%A9')).to.deep.include({ params: { thing: 'a/b é' } })
    expect(await ask('/v1/things/x/')).to.deep.include({ params: { thing: 'x' } })
  })

  it('that are none are 404, and what is no UTF-8 is 400', async () => {
    for (const path of [
      '/v1/things',
      '/v1/things/',
      '/v1/things//parts/1',
      '/v1//things/x',
      '/V1/things/x',
      '/v1/things/x/parts',
    ])
      expectProblem(await api.ask('GET', path), 404, 'not_found')
    for (const bad of ['%ff', '%', '%e0%a4'])
      expectProblem(await api.ask('GET', `/v1/things/${bad}`), 400, 'invalid_request')
  })

  it('say which methods they have, and answer HEAD as GET without the body', async () => {
    const wrong = await api.ask('DELETE', '/v1/things/all')
    expectProblem(wrong, 405, 'method_not_allowed')
    expect(wrong.headers.get('allow')).to.equal('GET')
    const head = await rawRequest(api.url, 'HEAD /v1/things/all HTTP/1.0\r\nHost: x\r\n\r\n')
    expect(head).to.match(/^HTTP\/1\.1 200 /)
    expect(head).to.match(/content-length: 37\r\n/i)
    expect(head.endsWith('\r\n\r\n'), head).to.equal(true)
  })
})
