import { expect } from 'chai'
import { MemoryStore } from '#platform/store/memory.ts'
import type { TraceNews } from '#broker/cluster/inspection.ts'
import { connectDevice, PlatformCell, type PlatformMember } from './platform-cell.ts'

const PERSISTENT = { cleanStart: false, properties: { sessionExpiryInterval: 3600 } }

describe('inspection of clients from any process', () => {
  let cell: PlatformCell
  let a: PlatformMember
  let b: PlatformMember
  let key: string
  let device: string
  beforeEach(async () => {
    cell = new PlatformCell()
    const store = new MemoryStore({})
    ;[a, b] = await Promise.all([cell.start(1, store), cell.start(2, store)])
    const created = await a.platform.registry.devices.create('default', { name: 'd' })
    ;({ key } = created)
    device = created.device.id
  })
  afterEach(() => cell.stop())

  const list = (member: PlatformMember, query: Partial<Parameters<typeof member.control.list>[0]> = {}) =>
    member.control.list({ org: 'default', after: null, limit: 100, filter: {}, ...query })

  it('lists those of all processes, each once, in pages, those without a connection as well', async () => {
    for (const id of ['c1', 'c3']) await connectDevice(a, id, key)
    for (const id of ['c2', 'c4']) await connectDevice(b, id, key)
    const away = await connectDevice(b, 'c5', key, PERSISTENT)
    away.wire.destroy()
    await away.closed()
    for (const member of [a, b]) {
      const all = await list(member)
      expect(all.clients.map(({ id }) => id)).to.deep.equal(['c1', 'c2', 'c3', 'c4', 'c5'])
      expect([all.more, all.complete]).to.deep.equal([false, true])
      const first = await list(member, { limit: 2 })
      expect([first.clients.map(({ id }) => id), first.more]).to.deep.equal([['c1', 'c2'], true])
      const second = await list(member, { limit: 2, after: 'c2' })
      expect(second.clients.map(({ id }) => id)).to.deep.equal(['c3', 'c4'])
      const on = await list(member, { filter: { connected: true } })
      expect(on.clients.map(({ id }) => id)).to.deep.equal(['c1', 'c2', 'c3', 'c4'])
      const off = await list(member, { filter: { connected: false } })
      expect(off.clients.map(({ id }) => id)).to.deep.equal(['c5'])
      const there = await list(member, { filter: { dc: 'dc02', connected: true } })
      expect(there.clients.map(({ id }) => id)).to.deep.equal(['c2', 'c4'])
      expect((await list(member, { filter: { prefix: 'c5' } })).clients).to.have.length(1)
      expect((await list(member, { filter: { device: 'another' } })).clients).to.have.length(0)
      expect((await list(member, { org: 'other' })).clients).to.have.length(0)
    }
  })

  it('finds those for which messages wait and to which messages were dropped, by reason', async () => {
    const reader = await connectDevice(b, 'reader', key, PERSISTENT)
    await reader.subscribe('t/#', { qos: 1 })
    reader.wire.destroy()
    await reader.closed()
    const idle = await connectDevice(b, 'idle', key, PERSISTENT)
    await idle.subscribe('u', { qos: 0 })
    const publisher = await connectDevice(b, 'publisher', key)
    for (let i = 0; i < 3; i++) publisher.publish('t/1', 'x', { qos: 0 })
    await publisher.publishAcknowledged('t/1', 'x')
    const until = async (filter: Parameters<typeof list>[1]): Promise<string[]> => {
      for (;;) {
        const { clients } = await list(a, filter)
        if (clients.length > 0) return clients.map(({ id }) => id)
        await new Promise((soon) => setTimeout(soon, 20))
      }
    }
    expect(await until({ filter: { minQueued: 1 } })).to.deep.equal(['reader'])
    expect(await until({ filter: { minDropped: 3 } })).to.deep.equal(['reader'])
    expect((await list(a, { filter: { minDropped: 4 } })).clients).to.deep.equal([])
    const [{ view }] = (await list(a, { filter: { minDropped: 1 } })).clients
    expect(view.drops).to.deep.equal({ qos0_offline: 3 })
  })

  it('shows all subscriptions of a client in pages', async () => {
    const client = await connectDevice(b, 'c', key)
    for (let i = 0; i < 25; i++) await client.subscribe(`t/${String(i).padStart(2, '0')}`, { qos: 1 })
    const seen: string[] = []
    let after: string | null = null
    do {
      const page: Awaited<ReturnType<typeof a.control.subscriptions>> = await a.control.subscriptions({
        org: 'default',
        client: 'c',
        after,
        limit: 10,
      })
      expect(page.found?.count).to.equal(25)
      const filters: string[] = page.found?.subscriptions.map(({ filter }) => filter) ?? []
      seen.push(...filters)
      after = filters.at(-1) ?? null
    } while (after !== null)
    expect(seen).to.have.length(25)
    expect(seen).to.deep.equal(seen.toSorted())
    const foreign = await a.control.subscriptions({ org: 'other', client: 'c', after: null, limit: 10 })
    expect(foreign.found).to.equal(null)
  })

  it('traces a device wherever it connects, until it is told to stop, and nobody else', async () => {
    const news: TraceNews[] = []
    const stop = a.control.trace({ org: 'default', client: null, device }, (one) => news.push(one))
    const foreign: TraceNews[] = []
    const stopForeign = a.control.trace({ org: 'other', client: 'c', device: null }, (one) =>
      foreign.push(one),
    )
    while (!b.broker.trace.active) await new Promise((soon) => setTimeout(soon, 10))
    const { key: otherKey } = await a.platform.registry.devices.create('default', { name: 'e' })
    const other = await connectDevice(b, 'other', otherKey)
    const client = await connectDevice(b, 'c', key)
    await client.subscribe('t', { qos: 1 })
    await other.publishAcknowledged('u', 'x')
    client.publish('t', 'x', { qos: 1 })
    const summaries = (): string[] =>
      news.map(({ line }) => `${line?.client} ${line?.direction} ${line?.summary}`)
    while (!summaries().some((line) => line.includes(' out PUBLISH t')))
      await new Promise((soon) => setTimeout(soon, 10))
    expect(summaries().slice(0, 3)).to.deep.equal([
      'c state connected from 127.0.0.1',
      'c in SUBSCRIBE',
      'c in PUBLISH t qos 1 id 2',
    ])
    expect(summaries().every((line) => line.startsWith('c '))).to.equal(true)
    expect(foreign).to.deep.equal([])
    stop()
    stopForeign()
    while (b.broker.trace.active) await new Promise((soon) => setTimeout(soon, 10))
    const told = news.length
    await other.publishAcknowledged('t', 'x')
    expect(news).to.have.length(told)
    expect(Array.from(b.broker.connections, ({ traced }) => traced)).to.not.include(true)
  })

  it('ends a trace when the process that asked for it is gone: nobody would read it', async () => {
    a.control.trace({ org: 'default', client: 'c', device: null }, () => undefined)
    while (!b.broker.trace.active) await new Promise((soon) => setTimeout(soon, 10))
    const [member] = b.broker.cell?.members() ?? []
    for (const part of b.broker.cell?.parts ?? []) part.gone?.(member, 'silent')
    expect(b.broker.trace.active).to.equal(false)
  })

  it('tells at most 500 lines a second, and how many more there were', async () => {
    const news: TraceNews[] = []
    const stop = b.control.trace({ org: 'default', client: 'c', device: null }, (one) => news.push(one))
    const client = await connectDevice(b, 'c', key)
    const began = performance.now()
    for (let i = 0; i < 2000; i++) client.publish('t', 'x', { qos: 0 })
    const sum = (): number =>
      news.reduce((all, { line, missed }) => all + missed + (line === null ? 0 : 1), 0)
    while (sum() < 2001) await new Promise((soon) => setTimeout(soon, 20))
    // A busy machine takes more seconds for them, each of which may have its 500.
    const seconds = Math.ceil((performance.now() - began) / 1000) + 1
    expect(news.filter(({ line }) => line !== null).length).to.be.at.most(500 * seconds)
    stop()
  })

  it('refuses to trace without bound', () => {
    const stops = Array.from({ length: 100 }, () =>
      a.control.trace({ org: 'default', client: 'c', device: null }, () => undefined),
    )
    expect(() => a.control.trace({ org: 'default', client: 'c', device: null }, () => undefined)).to.throw(
      RangeError,
    )
    for (const stop of stops) stop()
  })
})
