import { expect } from 'chai'
import type { ClientDetails, Clients } from '#api/deps.ts'
import { expectProblem, startTestApi, type TestApi } from './fixture.ts'

const noon = Date.UTC(2026, 10, 21, 12)
const details: ClientDetails = {
  connected: true,
  process: 'dc02-b1',
  dc: 'dc02',
  since: noon,
  address: '192.0.2.1',
  version: 4,
  username: 'thermo-1',
  device: 'abc',
  keepAlive: 60,
  sessionExpiry: 3600,
  queued: 3,
  inflight: 2,
  subscriptionCount: 1,
  subscriptions: [{ filter: 't/#', qos: 1 }],
}

/** A cell that has one client, `default` / `a/b`. */
class OneClient implements Clients {
  complete = true
  kicked: string[] = []

  async find(org: string, id: string): Promise<{ client: ClientDetails | null; complete: boolean }> {
    if (id === 'too-much') throw new RangeError('1000 questions are under way')
    return { client: org === 'default' && id === 'a/b' ? details : null, complete: this.complete }
  }

  async kick(org: string, id: string): Promise<{ kicked: boolean; complete: boolean }> {
    const kicked = org === 'default' && id === 'a/b'
    if (kicked) this.kicked.push(id)
    return { kicked, complete: this.complete }
  }
}

describe('REST: MQTT clients', () => {
  let api: TestApi
  let clients: OneClient
  let token: string

  before(async () => {
    clients = new OneClient()
    api = await startTestApi({ clients })
    token = (await api.ask('POST', '/v1/organisations', { body: { id: 'other' } })).body.token
  })
  after(() => api.close())

  it('are shown with who holds them, since when, and what waits for them', async () => {
    const answer = await api.ask('GET', '/v1/clients/a%2Fb')
    expect(answer.status).to.equal(200)
    expect(answer.body).to.deep.equal({
      id: 'a/b',
      organisation: 'default',
      connected: true,
      process: 'dc02-b1',
      dc: 'dc02',
      since: '2026-11-21T12:00:00.000Z',
      address: '192.0.2.1',
      mqtt: '3.1.1',
      username: 'thermo-1',
      device: 'abc',
      keep_alive: 60,
      session_expiry: 3600,
      queued: 3,
      inflight: 2,
      subscription_count: 1,
      subscriptions: [{ filter: 't/#', qos: 1 }],
    })
  })

  it('are disconnected', async () => {
    expect((await api.ask('DELETE', '/v1/clients/a%2Fb')).status).to.equal(204)
    expect(clients.kicked).to.deep.equal(['a/b'])
    expectProblem(await api.ask('DELETE', '/v1/clients/nobody'), 404, 'client_not_found')
  })

  it('are not said to be nowhere while somebody has not answered', async () => {
    expectProblem(await api.ask('GET', '/v1/clients/nobody'), 404, 'client_not_found')
    clients.complete = false
    const unsure = await api.ask('GET', '/v1/clients/nobody')
    clients.complete = true
    expectProblem(unsure, 503, 'incomplete')
    expect(unsure.headers.get('retry-after')).to.equal('5')
    expectProblem(await api.ask('GET', '/v1/clients/too-much'), 429, 'overloaded')
  })

  it("of another organisation do not exist for an organisation's token, and devices may not ask at all", async () => {
    const authorization = `Bearer ${token}`
    expectProblem(await api.ask('GET', '/v1/clients/a%2Fb', { authorization }), 404, 'client_not_found')
    expectProblem(await api.ask('DELETE', '/v1/clients/a%2Fb', { authorization }), 404, 'client_not_found')
    const named = await api.ask('GET', '/v1/clients/a%2Fb?organisation=default', { authorization })
    expectProblem(named, 404, 'organisation_not_found')
    const { key } = await api.device('d')
    expectProblem(
      await api.ask('GET', '/v1/clients/a%2Fb', { authorization: `Device ${key}` }),
      403,
      'forbidden',
    )
  })

  it('are not there where there is no broker', async () => {
    const alone = await startTestApi()
    expectProblem(await alone.ask('GET', '/v1/clients/a'), 404, 'not_found')
    await alone.close()
  })
})
