import { expect } from 'chai'
import type { DevicePresence } from '#platform/presence/presence-record.ts'
import { MemoryStore } from '#platform/store/memory.ts'
import { connectDevice, PlatformCell, type PlatformMember } from './platform-cell.ts'

const PERSISTENT = { cleanStart: false, properties: { sessionExpiryInterval: 3600 } }

describe('presence in a cell', () => {
  let cell: PlatformCell
  let a: PlatformMember
  let b: PlatformMember
  let id: string
  let key: string
  let store: MemoryStore
  beforeEach(async () => {
    cell = new PlatformCell()
    store = new MemoryStore({})
    ;[a, b] = await Promise.all([cell.start(1, store), cell.start(2, store)])
    const created = await a.platform.registry.devices.create('default', { name: 'd' })
    ;({ id } = created.device)
    ;({ key } = created)
  })
  afterEach(() => cell.stop())

  async function presenceAt({ platform }: PlatformMember): Promise<DevicePresence> {
    const found = (await platform.presence.of('default', [id])).get(id)
    if (found === undefined) throw new Error('not answered')
    return found
  }

  /** What is read there as soon as it is so. */
  async function until(
    member: PlatformMember,
    which: (one: DevicePresence) => boolean,
  ): Promise<DevicePresence> {
    for (;;) {
      const one = await presenceAt(member)
      if (which(one)) return one
      await new Promise((soon) => setTimeout(soon, 20))
    }
  }

  it('a device is seen from any process with who holds it, and with the reason when it has gone', async () => {
    const client = await connectDevice(b, 'c', key, { ...PERSISTENT, keepAlive: 60 })
    for (const member of [a, b]) {
      const on = await until(member, ({ connected }) => connected)
      expect(on.clients[0]).to.include({
        clientId: 'c',
        confirmed: true,
        process: b.broker.cell?.info.name,
        dc: 'dc02',
        address: '127.0.0.1',
        version: 5,
        keepAlive: 60,
        cleanStart: false,
        sessionExpiry: 3600,
      })
      expect(on.since).to.be.closeTo(Date.now(), 5000)
    }
    client.wire.destroy()
    const off = await until(a, ({ connected }) => !connected)
    expect(off.reason).to.equal('connection_lost')
  })

  const ends: [
    name: string,
    end: (client: Awaited<ReturnType<typeof connectDevice>>) => unknown,
    reason: string,
  ][] = [
    ['says goodbye', (client) => client.wire.push(Buffer.from([0xe0, 0])), 'client_disconnected'],
    [
      'says goodbye with its will',
      (client) => client.wire.push(Buffer.from([0xe0, 2, 4, 0])),
      'client_disconnected_with_will',
    ],
    ['is disconnected by an operator', () => a.control.kick('default', 'c'), 'kicked'],
    ['has lost its key', () => a.platform.registry.devices.rotateKey('default', 'd'), 'credentials_revoked'],
    ['sends nonsense', (client) => client.wire.push(Buffer.from([0xf7, 0])), 'protocol_error'],
    ['is at a server that ends', () => b.broker.drain(), 'server_shutdown'],
  ]
  for (const [name, end, reason] of ends) {
    it(`a device that ${name} is off because of "${reason}"`, async () => {
      const client = await connectDevice(b, 'c', key)
      await until(a, ({ connected }) => connected)
      await end(client)
      expect((await until(a, ({ connected }) => !connected)).reason).to.equal(reason)
    })
  }

  it('a device that connects elsewhere is on all the time, and its old connection is history', async () => {
    await connectDevice(b, 'c', key)
    const before = await until(a, ({ connected }) => connected)
    // Of two connections at two processes in one millisecond, none of which has heard of the other, either may be the later one.
    while (Date.now() <= (before.since ?? 0)) await new Promise((soon) => setImmediate(soon))
    await connectDevice(a, 'c', key)
    const after = await until(b, ({ clients }) => clients[0].process === a.broker.cell?.info.name)
    expect(after.connected).to.equal(true)
    expect(after.since).to.be.at.least(before.since ?? 0)
    const reasons = async (): Promise<(string | null)[]> => {
      const { events } = await a.platform.presence.history({ org: 'default', id, name: 'd' }, { limit: 9 })
      return events.map(({ reason }) => reason)
    }
    while (!(await reasons()).includes('taken_over')) await new Promise((soon) => setTimeout(soon, 20))
    expect((await presenceAt(b)).connected).to.equal(true)
  })

  it('nobody is connected to a process that is gone, whoever asks; and it is written down once', async () => {
    const c = await cell.start(1, store)
    const client = await connectDevice(c, 'c', key)
    await until(a, ({ connected }) => connected)
    const stream = a.platform.live.subscribe('default', { types: new Set(['presence']) })
    // A new process of its name says that the old one is over, as after kill -9; what that one would have said is lost.
    c.broker.watcher = null
    c.bus.cut = true
    const member = Array.from(a.broker.cell?.members() ?? []).find((one) => one.id === c.broker.cell?.id)
    if (member !== undefined) a.broker.cell?.gone(member.peer, 'replaced')
    const off = await until(a, ({ connected }) => !connected)
    expect(off).to.include({ reason: 'server_lost', confirmed: true })
    expect(off.since).to.be.closeTo(Date.now(), 10_000)
    await new Promise<void>((readable) => stream?.onReadable(readable))
    const told = stream?.take()?.event
    expect(told?.device).to.include({ id, name: 'd' })
    expect(told?.data).to.include({ connected: false, reason: 'server_lost' })
    const { events } = await a.platform.presence.history({ org: 'default', id, name: 'd' }, { limit: 9 })
    expect(events.map(({ connected }) => connected)).to.deep.equal([false, true])
    client.wire.destroy()
  }).timeout(15_000)

  it('behind a cut nobody knows, and it is said; after it the device is on, and never was off', async () => {
    await connectDevice(b, 'c', key)
    await until(a, ({ connected }) => connected)
    b.bus.cut = true
    const unsure = await until(a, ({ confirmed }) => !confirmed)
    expect(unsure.connected).to.equal(true)
    expect((await presenceAt(b)).confirmed).to.equal(true)
    b.bus.cut = false
    const again = await until(a, ({ confirmed }) => confirmed)
    expect(again.connected).to.equal(true)
  }).timeout(15_000)
})
