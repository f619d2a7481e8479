import { expect } from 'chai'
import { noon } from '../platform/telemetry/fixture.ts'
import { type Answer, expectProblem, startTestApi, type TestApi } from './fixture.ts'

describe('REST: newest values of many devices in one call', () => {
  let api: TestApi
  const keys = new Map<string, string>()

  before(async () => {
    api = await startTestApi()
    for (const name of ['boiler', 'lamp', 'pump']) keys.set(name, (await api.device(name)).key)
    await ingest('boiler', { ts: noon - 5000, values: { temp: 60, state: 'on' } })
    await ingest('lamp', { ts: noon - 1000, values: { temp: 30 } })
    await api.ask('PATCH', '/v1/devices/boiler', { body: { labels: { floor: '1' } } })
    await api.ask('POST', '/v1/organisations', { body: { id: 'rivals' } })
    await api.device('theirs', 'rivals')
  })
  after(() => api.close())

  function ingest(device: string, body: unknown): Promise<Answer> {
    return api.ask('POST', '/v1/ingest', { body, authorization: `Device ${keys.get(device)}` })
  }
  function ask(query = '', headers = {}): Promise<Answer> {
    return api.ask('GET', `/v1/telemetry/latest?${query}`, { headers })
  }
  const shown = ({ body }: Answer): unknown[] =>
    body.items.map(({ device, values }: { device: { name: string }; values: { key: string }[] }) => [
      device.name,
      ...values.map(({ key }) => key),
    ])

  it('gives all devices by name, each value with its age', async () => {
    const answer = await ask()
    expect(shown(answer)).to.deep.equal([['boiler', 'state', 'temp'], ['lamp', 'temp'], ['pump']])
    expect(answer.body.items[0].values[1]).to.deep.equal({
      key: 'temp',
      ts: noon - 5000,
      value: 60,
      age_ms: 5000,
    })
  })

  it('gives those that were named, in that order, or that a filter finds', async () => {
    expect(shown(await ask('devices=pump,boiler&keys=temp'))).to.deep.equal([['pump'], ['boiler', 'temp']])
    expect(shown(await ask('label=floor=1'))).to.deep.equal([['boiler', 'state', 'temp']])
  })

  it('pages', async () => {
    const first = await ask('limit=2')
    expect(shown(first)).to.have.length(2)
    const second = await ask(`limit=2&cursor=${first.body.next}`)
    expect(shown(second)).to.deep.equal([['pump']])
    expect(second.body.next).to.equal(null)
  })

  it('answers 304 while nothing has changed, however old the values get, and 200 when one has', async () => {
    const { headers } = await ask('keys=temp')
    const tag = headers.get('etag') ?? ''
    api.platform.clock.time += 60_000
    expect((await ask('keys=temp', { 'if-none-match': tag })).status).to.equal(304)
    await ingest('pump', { temp: 1 })
    const changed = await ask('keys=temp', { 'if-none-match': tag })
    expect(changed.status).to.equal(200)
    expect(shown(changed)).to.deep.equal([
      ['boiler', 'temp'],
      ['lamp', 'temp'],
      ['pump', 'temp'],
    ])
  })

  it('knows nothing of other organisations, and is not for devices', async () => {
    expectProblem(await ask('devices=theirs'), 404, 'device_not_found')
    const authorization = `Device ${keys.get('lamp')}`
    expectProblem(await api.ask('GET', '/v1/telemetry/latest', { authorization }), 403, 'forbidden')
  })

  for (const [query, field] of [
    ['devices=', 'query.devices'],
    ['devices=a,,b', 'query.devices[1]'],
    [`devices=${Array.from({ length: 201 }, (_, i) => i).join(',')}`, 'query.devices'],
    ['devices=lamp&group=x', 'query.group'],
    ['devices=lamp&cursor=x', 'query.cursor'],
    ['keys=', 'query.keys'],
    ['limit=1001', 'query.limit'],
  ]) {
    it(`refuses ?${query.slice(0, 30)} and names the parameter`, async () => {
      const answer = await ask(query)
      expectProblem(answer, 400, 'invalid_request')
      expect(answer.body.errors[0].field).to.equal(field)
    })
  }
})
