import { expect } from 'chai'
import { classes } from '#platform/telemetry/classes.ts'
import * as tables from '#platform/telemetry/tables.ts'
import { noon } from '../platform/telemetry/fixture.ts'
import { type Answer, expectProblem, startTestApi, type TestApi } from './fixture.ts'

const hour = 3_600_000
const day = 24 * hour

describe('REST: how long values are kept, and their end', () => {
  let api: TestApi
  let key: string

  beforeEach(async () => {
    api = await startTestApi()
    key = (await api.device('cam')).key
  })
  afterEach(() => api.close())

  function ingest(body: unknown): Promise<Answer> {
    return api.ask('POST', '/v1/ingest', { body, authorization: `Device ${key}` })
  }
  function put(rules: unknown, headers = {}): Promise<Answer> {
    return api.ask('PUT', '/v1/retention', { body: { rules }, headers })
  }
  async function values(query = ''): Promise<unknown[]> {
    const answer = await api.ask('GET', `/v1/devices/cam/telemetry?order=asc${query}`)
    expect(answer.status, answer.text).to.equal(200)
    return answer.body.items.map(({ key: name }: { key: string }) => name)
  }

  it('goes by the first rule that fits, key by key, and says which', async () => {
    await api.ask('PATCH', '/v1/devices/cam', { body: { profile: 'camera' } })
    const rules = [
      { keys: 'gps/*', values: '7d', aggregates: false },
      { profile: 'camera', keys: 'temp', values: '400d' },
      { profile: 'meter', values: '5y' },
    ]
    expect((await put(rules)).status).to.equal(200)
    const { body } = await api.ask('GET', '/v1/devices/cam/retention?keys=gps/lat,temp,other')
    expect(body.items).to.deep.equal([
      {
        key: 'gps/lat',
        values_days: 7,
        minutes_days: null,
        quarters_days: null,
        reason: 'rule 1 of the organisation: all devices, keys gps/*',
      },
      {
        key: 'temp',
        values_days: 400,
        minutes_days: 400,
        quarters_days: 1830,
        reason: 'rule 2 of the organisation: devices with profile "camera", keys temp',
      },
      {
        key: 'other',
        values_days: 90,
        minutes_days: 400,
        quarters_days: 1830,
        reason: 'no rule fits: the default',
      },
    ])
  })

  it('values end when the rules said, while aggregates of the others go on', async () => {
    await put([
      { keys: 'gps/*', values: '7d', aggregates: false },
      { keys: 'temp', values: '400d' },
    ])
    await ingest({ 'gps/lat': 47.5, temp: 20, other: 1 })
    await ingest([{ ts: noon - 1, values: { 'gps/lat': 47.4, temp: 19, other: 0 } }])
    api.platform.clock.time += 2 * hour
    await api.platform.telemetry.rollups.run()
    expect(await values()).to.deep.equal(['gps/lat', 'other', 'temp', 'gps/lat', 'other', 'temp'])
    api.platform.clock.time = noon + 8 * day
    expect(await values()).to.deep.equal(['other', 'temp', 'other', 'temp'])
    api.platform.clock.time = noon + 91 * day
    expect(await values()).to.deep.equal(['temp', 'temp'])
    const { body } = await api.ask(
      'GET',
      `/v1/devices/cam/telemetry?step=1h&from=${noon - hour}&to=${noon + 1}&aggregates=sum,count&order=asc`,
    )
    expect(
      body.items.map(({ key: name, sum, count }: Record<string, unknown>) => [name, sum, count]),
    ).to.deep.equal([
      ['gps/lat', null, 0],
      ['other', 0, 1],
      ['temp', 19, 1],
      ['gps/lat', null, 0],
      ['other', 1, 1],
      ['temp', 20, 1],
    ])
  })

  it('aggregates of keys that keep none are made of their values', async () => {
    await put([{ keys: 'gps/*', values: '90d', aggregates: false }])
    await ingest({ 'gps/lat': 47.5, temp: 20 })
    api.platform.clock.time += 2 * hour
    await api.platform.telemetry.rollups.run()
    const { body } = await api.ask(
      'GET',
      `/v1/devices/cam/telemetry?step=1h&from=${noon}&to=${noon + 1}&aggregates=max`,
    )
    expect(body.items.map(({ max }: { max: unknown }) => max).toSorted()).to.deep.equal([20, 47.5])
  })

  it('a key whose aggregates are kept from now on has those of before, too, while its values are there', async () => {
    await put([{ keys: 'a', values: '90d', aggregates: false }])
    await ingest({ a: 1, b: 2 })
    api.platform.clock.time += 2 * hour
    await api.platform.telemetry.rollups.run()
    await put([])
    const sums = async (): Promise<unknown[]> => {
      const query = `step=1h&from=${noon}&to=${noon + 1}&aggregates=sum`
      const { body } = await api.ask('GET', `/v1/devices/cam/telemetry?${query}&order=asc`)
      return body.items.map(({ sum }: { sum: unknown }) => sum)
    }
    expect(await sums()).to.deep.equal([1, 2])
    api.platform.clock.time += hour
    await api.platform.telemetry.rollups.run()
    api.platform.clock.time = noon + 100 * day
    expect(await sums()).to.deep.equal([1, 2])
  })

  it('values from before and after a change of the rules are one history, in order', async () => {
    await ingest({ ts: noon - 2000, values: { a: 1 } })
    await put([{ values: '5y' }])
    await ingest({ ts: noon - 3000, values: { a: 2 } })
    await ingest({ ts: noon - 1000, values: { a: 3 } })
    for (const order of ['asc', 'desc']) {
      const { body } = await api.ask('GET', `/v1/devices/cam/telemetry?order=${order}`)
      const found = body.items.map(({ value }: { value: number }) => value)
      expect(found).to.deep.equal(order === 'asc' ? [2, 1, 3] : [3, 1, 2])
    }
  })

  it('a value that comes again after the rules have changed counts once', async () => {
    await ingest({ ts: noon - 2000, values: { a: 1 } })
    await put([{ values: '5y' }])
    await ingest({ ts: noon - 2000, values: { a: 1 } })
    const count = async (): Promise<unknown> => {
      const query = `step=1h&from=${noon - hour}&to=${noon}&aggregates=count,sum`
      const { body } = await api.ask('GET', `/v1/devices/cam/telemetry?${query}`)
      return [body.items[0].count, body.items[0].sum]
    }
    expect(await values()).to.deep.equal(['a'])
    expect(await count()).to.deep.equal([1, 1])
    api.platform.clock.time += 2 * hour
    await api.platform.telemetry.rollups.run()
    expect(await count()).to.deep.equal([1, 1])
  })

  it('two who change the rules at a time: one of them is told', async () => {
    const { headers } = await api.ask('GET', '/v1/retention')
    const tag = headers.get('etag') ?? ''
    expect((await put([{ values: '7d' }], { 'if-match': tag })).status).to.equal(200)
    expectProblem(await put([{ values: '5y' }], { 'if-match': tag }), 412, 'precondition_failed')
    expect((await api.ask('GET', '/v1/retention')).body.rules).to.deep.equal([
      { profile: null, keys: null, values: '7d', aggregates: true },
    ])
  })

  it('other organisations have rules of their own', async () => {
    await put([{ values: '7d' }])
    await api.ask('POST', '/v1/organisations', { body: { id: 'others' } })
    expect((await api.ask('GET', '/v1/retention?organisation=others')).body).to.deep.equal({ rules: [] })
  })

  for (const [rules, field] of [
    [[{ values: '30d' }], 'body.rules[0].values'],
    [[{ values: '7d', keys: 'a*b' }], 'body.rules[0].keys'],
    [[{ values: '7d', keys: '' }], 'body.rules[0].keys'],
    [[{ values: '7d', days: 7 }], 'body.rules[0].days'],
    [Array.from({ length: 51 }, () => ({ values: '7d' })), 'body.rules'],
    ['7d', 'body.rules'],
  ] as const) {
    it(`refuses ${JSON.stringify(rules).slice(0, 40)} and names the field`, async () => {
      const answer = await put(rules)
      expectProblem(answer, 400, 'invalid_request')
      expect(answer.body.errors[0].field).to.equal(field)
    })
  }

  describe('erasing', () => {
    async function rowsOf(device: string): Promise<string[]> {
      const found: string[] = []
      for (const table of Object.values(tables)) {
        if (typeof table !== 'object' || table.name === 'retention' || table.name === 'rollup_job') continue
        const { rows } = await api.platform.store.scan(table as typeof tables.latest, null, 1000)
        if (rows.some((row) => row.device === device)) found.push(table.name)
      }
      return found
    }

    async function erased(): Promise<void> {
      const answer = await api.ask('DELETE', '/v1/devices/cam/telemetry')
      expect(answer.status, answer.text).to.equal(202)
      for (;;) {
        const { body } = await api.ask('GET', `/v1/tasks/${answer.body.id}`)
        if (body.state === 'completed') return
        expect(body.state).to.be.oneOf(['queued', 'running'])
      }
    }

    it('leaves no value and no aggregate of a device, and what it sends next is there', async () => {
      const { id } = (await api.ask('GET', '/v1/devices/cam')).body
      await put(classes.map(({ name }) => ({ keys: name, values: name })))
      await ingest(
        Array.from({ length: 40 }, (_, at) => ({
          ts: noon - at * 5 * day,
          values: { '7d': 1, '90d': 2, '400d': 'x', '5y': { at } },
        })),
      )
      api.platform.clock.time += 2 * hour
      await api.platform.telemetry.rollups.run()
      expect(await rowsOf(id)).to.include.members([
        'telemetry',
        'telemetry_7d',
        'telemetry_400d',
        'telemetry_5y',
        'rollup_minute',
        'rollup_quarter',
        'latest',
      ])
      await erased()
      expect((await rowsOf(id)).filter((name) => !/^telemetry_day|^rollup_mark/.test(name))).to.deep.equal([])
      expect(await values()).to.deep.equal([])
      const steps = await api.ask(
        'GET',
        '/v1/devices/cam/telemetry?step=1d&keys=90d&aggregates=count&order=asc',
      )
      expect(steps.body.items.filter(({ count }: { count: number }) => count > 0)).to.deep.equal([])
      // The process that stores for it has not been restarted: it must not take days for noted that are not.
      await ingest({ ts: noon - 5 * day, values: { '90d': 3 } })
      await ingest({ '90d': 4 })
      expect(await values()).to.deep.equal(['90d', '90d'])
      api.platform.clock.time += 2 * hour
      await api.platform.telemetry.rollups.run()
      const again = await api.ask('GET', '/v1/devices/cam/telemetry?step=1d&keys=90d&aggregates=sum,count')
      expect(
        again.body.items
          .filter(({ count }: { count: number }) => count > 0)
          .map(({ sum }: { sum: number }) => sum),
      ).to.deep.equal([4, 3])
    })

    it('does not touch another device', async () => {
      const other = (await api.device('other')).key
      await api.ask('POST', '/v1/ingest', { body: { a: 1 }, authorization: `Device ${other}` })
      await ingest({ a: 1 })
      await erased()
      expect((await api.ask('GET', '/v1/devices/other/latest')).body.items).to.have.length(1)
    })

    it('deleting the device leaves nothing at all', async () => {
      const { id } = (await api.ask('GET', '/v1/devices/cam')).body
      await ingest({ a: 1 })
      api.platform.clock.time += 2 * hour
      await api.platform.telemetry.rollups.run()
      await api.ask('DELETE', '/v1/devices/cam')
      expect(await rowsOf(id)).to.deep.equal([])
    })

    it('is not for viewers or devices', async () => {
      const denied = await api.ask('DELETE', '/v1/devices/cam/telemetry', { authorization: `Device ${key}` })
      expectProblem(denied, 403, 'forbidden')
    })
  })
})
