import { expect } from 'chai'
import { assert, asyncProperty, jsonValue } from 'fast-check'
import { z } from 'zod'
import { route } from '#api/route.ts'
import { expectProblem, startTestApi, type TestApi } from './fixture.ts'

const echo = route({
  method: 'post',
  path: '/v1/echo',
  access: 'public',
  summary: 'The body again',
  tag: 'test',
  body: z.unknown(),
  status: 200,
  answer: z.object({ body: z.unknown() }),
  handle: ({ body }) => ({ body }),
})

const json = { 'content-type': 'application/json' }

describe('REST: JSON bodies', () => {
  let api: TestApi

  before(async () => {
    api = await startTestApi({}, [echo])
  })
  after(() => api.close())

  const send = (body: string | Uint8Array, headers: Record<string, string> = json) =>
    api.ask('POST', '/v1/echo', { body, headers })

  it('mean what they say: what is taken is what was sent', async () => {
    await assert(
      asyncProperty(jsonValue({ maxDepth: 5 }), async (value) => {
        const answer = await send(JSON.stringify([value]))
        expect(answer.body).to.deep.equal({ body: JSON.parse(JSON.stringify([value])) })
      }),
      { numRuns: 200, seed: 20 },
    )
    expect(
      (await send('{"a":{"a":1},"b":[{"a":2},{"a":3}],"c":":"}')).status,
      'the same name elsewhere',
    ).to.equal(200)
    expect((await send('')).body, 'nothing is an empty object').to.deep.equal({ body: {} })
  })

  const ambiguous: [why: string, body: string | Uint8Array][] = [
    ['a name twice', '{"role":"viewer","role":"admin"}'],
    ['a name twice, written differently', '{"role":"viewer", "\\u0072ole" : "admin"}'],
    ['a name twice, deep inside', '[{"a":[{"x":1,"y":"\\"}","x":2}]}]'],
    ['half a surrogate pair', '{"name":"\\ud800"}'],
    ['half a surrogate pair as a name', '{"\\udc00":1}'],
    ['bytes that are not UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])],
    ['nesting without end', '['.repeat(30_000) + ']'.repeat(30_000)],
    ['33 levels', '['.repeat(33) + ']'.repeat(33)],
    ['NaN', '{"a":NaN}'],
    ['a number alone', '1'],
    ['null', 'null'],
    ['two values', '{}{}'],
    ['a trailing comma', '{"a":1,}'],
  ]
  for (const [why, body] of ambiguous) {
    it(`are refused with ${why}, so that nobody is understood wrongly`, async () => {
      expectProblem(await send(body), 400, 'invalid_json')
    })
  }

  it('are refused in another type, character set or encoding', async () => {
    for (const type of ['text/plain', 'application/xml', 'application/json; charset=utf-16', 'nonsense']) {
      expectProblem(await send('{}', { 'content-type': type }), 415, 'unsupported_media_type')
    }
    expectProblem(
      await send('{}', { ...json, 'content-encoding': 'compress' }),
      415,
      'unsupported_media_type',
    )
    expectProblem(await send('no gzip', { ...json, 'content-encoding': 'gzip' }), 400, 'invalid_request')
    expect((await send('{}', { 'content-type': 'application/json; charset="UTF-8"' })).status).to.equal(200)
  })
})
