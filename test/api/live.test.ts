import { request, type IncomingMessage } from 'node:http'
import { expect } from 'chai'
import { member, signIn } from './people.ts'
import { adminToken, expectProblem, startTestApi, type TestApi } from './fixture.ts'
import { eventually } from '../patience.ts'

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

  function listen(query = '', headers: Record<string, string> = {}, at = api): Promise<Stream> {
    const all = { authorization: `Bearer ${adminToken}`, ...headers }
    return new Promise((resolve, reject) => {
      const asked = request(`${at.url}/v1/live${query}`, { headers: all }, (response) => {
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
  async function ingest(key: string, body: unknown, at = api): Promise<void> {
    expect((await at.ask('POST', '/v1/ingest', { body, authorization: `Device ${key}` })).status).to.equal(
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
      event: told?.id?.replace(/-\d+$/, ''),
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
    let last = await stream.next()
    while (last?.event === 'registry') last = await stream.next()
    expect(last).to.equal(undefined)
  })

  /** An event of 200 KB. */
  function publishLarge({ platform }: TestApi, id: string, n: number): void {
    const device = { org: 'default', id, name: id }
    const points = [{ key: `k${n}`, ts: 1, value: 'x'.repeat(200_000) }]
    platform.live.publish({ type: 'telemetry', org: 'default', device, at: n, data: { points } }, 200_000)
  }

  it('tells a reader that does not read how many events it has missed, keeps nothing for it, and goes on', async () => {
    // With signs of life as seldom as in use: who leaves five of them unread is taken for gone.
    const own = await startTestApi()
    const { id } = await own.device('live-7')
    const stream = await listen('?device=live-7&types=telemetry', {}, own)
    stream.response.pause()
    const sent = 160
    for (let n = 0; n < sent; n++) publishLarge(own, id, n)
    stream.response.resume()
    let told = 0
    let seen = await stream.next()
    for (; seen?.event === 'telemetry'; told++) seen = await stream.next()
    expect(seen?.event).to.equal('missed')
    const missed = seen?.data.events
    expect(missed).to.be.above(0)
    while (told + missed < sent) {
      expect((await stream.next())?.event).to.equal('telemetry')
      told++
    }
    expect(told + missed).to.equal(sent)
    expect(own.platform.metrics.total('cinque_live_dropped_total')).to.equal(missed)
    publishLarge(own, id, sent)
    expect((await stream.next())?.data.points[0].key).to.equal(`k${sent}`)
    await own.close()
  })

  it('ends for a reader that leaves five signs of life unread', async () => {
    const { id } = await api.device('live-10')
    const stream = await listen('?device=live-10&types=telemetry')
    const before = openStreams()
    stream.response.pause()
    for (let n = 0; n < 60; n++) publishLarge(api, id, n)
    await eventually('its stream ends', () => openStreams() < before)
  })

  function openStreams(): number {
    return Number(/^cinque_live_streams (\d+)$/m.exec(api.platform.metrics.render())?.[1])
  }

  it('shows some kinds of events only if asked for them, and says which there are if there is no such kind', async () => {
    const { key, id } = await api.device('live-8')
    const stream = await listen('?device=live-8&types=presence,warning')
    await ingest(key, { x: 1 })
    const device = { org: 'default', id, name: 'live-8' }
    api.platform.live.publish({ type: 'warning', org: 'default', device, at: 1, data: { text: 'w' } }, 10)
    expect(await stream.next()).to.deep.include({ event: 'warning' })
    const wrong = await api.ask('GET', '/v1/live?types=telemetry,nonsense')
    expectProblem(wrong, 400, 'invalid_request')
    expect(wrong.body.detail).to.include('"nonsense" is none of telemetry, presence')
  })

  it('asks once for all streams with one key whether that is still good, and the store nothing for an event', async () => {
    const own = await startTestApi({ heartbeat: 200 })
    const { key, id } = await own.device('live-9')
    const { registry, live, metrics } = own.platform
    const many = await Promise.all(
      Array.from({ length: 20 }, () => listen('?types=telemetry', { authorization: `Device ${key}` }, own)),
    )
    let reads = 0
    const findKey = registry.findKey.bind(registry)
    registry.findKey = (asked) => {
      reads++
      return findKey(asked)
    }
    await Promise.all(many.map((stream) => stream.untilComment()))
    await many[0].untilComment()
    // Each of them has asked; alone they would have read as often.
    expect(reads).to.be.within(1, 10)
    const device = { org: 'default', id, name: 'live-9' }
    const { store } = own.platform
    let storeReads = 0
    for (const verb of ['get', 'range'] as const) {
      const read = store[verb].bind(store) as (...all: unknown[]) => unknown
      Object.assign(store, {
        [verb]: (...all: unknown[]) => {
          storeReads++
          return read(...all)
        },
      })
    }
    live.publish({ type: 'telemetry', org: 'default', device, at: 1, data: { points: [] } }, 10)
    expect([storeReads, metrics.total('cinque_live_events_total')]).to.deep.equal([0, 20])
    for (const stream of many) expect((await stream.next())?.event).to.equal('telemetry')
    await own.close()
  })

  it('shows a group what its devices and those of the groups inside it do, as they come and go', async () => {
    for (const body of [{ id: 'hall' }, { id: 'corner', parent: 'hall' }, { id: 'yard' }])
      expect((await api.ask('POST', '/v1/groups', { body })).status).to.equal(201)
    const keys: Record<string, string> = {}
    for (const [name, group] of Object.entries({ h: 'hall', c: 'corner', y: 'yard' })) {
      const { body } = await api.ask('POST', '/v1/devices', { body: { name, groups: [group] } })
      keys[name] = body.key
    }
    const stream = await listen('?group=hall')
    for (const name of ['y', 'h', 'c']) await ingest(keys[name], { x: 1 })
    expect((await stream.next())?.data.device.name).to.equal('h')
    expect((await stream.next())?.data.device.name).to.equal('c')
    await api.ask('PATCH', '/v1/devices/y', { body: { groups: ['corner'] } })
    let told: Event | undefined
    const next = stream.next().then((event) => (told = event))
    await eventually('it is in the group', async () => {
      await ingest(keys['y'], { x: 1 })
      return told !== undefined
    })
    await next
    expect(told?.data.device.name).to.equal('y')
    expectProblem(await api.ask('GET', '/v1/live?group=nowhere'), 404, 'group_not_found')
  })

  it('shows who was granted a group nothing else, and ends when the grant has changed', async () => {
    const { identity } = api.platform
    expect((await api.ask('POST', '/v1/groups', { body: { id: 'granted' } })).status).to.equal(201)
    const mine = await api.ask('POST', '/v1/devices', { body: { name: 'mine', groups: ['granted'] } })
    const other = await api.device('not-mine')
    const id = await member(api, 'anna@example.org', 'viewer')
    await identity.memberships.put('default', id, { role: 'viewer', groups: ['granted'] })
    const anna = await signIn(api, 'anna@example.org')
    const authorization = `Bearer ${anna.access}`
    const stream = await listen('', { authorization })
    await ingest(other.key, { secret: 1 })
    api.platform.live.publish({ type: 'warning', org: 'default', device: null, at: 1, data: {} }, 10)
    await ingest(mine.body.key, { x: 1 })
    expect((await stream.next())?.data.device.name).to.equal('mine')
    const foreign = await api.ask('GET', `/v1/live?device=${other.id}`, { authorization })
    expectProblem(foreign, 404, 'device_not_found')
    await identity.memberships.put('default', id, { role: 'viewer', groups: [] })
    identity.doubt()
    expect(await stream.next()).to.equal(undefined)
  })

  it('of MQTT messages is there where a broker is, for who may read all of the organisation, by a valid filter', async () => {
    const { topics } = api.platform
    expectProblem(await api.ask('GET', '/v1/live/messages?topic=t/%23'), 404, 'not_found')
    const taken: ((message: { topic: string; payload: Buffer; qos: number; retain: boolean }) => void)[] = []
    topics.open((org, filter, take) => {
      expect([org, filter]).to.deep.equal(['default', 't/#'])
      taken.push(take)
      return () => void taken.pop()
    })
    const stream = await listen('/messages?topic=t/%23')
    taken[0]({ topic: 't/1', payload: Buffer.from('hello'), qos: 1, retain: false })
    const told = await stream.next()
    expect(told?.event).to.equal('message')
    expect(told?.data).to.include({ topic: 't/1', payload: 'hello', qos: 1 })
    stream.response.destroy()
    await eventually('the broker is asked for no more', () => taken.length === 0)
    for (const topic of ['', 'a/%23/b', 'a%2B', '%23a', '$share/g/t', 'a%00', 'x'.repeat(1025)])
      expectProblem(await api.ask('GET', `/v1/live/messages?topic=${topic}`), 400, 'invalid_request')
    const { key } = await api.device('live-11')
    const device = await api.ask('GET', '/v1/live/messages?topic=t', { authorization: `Device ${key}` })
    expectProblem(device, 403, 'forbidden')
  })

  it('refuses one stream too many, and lets it in when one has gone', async () => {
    await api.ask('POST', '/v1/organisations', { body: { id: 'crowd' } })
    const { live } = api.platform
    const streams = Array.from({ length: 6000 }, () => live.subscribe('crowd'))
    expectProblem(await api.ask('GET', '/v1/live?organisation=crowd'), 429, 'too_many_streams')
    streams[0]?.close()
    expect((await listen('?organisation=crowd')).ended).to.equal(false)
    for (const stream of streams) stream?.close()
  })

  it('ends when the server stops', async () => {
    const own = await startTestApi()
    const headers = { authorization: `Bearer ${adminToken}` }
    const response = await fetch(`${own.url}/v1/live?types=telemetry`, { headers })
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
