import { expect } from 'chai'
import type { ClientDetails, Clients, TraceNews } from '#api/deps.ts'
import { adminToken, expectProblem, startTestApi, type TestApi } from './fixture.ts'

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
  drops: { queue_full: 7 },
  subscriptionCount: 1,
  subscriptions: [{ filter: 't/#', qos: 1 }],
}

/** A cell that has one client, `default` / `a/b`. */
class OneClient implements Clients {
  complete = true
  kicked: string[] = []
  readonly listed: Parameters<Clients['list']>[0][] = []
  readonly traces = new Map<string, (news: TraceNews) => void>()

  async find(org: string, id: string): Promise<{ client: ClientDetails | null; complete: boolean }> {
    if (id === 'too-much') throw new RangeError('1000 questions are under way')
    return { client: org === 'default' && id === 'a/b' ? details : null, complete: this.complete }
  }

  async kick(org: string, id: string): Promise<{ kicked: boolean; complete: boolean }> {
    const kicked = org === 'default' && id === 'a/b'
    if (kicked) this.kicked.push(id)
    return { kicked, complete: this.complete }
  }

  async list(query: Parameters<Clients['list']>[0]): ReturnType<Clients['list']> {
    this.listed.push(query)
    const ids = ['a', 'b', 'c'].filter((id) => query.after === null || id > query.after)
    const clients = query.org === 'default' ? ids.map((id) => ({ id, view: details })) : []
    return {
      clients: clients.slice(0, query.limit),
      more: clients.length > query.limit,
      complete: this.complete,
    }
  }

  async subscriptions({
    org,
    client,
    after,
    limit,
  }: Parameters<Clients['subscriptions']>[0]): ReturnType<Clients['subscriptions']> {
    if (org !== 'default' || client !== 'a/b') return { found: null, complete: this.complete }
    const all = ['s/1', 's/2', 's/3'].map((filter) => ({ filter, qos: 1, no_local: false }))
    const subscriptions = all.filter(({ filter }) => after === null || filter > after).slice(0, limit)
    return { found: { count: 3, subscriptions }, complete: true }
  }

  trace(who: Parameters<Clients['trace']>[0], news: (news: TraceNews) => void): () => void {
    if (who.client === 'too-much') throw new RangeError('too many clients are traced')
    this.traces.set(JSON.stringify(who), news)
    return () => this.traces.delete(JSON.stringify(who))
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
      dropped: { queue_full: 7 },
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

  it('are listed page by page, chosen by what waits for them and what was dropped', async () => {
    const first = await api.ask(
      'GET',
      '/v1/clients?limit=2&connected=true&min_queued=1&min_dropped=5&dc=dc02',
    )
    expect(first.status, first.text).to.equal(200)
    expect(first.body.items.map(({ id }: { id: string }) => id)).to.deep.equal(['a', 'b'])
    expect(first.body.items[0]).to.deep.include({ queued: 3, dropped: { queue_full: 7 } })
    expect(first.body.items[0]).to.not.have.property('subscriptions')
    const second = await api.ask('GET', `/v1/clients?limit=2&cursor=${first.body.next}`)
    expect(second.body.items.map(({ id }: { id: string }) => id)).to.deep.equal(['c'])
    expect([second.body.next, second.body.complete]).to.deep.equal([null, true])
    expect(clients.listed[0]).to.deep.include({ org: 'default', after: null, limit: 2 })
    expect(clients.listed[0].filter).to.include({ connected: true, minQueued: 1, minDropped: 5, dc: 'dc02' })
    for (const query of [
      'limit=201',
      'limit=0',
      'min_queued=x',
      'connected=maybe',
      'cursor=%00',
      'colour=red',
    ])
      expectProblem(await api.ask('GET', `/v1/clients?${query}`), 400, 'invalid_request')
    const foreign = await api.ask('GET', '/v1/clients', { authorization: `Bearer ${token}` })
    expect(foreign.body.items).to.deep.equal([])
  })

  it('show all their subscriptions, page by page', async () => {
    const first = (await api.ask('GET', '/v1/clients/a%2Fb/subscriptions?limit=2')).body
    expect(first.items).to.deep.equal([
      { filter: 's/1', qos: 1, no_local: false },
      { filter: 's/2', qos: 1, no_local: false },
    ])
    expect(first.count).to.equal(3)
    const second = (await api.ask('GET', `/v1/clients/a%2Fb/subscriptions?limit=2&cursor=${first.next}`)).body
    expect(second.items.map(({ filter }: { filter: string }) => filter)).to.deep.equal(['s/3'])
    expect(second.next).to.equal(null)
    expectProblem(await api.ask('GET', '/v1/clients/nobody/subscriptions'), 404, 'client_not_found')
    const authorization = `Bearer ${token}`
    const foreign = await api.ask('GET', '/v1/clients/a%2Fb/subscriptions', { authorization })
    expectProblem(foreign, 404, 'client_not_found')
  })

  it('are traced while somebody reads, by client or by device, within the organisation', async () => {
    const { id } = await api.device('traced')
    const headers = { authorization: `Bearer ${adminToken}` }
    const reading = new AbortController()
    const { signal } = reading
    const stream = await fetch(`${api.url}/v1/devices/traced/trace`, { headers, signal })
    expect(stream.headers.get('content-type')).to.equal('text/event-stream')
    const [[who, news]] = clients.traces
    expect(JSON.parse(who)).to.deep.equal({ org: 'default', client: null, device: id })
    news({ line: { at: noon, client: 'c', direction: 'in', summary: 'PUBLISH t' }, missed: 3 })
    const reader = stream.body?.getReader()
    let told = ''
    while (!told.includes('missed')) told += Buffer.from((await reader?.read())?.value ?? []).toString()
    expect(told).to.include(
      'event: packet\ndata: {"at":"2026-11-21T12:00:00.000Z","client":"c","direction":"in","summary":"PUBLISH t"}\n\nevent: missed\ndata: {"events":3}\n\n',
    )
    reading.abort()
    while (clients.traces.size > 0) await new Promise((soon) => setTimeout(soon, 5))
    const authorization = `Bearer ${token}`
    const foreign = await api.ask('GET', `/v1/devices/${id}/trace`, { authorization })
    expectProblem(foreign, 404, 'device_not_found')
    expectProblem(await api.ask('GET', '/v1/clients/too-much/trace'), 429, 'overloaded')
  })

  it('keep nothing without bound for who does not read their trace, and tell him how much he has missed', async () => {
    const headers = { authorization: `Bearer ${adminToken}` }
    const reading = new AbortController()
    const stream = await fetch(`${api.url}/v1/clients/slow/trace`, { headers, signal: reading.signal })
    const [[, news]] = clients.traces
    const line = { at: noon, client: 'slow', direction: 'out', summary: 'x'.repeat(20_000) } as const
    for (let i = 0; i < 3000; i++) news({ line, missed: 0 })
    const reader = stream.body?.getReader()
    let told = ''
    while (!told.includes('event: missed')) {
      const { value } = (await reader?.read()) ?? {}
      told = (told + Buffer.from(value ?? []).toString()).slice(-100_000)
    }
    expect(Number(/event: missed\ndata: \{"events":(\d+)\}/.exec(told)?.[1])).to.be.above(1000)
    reading.abort()
    while (clients.traces.size > 0) await new Promise((soon) => setTimeout(soon, 5))
  })

  it('are not there where there is no broker', async () => {
    const alone = await startTestApi()
    expectProblem(await alone.ask('GET', '/v1/clients/a'), 404, 'not_found')
    await alone.close()
  })
})
