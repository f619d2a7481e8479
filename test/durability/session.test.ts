import { expect } from 'chai'
import { inbox, session, state, subscription } from '#platform/store/tables.ts'
import { MemoryStore } from '#platform/store/memory.ts'
import { TestBroker, type TestClient, TestClock, texts } from '../broker/harness.ts'
import { eventually } from '../patience.ts'
import { CrashingStore } from './crashing-store.ts'

const keep = (sessionExpiryInterval: number) =>
  ({ cleanStart: false, properties: { sessionExpiryInterval } }) as const
const FOREVER = keep(0xffff_ffff)

describe('a session on disk, over crashes', () => {
  let t: TestBroker
  let store: CrashingStore
  let pace: number

  beforeEach(async () => {
    pace = 1
    const clock = new TestClock()
    store = new CrashingStore(new MemoryStore({ clock }), () => pace)
    t = await TestBroker.start({}, { store, clock })
  })

  afterEach(() => {
    t.abandon()
  })

  /** Nothing is written any more; the broker comes again on what is on disk, `later` milliseconds later. */
  async function crash(later = 0): Promise<void> {
    store.crash()
    t.abandon()
    t.clock.advance(later)
    store = new CrashingStore(store.disk, () => pace)
    t = await TestBroker.start({}, { store, clock: t.clock })
    await t.settled()
  }

  async function everything(client: TestClient): Promise<string[]> {
    const all: string[] = []
    for (let quiet = 0; quiet < 5; quiet++) {
      await t.settled()
      const found = texts(await client.messages())
      if (found.length > 0) quiet = 0
      all.push(...found)
    }
    return all
  }

  async function publish(...payloads: string[]): Promise<void> {
    const publisher = await t.connect('publisher')
    for (const payload of payloads) await publisher.publishAcknowledged('x', payload)
    await publisher.vanish()
  }

  async function rowCounts(): Promise<Record<string, number>> {
    const count = async (table: Parameters<typeof store.scan>[0]): Promise<number> =>
      (await store.scan(table, null, 100_000)).rows.length
    await t.settled()
    return {
      session: await count(session),
      subscription: await count(subscription),
      inbox: await count(inbox),
      state: await count(state),
    }
  }

  describe('expires', () => {
    it('after its interval, counted from the crash, not from the start', async () => {
      const client = await t.connect('client', keep(60))
      await client.subscribe('x', { qos: 1 })
      await crash()
      await t.pass(30_000)
      await crash(20_000)
      expect((await t.connect('client', keep(60))).sessionPresent, 'after 50 s').to.equal(true)
      await crash()
      await crash(61_000)
      await t.pass(1000)
      expect((await t.connect('client', keep(60))).sessionPresent, 'after 61 s').to.equal(false)
    })

    it('with all it had', async () => {
      const client = await t.connect('client', keep(60))
      await client.subscribe(['x', 'y', '$share/g/x'], { qos: 1 })
      await client.vanish()
      await publish('a', 'b')
      await crash(61_000)
      await t.pass(2000)
      expect(await rowCounts()).to.deep.equal({ session: 0, subscription: 0, inbox: 0, state: 0 })
    })

    it('at once by DISCONNECT with interval 0, and is not there after a crash', async () => {
      const client = await t.connect('client', keep(60))
      await client.subscribe('x', { qos: 1 })
      await publish('a')
      client.disconnect(0, { sessionExpiryInterval: 0 })
      await client.vanish()
      await t.settled()
      await crash()
      expect((await t.connect('client', FOREVER)).sessionPresent).to.equal(false)
    })

    it('later, by DISCONNECT with a longer interval', async () => {
      const client = await t.connect('client', keep(10))
      await client.subscribe('x', { qos: 1 })
      client.disconnect(0, { sessionExpiryInterval: 100 })
      await client.vanish()
      await publish('a')
      await crash(50_000)
      const back = await t.connect('client', keep(10))
      expect(back.sessionPresent).to.equal(true)
      expect(await everything(back)).to.deep.equal(['a'])
    })
  })

  describe('clean start', () => {
    it('leaves nothing of the old session, whatever is published meanwhile, and gets all that comes after its SUBACK', async () => {
      const publisher = await t.connect('p')
      let n = 0
      for (let i = 0; i < 20; i++) {
        pace = i % 4
        const client = t.dial()
        client.connect('client', { ...FOREVER, cleanStart: true })
        publisher.publish('x', `early ${n++}`, { qos: 1 })
        const { value } = await client.expect(2)
        expect(value.sessionPresent).to.equal(false)
        expect(await everything(client), 'before SUBSCRIBE').to.deep.equal([])
        await client.subscribe('x', { qos: 1 })
        const late = [n++, n++].map((k) => `late ${k}`)
        for (const payload of late) publisher.publish('x', payload, { qos: 1 })
        await everything(publisher)
        expect(await everything(client)).to.deep.equal(late)
      }
    })

    it('is not undone by a crash: the older session does not come back', async () => {
      const client = await t.connect('client', FOREVER)
      await client.subscribe('old', { qos: 1 })
      await t.connect('client', { ...FOREVER, cleanStart: true })
      await crash()
      const back = await t.connect('client', FOREVER)
      expect(back.sessionPresent).to.equal(true)
      const publisher = await t.connect('p')
      await publisher.publishAcknowledged('old', 'for nobody')
      expect(await everything(back)).to.deep.equal([])
      expect(await rowCounts()).to.include({ session: 1, subscription: 0, inbox: 0 })
    })
  })

  describe('subscriptions', () => {
    it('that were acknowledged are there, those that were given up are not', async () => {
      const client = await t.connect('client', FOREVER)
      await client.subscribe(['a', 'b/+', '$share/g/c'], { qos: 2 }, { subscriptionIdentifiers: [7] })
      await client.subscribe('gone', { qos: 1 })
      await client.unsubscribe('gone')
      await crash()
      // A clock that was set back must not make new subscriptions look older than what they replace.
      t.clock.advance(-3_600_000)
      const back = await t.connect('client', FOREVER)
      await back.subscribe('gone', { qos: 1 })
      await back.unsubscribe('a')
      await crash()
      const publisher = await t.connect('p')
      for (const topic of ['a', 'b/1', 'c', 'gone']) await publisher.publishAcknowledged(topic, topic)
      const again = await t.connect('client', FOREVER)
      expect((await everything(again)).toSorted()).to.deep.equal(['b/1', 'c', 'gone'])
    })

    it('decide for each message at its arrival: none is missed from SUBACK to UNSUBSCRIBE', async () => {
      const client = await t.connect('client', FOREVER)
      const publisher = await t.connect('p')
      for (let i = 0; i < 20; i++) {
        pace = i % 3
        publisher.publish('x', `maybe ${i}`, { qos: 1 })
        await client.subscribe('x', { qos: 1 })
        publisher.publish('x', `promised ${i}`, { qos: 1 })
        await publisher.messages()
        publisher.publish('x', `maybe ${i}`, { qos: 1 })
        client.sendUnsubscribe('x')
        publisher.publish('x', `maybe ${i}`, { qos: 1 })
        const got = await everything(client)
        expect(got.filter((payload) => payload.startsWith('promised'))).to.deep.equal([`promised ${i}`])
      }
    })
  })

  it('finds what waits for it whatever its clock says: a day back, with and without a restart', async () => {
    const client = await t.connect('client', FOREVER)
    await client.subscribe('x', { qos: 1 })
    await client.vanish()
    await publish('a')
    t.clock.advance(-2 * 86_400_000)
    await t.pass(1000)
    await publish('b')
    await crash(-2 * 86_400_000)
    await publish('c')
    const back = await t.connect('client', FOREVER)
    expect(await everything(back)).to.deep.equal(['a', 'b', 'c'])
    t.clock.advance(3 * 86_400_000)
    await t.pass(1000)
    await publish('d')
    expect(await everything(back)).to.deep.equal(['d'])
  })

  describe('of a shared group', () => {
    const group = '$share/g/x'

    it('that ends gives what it has not acknowledged to another member', async () => {
      const dying = await t.connect('dying', keep(10))
      await dying.subscribe(group, { qos: 1 })
      await publish('a', 'b', 'c')
      expect(texts(await dying.messages(false))).to.deep.equal(['a', 'b', 'c'])
      await dying.vanish()
      const heir = await t.connect('heir', FOREVER)
      await heir.subscribe(group, { qos: 1 })
      expect(await everything(heir)).to.deep.equal([])
      await t.pass(11_000)
      expect(await everything(heir)).to.deep.equal(['a', 'b', 'c'])
    })

    it('that ends while nobody is connected leaves it to a member that is away', async () => {
      const heir = await t.connect('heir', FOREVER)
      await heir.subscribe(group, { qos: 1 })
      await heir.vanish()
      const dying = await t.connect('dying', keep(10))
      await dying.subscribe(group, { qos: 1 })
      await publish('a', 'b', 'c')
      await dying.vanish()
      await t.pass(11_000)
      await crash()
      const back = await t.connect('heir', FOREVER)
      expect(await everything(back)).to.deep.equal(['a', 'b', 'c'])
    })

    it('that was ended when a crash came gives it to another member after the start', async () => {
      const heir = await t.connect('heir', FOREVER)
      await heir.subscribe(group, { qos: 1 })
      await heir.vanish()
      const dying = await t.connect('dying', FOREVER)
      await dying.subscribe(group, { qos: 1 })
      await publish('a', 'b')
      // The new session is on disk, the old one not yet read.
      const reading = Promise.withResolvers<void>()
      const { range } = store
      store.range = async (table, partition, bounds) => {
        await reading.promise
        return range(table, partition, bounds)
      }
      const fresh = t.dial()
      fresh.connect('dying', { ...FOREVER, cleanStart: true })
      await fresh.expect(2)
      await crash()
      await t.settled()
      const back = await t.connect('heir', FOREVER)
      // Some of it may have been given away before the crash, too.
      expect([...new Set(await everything(back))]).to.deep.equal(['a', 'b'])
      expect((await rowCounts())['session']).to.equal(2)
    })

    it('without a session on disk, vanished, leaves it to another member at once', async () => {
      const dying = await t.connect('dying')
      await dying.subscribe(group, { qos: 1 })
      await publish('a', 'b')
      await dying.messages(false)
      const heir = await t.connect('heir')
      await heir.subscribe(group, { qos: 1 })
      await dying.vanish()
      expect(await everything(heir)).to.deep.equal(['a', 'b'])
    })
  })

  it('gets what a publisher sent again before what it sent then, also while it reads what waited', async () => {
    const filters = { qos: 2 } as const
    const client = await t.connect('client', FOREVER)
    await client.subscribe('x', filters)
    await client.vanish()
    await publish('waited')
    const first = await t.connect('p', FOREVER)
    await t.settled()
    // The identifier of the message is on disk, the message itself is not when the crash comes.
    const write = store.write.bind(store)
    let left = 1
    store.write = (batch) => (left-- > 0 ? write(batch) : new Promise(() => {}))
    first.publish('x', 'again', { qos: 2, packetId: 1 })
    await eventually('it is being stored', () => left < 0)
    await crash()
    await publish('waited, too')
    // The client reads, and just before it comes to the rows of this life it has to wait.
    const reading = Promise.withResolvers<void>()
    const { range } = store
    let there = false
    store.range = async (table, partition, bounds) => {
      const rows = await range(table, partition, bounds)
      const own = rows.some(
        (row) =>
          'writer' in row &&
          row.writer instanceof Uint8Array &&
          Buffer.compare(row.writer, t.broker.writer) === 0,
      )
      // Before CONNACK it only counts them.
      const isHere = t.broker.space('default').sessions.get('client')?.connection != null
      if (own && isHere && !there) {
        there = true
        await reading.promise
      }
      return rows
    }
    const back = t.dial()
    back.connect('client', FOREVER)
    await back.expect(2)
    await eventually('it has come to the second writer', () => there)
    const second = await t.connect('p', FOREVER)
    second.publish('x', 'again', { qos: 2, packetId: 1, dup: true })
    second.publish('x', 'then', { qos: 2, packetId: 2 })
    expect((await second.expect(5)).value.packetId).to.equal(1)
    expect((await second.expect(5)).value.packetId).to.equal(2)
    reading.resolve()
    expect(await everything(back)).to.deep.equal(['waited', 'waited, too', 'again', 'then'])
  })

  it('of a publisher that has lost its memory: an identifier it gives to another message is not taken for the old one', async () => {
    const reader = await t.connect('reader', FOREVER)
    await reader.subscribe('x', { qos: 2 })
    const first = await t.connect('device', FOREVER)
    first.publish('x', 'before', { qos: 2, packetId: 1 })
    await first.expect(5)
    await first.vanish()
    const rebooted = await t.connect('device', FOREVER)
    expect(rebooted.sessionPresent).to.equal(true)
    rebooted.publish('x', 'after', { qos: 2, packetId: 1 })
    await rebooted.expect(5)
    // The same again without DUP is what some clients do after a reconnect: not a new message.
    await rebooted.vanish()
    const got = await everything(reader)
    await crash()
    const careless = await t.connect('device', FOREVER)
    careless.publish('x', 'after', { qos: 2, packetId: 1 })
    await careless.expect(5)
    const back = await t.connect('reader', FOREVER)
    expect([...got, ...(await everything(back))]).to.deep.equal(['before', 'after'])
  })
})
