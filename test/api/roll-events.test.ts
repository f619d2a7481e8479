import { expect } from 'chai'
import { createClient, type CinqueClient } from '#client/index.ts'
import { adminToken, expectProblem, startTestApi, type TestApi } from './fixture.ts'

interface Told {
  readonly state: string
  readonly steps: { readonly phase: string | null }[]
}

describe('REST: looking on at a roll', () => {
  let api: TestApi
  let client: CinqueClient
  let ends: AbortController

  beforeEach(async () => {
    api = await startTestApi()
    client = createClient({ urls: [api.url], token: adminToken })
    ends = new AbortController()
  })

  afterEach(async () => {
    ends.abort()
    await api.close()
  })

  async function plan(): Promise<string> {
    const hosts = [{ host: 'dc01-app1', dc: 'dc01' }]
    return (await client.post('/v1/rolls', { body: { kind: 'restart', reason: 'test', hosts } })).id
  }

  it('shows each phase as it begins, whoever carries it out, and ends with the roll', async () => {
    const id = await plan()
    const path = { params: { path: { roll: id } } }
    const told: string[] = []
    const { runner } = await client.post('/v1/rolls/{roll}/take', { ...path, body: { runner: 'r' } })
    const token = runner?.token ?? 0
    const body = { token, host: 'dc01-app1', phase: 'drain' } as const
    for await (const { event, data } of client.events(
      '/v1/rolls/{roll}/events',
      { path: { roll: id } },
      { signal: ends.signal },
    )) {
      const { state, steps } = data as Told
      told.push(`${event} ${state} ${steps[0].phase}`)
      if (told.length === 1)
        await client.post('/v1/rolls/{roll}/report', { ...path, body: { ...body, state: 'running' } })
      if (told.length === 2)
        await client.post('/v1/rolls/{roll}/report', {
          ...path,
          body: { ...body, state: 'failed', note: 'no' },
        })
      if (state === 'failed') break
    }
    expect(told).to.deep.equal(['roll running null', 'roll running drain', 'roll failed drain'])
  })

  it('ends by itself when the roll is over, and tells a browser that nothing more comes', async () => {
    const id = await plan()
    await client.post('/v1/rolls/{roll}/abort', { params: { path: { roll: id } } })
    const answer = await api.ask('GET', `/v1/rolls/${id}/events`)
    expect(answer.text).to.match(/id: end\nevent: roll\ndata: \{.*"state":"aborted"/)
    const again = await api.ask('GET', `/v1/rolls/${id}/events`, { headers: { 'last-event-id': 'end' } })
    expect(again.status).to.equal(204)
  })

  it('is for those who run the platform, and for rolls that there are', async () => {
    const none = '0197a4c2-1b7e-7c55-8f41-2f1f5a3a9d10'
    expectProblem(await api.ask('GET', `/v1/rolls/${none}/events`), 404, 'roll_not_found')
    const acme = await api.ask('POST', '/v1/organisations', { body: { id: 'acme' } })
    const authorization = `Bearer ${acme.body.token}`
    const refused = await api.ask('GET', `/v1/rolls/${await plan()}/events`, { authorization })
    expectProblem(refused, 403, 'forbidden')
  })
})
