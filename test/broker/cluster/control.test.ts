import { expect } from 'chai'
import { MemoryStore } from '#platform/store/memory.ts'
import { type AnyTable } from '#platform/store/table.ts'
import { Recheck } from '#broker/cluster/recheck.ts'
import { systemClock } from '#platform/clock.ts'
import { Registry } from '#platform/registry/registry.ts'
import { Entry } from '#broker/cluster/entries.ts'
import { credential, device as deviceTable, organisation } from '#platform/registry/tables.ts'
import { Batch, type Store } from '#platform/store/store.ts'
import { connectDevice, dial, PlatformCell, type PlatformMember } from './platform-cell.ts'

const PERSISTENT = { cleanStart: false, properties: { sessionExpiryInterval: 3600 } }

describe('what the registry and operators say to all processes', () => {
  let cell: PlatformCell
  let a: PlatformMember
  let b: PlatformMember
  let shared: MemoryStore
  beforeEach(async () => {
    cell = new PlatformCell()
    shared = new MemoryStore({})
    ;[a, b] = await Promise.all([cell.start(1, shared), cell.start(2, shared)])
  })
  afterEach(() => cell.stop())

  const create = (name: string): ReturnType<PlatformMember['platform']['registry']['devices']['create']> =>
    a.platform.registry.devices.create('default', { name })

  it('a key that is replaced at one ends the connection at the other before the change is reported, and is refused there', async () => {
    const { device, key } = await create('d')
    const client = await connectDevice(b, 'c', key)
    const { key: fresh } = await a.platform.registry.devices.rotateKey('default', device.id)
    expect((await client.expect(14)).value.reason).to.equal(0x87)
    await client.closed()
    expect((await dial(b, 'c', key).expect(2)).value.reason).to.equal(0x86)
    await connectDevice(b, 'c', fresh)
  })

  it('an old key is refused also where the store has not heard of the change yet', async () => {
    const { device, key } = await create('d')
    const late = new MemoryStore({})
    await copy(credential, shared, late)
    await copy(deviceTable, shared, late)
    await copy(organisation, shared, late)
    const c = await cell.start(2, late)
    await connectDevice(c, 'c', key)
    await a.platform.registry.devices.rotateKey('default', device.id)
    expect((await dial(c, 'c', key).expect(2)).value.reason).to.equal(0x86)
    expect(await c.platform.registry.findKey(key)).to.equal(undefined)
  })

  it('a device that is disabled at one is disconnected at the other, and refused where the store has not heard of it', async () => {
    const { device, key } = await create('d')
    const late = new MemoryStore({})
    for (const table of [credential, deviceTable, organisation]) await copy(table, shared, late)
    const c = await cell.start(2, late)
    const client = await connectDevice(c, 'c', key)
    await a.platform.registry.devices.update('default', device.id, { enabled: false })
    await client.closed()
    expect((await dial(c, 'c', key).expect(2)).value.reason).to.equal(0x86)
  })

  it('one of several keys is revoked at one: at the other only connections made with that one are closed', async () => {
    const { device, key } = await create('d')
    const { keys, devices } = a.platform.registry
    const { added, key: second } = await keys.add(device, { label: '', expiresAt: null })
    const stays = await connectDevice(b, 'stays', key)
    const goes = await connectDevice(b, 'goes', second)
    await devices.revokeKey('default', device.id, added.id)
    await goes.closed()
    expect((await dial(b, 'goes', second).expect(2)).value.reason).to.equal(0x86)
    await stays.subscribe('t', { qos: 1 })
  })

  it('a device that is deleted at one loses its connection and its sessions everywhere, held or not', async () => {
    const { device, key } = await create('d')
    const held = await connectDevice(b, 'held', key, PERSISTENT)
    await held.subscribe('t', { qos: 1 })
    const away = await connectDevice(b, 'away', key, PERSISTENT)
    await away.subscribe('t', { qos: 1 })
    away.wire.destroy()
    await away.closed()
    await a.platform.registry.deleteDevice('default', device.id)
    await held.closed()
    for (const { broker } of [a, b]) {
      const space = broker.space('default')
      expect([...space.sessions.keys(), ...space.away.values()]).to.deep.equal([])
      expect(space.router.route('t').targets).to.have.length(0)
    }
    const late = await cell.start(2, shared)
    expect(late.broker.space('default').away.size).to.equal(0)
  })

  it('a client is found from any process, with what it has subscribed to and what waits for it', async () => {
    const { device, key } = await create('d')
    const client = await connectDevice(b, 'c', key, PERSISTENT)
    await client.subscribe('t/#', { qos: 1 })
    for (const { control } of [a, b]) {
      const { client: found, complete } = await control.find('default', 'c')
      expect(complete).to.equal(true)
      expect(found).to.include({
        connected: true,
        process: b.broker.cell?.info.name,
        dc: 'dc02',
        device: device.id,
        username: 'd',
        version: 5,
        queued: 0,
        inflight: 0,
        sessionExpiry: 3600,
        subscriptionCount: 1,
      })
      expect(found?.subscriptions).to.deep.equal([{ filter: 't/#', qos: 1 }])
      expect(found?.since).to.be.closeTo(Date.now(), 5000)
    }
    client.wire.destroy()
    await client.closed()
    for (const { control } of [a, b])
      expect((await control.find('default', 'c')).client).to.include({
        connected: false,
        subscriptionCount: 1,
      })
    expect(await a.control.find('other', 'c')).to.deep.equal({ client: null, complete: true })
  })

  it('a client is disconnected from any process, and only that of its organisation', async () => {
    const { key } = await create('d')
    const client = await connectDevice(b, 'c', key)
    expect(await a.control.kick('other', 'c')).to.deep.equal({ kicked: false, complete: true })
    expect(await a.control.kick('default', 'c')).to.deep.equal({ kicked: true, complete: true })
    expect((await client.expect(14)).value.reason).to.equal(0x98)
    await client.closed()
    expect(await a.control.kick('default', 'c')).to.deep.equal({ kicked: false, complete: true })
  })

  it('says so when a process did not answer in time: nobody may think that the client is nowhere', async () => {
    // A version that does not know the question.
    if (b.broker.cell !== null) b.broker.cell.onControl = () => undefined
    expect(await a.control.find('default', 'nobody')).to.deep.equal({ client: null, complete: false })
  })

  it('new rules of an organisation hold at the other for connections made from then on', async () => {
    const { key } = await create('d')
    const first = await connectDevice(b, 'c1', key)
    expect(await first.subscribe('free', { qos: 0 })).to.deep.equal([0])
    await a.platform.registry.organisations.update('default', {
      acl: [{ effect: 'allow', access: 'publish', filter: '#' }],
    })
    const second = await connectDevice(b, 'c2', key)
    expect(await second.subscribe('free', { qos: 0 })).to.deep.equal([0x87])
  })

  it('a key that was replaced while nothing could be said is found out when the stream begins anew', async () => {
    const { device, key } = await create('d')
    const other = await create('e')
    const client = await connectDevice(b, 'c', key)
    const safe = await connectDevice(b, 's', other.key)
    // As by a process of which b never heard.
    const silent = new Registry(shared, systemClock)
    await silent.devices.rotateKey('default', device.id)
    expect(await client.subscribe('t')).to.deep.equal([0])
    await new Recheck(b.broker, b.platform.registry).look()
    expect((await client.expect(14)).value.reason).to.equal(0x87)
    expect(await safe.subscribe('t')).to.deep.equal([0])
    const [member] = b.broker.cell?.members() ?? []
    b.broker.cell?.opened(member.peer)
    expect((await dial(b, 'c', key).expect(2)).value.reason).to.equal(0x86)
  })

  it('words of a newer version are counted and ignored, and so are broken ones', async () => {
    for (const said of [{ verb: 'dance' }, { verb: 'key_gone', org: 'default' }, { verb: 'who', id: 'x' }])
      a.broker.cell?.tell(Entry.CONTROL, Buffer.from(JSON.stringify(said)))
    const { complete } = await a.control.find('default', 'c')
    expect(complete).to.equal(true)
    const page = b.metrics.render()
    expect(page).to.include('cinque_cell_dropped_total{reason="unknown_verb"} 1')
    expect(page).to.include('cinque_cell_dropped_total{reason="malformed"} 2')
  })
})

async function copy(table: AnyTable, from: Store, to: Store): Promise<void> {
  const batch = new Batch()
  for (const row of (await from.scan(table, null, 1000)).rows) batch.put(table, row)
  await to.write(batch)
}
