import { request, type IncomingMessage } from 'node:http'
import { expect } from 'chai'
import { adminToken, expectProblem, startTestApi, type TestApi } from './fixture.ts'

interface Event {
  readonly id?: string
  readonly event: string
  // oxlint-disable-next-line typescript/no-explicit-any -- whatever the API sent; the tests look into it
  readonly data: any
}

/** A stream that is read event by event. */
class Stream {
  readonly response: IncomingMessage
  comments = 0
  ended = false
  #text = ''
  #wake: (() => void) | null = null

  constructor(response: IncomingMessage) {
    this.response = response
    response.setEncoding('utf8')
    response.on('data', (chunk: string) => {
      this.#text += chunk
      this.#wake?.()
    })
    response.on('end', () => this.#end())
    response.on('error', () => this.#end())
  }

  /** The next event; undefined when the stream has ended. Skips comments and `retry`. */
  async next(): Promise<Event | undefined> {
    for (;;) {
      const end = this.#text.indexOf('\n\n')
      if (end < 0) {
        if (this.ended) return undefined
        await this.#more()
        continue
      }
      const lines = this.#text.slice(0, end).split('\n')
      this.#text = this.#text.slice(end + 2)
      if (lines[0].startsWith(':')) this.comments++
      const fields = Object.fromEntries(lines.map((line) => line.split(/: (.*)/s)))
      if (fields.event !== undefined) return { ...fields, event: fields.event, data: JSON.parse(fields.data) }
    }
  }

  async untilComment(): Promise<void> {
    while (!this.#text.includes(':\n\n') && !this.ended) await this.#more()
  }

  #more(): Promise<void> {
    return new Promise((resolve) => (this.#wake = resolve))
  }

  #end(): void {
    this.ended = true
    this.#wake?.()
  }
}

describe('REST: live stream', () => {
  let api: TestApi
  const open: Stream[] = []

  before(async () => {
    api = await startTestApi({ heartbeat: 20 })
  })
  afterEach(() => {
    for (const stream of open.splice(0)) stream.response.destroy()
  })
  after(() => api.close())

  function listen(query = '', headers: Record<string, string> = {}): Promise<Stream> {
    const all = { authorization: `Bearer ${adminToken}`, ...headers }
    return new Promise((resolve, reject) => {
      const asked = request(`${api.url}/v1/live${query}`, { headers: all }, (response) => {
        expect(response.statusCode).to.equal(200)
        expect(response.headers['content-type']).to.equal('text/event-stream')
        const stream = new Stream(response)
        open.push(stream)
        resolve(stream)
      })
      asked.on('error', reject)
      asked.end()
    })
  }
  async function ingest(key: string, body: unknown): Promise<void> {
    expect((await api.ask('POST', '/v1/ingest', { body, authorization: `Device ${key}` })).status).to.equal(
      200,
    )
  }

  it('tells what a device stores, with its time and values', async () => {
    const { id, key } = await api.device('live-1')
    const stream = await listen()
    await ingest(key, { temp: 21.5 })
    const told = await stream.next()
    expect(told?.event).to.equal('telemetry')
    const at = api.platform.clock.now()
    expect(told?.data).to.deep.equal({
      device: { id, name: 'live-1' },
      at,
      points: [{ key: 'temp', ts: at, value: 21.5 }],
    })
  })

  it('goes on after the last event that was seen, by header or by query', async () => {
    const { key } = await api.device('live-2')
    const stream = await listen('?device=live-2')
    for (let i = 1; i <= 3; i++) await ingest(key, { i })
    const first = await stream.next()
    stream.response.destroy()
    for (const again of [
      await listen('?device=live-2', { 'last-event-id': first?.id ?? '' }),
      await listen(`?device=live-2&after=${first?.id}`),
    ]) {
      expect((await again.next())?.data.points[0].value).to.equal(2)
      expect((await again.next())?.data.points[0].value).to.equal(3)
    }
  })

  it('says when it cannot go on without a gap', async () => {
    const stream = await listen('', { 'last-event-id': 'long-ago' })
    expect((await stream.next())?.event).to.equal('gap')
  })

  it('shows one device if asked for one, and a device only itself', async () => {
    const mine = await api.device('live-3')
    const other = await api.device('live-4')
    const one = await listen('?device=live-3')
    const own = await listen('', { authorization: `Device ${mine.key}` })
    await ingest(other.key, { x: 1 })
    await ingest(mine.key, { x: 2 })
    expect((await one.next())?.data.points[0].value).to.equal(2)
    expect((await own.next())?.data.points[0].value).to.equal(2)
    const foreign = await api.ask('GET', '/v1/live?device=live-4', { authorization: `Device ${mine.key}` })
    expectProblem(foreign, 404, 'device_not_found')
  })

  it('shows an organisation nothing of another', async () => {
    const { token } = (await api.ask('POST', '/v1/organisations', { body: { id: 'quiet' } })).body
    const stream = await listen('', { authorization: `Bearer ${token}` })
    const stranger = await api.device('live-5')
    const own = await api.device('own', 'quiet')
    await ingest(stranger.key, { secret: 1 })
    await ingest(own.key, { mine: 1 })
    expect((await stream.next())?.data.device.name).to.equal('own')
  })

  it('gives signs of life while nothing happens', async () => {
    const stream = await listen()
    await stream.untilComment()
    expect(stream.ended).to.equal(false)
  })

  it('ends when the key it was opened with is no more', async () => {
    const { key } = await api.device('live-6')
    const stream = await listen('', { authorization: `Device ${key}` })
    await api.ask('POST', '/v1/devices/live-6/key', { body: {} })
    expect(await stream.next()).to.equal(undefined)
  })

  it('drops the oldest for a reader that does not read, says how many, and goes on', async function () {
    // Hundreds of megabytes through the socket's buffers, on however busy a machine.
    this.timeout(120_000)
    const { key } = await api.device('live-7')
    const stream = await listen('?device=live-7')
    stream.response.pause()
    const text = 'x'.repeat(15_000)
    const body = Object.fromEntries(Array.from({ length: 15 }, (_, i) => [`k${i}`, text]))
    for (let i = 0; i < 80 && api.platform.metrics.total('cinque_live_dropped_total') === 0; i++) {
      await Promise.all(Array.from({ length: 20 }, () => ingest(key, body)))
    }
    expect(api.platform.metrics.total('cinque_live_dropped_total')).to.be.above(0)
    stream.response.resume()
    let seen = await stream.next()
    while (seen?.event === 'telemetry') seen = await stream.next()
    expect(seen?.event).to.equal('dropped')
    expect(seen?.data.events).to.be.above(0)
    expect((await stream.next())?.event).to.equal('telemetry')
  })

  it('refuses one stream too many, and lets it in when one has gone', async () => {
    await api.ask('POST', '/v1/organisations', { body: { id: 'crowd' } })
    const streams = await Promise.all(Array.from({ length: 100 }, () => listen('?organisation=crowd')))
    expectProblem(await api.ask('GET', '/v1/live?organisation=crowd'), 429, 'too_many_streams')
    streams[0].response.destroy()
    const deadline = Date.now() + 5000
    while (!api.platform.metrics.render().includes('cinque_live_subscribers 99')) {
      expect(Date.now()).to.be.below(deadline)
      await api.ask('GET', '/livez')
    }
    expect((await listen('?organisation=crowd')).ended).to.equal(false)
  })

  it('ends when the server stops', async () => {
    const own = await startTestApi()
    const headers = { authorization: `Bearer ${adminToken}` }
    const response = await fetch(`${own.url}/v1/live`, { headers })
    await own.device('busy')
    const device = await own.platform.registry.devices.get('default', 'busy')
    const closed = own.close()
    // Events that come while the stream ends are not written behind its end.
    own.platform.telemetry.ingestJson(device, Buffer.from('{"t":1}'), own.platform.clock.now())
    await own.platform.lanes.durable()
    await closed
    expect(await response.text()).to.equal('retry: 2000\n\n')
  })
})
