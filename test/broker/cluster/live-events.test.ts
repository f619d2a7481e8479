import { expect } from 'chai'
import type { DeviceRef } from '#platform/auth/principal.ts'
import type { LiveSubscription } from '#platform/live/live-bus.ts'
import { MemoryStore } from '#platform/store/memory.ts'
import { PlatformCell, type PlatformMember } from './platform-cell.ts'

describe('live events between processes', () => {
  let cell: PlatformCell
  let store: MemoryStore
  let a: PlatformMember
  let b: PlatformMember
  let device: DeviceRef
  const open: LiveSubscription[] = []

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

  async function listen({ platform }: PlatformMember, after?: string): Promise<LiveSubscription> {
    const subscription = platform.live.subscribe('default', { after })
    if (subscription === null) throw new Error('too many subscribers')
    open.push(subscription)
    await platform.live.whole()
    return subscription
  }

  function take(member: PlatformMember, value: unknown): Promise<void> {
    member.platform.telemetry.ingestJson(device, Buffer.from(JSON.stringify({ value })), Date.now())
    return member.platform.lanes.durable()
  }

  /** The next thing that the listener would be told. */
  async function next(subscription: LiveSubscription): Promise<{ value: unknown; cursor: string } | 'gap'> {
    for (;;) {
      if (subscription.takeGap()) return 'gap'
      const placed = subscription.take()
      if (placed !== undefined) return { value: placed.event.points[0].value, cursor: placed.cursor }
      await new Promise<void>((readable) => subscription.onReadable(readable))
    }
  }

  async function values(subscription: LiveSubscription, n: number): Promise<unknown[]> {
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
    const again = await listen(a, before === 'gap' ? undefined : before.cursor)
    expect(again.complete).to.equal(false)
    expect(await values(again, 1)).to.deep.equal([2])
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
})
