import { expect } from 'chai'
import { noon } from '../platform/telemetry/fixture.ts'
import { type Answer, expectProblem, startTestApi, type TestApi } from './fixture.ts'

const minute = 60_000
const hour = 60 * minute

interface Item {
  readonly key: string
  readonly ts: number
  readonly [name: string]: unknown
}

describe('REST: history in steps', () => {
  let api: TestApi
  let authorization: string

  before(async () => {
    api = await startTestApi()
    authorization = `Device ${(await api.device('meter')).key}`
    // One value a minute for two hours, one text, one gap of an hour before.
    for (let h = 0; h < 2; h++) {
      const body = Array.from({ length: 60 }, (_, m) => ({
        ts: noon - 3 * hour + 2 * h * hour + m * minute,
        values: { power: m, mode: m < 30 ? 'eco' : 'boost' },
      }))
      await api.ask('POST', '/v1/ingest', { body, authorization })
    }
  })
  after(() => api.close())

  function ask(query: string, options = {}): Promise<Answer> {
    return api.ask('GET', `/v1/devices/meter/telemetry?${query}`, options)
  }
  async function items(query: string): Promise<Item[]> {
    const answer = await ask(query)
    expect(answer.status, answer.text).to.equal(200)
    return answer.body.items
  }

  it('gives all aggregates of a step, and gaps as null', async () => {
    const found = await items(
      `keys=power&step=1h&order=asc&from=${noon - 3 * hour}&to=${noon}&aggregates=min,max,avg,sum,count,first,last,p95`,
    )
    const full = { key: 'power', min: 0, max: 59, avg: 29.5, sum: 1770, count: 60, first: 0, last: 59 }
    expect(
      found.map((one) => Object.fromEntries(Object.entries(one).filter(([name]) => name !== 'p95'))),
    ).to.deep.equal([
      { ...full, ts: noon - 3 * hour },
      {
        key: 'power',
        ts: noon - 2 * hour,
        min: null,
        max: null,
        avg: null,
        sum: null,
        count: 0,
        first: null,
        last: null,
      },
      { ...full, ts: noon - hour },
    ])
    expect(found[0].p95).to.be.closeTo(56, 0.6)
    expect(found[1].p95).to.equal(null)
  })

  it('counts texts and shows the first and last of them; what only numbers have is null', async () => {
    const [one] = await items(
      `keys=mode&step=PT1H&from=${noon - hour}&to=${noon}&aggregates=count,first,last,avg`,
    )
    expect(one).to.deep.equal({
      key: 'mode',
      ts: noon - hour,
      count: 60,
      first: 'eco',
      last: 'boost',
      avg: null,
    })
  })

  it('goes by the calendar of a time zone', async () => {
    // 2026-11-21 in Budapest begins at 23:00 UTC.
    const [one] = await items(
      `keys=power&step=day&time_zone=Europe/Budapest&from=${noon - hour}&to=${noon}&aggregates=count`,
    )
    expect(one).to.deep.equal({ key: 'power', ts: Date.parse('2026-11-20T23:00:00Z'), count: 120 })
    const [month] = await items(
      `keys=power&step=P1M&time_zone=America/New_York&from=${noon - hour}&to=${noon}`,
    )
    expect(month.ts).to.equal(Date.parse('2026-11-01T04:00:00Z'))
  })

  it('has no cap on the number of steps: a cursor leads through any of them, both ways', async () => {
    for (const order of ['asc', 'desc']) {
      const seen: number[] = []
      let cursor: string | null = ''
      while (cursor !== null) {
        const answer: Answer = await ask(
          `keys=power&step=1s&order=${order}&limit=1000&from=${noon - hour}&to=${noon}&aggregates=count${cursor && `&cursor=${cursor}`}`,
        )
        expect(answer.status, answer.text).to.equal(200)
        seen.push(...answer.body.items.map(({ ts }: Item) => ts))
        cursor = answer.body.next
      }
      const all = Array.from({ length: 3600 }, (_, s) => noon - hour + s * 1000)
      expect(seen).to.deep.equal(order === 'asc' ? all : all.toReversed())
    }
  })

  it('says by `next` that there is more, never silently less', async () => {
    const { body } = await ask(`keys=power&step=1m&from=${noon - hour}&to=${noon}&limit=59`)
    expect(body.items).to.have.length(59)
    expect(body.next).to.be.a('string')
  })

  it('begins at the first value and ends now, if not told otherwise', async () => {
    const found = await items('keys=power&step=1h&aggregates=count&order=asc')
    const withValues = found.filter(({ count }) => count !== 0).map(({ ts }) => ts)
    expect(withValues).to.deep.equal([noon - 3 * hour, noon - hour])
    expect(found.at(-1)?.ts).to.equal(noon)
  })

  it('answers a device without values with nothing', async () => {
    await api.device('silent')
    const { body } = await api.ask('GET', '/v1/devices/silent/telemetry?step=1h')
    expect(body).to.deep.equal({ items: [], next: null })
  })

  it('keeps to the device that asks, and to the organisation', async () => {
    const other = `Device ${(await api.device('nosy')).key}`
    expectProblem(await ask('step=1h', { authorization: other }), 404, 'device_not_found')
    await api.ask('POST', '/v1/organisations', { body: { id: 'rivals' } })
    expectProblem(await ask('step=1h&organisation=rivals'), 404, 'device_not_found')
  })

  for (const [query, field] of [
    ['step=0m', 'query.step'],
    ['step=-1m', 'query.step'],
    ['step=90s', 'query.step'],
    ['step=1e3m', 'query.step'],
    ['step=P', 'query.step'],
    ['step=PT', 'query.step'],
    ['step=P1Y2M', 'query.step'],
    ['step=101y', 'query.step'],
    ['step=999999h', 'query.step'],
    ['step=toString', 'query.step'],
    ['step=constructor', 'query.step'],
    ['step=1d&time_zone=Mars/Olympus', 'query.time_zone'],
    ['step=1d&time_zone=__proto__', 'query.time_zone'],
    ['time_zone=UTC', 'query.time_zone'],
    ['aggregates=avg', 'query.aggregates'],
    ['step=1h&aggregates=median', 'query.aggregates[0]'],
    ['step=1h&aggregates=', 'query.aggregates[0]'],
    ['step=1h&from=5&to=5', 'query.to'],
    ['step=1h&limit=10001', 'query.limit'],
    ['step=1h&cursor=AAAA', 'query.cursor'],
    ['step=1h&from=NaN', 'query.from'],
    ['step=1h&from=1e400', 'query.from'],
  ]) {
    it(`refuses ?${query} and names the parameter`, async () => {
      const answer = await ask(query)
      expectProblem(answer, 400, 'invalid_request')
      expect(answer.body.errors[0].field).to.equal(field)
    })
  }
})
