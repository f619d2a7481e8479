import { expect } from 'chai'
import { noon } from '../platform/telemetry/fixture.ts'
import { expectProblem, startTestApi, type TestApi } from './fixture.ts'

const hour = 3_600_000
const inHours = (hours: number): string => new Date(noon + hours * hour).toISOString()

describe('REST: maintenance windows and silences', () => {
  let api: TestApi
  beforeEach(async () => {
    api = await startTestApi()
  })
  afterEach(() => api.close())

  it('are planned, read, moved and ended; a window that ran stays in the history', async () => {
    const body = { title: 'New disks', subjects: ['dc03'], starts_at: inHours(-1), ends_at: inHours(2) }
    const made = await api.ask('POST', '/v1/maintenance', { body })
    expect(made.status, made.text).to.equal(201)
    expect(made.body).to.include({
      ...body,
      description: '',
      owner: 'platform token',
      subjects: made.body.subjects,
    })
    const path = `/v1/maintenance/${made.body.id}`
    expect(made.headers.get('location')).to.equal(path)
    const moved = await api.ask('PATCH', path, {
      body: { ends_at: inHours(3), description: 'It takes longer.' },
    })
    expect(moved.body).to.include({ ends_at: inHours(3), description: 'It takes longer.' })
    expect((await api.ask('DELETE', path)).status).to.equal(204)
    expect((await api.ask('GET', path)).body.ends_at).to.equal(inHours(0))
    expect((await api.ask('DELETE', path)).status, 'twice is no harm').to.equal(204)
    expect((await api.ask('GET', '/v1/maintenance')).body.items).to.have.length(1)
  })

  it('that have not begun are taken back', async () => {
    const body = { reason: 'a noisy host', starts_at: inHours(1), ends_at: inHours(2), alerts: ['HostDown'] }
    const made = await api.ask('POST', '/v1/silences', { body })
    expect(made.body).to.deep.include({ reason: 'a noisy host', alerts: ['HostDown'], subjects: [] })
    expect((await api.ask('DELETE', `/v1/silences/${made.body.id}`)).status).to.equal(204)
    expect((await api.ask('GET', '/v1/silences')).body.items).to.deep.equal([])
    expectProblem(await api.ask('GET', `/v1/silences/${made.body.id}`), 404, 'plan_not_found')
    expectProblem(await api.ask('GET', `/v1/maintenance/${made.body.id}`), 404, 'plan_not_found')
  })

  it('two who change one at a time: the second one hears of it', async () => {
    const made = await api.ask('POST', '/v1/silences', { body: { reason: 'x', ends_at: inHours(1) } })
    const path = `/v1/silences/${made.body.id}`
    const headers = { 'if-match': (await api.ask('GET', path)).headers.get('etag') ?? '' }
    expect((await api.ask('PATCH', path, { body: { reason: 'y' }, headers })).status).to.equal(200)
    expectProblem(
      await api.ask('PATCH', path, { body: { reason: 'z' }, headers }),
      412,
      'precondition_failed',
    )
    expectProblem(await api.ask('DELETE', path, { headers }), 412, 'precondition_failed')
  })

  it('of impossible times or names are refused by the field', async () => {
    const base = { title: 'x', ends_at: inHours(1) }
    const cases: [object, string][] = [
      [{ ends_at: inHours(-1) }, 'ends_at'],
      [{ starts_at: inHours(2) }, 'ends_at'],
      [{ ends_at: inHours(24 * 31) }, 'ends_at'],
      [{ starts_at: inHours(24 * 301), ends_at: inHours(24 * 302) }, 'starts_at'],
      [{ starts_at: 'tomorrow' }, 'starts_at'],
      [{ subjects: ['<b>'] }, 'subjects'],
      [{ title: '' }, 'title'],
    ]
    for (const [change, field] of cases) {
      const refused = await api.ask('POST', '/v1/maintenance', { body: { ...base, ...change } })
      expect(refused.status).to.equal(400)
      expect(refused.body.errors[0].field, refused.text).to.match(new RegExp(`^body\\.${field}`))
    }
  })

  it('are the platform administrator’s alone, and in the audit', async () => {
    const { body } = await api.ask('POST', '/v1/organisations', { body: { id: 'other' } })
    const authorization = `Bearer ${body.token}`
    for (const path of ['/v1/maintenance', '/v1/silences'])
      expectProblem(await api.ask('GET', path, { authorization }), 403, 'forbidden')
    await api.ask('POST', '/v1/maintenance', { body: { title: 'x', ends_at: inHours(1), owner: 'ann' } })
    const read = await api.ask('GET', '/v1/checkers/plans', { authorization })
    expect(read.body.items, 'checkers read them with a key that may only read').to.have.length(1)
    expect(read.text).to.not.include('ann')
    const headers = { 'if-none-match': read.headers.get('etag') ?? '' }
    expect((await api.ask('GET', '/v1/checkers/plans', { authorization, headers })).status).to.equal(304)
    const { items } = (await api.ask('GET', '/v1/audit?space=platform')).body
    expect(items.map((one: { operation: string }) => one.operation)).to.include('createMaintenance')
  })
})
