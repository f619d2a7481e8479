import { expect } from 'chai'
import type { DeviceRef } from '#platform/auth/principal.ts'
import { newIncarnation } from '#platform/cluster/incarnation.ts'
import { LiveBus } from '#platform/live/live-bus.ts'
import { createLogger } from '#platform/log.ts'
import { Metrics } from '#platform/metrics.ts'
import type { DeviceClient } from '#platform/presence/change.ts'
import type { HolderState } from '#platform/presence/holders.ts'
import { type DevicePresence, isActive, lastSeenOf } from '#platform/presence/presence-record.ts'
import { Presence } from '#platform/presence/presence.ts'
import { presence as table } from '#platform/presence/tables.ts'
import { Lanes } from '#platform/store/lanes.ts'
import { MemoryStore } from '#platform/store/memory.ts'
import { VirtualTime, VirtualTimers } from '../../virtual-time.ts'

const noon = 1_795_262_400_000
const second = 1000
const minute = 60 * second

const thermo: DeviceRef = { org: 'acme', id: 'thermo', name: 'Thermo' }

/** A process with its connections, on a clock that the test moves. */
class Process {
  readonly time: VirtualTime
  readonly lanes: Lanes
  readonly live: LiveBus
  readonly metrics = new Metrics()
  readonly presence: Presence
  readonly id: Buffer
  readonly seen: string[] = []
  /** What it knows of the other processes. */
  readonly others = new Map<string, HolderState>()
  readonly deleted = new Set<string>()

  constructor(store: MemoryStore, time: VirtualTime, { alone = true, name = 'p' } = {}) {
    this.time = time
    const log = createLogger({ level: 'silent' })
    const clock = { now: () => this.now }
    this.lanes = new Lanes(store, log)
    this.live = new LiveBus(this.metrics)
    this.presence = new Presence({
      store,
      lanes: this.lanes,
      live: this.live,
      clock,
      log,
      metrics: this.metrics,
      timers: new VirtualTimers(time),
      onSeen: ({ id }, online, at) => this.seen.push(`${id} ${online} ${(at - noon) / second}`),
      find: (org, id) => Promise.resolve(this.deleted.has(id) ? undefined : { org, id, name: id }),
    })
    this.id = newIncarnation(this.now * 1024, 1)
    const stateOf = (holder: string): HolderState => this.others.get(holder) ?? 'gone'
    this.presence.start({ id: this.id, process: name, dc: 'dc01' }, alone ? null : { stateOf })
  }

  get now(): number {
    return noon + this.time.now
  }

  client(device = thermo, clientId = 'c', epochAt = this.now): DeviceClient {
    return {
      device,
      clientId,
      epoch: epochAt * 1024,
      address: '192.0.2.1',
      version: 5,
      keepAlive: 60,
      cleanStart: true,
      sessionExpiry: 3600,
    }
  }

  /** Lets time pass; what was to be written is then durable. */
  async pass(ms: number): Promise<void> {
    this.time.run(ms)
    await this.lanes.durable()
  }

  async of(device = thermo): Promise<DevicePresence> {
    const found = (await this.presence.of(device.org, [device.id])).get(device.id)
    if (found === undefined) throw new Error('not answered')
    return found
  }

  data(device = thermo, at = this.now): void {
    this.live.publish({ type: 'telemetry', org: device.org, device, at, data: { points: [] } }, 10)
  }

  async history(limit = 100): Promise<string[]> {
    const { events } = await this.presence.history(thermo, { limit })
    return events.map(
      ({ at, connected, reason, changes }) =>
        `${(at - noon) / second} ${connected ? 'on' : `off ${reason}`}${changes > 1 ? ` x${changes}` : ''}`,
    )
  }
}

describe('presence', () => {
  let store: MemoryStore
  let time: VirtualTime
  let one: Process
  beforeEach(() => {
    time = new VirtualTime()
    store = new MemoryStore({ clock: { now: () => noon + time.now } })
    one = new Process(store, time)
  })

  it('says since when, from where and how a device is connected, and why and when it no longer is', async () => {
    expect(await one.of()).to.deep.include({ connected: false, since: null, reason: null, lastData: null })
    const client = one.client()
    one.presence.connected(client)
    await one.pass(5 * second)
    const on = await one.of()
    expect(on).to.deep.include({ connected: true, confirmed: true, since: noon, reason: null })
    expect(on.clients).to.deep.equal([
      {
        clientId: 'c',
        connected: true,
        confirmed: true,
        since: noon,
        connectedAt: noon,
        reason: null,
        process: 'p',
        dc: 'dc01',
        address: '192.0.2.1',
        version: 5,
        keepAlive: 60,
        cleanStart: true,
        sessionExpiry: 3600,
      },
    ])
    one.presence.disconnected(client, 'keep_alive_timeout')
    await one.pass(second)
    const off = await one.of()
    expect(off).to.include({ connected: false, since: noon + 5 * second, reason: 'keep_alive_timeout' })
    expect(off.clients[0]).to.include({ connectedAt: noon, address: '192.0.2.1' })
    expect(await one.history()).to.deep.equal(['5 off keep_alive_timeout', '0 on'])
    expect(one.seen).to.deep.equal(['thermo true 0', 'thermo false 5'])
  })

  it('is seen at once by the process that has the connection, and by the others when it is stored', async () => {
    const other = new Process(store, time, { alone: false })
    other.others.set(one.id.toString('hex'), 'alive')
    one.presence.connected(one.client())
    await one.lanes.durable()
    expect((await one.of()).connected).to.equal(true)
    expect((await other.of()).connected).to.equal(true)
    expect((await other.of({ ...thermo, org: 'other' })).connected).to.equal(false)
  })

  it('of a device with several connections lasts until the last of them has ended', async () => {
    const a = one.client(thermo, 'a')
    const b = one.client(thermo, 'b')
    one.presence.connected(a)
    await one.pass(second)
    one.presence.connected(b)
    await one.pass(second)
    one.presence.disconnected(a, 'client_disconnected')
    await one.pass(second)
    expect(await one.of()).to.deep.include({ connected: true, since: noon + second })
    expect(one.seen.filter((line) => line.includes('false'))).to.deep.equal([])
    one.presence.disconnected(b, 'connection_lost')
    await one.pass(second)
    const off = await one.of()
    expect(off).to.deep.include({ connected: false, reason: 'connection_lost', since: noon + 3 * second })
    expect(off.clients.map(({ clientId }) => clientId)).to.deep.equal(['b', 'a'])
    expect(one.seen.at(-1)).to.equal('thermo false 3')
  })

  it('with connections at two processes lasts, for lists too, until both have ended', async () => {
    const other = new Process(store, time, { alone: false, name: 'q' })
    other.others.set(one.id.toString('hex'), 'alive')
    const here = one.client(thermo, 'a')
    const there = other.client(thermo, 'b')
    one.presence.connected(here)
    other.presence.connected(there)
    await one.pass(second)
    await other.pass(0)
    other.presence.disconnected(there, 'connection_lost')
    await other.pass(second)
    await new Promise((done) => setImmediate(done))
    expect((await other.of()).connected).to.equal(true)
    expect(other.seen.at(-1)).to.match(/^thermo true/)
    one.presence.disconnected(here, 'connection_lost')
    await one.pass(second)
    await new Promise((done) => setImmediate(done))
    expect((await one.of()).connected).to.equal(false)
    expect(one.seen.at(-1)).to.match(/^thermo false/)
  })

  it('is not undone by the late end of an earlier connection: a takeover at another process is one on, not an off', async () => {
    const other = new Process(store, time, { alone: false, name: 'q' })
    other.others.set(one.id.toString('hex'), 'alive')
    const first = one.client()
    one.presence.connected(first)
    await one.pass(second)
    other.presence.connected(other.client())
    await other.lanes.durable()
    await one.pass(second)
    one.presence.disconnected(first, 'taken_over')
    await one.pass(second)
    expect(await other.of()).to.deep.include({ connected: true, since: noon + second })
    expect((await other.of()).clients[0].process).to.equal('q')
  })

  describe('when its process is gone', () => {
    it('by kill -9: after the restart nobody is shown connected, from the first question on, with the time it was last known', async () => {
      one.presence.connected(one.client())
      await one.pass(25 * second)
      const again = new Process(store, time)
      expect(await again.of()).to.include({
        connected: false,
        reason: 'server_lost',
        // Its signs of life are ten seconds apart.
        since: noon + 20 * second,
      })
      expect(await again.presence.sweep((holder) => Buffer.compare(holder, again.id) !== 0)).to.equal(1)
      await again.lanes.durable()
      expect(await again.history()).to.deep.equal(['20 off server_lost', '0 on'])
      expect(again.seen).to.deep.equal(['thermo false 20'])
      expect(await again.presence.sweep(() => true)).to.equal(0)
      again.presence.connected(again.client())
      await again.lanes.durable()
      expect((await again.of()).connected).to.equal(true)
    })

    it('and nothing was written of a connection: nobody believes that there was one', async () => {
      one.presence.connected(one.client())
      // Killed before anything was durable.
      const fresh = new Process(new MemoryStore({}), time)
      expect(await fresh.of()).to.include({ connected: false, since: null })
    })

    it('behind a cut: it is said that nobody knows, and not that the device is off', async () => {
      const other = new Process(store, time, { alone: false })
      one.presence.connected(one.client())
      await one.pass(second)
      other.others.set(one.id.toString('hex'), 'unsure')
      expect(await other.of()).to.include({ connected: true, confirmed: false })
      other.others.set(one.id.toString('hex'), 'gone')
      expect(await other.of()).to.include({ connected: false, confirmed: true, reason: 'server_lost' })
    })

    it('for the others only: it overrules them, and what they wrote is history', async () => {
      const other = new Process(store, time, { alone: false })
      const client = one.client()
      one.presence.connected(client)
      await one.pass(second)
      await other.presence.sweep(() => true)
      await other.lanes.durable()
      expect((await one.of()).connected).to.equal(false)
      one.presence.stillConnected(client)
      await new Promise((done) => setImmediate(done))
      await one.pass(second)
      other.others.set(one.id.toString('hex'), 'alive')
      expect((await other.of()).connected).to.equal(true)
      expect((await one.history())[0]).to.match(/ on$/)
      // It is not written again each time that somebody was not heard.
      one.presence.stillConnected(client)
      await new Promise((done) => setImmediate(done))
      await one.pass(second)
      expect(await one.history()).to.have.length(3)
      one.presence.disconnected(client, 'client_disconnected')
      await one.pass(second)
      expect((await other.of()).connected).to.equal(false)
    })

    it('two that both notice write one end', async () => {
      one.presence.connected(one.client())
      await one.pass(2 * second)
      const a = new Process(store, time, { alone: false })
      const b = new Process(store, time, { alone: false })
      await Promise.all([a.presence.sweep(() => true), b.presence.sweep(() => true)])
      await a.lanes.durable()
      await b.lanes.durable()
      expect(await a.history()).to.have.length(2)
    })
  })

  describe('of a client that comes and goes all the time', () => {
    it('is right at any time where it is connected, and history and listeners hear a few changes that stand for all', async () => {
      const stream = one.live.subscribe('acme')
      for (let i = 0; i < 100; i++) {
        const client = one.client(thermo, 'c', one.now + i)
        one.presence.connected(client)
        expect((await one.of()).connected).to.equal(true)
        one.presence.disconnected(client, 'connection_lost')
        expect((await one.of()).connected).to.equal(false)
      }
      await one.pass(11 * second)
      const lines = await one.history()
      expect(lines).to.have.length(7)
      expect(lines.filter((line) => line.endsWith('x194'))).to.have.length(1)
      let told = 0
      let changes = 0
      for (let event = stream?.take(); event !== undefined; event = stream?.take()) {
        told++
        changes += (event.event.data as { changes: number }).changes
      }
      expect([told, changes]).to.deep.equal([7, 200])
      expect(one.metrics.total('cinque_presence_merged_total')).to.equal(193)
    })

    it('is written at once again when it has been quiet for a while', async () => {
      for (let i = 0; i < 10; i++) {
        const client = one.client(thermo, 'c', one.now + i)
        one.presence.connected(client)
        one.presence.disconnected(client, 'connection_lost')
      }
      await one.pass(2 * minute)
      const before = (await one.history()).length
      one.presence.connected(one.client())
      await one.lanes.durable()
      expect(await one.history()).to.have.length(before + 1)
    })
  })

  it('waits while the store does not keep up, with the newest state of each client, and is written then', async () => {
    const stopped = new MemoryStore({})
    const write = stopped.write.bind(stopped)
    let open = (): void => undefined
    const gate = new Promise<void>((opened) => (open = opened))
    stopped.write = async (batch) => {
      await gate
      return write(batch)
    }
    const slow = new Process(stopped, time)
    for (let i = 0; i < 9000; i++) {
      const device = { ...thermo, id: `d${i}` }
      slow.presence.connected(slow.client(device))
      slow.presence.disconnected(slow.client(device), 'connection_lost')
    }
    expect(slow.lanes.local.staged).to.be.below(8300)
    open()
    await slow.pass(11 * second)
    await slow.pass(11 * second)
    const { devices } = await slow.presence.list('acme', { limit: 1000, which: ({ connected }) => connected })
    expect(devices).to.deep.equal([])
    expect((await slow.of({ ...thermo, id: 'd8999' })).reason).to.equal('connection_lost')
  })

  it('of a device with ever new client ids keeps the latest only', async () => {
    for (let i = 0; i < 500; i++) {
      const client = one.client(thermo, `auto-${i}`)
      one.presence.connected(client)
      one.presence.disconnected(client, 'client_disconnected')
      await one.pass(10)
    }
    await new Promise((done) => setTimeout(done, 0))
    await one.lanes.durable()
    const rows = await store.scan(table, null, 1000)
    expect(rows.rows.length).to.be.below(100)
  })

  it('of a deleted device is forgotten, and its connection that ends behind it brings nothing back', async () => {
    const client = one.client({ ...thermo, createdAt: noon })
    one.presence.connected(client)
    one.data()
    await one.pass(2 * minute)
    one.deleted.add('thermo')
    await one.presence.purge(thermo, one.now)
    one.presence.disconnected(client, 'credentials_revoked')
    await one.pass(2 * minute)
    expect((await store.scan(table, null, 10)).rows).to.deep.equal([])
    expect(await one.history()).to.deep.equal([])
    // Another one with the same id is another.
    const successor = one.client({ ...thermo, createdAt: one.now + 1 })
    one.presence.connected(successor)
    await one.pass(second)
    expect((await one.of()).connected).to.equal(true)
  })

  describe('active', () => {
    const active = async (window = 10 * minute, at = one): Promise<boolean> =>
      isActive(await at.of(), at.now, window)

    it('is a matter of data, not of the connection: a device that stays connected and sends nothing becomes inactive (ThingsBoard #15614)', async () => {
      one.presence.connected(one.client())
      await one.pass(second)
      expect([(await one.of()).connected, await active()]).to.deep.equal([true, false])
      one.data()
      expect(await active()).to.equal(true)
      await one.pass(10 * minute)
      expect([(await one.of()).connected, await active()]).to.deep.equal([true, false])
    })

    it('ends at its time for a new device as for an old one, at whatever window, without anything that has to run (#7908)', async () => {
      one.data()
      await one.pass(minute - 1)
      expect(await active(minute)).to.equal(true)
      await one.pass(1)
      expect([await active(minute), await active(2 * minute)]).to.deep.equal([false, true])
    })

    it('ends also when the last data came at the very millisecond at which it would have ended (#9156)', async () => {
      one.data()
      await one.pass(minute)
      one.data()
      expect(await active(minute)).to.equal(true)
      await one.pass(minute)
      expect(await active(minute)).to.equal(false)
    })

    it('cannot get stuck: it is stored nowhere, and the next data make it true (#15465, #12771)', async () => {
      one.data()
      await one.pass(20 * minute)
      expect(await active()).to.equal(false)
      one.data()
      expect(await active()).to.equal(true)
    })

    it("goes by the platform's clock: times that devices give their values do not count", async () => {
      const points = [{ key: 't', ts: noon - 1e9, value: 1 }]
      one.live.publish({ type: 'telemetry', org: 'acme', device: thermo, at: one.now, data: { points } }, 10)
      expect(await active()).to.equal(true)
    })

    it('is not made true for ever by a clock that was ahead (#11546)', async () => {
      one.data(thermo, noon + 1e9)
      await one.pass(minute)
      const again = new Process(store, time)
      expect(isActive(await again.of(), again.now, 10 * minute)).to.equal(false)
      again.data()
      expect(isActive(await again.of(), again.now, 10 * minute)).to.equal(true)
    })

    it('is known to other processes, and after a restart, to the minute', async () => {
      one.data()
      await one.pass(30 * second)
      one.data()
      await one.pass(2 * minute)
      const other = new Process(store, time)
      const found = await other.of()
      expect(found.lastData).to.equal(noon + 30 * second)
      expect(lastSeenOf(found, other.now)).to.equal(noon + 30 * second)
      expect(await active(3 * minute, other)).to.equal(true)
      await other.pass(minute)
      expect(await active(3 * minute, other)).to.equal(false)
    })

    it('costs one row a minute however much a device sends', async () => {
      let rows = 0
      const write = store.write.bind(store)
      store.write = (batch) => {
        rows += batch.size
        return write(batch)
      }
      for (let i = 0; i < 600; i++) {
        one.data()
        await one.pass(second)
      }
      expect(rows).to.be.within(9, 12)
    })

    it('is not made by presence itself, nor by what the platform does to a device', async () => {
      one.presence.connected(one.client())
      one.live.publish({ type: 'command', org: 'acme', device: thermo, at: one.now, data: {} }, 10)
      await one.pass(second)
      expect(await active()).to.equal(false)
    })
  })

  it('of many devices is listed page by page, each once, whatever the size of pages', async () => {
    for (let i = 0; i < 500; i++) {
      const device = { ...thermo, id: `d${i}` }
      one.presence.connected(one.client(device, 'a'))
      one.presence.connected(one.client(device, 'b'))
      if (i % 5 === 0) {
        one.presence.disconnected(one.client(device, 'a'), 'kicked')
        one.presence.disconnected(one.client(device, 'b'), 'kicked')
      }
    }
    await one.pass(second)
    for (const limit of [1, 7, 64, 1000]) {
      const seen: string[] = []
      let after: Parameters<Presence['list']>[1]['after']
      do {
        const page = await one.presence.list('acme', { limit, after, which: ({ connected }) => connected })
        expect(page.devices.length).to.be.at.most(limit)
        for (const { device, clients } of page.devices) {
          seen.push(device)
          expect(clients).to.have.length(2)
        }
        after = page.next ?? undefined
      } while (after !== undefined)
      expect(seen).to.have.length(400)
      expect(new Set(seen).size).to.equal(400)
    }
    expect((await one.presence.list('other', { limit: 10 })).devices).to.deep.equal([])
  })

  it('as history is read page by page over months', async () => {
    for (let i = 0; i < 20; i++) {
      const client = one.client(thermo, 'c', one.now)
      one.presence.connected(client)
      one.presence.disconnected(client, 'client_disconnected')
      await one.pass(4 * 24 * 60 * minute)
    }
    const whole = await one.presence.history(thermo, { limit: 1000 })
    expect(whole.events).to.have.length(40)
    const paged = []
    let after: Parameters<Presence['history']>[1]['after']
    do {
      const page = await one.presence.history(thermo, { limit: 3, after })
      paged.push(...page.events)
      after = page.next ?? undefined
    } while (after !== undefined)
    expect(paged).to.deep.equal(whole.events)
    const from = noon + 8 * 24 * 60 * minute
    const some = await one.presence.history(thermo, { limit: 1000, from, to: from + 1 })
    expect(some.events).to.have.length(2)
  })
})
