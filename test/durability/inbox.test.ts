import { expect } from 'chai'
import { inbox, state } from '#platform/store/tables.ts'
import { TestBroker, type TestClient, texts } from '../broker/harness.ts'

const FOREVER = { cleanStart: false, properties: { sessionExpiryInterval: 0xffff_ffff } } as const
const LIMIT = 2000

describe('the inbox of a persistent session', function () {
  this.timeout(60_000)
  let t: TestBroker
  let publisher: TestClient

  async function start(mqtt: Record<string, unknown> = {}): Promise<void> {
    t = await TestBroker.start({ mqtt })
    publisher = await t.connect('publisher')
  }

  /** The broker is gone and comes again on the same data. */
  async function crash(mqtt: Record<string, unknown> = {}): Promise<void> {
    const { store, clock } = t
    t.crash()
    t = await TestBroker.start({ mqtt }, { store, clock })
    publisher = await t.connect('publisher')
  }

  afterEach(() => t.stop())

  /** Publishes `count` numbered messages, all acknowledged when it resolves. */
  async function publish(from: number, count: number, qos: 1 | 2 = 1): Promise<void> {
    for (let n = from; n < from + count; n++) {
      publisher.publish('x', String(n), { qos })
      if (n % 100 !== 99 && n < from + count - 1) continue
      await everything(publisher)
      // State is saved, and what is settled discarded, once a second.
      if (n % 500 === 499) await t.pass(1000)
    }
  }

  /** What comes until nothing is under way any more; acknowledged. */
  async function everything(client: TestClient): Promise<string[]> {
    const all: string[] = []
    for (let quiet = 0; quiet < 3; quiet++) {
      await t.settled()
      const found = texts(await client.messages())
      if (found.length > 0) quiet = 0
      all.push(...found)
    }
    return all
  }

  async function rows(table: typeof inbox | typeof state): Promise<number> {
    let n = 0
    let bytes = 0
    for (let cursor: string | null | undefined; cursor !== null; ) {
      const page = await t.store.scan(table, cursor ?? null, 1000)
      n += page.rows.length
      for (const row of page.rows) if ('body' in row) bytes += row.body?.length ?? 0
      cursor = page.cursor
    }
    return table === state ? bytes : n
  }

  const numbers = (from: number, count: number): string[] =>
    Array.from({ length: count }, (_, i) => String(from + i))

  const dropped = (): number => t.count('cinque_mqtt_dropped_messages_total{reason="queue_full"}')

  for (const policy of ['drop_oldest', 'drop_newest'] as const) {
    const mqtt = { max_queue_messages: LIMIT, queue_policy: policy }
    const survivors = (all: number): string[] =>
      policy === 'drop_newest' ? numbers(0, LIMIT) : numbers(all - LIMIT, LIMIT)

    it(`keeps ${LIMIT} of 10,000 messages while its client is away: ${policy}`, async () => {
      await start(mqtt)
      const client = await t.connect('away', FOREVER)
      await client.subscribe('x', { qos: 1 })
      await client.vanish()
      await publish(0, 10_000)
      expect(await rows(inbox), 'rows on disk').to.be.lessThan(LIMIT * 1.1)
      const back = await t.connect('away', FOREVER)
      expect(await everything(back)).to.deep.equal(survivors(10_000))
      expect(dropped()).to.equal(10_000 - LIMIT)
    })

    it(`counts what waited before a crash: ${policy}`, async () => {
      await start(mqtt)
      const client = await t.connect('away', FOREVER)
      await client.subscribe('x', { qos: 1 })
      await client.vanish()
      let all = 0
      for (const count of [LIMIT - 100, 500, 700]) {
        await publish(all, count)
        all += count
        await crash(mqtt)
      }
      expect(await rows(inbox), 'rows on disk').to.be.lessThan(LIMIT * 1.1)
      const back = await t.connect('away', FOREVER)
      const got = await everything(back)
      // What comes in before that has been counted is kept, too.
      expect(got.length).to.be.within(LIMIT, policy === 'drop_newest' ? LIMIT * 1.1 : LIMIT)
      if (policy === 'drop_oldest') expect(got).to.deep.equal(survivors(all))
      else expect(got.slice(0, LIMIT - 100)).to.deep.equal(numbers(0, LIMIT - 100))
      expect(got).to.deep.equal(got.toSorted((a, b) => Number(a) - Number(b)))
    })
  }

  it('keeps to its limit, in memory and on disk, while its client is connected and acknowledges nothing', async () => {
    const mqtt = { max_queue_messages: LIMIT, queue_policy: 'drop_oldest', max_inflight: 10 }
    await start(mqtt)
    const stuck = await t.connect('stuck', FOREVER)
    await stuck.subscribe('x', { qos: 1 })
    await publish(0, 10_000)
    await t.pass(2000)
    expect(await rows(inbox), 'rows on disk').to.be.lessThan((LIMIT + 10) * 1.1)
    expect(await rows(state), 'bytes of state').to.be.lessThan(4096)
    expect(dropped()).to.be.within(10_000 - (LIMIT + 10) * 1.1, 10_000 - LIMIT - 10)
    const inFlight = numbers(0, 10)
    expect(await everything(stuck)).to.deep.equal([...inFlight, ...numbers(10_000 - LIMIT, LIMIT)])
    expect(dropped()).to.equal(10_000 - LIMIT - 10)
    await t.pass(2000)
    expect(await rows(inbox)).to.equal(0)
  })

  it('costs nothing on disk once it is read, however much went through', async () => {
    await start()
    const client = await t.connect('reader', FOREVER)
    await client.subscribe('x', { qos: 1 })
    for (let i = 0; i < 10; i++) {
      await publish(i * 100, 100)
      expect(await everything(client)).to.deep.equal(numbers(i * 100, 100))
    }
    await t.pass(2000)
    expect(await rows(inbox)).to.equal(0)
    expect(await rows(state)).to.be.lessThan(500)
  })

  it('gives QoS 2 messages of one publisher in order, whatever connection they came by', async () => {
    await start()
    const client = await t.connect('away', FOREVER)
    await client.subscribe('x', { qos: 2 })
    await client.vanish()
    for (let i = 0; i < 10; i++) {
      publisher = await t.connect('p', FOREVER)
      await publish(i * 10, 10, 2)
    }
    const back = await t.connect('away', FOREVER)
    expect(await everything(back)).to.deep.equal(numbers(0, 100))
  })

  it('does not remember every connection that a QoS 2 message ever came by', async () => {
    await start()
    const client = await t.connect('reader', FOREVER)
    await client.subscribe('x', { qos: 2 })
    for (let i = 0; i < 2000; i++) {
      publisher = await t.connect('p', FOREVER)
      publisher.publish('x', String(i), { qos: 2 })
      await everything(publisher)
      expect(await everything(client)).to.deep.equal([String(i)])
      if (i % 100 === 99) await t.pass(5000)
    }
    await t.pass(61_000)
    publisher = await t.connect('p', FOREVER)
    await publish(2000, 1, 2)
    expect(await everything(client)).to.deep.equal(['2000'])
    await t.pass(2000)
    expect(await rows(state)).to.be.lessThan(1100 * 80)
  })

  it('gets a QoS 2 message for itself and one for each shared group that has chosen it', async () => {
    await start()
    const client = await t.connect('member', FOREVER)
    await client.subscribe(['x', '$share/a/x', '$share/b/x'], { qos: 2 })
    publisher = await t.connect('p', FOREVER)
    await publish(0, 1, 2)
    expect(await everything(client)).to.deep.equal(['0', '0', '0'])
    await client.vanish()
    await publish(1, 1, 2)
    const back = await t.connect('member', FOREVER)
    expect(await everything(back)).to.deep.equal(['1', '1', '1'])
  })
})
