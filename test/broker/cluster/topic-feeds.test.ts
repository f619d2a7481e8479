import { expect } from 'chai'
import type { LiveStream } from '#platform/live/live-stream.ts'
import { MemoryStore } from '#platform/store/memory.ts'
import { connectDevice, PlatformCell, type PlatformMember } from './platform-cell.ts'

describe('messages that are watched by their topics', () => {
  let cell: PlatformCell
  let a: PlatformMember
  let b: PlatformMember
  let key: string
  let id: string
  beforeEach(async () => {
    cell = new PlatformCell()
    const store = new MemoryStore({})
    ;[a, b] = await Promise.all([cell.start(1, store), cell.start(2, store)])
    const created = await a.platform.registry.devices.create('default', { name: 'd' })
    ;({ key } = created)
    ;({ id } = created.device)
  })
  afterEach(() => cell.stop())

  async function watch({ platform }: PlatformMember, filter: string, org = 'default'): Promise<LiveStream> {
    const stream = platform.topics.subscribe(org, filter)
    if (stream === null) throw new Error('too many')
    await platform.live.whole()
    return stream
  }

  async function next(stream: LiveStream): Promise<Record<string, unknown>> {
    for (;;) {
      const event = stream.take()?.event
      if (event !== undefined) return event.data as Record<string, unknown>
      await new Promise<void>((readable) => stream.onReadable(readable))
    }
  }

  it('come from any process, in order, with what is in them, and no others', async () => {
    const here = await watch(a, 't/+')
    const all = await watch(b, '#')
    const foreign = await watch(a, '#', 'other')
    const client = await connectDevice(b, 'c', key)
    await client.publishAcknowledged('t/1', 'one')
    await client.publishAcknowledged('other/1', 'two')
    client.publish('t/2', Buffer.from([0xff, 0xfe]), { qos: 0 })
    for (let i = 0; i < 20; i++) client.publish('t/run', `${i}`, { qos: 0 })
    await client.publishAcknowledged('v1/devices/me/telemetry', '{"t":1}')
    expect(await next(here)).to.deep.equal({
      topic: 't/1',
      qos: 1,
      retain: false,
      size: 3,
      payload: 'one',
      truncated: false,
    })
    expect(await next(here)).to.deep.include({ topic: 't/2', payload_base64: '//4=' })
    for (let i = 0; i < 20; i++) expect(await next(here)).to.include({ topic: 't/run', payload: `${i}` })
    const topics: unknown[] = []
    while (topics.length < 24) topics.push((await next(all))['topic'])
    expect(topics.slice(0, 3)).to.deep.equal(['t/1', 'other/1', 't/2'])
    expect(topics.at(-1)).to.equal(`v1/devices/${id}/telemetry`)
    expect([here.take(), all.take(), foreign.take()]).to.deep.equal([undefined, undefined, undefined])
    for (const stream of [here, all, foreign]) stream.close()
  })

  it('leave no trace when nobody watches any more, and one subscription for all with one filter', async () => {
    const { router } = a.broker.space('default')
    const streams = await Promise.all([watch(a, 't/#'), watch(a, 't/#')])
    expect(router.count).to.equal(1)
    streams[0].close()
    streams[0].close()
    expect(router.count).to.equal(1)
    streams[1].close()
    expect(router.count).to.equal(0)
    await a.platform.live.whole()
    expect(b.broker.space('default').router.route('t/1').empty).to.equal(true)
  })

  it('that are too many for people are counted, and who watches is told', async () => {
    const stream = await watch(b, 't')
    const client = await connectDevice(b, 'c', key)
    for (let i = 0; i < 5000; i++) client.publish('t', 'x', { qos: 0 })
    let seen = 0
    let missed = 0
    while (seen + missed < 5000) {
      missed += stream.takeMissed()
      if (stream.take() !== undefined) seen++
      else if (seen + missed < 5000) await new Promise<void>((readable) => stream.onReadable(readable))
    }
    expect(seen).to.be.within(1000, 2000)
    expect(missed).to.equal(5000 - seen)
    stream.close()
  })

  it('do not change what clients get of them', async () => {
    const stream = await watch(b, '#')
    const reader = await connectDevice(b, 'reader', key)
    await reader.subscribe('t', { qos: 1 })
    const writer = await connectDevice(b, 'writer', key)
    for (const payload of ['1', '2', '3']) await writer.publishAcknowledged('t', payload)
    for (const payload of ['1', '2', '3'])
      expect((await reader.expect(3)).value.payload.toString()).to.equal(payload)
    stream.close()
  })

  it('are cut where they are long, not in the middle of a character', async () => {
    const stream = await watch(a, 't')
    const client = await connectDevice(a, 'c', key)
    await client.publishAcknowledged('t', 'ä'.repeat(3000).replace('ä', 'x'))
    const shown = await next(stream)
    expect(shown).to.include({ size: 5999, truncated: true })
    expect(String(shown['payload'])).to.match(/^xä{2047}$/)
    stream.close()
  })

  it('have a bounded number of filters in an organisation', () => {
    const streams = Array.from({ length: 20 }, (_, i) => a.platform.topics.subscribe('default', `t/${i}`))
    expect(a.platform.topics.subscribe('default', 'one-more')).to.equal(null)
    expect(a.platform.topics.subscribe('default', 't/1')).to.not.equal(null)
    expect(a.platform.topics.subscribe('other', 't/1')).to.not.equal(null)
    streams[0]?.close()
    expect(a.platform.topics.subscribe('default', 'one-more')).to.not.equal(null)
  })
})
