import { expect } from 'chai'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { brokerArguments, BrokerProcess } from './broker-process.ts'
import { Fixture } from './fixture.ts'
import { type Mount, possible, tmpfs } from './mount.ts'
import { residentKb } from './resident.ts'
import { Publisher } from './publisher.ts'
import { lifetime } from './seed.ts'
import { eventually, within } from '../patience.ts'
import { Subscriber } from './subscriber.ts'

const MB = 1024 * 1024
const FILTERS = ['load/+']
/** Long enough for a commit that goes well; a store that cannot write is tried every 500 ms. */
const QUIET_MS = 1500

describe('a store that cannot write', function () {
  this.timeout(90_000)
  let t: Fixture
  let mount: Mount | null = null

  afterEach(async () => {
    await t.stop()
    mount?.remove()
    mount = null
  })

  const subscriber = (clientId: string, lag: number | null = 0): Subscriber =>
    t.add(new Subscriber({ port: t.port, clientId, filters: FILTERS, qos: 1, lag }))

  const publisher = (clientId: string, qos: 1 | 2, padding: number, window = 20): Publisher =>
    t.add(
      new Publisher({
        port: t.port,
        clientId,
        topic: `load/${clientId}`,
        qos: [qos],
        padding,
        window,
        version: 4,
      }),
    )

  const acknowledged = (publishers: readonly Publisher[]): number =>
    publishers.reduce((n, p) => n + p.acknowledged[1].size + p.acknowledged[2].size, 0)

  /** Publishes until nothing is acknowledged any more. */
  async function untilFull(publishers: readonly Publisher[]): Promise<void> {
    for (const p of publishers) p.join()
    await eventually(
      () => 'the store is full',
      () => t.broker.events('store.write_failed').length > 0,
      60_000,
    )
    // On a full disk a few pages inside the file may still become free.
    let before = -1
    await eventually(
      () => 'nothing is acknowledged any more',
      async () => {
        before = acknowledged(publishers)
        await lifetime(QUIET_MS)
        return acknowledged(publishers) === before
      },
      30_000,
    )
    expect(before).to.be.greaterThan(0)
    const failures = t.broker.events('store.write_failed')
    expect(failures, 'one line says so').to.have.length(t.broker.events('store.recovered').length + 1)
    expect(failures[0]['level']).to.equal(50)
  }

  async function allDelivered(publishers: readonly Publisher[], to: readonly Subscriber[]): Promise<void> {
    await within(Promise.all(publishers.map((p) => p.finish())), () =>
      publishers.map((p) => p.state).join('; '),
    )
    const missing = (): string[] => to.flatMap((s) => publishers.flatMap((p) => s.missing(p)))
    await eventually(
      () => missing().join('\n'),
      () => missing().length === 0,
      30_000,
    )
    expect(t.violations).to.deep.equal([])
  }

  it('acknowledges nothing at store_max_bytes, in bounded memory, and goes on with more room: all is there', async () => {
    t = await Fixture.start({
      store_max_bytes: 4 * MB,
      'limits.unacknowledged_bytes': 4 * MB,
      'limits.drain_timeout': 1,
    })
    const absent = subscriber('absent')
    await absent.ready()
    await absent.leave()
    const publishers = [publisher('a', 1, 2000), publisher('b', 2, 2000)]
    await untilFull(publishers)
    const before = residentKb(t.broker.pid)
    // 4 x 5000 x 10 KB, from clients that do not wait for acknowledgements
    const flood = [1, 2, 1, 2].map((qos, i) => publisher(`flood${i}`, qos as 1 | 2, 10_000, 5000))
    for (const p of flood) p.join()
    await lifetime(QUIET_MS)
    expect(acknowledged(flood)).to.equal(0)
    expect(residentKb(t.broker.pid) - before).to.be.lessThan(80 * 1024)
    for (const p of flood) p.vanish()
    expect(await t.broker.terminate(), 'a full store does not keep it from ending').to.equal(0)
    const roomier = new BrokerProcess(brokerArguments(t))
    await roomier.start()
    try {
      absent.join()
      await allDelivered(publishers, [absent])
    } finally {
      await roomier.kill()
    }
  })

  it('makes room by what its subscribers acknowledge, and goes on by itself', async () => {
    t = await Fixture.start({ store_max_bytes: 2 * MB })
    const lazy = subscriber('lazy', null)
    await lazy.ready()
    const p = publisher('a', 1, 2000)
    await untilFull([p])
    lazy.acknowledge()
    await eventually(
      () => 'the store writes again',
      () => t.broker.events('store.recovered').length > 0,
      30_000,
    )
    await allDelivered([p], [lazy])
  })

  it('takes back a client whose messages fill it, so that it can read them', async () => {
    t = await Fixture.start({ store_max_bytes: 2 * MB })
    const away = subscriber('away')
    await away.ready()
    await away.leave()
    const p = publisher('a', 1, 2000)
    await untilFull([p])
    away.join()
    await eventually(
      () => 'the store writes again',
      () => t.broker.events('store.recovered').length > 0,
      30_000,
    )
    await allDelivered([p], [away])
  })

  if (possible(() => tmpfs(MB)))
    it('acknowledges nothing on a full disk, and goes on by itself when there is space again: all is there', async () => {
      mount = tmpfs(16 * MB)
      const ballast = join(mount.path, 'ballast')
      writeFileSync(ballast, Buffer.alloc(8 * MB))
      t = await Fixture.start({}, join(mount.path, 'data'))
      const online = subscriber('online')
      const absent = subscriber('absent')
      await Promise.all([online.ready(), absent.ready()])
      await absent.leave()
      const publishers = [publisher('a', 1, 2000), publisher('b', 2, 2000)]
      await untilFull(publishers)
      rmSync(ballast)
      await eventually(
        () => 'the store writes again',
        () => t.broker.events('store.recovered').length > 0,
        30_000,
      )
      for (const p of publishers) void p.finish()
      absent.join()
      await allDelivered(publishers, [online, absent])
    })
})
