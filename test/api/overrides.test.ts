import { expect } from 'chai'
import { expectProblem, startTestApi, type TestApi } from './fixture.ts'
import { member, signIn } from './people.ts'

const hour = 3_600_000

describe('REST: overrides of datacenters and hosts', () => {
  let api: TestApi
  const put = (subject: string, body: unknown, headers: Record<string, string> = {}) =>
    api.ask('PUT', `/v1/overrides/${subject}`, { body, headers })
  const list = async () => (await api.ask('GET', '/v1/overrides')).body.items
  const iso = (ms: number): string => new Date(ms).toISOString()

  beforeEach(async () => {
    api = await startTestApi({ subjects: () => ['dc01', 'dc02', 'dc01-a1'] })
  })
  afterEach(() => api.close())

  it('are kept with who said what and why, and are gone when they are taken back', async () => {
    await member(api, 'anna@example.com', 'admin')
    const anna = await signIn(api, 'anna@example.com')
    await api.ask('PUT', `/v1/administrators/${anna.id}`)
    const made = await anna.ask('PUT', '/v1/overrides/dc01', { action: 'out', reason: ' new disks ' })
    expect(made.status, made.text).to.equal(200)
    expect(made.body).to.include({
      subject: 'dc01',
      action: 'out',
      percent: null,
      owner: 'anna@example.com',
      reason: 'new disks',
      expires_at: null,
    })
    expect(made.headers.get('etag')).to.equal(`"${made.body.version}"`)
    expect((await api.ask('GET', '/v1/overrides/dc01')).body).to.deep.equal(made.body)
    expect(await list()).to.deep.equal([made.body])

    expect((await api.ask('DELETE', '/v1/overrides/dc01')).status).to.equal(204)
    expect(await list()).to.deep.equal([])
    expectProblem(await api.ask('GET', '/v1/overrides/dc01'), 404, 'override_not_found')
    expectProblem(await api.ask('DELETE', '/v1/overrides/dc01'), 404, 'override_not_found')
    const again = await put('dc01', { action: 'in', reason: 'it is well' })
    expect(again.body.version).to.be.greaterThan(made.body.version)
  })

  it('end by themselves', async () => {
    const { clock } = api.platform
    const body = { action: 'weight', percent: 30, reason: 'warm up', expires_at: iso(clock.now() + 2 * hour) }
    expect((await put('dc02', body)).body).to.include({ percent: 30, expires_at: body.expires_at })
    clock.time += 2 * hour
    expect(await list()).to.deep.equal([])
    expectProblem(await api.ask('GET', '/v1/overrides/dc02'), 404, 'override_not_found')
    expect((await put('dc02', { action: 'out', reason: 'r' }, { 'if-none-match': '*' })).status).to.equal(200)
  })

  it('change only from the version that somebody has seen, if he says which', async () => {
    const first = await put('dc01', { action: 'out', reason: 'one' }, { 'if-none-match': '*' })
    const etag = first.headers.get('etag') ?? ''
    const second = await put('dc01', { action: 'out', reason: 'two' }, { 'if-match': etag })
    expect(second.status).to.equal(200)
    expectProblem(
      await put('dc01', { action: 'in', reason: 'r' }, { 'if-match': etag }),
      412,
      'precondition_failed',
    )
    expectProblem(
      await put('dc01', { action: 'in', reason: 'r' }, { 'if-none-match': '*' }),
      412,
      'precondition_failed',
    )
    const old = { headers: { 'if-match': etag } }
    expectProblem(await api.ask('DELETE', '/v1/overrides/dc01', old), 412, 'precondition_failed')
    expect((await list())[0].reason).to.equal('two')
  })

  const bad: [string, string, object, string][] = [
    ['a name that is in no inventory', 'dc09', { action: 'out', reason: 'r' }, 'path.subject'],
    ['a name that can be none', 'DC_1', { action: 'out', reason: 'r' }, 'path.subject'],
    ['no reason', 'dc01', { action: 'out' }, 'body.reason'],
    ['an empty reason', 'dc01', { action: 'out', reason: '  ' }, 'body.reason'],
    ['a weight without percent', 'dc01', { action: 'weight', reason: 'r' }, 'body.percent'],
    ['percent without a weight', 'dc01', { action: 'out', percent: 5, reason: 'r' }, 'body.percent'],
    ['101 percent', 'dc01', { action: 'weight', percent: 101, reason: 'r' }, 'body.percent'],
    ['less than nothing', 'dc01', { action: 'weight', percent: -1, reason: 'r' }, 'body.percent'],
    ['an end that is over', 'dc01', { action: 'out', reason: 'r', expires_at: iso(0) }, 'body.expires_at'],
    ['another action', 'dc01', { action: 'off', reason: 'r' }, 'body.action'],
    ['an owner of one’s choice', 'dc01', { action: 'out', reason: 'r', owner: 'x' }, 'body.owner'],
  ]
  for (const [what, subject, body, field] of bad) {
    it(`refuse ${what}, and name it`, async () => {
      const answer = await put(subject, body)
      expect(answer.status, answer.text).to.equal(400)
      expect(answer.body.errors[0].field).to.equal(field)
      expect(await list()).to.deep.equal([])
    })
  }

  it('take any name where the process does not know the inventory', async () => {
    const other = await startTestApi()
    const answer = await other.ask('PUT', '/v1/overrides/dc77', { body: { action: 'out', reason: 'r' } })
    expect(answer.status).to.equal(200)
    await other.close()
  })

  it('are for administrators of the platform; checkers read them with any key, without names', async () => {
    await put('dc01', { action: 'out', reason: 'new disks' })
    const { token } = await api.platform.registry.organisations.create({ id: 'acme' })
    const authorization = `Bearer ${token}`
    for (const [method, path] of [
      ['GET', '/v1/overrides'],
      ['GET', '/v1/overrides/dc01'],
      ['DELETE', '/v1/overrides/dc01'],
    ]) {
      expectProblem(await api.ask(method, path, { authorization }), 403, 'forbidden')
    }
    const body = { action: 'out', reason: 'r' }
    expectProblem(await api.ask('PUT', '/v1/overrides/dc01', { authorization, body }), 403, 'forbidden')
    expectProblem(
      await api.ask('GET', '/v1/checkers/overrides', { authorization: null }),
      401,
      'unauthenticated',
    )

    const read = await api.ask('GET', '/v1/checkers/overrides', { authorization })
    expect(read.body.items[0]).to.include({ subject: 'dc01', action: 'out', reason: 'new disks' })
    expect(read.body.items[0]).to.not.have.any.keys('owner')
    const headers = { 'if-none-match': read.headers.get('etag') ?? '' }
    expect((await api.ask('GET', '/v1/checkers/overrides', { authorization, headers })).status).to.equal(304)
    await put('dc02', { action: 'in', reason: 'r' })
    expect((await api.ask('GET', '/v1/checkers/overrides', { authorization, headers })).status).to.equal(200)
  })

  it('are in the audit, those that were refused too', async () => {
    await put('dc01', { action: 'out', reason: 'new disks' })
    await put('dc01', { action: 'weight', percent: 5, reason: 'slowly' })
    await api.ask('DELETE', '/v1/overrides/dc01')
    await put('dc09', { action: 'out', reason: 'r' })
    const { items } = (await api.ask('GET', '/v1/audit?space=platform')).body
    const told = items.map((one: { operation: string; outcome: string }) => `${one.operation} ${one.outcome}`)
    expect(told).to.include.members(['putOverride done', 'deleteOverride done', 'putOverride failed'])
  })

  it('by a process whose clock is behind still have the last word', async () => {
    const { clock } = api.platform
    await put('dc01', { action: 'out', reason: 'one' })
    clock.time -= 30_000
    await put('dc01', { action: 'in', reason: 'two' })
    expect((await list())[0].reason).to.equal('two')
  })
})
