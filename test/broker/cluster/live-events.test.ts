import { expect } from 'chai'
import type { DeviceRef } from '#platform/auth/principal.ts'
import type { LiveStream } from '#platform/live/live-stream.ts'
import type { Point } from '#platform/telemetry/point.ts'
import { MemoryStore } from '#platform/store/memory.ts'
import { PlatformCell, type PlatformMember } from './platform-cell.ts'

describe('live events between processes', () => {
  let cell: PlatformCell
  let store: MemoryStore
  let a: PlatformMember
  let b: PlatformMember
  let device: DeviceRef
  const open: LiveStream[] = []

  beforeEach(async () => {
    cell = new PlatformCell()
    store = new MemoryStore({})
    ;[a, b] = await Promise.all([cell.start(1, store), cell.start(2, store)])
    ;({ device } = await a.platform.registry.devices.create('default', { name: 'd' }))
  })
  afterEach(async () => {
    for (const subscription of open.splice(0)) subscription.close()
    await cell.stop()
  })

  async function listen({ platform }: PlatformMember, after?: string): Promise<LiveStream> {
    const stream = platform.live.subscribe('default')
    if (stream === null) throw new Error('too many streams')
    open.push(stream)
    await platform.live.whole()
    if (after !== undefined) await platform.live.resume('default', stream, after)
    return stream
  }

  function take(member: PlatformMember, value: unknown): Promise<void> {
    member.platform.telemetry.ingestJson(device, Buffer.from(JSON.stringify({ value })), Date.now())
    return member.platform.lanes.durable()
  }

  /** The next thing that the listener would be told. */
  async function next(subscription: LiveStream): Promise<{ value: unknown; cursor: string } | 'gap'> {
    for (;;) {
      if (subscription.takeGap()) return 'gap'
      const placed = subscription.take()
      if (placed !== undefined) {
        const { points } = placed.event.data as { points: Point[] }
        return { value: points[0].value, cursor: placed.cursor }
      }
      await new Promise<void>((readable) => subscription.onReadable(readable))
    }
  }

  async function values(subscription: LiveStream, n: number): Promise<unknown[]> {
    const seen: unknown[] = []
    while (seen.length < n) {
      const one = await next(subscription)
      seen.push(one === 'gap' ? one : one.value)
    }
    return seen
  }

  it('a stream at one shows what the other takes, whole and in order, with what it takes itself', async () => {
    const stream = await listen(a)
    for (let i = 0; i < 100; i++) await take(b, i)
    expect(await values(stream, 100)).to.deep.equal(Array.from({ length: 100 }, (_, i) => i))
    await take(a, { own: true })
    expect(await values(stream, 1)).to.deep.equal([{ own: true }])
    await take(b, 'x'.repeat(16_000))
    expect((await values(stream, 1))[0]).to.have.length(16_000)
  })

  it('costs nothing while nobody listens to the organisation', async () => {
    const other = a.platform.live.subscribe('other')
    await a.platform.live.whole()
    const stream = [...(b.broker.cell?.channels.peers ?? [])][0]
    const { sent } = stream
    await take(b, 1)
    expect(stream.sent).to.equal(sent)
    expect(b.metrics.total('cinque_live_relayed_total')).to.equal(0)
    other?.close()
  })

  it('a process that starts later hears who listens', async () => {
    const stream = await listen(a)
    const late = await cell.start(2, store)
    await take(late, 'late')
    expect(await values(stream, 1)).to.deep.equal(['late'])
  })

  it('a stream that comes back goes on where it ended, also with what the other took meanwhile', async () => {
    const stream = await listen(a)
    await take(b, 1)
    const first = await next(stream)
    stream.close()
    await take(b, 2)
    await take(b, 3)
    // It is there when this is.
    await new Promise<void>((done) => b.broker.cell?.channels.taken(done))
    const again = await listen(a, first === 'gap' ? undefined : first.cursor)
    expect(again.complete).to.equal(true)
    expect(await values(again, 2)).to.deep.equal([2, 3])
  })

  it('a process that is cut off drops what it takes, counts it, and says so when it is back', async () => {
    const stream = await listen(a)
    await take(b, 1)
    const before = await next(stream)
    const [peer] = b.broker.cell?.members() ?? []
    b.bus.cut = true
    while (peer.peer.inContact) await new Promise((soon) => setTimeout(soon, 50))
    await take(b, 'missed')
    expect(b.metrics.render()).to.include('cinque_live_dropped_total{reason="process_out_of_contact"} 1')
    b.bus.cut = false
    expect(await next(stream)).to.equal('gap')
    while (!peer.peer.inContact) await new Promise((soon) => setTimeout(soon, 50))
    await take(b, 2)
    let after = await next(stream)
    while (after === 'gap') after = await next(stream)
    expect(after.value).to.equal(2)
    // What did not come here is still where it was taken.
    const again = await listen(a, before === 'gap' ? undefined : before.cursor)
    expect(again.complete).to.equal(true)
    expect(await values(again, 2)).to.deep.equal(['missed', 2])
  })

  it('a process that falls behind loses live events before anything that was promised', async () => {
    const stream = await listen(a)
    a.bus.cut = true
    for (let i = 0; i < 300; i++) await take(b, 'x'.repeat(16_000))
    expect(b.metrics.total('cinque_live_dropped_total')).to.be.above(100)
    const [peer] = b.broker.cell?.members() ?? []
    expect(peer.peer.pressed).to.equal(false)
    a.bus.cut = false
    const seen: unknown[] = []
    while (seen.at(-1) !== 'gap') seen.push(...(await values(stream, 1)))
    await take(b, 'last')
    while (seen.at(-1) !== 'last') seen.push(...(await values(stream, 1)))
    expect(seen.length).to.be.below(200)
  })

  it('a process that dies leaves a gap: what it had taken may not have been sent', async () => {
    const stream = await listen(a)
    const [member] = a.broker.cell?.members() ?? []
    for (const part of a.broker.cell?.parts ?? []) part.gone?.(member, 'replaced')
    expect(await next(stream)).to.equal('gap')
  })

  it('a stream that goes on at another process misses nothing: all are asked for what they took since', async () => {
    const stream = await listen(a)
    await take(a, 1)
    await take(b, 2)
    const seen = [await next(stream), await next(stream)]
    await take(b, 3)
    await take(a, 4)
    stream.close()
    const last = seen[1]
    if (last === 'gap') throw new Error('nothing was lost')
    const again = await listen(b, last.cursor)
    await take(b, 5)
    const told = await values(again, 4)
    expect(again.complete).to.equal(true)
    // Of the process that took the last event exactly what is behind it; of the other perhaps some again.
    expect(told.filter((value) => value !== 1).slice(0, 3)).to.have.members([3, 4, 5])
    expect(told).to.not.include(2)
  })

  it('a stream that goes on elsewhere after its process has died is told that something may be missing', async () => {
    const third = await cell.start(1, store)
    const stream = await listen(third)
    await take(third, 1)
    const last = await next(stream)
    if (last === 'gap') throw new Error('nothing was lost')
    third.bus.cut = true
    for (const member of b.broker.cell?.members() ?? [])
      if (member.id === third.broker.cell?.id)
        for (const part of b.broker.cell?.parts ?? []) part.gone?.(member, 'replaced')
    const again = await listen(b, last.cursor)
    expect(again.complete).to.equal(false)
  })

  it('an answer to a question about one organisation brings nothing of another', async () => {
    await a.platform.registry.organisations.create({ id: 'other' })
    const { device: secret } = await a.platform.registry.devices.create('other', { name: 'secret' })
    const foreign = b.platform.live.subscribe('other')
    const stream = await listen(a)
    await take(b, 1)
    const first = await next(stream)
    if (first === 'gap') throw new Error('nothing was lost')
    b.platform.telemetry.ingestJson(secret, Buffer.from('{"secret":1}'), Date.now())
    await take(b, 2)
    const elsewhere = await listen(b, first.cursor)
    expect(await values(elsewhere, 1)).to.deep.equal([2])
    expect(elsewhere.take()).to.equal(undefined)
    foreign?.close()
  })
})
