import { gzipSync } from 'node:zlib'
import { expect } from 'chai'
import {
  anything,
  array,
  assert,
  asyncProperty,
  constantFrom,
  integer,
  record,
  string,
  tuple,
} from 'fast-check'
import { noon } from '../platform/telemetry/fixture.ts'
import { type Answer, expectProblem, startTestApi, type TestApi } from './fixture.ts'

const csv = { 'content-type': 'text/csv' }
const ndjson = { 'content-type': 'application/x-ndjson' }

describe('REST: values out to files and in from files', () => {
  let api: TestApi
  let count = 0
  let name: string
  let authorization: string

  before(async () => {
    api = await startTestApi()
  })
  after(() => api.close())
  beforeEach(async () => {
    name = `box-${++count}`
    authorization = `Device ${(await api.device(name)).key}`
  })

  async function exported(query = '', device = name): Promise<Answer> {
    const answer = await api.ask('GET', `/v1/devices/${device}/telemetry/export?${query}`)
    expect(answer.status, answer.text).to.equal(200)
    return answer
  }
  function imported(
    body: string | Uint8Array,
    headers: Record<string, string>,
    path = `/v1/devices/${name}/telemetry/import`,
  ): Promise<Answer> {
    return api.ask('POST', path, { body, headers })
  }

  const values = { on: true, temp: 21.5, text: 'say "hi", ünï\r\ncode', place: { lat: 47.5, of: [1, null] } }

  it('gives every type as CSV, in order of time and key', async () => {
    await api.ask('POST', '/v1/ingest', { body: { ts: noon, values }, authorization })
    const { text, headers } = await exported()
    expect(headers.get('content-type')).to.match(/^text\/csv/)
    expect(text).to.equal(
      [
        'time,key,value,type',
        '2026-11-21T12:00:00.000Z,on,true,boolean',
        '2026-11-21T12:00:00.000Z,place,"{""lat"":47.5,""of"":[1,null]}",json',
        '2026-11-21T12:00:00.000Z,temp,21.5,number',
        '2026-11-21T12:00:00.000Z,text,"say ""hi"", ünï\r\ncode",string',
        '',
      ].join('\r\n'),
    )
  })

  it('gives more than any page has, each value once', async () => {
    for (let part = 0; part < 13; part++) {
      const body = Array.from({ length: 1000 }, (_, i) => ({
        ts: noon - (part * 1000 + i) * 1000,
        values: { n: part * 1000 + i },
      }))
      await api.ask('POST', '/v1/ingest', { body, authorization })
    }
    const { text } = await exported('format=ndjson')
    const lines = text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line).value)
    expect(lines).to.deep.equal(Array.from({ length: 13_000 }, (_, i) => 12_999 - i))
    const some = await exported(`format=ndjson&order=desc&from=${noon - 2000}&to=${noon}`)
    expect(some.text.trimEnd().split('\n')).to.have.length(2)
  })

  it('gives steps as a table, gaps as empty cells', async () => {
    const body = [0, 1, 3].map((at) => ({ ts: noon - at * 60_000, values: { n: at, mode: `say "${at}"` } }))
    await api.ask('POST', '/v1/ingest', { body, authorization })
    const query = `step=1m&aggregates=avg,last&from=${noon - 180_000}&to=${noon + 1}`
    const { text } = await exported(`${query}&keys=n`)
    expect(text.trimEnd().split('\r\n')).to.deep.equal([
      'time,key,avg,last',
      '2026-11-21T11:57:00.000Z,n,3,3',
      '2026-11-21T11:58:00.000Z,n,,',
      '2026-11-21T11:59:00.000Z,n,1,1',
      '2026-11-21T12:00:00.000Z,n,0,0',
    ])
    const modes = await exported(`${query}&keys=mode&order=desc`)
    expect(modes.text.split('\r\n')[1]).to.equal('2026-11-21T12:00:00.000Z,mode,,"say ""0"""')
    const lines = (await exported(`${query}&keys=n&format=ndjson`)).text.trimEnd().split('\n')
    expect(JSON.parse(lines[1])).to.deep.equal({ key: 'n', ts: noon - 120_000, avg: null, last: null })
    const long = await exported(`step=1s&aggregates=count&keys=n&from=${noon - 20_000_000}&to=${noon}`)
    expect(long.text.split('\r\n')).to.have.length(20_002)
    expectProblem(
      await api.ask('GET', `/v1/devices/${name}/telemetry/export?step=0m`),
      400,
      'invalid_request',
    )
  })

  it('what was exported can be imported elsewhere and is the same, twice as well', async () => {
    const other = `${name}-copy`
    await api.device(other)
    const item = record({
      ts: integer({ min: noon - 1e9, max: noon }),
      key: string({ minLength: 1, maxLength: 8, unit: 'grapheme' }).filter(
        (key) => !/[\p{Cc},]/u.test(key) && key.isWellFormed(),
      ),
      value: tuple(anything({ maxDepth: 2, key: string({ maxLength: 4 }) })).map(
        ([one]) => JSON.parse(JSON.stringify(one) ?? '0') ?? 'null',
      ),
    })
    await assert(
      asyncProperty(
        array(item, { minLength: 1, maxLength: 20 }),
        constantFrom('csv', 'ndjson'),
        async (items, format) => {
          const body = items.map(({ ts, key, value }) => ({ ts, values: Object.fromEntries([[key, value]]) }))
          const stored = await api.ask('POST', '/v1/ingest', { body, authorization })
          expect(stored.status, stored.text).to.equal(200)
          const { text } = await exported(`format=${format}`)
          for (let times = 0; times < 2; times++) {
            const answer = await imported(
              text,
              format === 'csv' ? csv : ndjson,
              `/v1/devices/${other}/telemetry/import`,
            )
            expect(answer.body, text).to.include({ refused: 0 })
          }
          expect((await exported(`format=${format}`, other)).text).to.equal(text)
        },
      ),
      { numRuns: 30 },
    )
  }).timeout(60_000)

  it('takes what other programs write: a column for each key, compressed, with a byte order mark', async () => {
    const text = '\ufefftime,temp,state\n2026-11-21T11:00:00+01:00,21.5,on\n1795258800000,,off\n'
    const answer = await imported(gzipSync(text), { ...csv, 'content-encoding': 'gzip' })
    expect(answer.body).to.deep.equal({ rows: 2, values: 3, refused: 0, errors: [] })
    expect((await exported('format=ndjson')).text).to.equal(
      [
        '{"ts":1795255200000,"key":"state","value":"on"}',
        '{"ts":1795255200000,"key":"temp","value":21.5}',
        '{"ts":1795258800000,"key":"state","value":"off"}',
        '',
      ].join('\n'),
    )
  })

  it('says of each bad row what is wrong, and stores the others', async () => {
    const rows = [
      '{"ts":1795258800000,"key":"a","value":1}',
      '{"ts":1795258800000,"key":"a"}',
      'nonsense',
      '[]',
      '{"ts":"yesterday","key":"a","value":1}',
      '{"ts":5,"key":"a","value":1}',
      '{"key":"a","value":1}',
      '{"ts":1795258800000,"key":"a","value":1e400}',
      '{"ts":1795258800000,"key":"a","value":NaN}',
      '{"ts":1795258800000,"key":"a,b","value":1}',
      '{"ts":1795258800000,"values":{}}',
      '{"ts":1795258800000,"values":{"b":2},"extra":1}',
      `{"ts":1795258800000,"key":"deep","value":${'['.repeat(20_000)}${']'.repeat(20_000)}}`,
      '{"device":"another","ts":1795258800000,"key":"a","value":1}',
      '{"ts":1795258800000,"key":"__proto__","value":2}',
    ]
    const { body } = await imported(rows.join('\n'), ndjson)
    expect(body).to.include({ rows: rows.length, values: 2, refused: rows.length - 2 })
    expect(body.errors.map(({ row }: { row: number }) => row)).to.deep.equal([
      2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14,
    ])
    for (const { error } of body.errors) expect(error).to.be.a('string').that.is.not.equal('')
    expect((await exported('format=ndjson')).text.split('\n').map((line) => line.slice(0, 42))).to.deep.equal(
      ['{"ts":1795258800000,"key":"__proto__","val', '{"ts":1795258800000,"key":"a","value":1}', ''],
    )
  })

  it('says of a row with a wrong time how times are written', async () => {
    const { body } = await imported('time,a\nyesterday,1\n', csv)
    expect(body.errors).to.deep.equal([
      { row: 1, error: 'time: must be milliseconds since 1970 or a time like 2026-11-21T12:00:00Z' },
    ])
  })

  it('only checks with dry_run', async () => {
    const path = `/v1/devices/${name}/telemetry/import?dry_run=true`
    const { body } = await imported('time,a\n1795258800000,1\n5,1\n', csv, path)
    expect(body).to.include({ rows: 2, values: 1, refused: 1 })
    expect((await exported()).text).to.equal('time,key,value,type\r\n')
  })

  it('takes rows of many devices, and none of another organisation', async () => {
    const other = `${name}-b`
    await api.device(other)
    await api.ask('POST', '/v1/organisations', { body: { id: `rival-${name}` } })
    await api.device('theirs', `rival-${name}`)
    const rows = [`${name},1`, `${other},2`, 'theirs,3', ',4', 'me,5'].map((row) => `1795258800000,${row}`)
    const answer = await imported(['time,device,a', ...rows].join('\n'), csv, '/v1/telemetry/import')
    expect(answer.body, answer.text).to.include({ rows: 5, values: 2, refused: 3 })
    expect((await exported('format=ndjson', other)).text).to.equal(
      '{"ts":1795258800000,"key":"a","value":2}\n',
    )
    const theirs = await api.ask('GET', `/v1/devices/theirs/latest?organisation=rival-${name}`)
    expect(theirs.body.items).to.deep.equal([])
  })

  const broken: [
    what: string,
    body: string | Uint8Array,
    headers: Record<string, string>,
    status: number,
    code: string,
  ][] = [
    ['a type it does not know', 'a', { 'content-type': 'application/xml' }, 415, 'unsupported_media_type'],
    [
      'an encoding it does not know',
      'a',
      { ...csv, 'content-encoding': 'zip' },
      415,
      'unsupported_media_type',
    ],
    ['broken gzip', 'hello', { ...csv, 'content-encoding': 'gzip' }, 400, 'invalid_request'],
    ['CSV without time', 'a,b\n1,2\n', csv, 400, 'invalid_request'],
    ['CSV without a key', 'time\n1\n', csv, 400, 'invalid_request'],
    ['CSV with a column twice', 'time,a,a\n1,1,1\n', csv, 400, 'invalid_request'],
    ['CSV with an open quote', 'time,a\n1795258800000,1\n1795258801000,"2\n', csv, 400, 'invalid_request'],
    ['a line without an end', `{"a":"${'x'.repeat(300_000)}`, ndjson, 400, 'invalid_request'],
    ['bytes that are no UTF-8', Buffer.from([0x7b, 0xff, 0x0a]), ndjson, 400, 'invalid_request'],
  ]
  for (const [what, body, headers, status, code] of broken) {
    it(`refuses ${what}`, async () => {
      expectProblem(await imported(body, headers), status, code)
    })
  }

  it('says how much of a file is stored that turned out broken', async () => {
    const good = Array.from({ length: 5000 }, (_, i) => `${noon - i},1\n`).join('')
    const answer = await imported(`time,a\n${good}1795258801000,"2\n`, csv)
    expectProblem(answer, 400, 'invalid_request')
    const stored = Number(/; (\d+) values before it are stored/.exec(answer.body.detail)?.[1])
    expect(stored).to.be.above(0)
    expect((await exported('format=ndjson')).text.split('\n')).to.have.length(stored + 1)
  })

  it('lets nobody else: not the device in, not another device out', async () => {
    const denied = await api.ask('POST', `/v1/devices/${name}/telemetry/import`, {
      body: 'time,a\n',
      headers: csv,
      authorization,
    })
    expectProblem(denied, 403, 'forbidden')
    const other = `Device ${(await api.device(`${name}-other`)).key}`
    const stolen = await api.ask('GET', `/v1/devices/${name}/telemetry/export`, { authorization: other })
    expectProblem(stolen, 404, 'device_not_found')
  })

  it('a reader who goes away in the middle costs nothing and breaks nothing', async () => {
    const body = Array.from({ length: 1000 }, (_, i) => ({ ts: noon - i, values: { text: 'x'.repeat(200) } }))
    for (let part = 0; part < 20; part++) {
      await api.ask('POST', '/v1/ingest', {
        body: body.map(({ ts, values: v }) => ({ ts: ts - part * 1000, values: v })),
        authorization,
      })
    }
    const leaving = new AbortController()
    const response = await fetch(`${api.url}/v1/devices/${name}/telemetry/export`, {
      headers: { authorization },
      signal: leaving.signal,
    })
    await response.body?.getReader().read()
    leaving.abort()
    expect((await exported()).text.split('\r\n')).to.have.length(20_002)
  })
})
