import { gzipSync } from 'node:zlib'
import { expect } from 'chai'
import { expectProblem, startTestApi, type Answer, type TestApi } from './fixture.ts'

const ndjson = { 'content-type': 'application/x-ndjson' }
const csv = { 'content-type': 'text/csv' }

describe('REST: imports and bulk', () => {
  let api: TestApi

  beforeEach(async () => {
    api = await startTestApi()
    await api.ask('POST', '/v1/groups', { body: { id: 'berlin' } })
  })
  afterEach(() => api.close())

  async function ended(answer: Answer): Promise<Answer> {
    expect(answer.status, answer.text).to.equal(202)
    for (;;) {
      const task = await api.ask('GET', `/v1/tasks/${answer.body.id}`)
      if (!['receiving', 'queued', 'running'].includes(task.body.state)) return task
    }
  }

  // oxlint-disable-next-line typescript/no-explicit-any -- whatever the results have
  async function results(task: Answer): Promise<any[]> {
    const { text } = await api.ask('GET', task.body.result)
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line))
  }

  const rows = (...all: object[]): string => all.map((row) => JSON.stringify(row)).join('\n')

  it('makes devices of NDJSON, each with a key that works and is shown once', async () => {
    const body = rows(
      { name: 'a', labels: { site: 'x' }, groups: ['berlin'] },
      { name: 'b', profile: 'thermo' },
    )
    const task = await ended(await api.ask('POST', '/v1/imports', { body, headers: ndjson }))
    expect(task.body).to.include({ state: 'completed', total: 2, succeeded: 2, failed: 0, progress: 1 })
    const [a, b] = await results(task)
    expect(a).to.include({ item: 1, status: 'created', name: 'a' })
    for (const { key, id } of [a, b]) {
      const me = await api.ask('GET', '/v1/devices/me', { authorization: `Device ${key}` })
      expect(me.body.id).to.equal(id)
    }
    const again = await results(task)
    expect(again.map(({ status }) => status)).to.deep.equal(['created', 'created'])
    expect(JSON.stringify(again), 'keys are shown once').to.not.match(/k_[0-9a-f]{32}/)
    const { body: list } = await api.ask('GET', '/v1/devices?label=site=x&group=berlin')
    expect(list.items.map(({ name }: { name: string }) => name)).to.deep.equal(['a'])
  })

  it('makes devices of CSV, with labels, groups and keys brought along', async () => {
    const key = 'KeyKeyKeyKeyKeyKeyKey1'
    const body = `name,key,groups,label.site,enabled,description\r\nc1,${key},berlin,"Berlin Mitte",true,"says ""hi"""\r\nc2,,,,false,\r\n`
    const task = await ended(await api.ask('POST', '/v1/imports', { body, headers: csv }))
    expect(task.body).to.include({ state: 'completed', succeeded: 2 })
    expect((await api.ask('GET', '/v1/devices/me', { authorization: `Device ${key}` })).body).to.deep.include(
      {
        name: 'c1',
        labels: { site: 'Berlin Mitte' },
        groups: ['berlin'],
        description: 'says "hi"',
      },
    )
    expect((await api.ask('GET', '/v1/devices/c2')).body.enabled).to.equal(false)
  })

  it('takes gzip, and refuses what only says that it is', async () => {
    const headers = { ...ndjson, 'content-encoding': 'gzip' }
    const body = gzipSync(rows({ name: 'zipped' }))
    const task = await ended(await api.ask('POST', '/v1/imports', { body, headers }))
    expect(task.body).to.include({ state: 'completed', succeeded: 1 })
    const plain = await api.ask('POST', '/v1/imports', { body: rows({ name: 'plain' }), headers })
    expectProblem(plain, 400, 'invalid_request')
    const br = { ...ndjson, 'content-encoding': 'br' }
    expectProblem(await api.ask('POST', '/v1/imports', { body, headers: br }), 415, 'unsupported_media_type')
  })

  it('reports each row that is wrong by its number and field, and takes the others', async () => {
    await api.device('taken')
    const body = [
      rows({ name: 'good' }, { name: 'bad name' }, { name: 'taken' }, { name: 'good' }),
      'not json',
      rows(
        { name: 'x', colour: 'red' },
        { name: 'y', groups: ['nowhere'] },
        { name: 'z', labels: { 'a b': 'c' } },
      ),
    ].join('\n')
    const task = await ended(await api.ask('POST', '/v1/imports', { body, headers: ndjson }))
    expect(task.body).to.include({ state: 'completed', total: 8, succeeded: 1, failed: 7 })
    const all = await results(task)
    expect(all.map(({ status }) => status).join()).to.equal(`created${',failed'.repeat(7)}`)
    expect(all[1]).to.include({ item: 2, field: 'name' })
    expect(all[2]).to.include({ code: 'name_taken' })
    expect(all[3]).to.include({ code: 'name_taken' })
    expect(all[4].error).to.include('not JSON')
    expect(all[5].error).to.include('colour')
    expect(all[6]).to.include({ code: 'group_not_found' })
    expect(all[7]).to.include({ field: 'labels' })
  })

  it('a dry run says what would be and does nothing', async () => {
    await api.device('there')
    const body = rows({ name: 'there', labels: { a: 'b' } }, { name: 'new' })
    const path = '/v1/imports?dry_run=true&mode=upsert'
    const task = await ended(await api.ask('POST', path, { body, headers: ndjson }))
    expect((await results(task)).map(({ would }) => would)).to.deep.equal(['update', 'create'])
    expectProblem(await api.ask('GET', '/v1/devices/new'), 404, 'device_not_found')
    expect((await api.ask('GET', '/v1/devices/there')).body.labels).to.deep.equal({})
  })

  it('upserts: the same file twice changes nothing, a changed one only what it names', async () => {
    const first = rows({ name: 'u', labels: { a: '1' }, description: 'kept' })
    const path = '/v1/imports?mode=upsert'
    await ended(await api.ask('POST', path, { body: first, headers: ndjson }))
    const again = await ended(await api.ask('POST', path, { body: first, headers: ndjson }))
    expect(again.body).to.include({ skipped: 1, succeeded: 0 })
    const second = rows({ name: 'u', labels: { a: '2' } })
    const changed = await ended(await api.ask('POST', path, { body: second, headers: ndjson }))
    expect((await results(changed))[0].status).to.equal('updated')
    expect((await api.ask('GET', '/v1/devices/u')).body).to.deep.include({
      labels: { a: '2' },
      description: 'kept',
    })
  })

  const wrong: [what: string, body: string, headers: Record<string, string>, status: number, code: string][] =
    [
      ['another type', '<x/>', { 'content-type': 'text/xml' }, 415, 'unsupported_media_type'],
      ['CSV without names', 'a,b\n1,2\n', csv, 400, 'invalid_field'],
      ['CSV with an unknown column', 'name,colour\na,red\n', csv, 400, 'invalid_field'],
      ['CSV with a quote that does not end', 'name\n"a\n', csv, 400, 'invalid_field'],
    ]
  for (const [what, body, headers, status, code] of wrong) {
    it(`refuses ${what}`, async () => {
      expectProblem(await api.ask('POST', '/v1/imports', { body, headers }), status, code)
      const { body: list } = await api.ask('GET', '/v1/tasks')
      for (const { state } of list.items) expect(state).to.equal('failed')
      expect((await api.ask('GET', '/v1/devices')).body.items).to.deep.equal([])
    })
  }

  it('deletes all devices that a filter finds: those that were never heard of, as emqx#11081 asks', async () => {
    for (const name of ['old1', 'old2', 'live']) await api.device(name)
    const { body: live } = await api.ask('GET', '/v1/devices/live')
    const { sightings, lanes, clock } = api.platform
    clock.time += 1000
    sightings.seen({ org: 'default', id: live.id, name: 'live' }, true, clock.time)
    await lanes.durable()
    clock.time += 1000
    const before = new Date(clock.time).toISOString()
    const path = `/v1/devices?online=false&seen_before=${before}`
    const dry = await ended(await api.ask('DELETE', `${path}&dry_run=true`))
    expect(dry.body).to.include({ total: 2, succeeded: 2 })
    expect((await api.ask('GET', '/v1/devices')).body.items).to.have.length(3)
    const task = await ended(await api.ask('DELETE', path))
    expect(task.body).to.include({ state: 'completed', total: 2, succeeded: 2 })
    const { body } = await api.ask('GET', '/v1/devices')
    expect(body.items.map(({ name }: { name: string }) => name)).to.deep.equal(['live'])
  })

  it('does not take a forgotten filter for all devices', async () => {
    await api.device('a')
    expectProblem(await api.ask('DELETE', '/v1/devices'), 400, 'invalid_request')
    expectProblem(await api.ask('DELETE', '/v1/devices?sen_before=x'), 400, 'invalid_request')
    expect((await ended(await api.ask('DELETE', '/v1/devices?all=true'))).body.succeeded).to.equal(1)
  })

  it('changes all devices that a filter finds, and leaves what is not named', async () => {
    const body = rows(
      { name: 'a', labels: { site: 'x', keep: '1' } },
      { name: 'b', labels: { site: 'x' }, groups: ['berlin'] },
      { name: 'c', labels: { site: 'y' } },
    )
    await ended(await api.ask('POST', '/v1/imports', { body, headers: ndjson }))
    const change = { set_labels: { env: 'test' }, remove_labels: ['site'], add_groups: ['berlin'] }
    const task = await ended(await api.ask('PATCH', '/v1/devices?label=site=x', { body: change }))
    expect(task.body).to.include({ total: 2, succeeded: 2 })
    const { body: list } = await api.ask('GET', '/v1/devices?fields=name,labels,groups')
    expect(list.items).to.deep.equal([
      { name: 'a', labels: { keep: '1', env: 'test' }, groups: ['berlin'] },
      { name: 'b', labels: { env: 'test' }, groups: ['berlin'] },
      { name: 'c', labels: { site: 'y' }, groups: [] },
    ])
  })

  it("shows no other organisation's tasks, results or devices", async () => {
    const made = await api.ask('POST', '/v1/organisations', { body: { id: 'other' } })
    const authorization = `Bearer ${made.body.token}`
    await api.device('mine')
    const body = rows({ name: 'secret' })
    const task = await ended(await api.ask('POST', '/v1/imports', { body, headers: ndjson }))
    const { id } = task.body
    for (const path of [`/v1/tasks/${id}`, `/v1/tasks/${id}/result`])
      expectProblem(await api.ask('GET', path, { authorization }), 404, 'task_not_found')
    expectProblem(await api.ask('POST', `/v1/tasks/${id}/cancel`, { authorization }), 404, 'task_not_found')
    expect((await api.ask('GET', '/v1/tasks', { authorization })).body.items).to.deep.equal([])
    const gone = await api.ask('DELETE', '/v1/devices?all=true', { authorization })
    expect(gone.body.total).to.equal(0)
    expect((await api.ask('GET', '/v1/devices')).body.items).to.have.length(2)
    expectProblem(
      await api.ask('DELETE', '/v1/devices?all=true&organisation=default', { authorization }),
      404,
      'organisation_not_found',
    )
    expectProblem(
      await api.ask('PATCH', '/v1/devices?all=true', { authorization, body: { add_groups: ['berlin'] } }),
      404,
      'group_not_found',
    )
  })
})
