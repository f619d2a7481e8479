import { expect } from 'chai'
import { type ApiServer, startApi } from '#api/server.ts'
import { Broker } from '#broker/broker.ts'
import { brokerConfig } from '#broker/config.ts'
import { NEVER } from '#broker/session.ts'
import { systemClock } from '#platform/clock.ts'
import { Metrics } from '#platform/metrics.ts'
import { openPlatform, type Platform } from '#platform/platform.ts'
import { MemoryStore } from '#platform/store/memory.ts'
import type { Store } from '#platform/store/store.ts'
import { durability, FarStore, geo } from '../platform/store/far-store.ts'
import { TestClient, texts } from './harness.ts'
import { eventually } from '../patience.ts'
import { collectLog } from './log-lines.ts'

const INFO = { remoteAddress: '127.0.0.1', remotePort: 1, listener: 'test', protocol: 'tcp' } as const
const near = 'near'
const own = 'v1/devices/me/telemetry'
const kept = { cleanStart: false, properties: { sessionExpiryInterval: NEVER } }

/** A whole process, whose organisation `geo` needs other DCs, that can be away. */
class Process {
  readonly store: FarStore
  readonly platform: Platform
  readonly broker: Broker
  readonly api: ApiServer
  readonly metrics: Metrics
  /** Of devices. */
  readonly #keys: Map<string, string>

  private constructor(
    parts: Pick<Process, 'store' | 'platform' | 'broker' | 'api' | 'metrics'>,
    keys: Map<string, string>,
  ) {
    this.#keys = keys
    this.store = parts.store
    this.platform = parts.platform
    this.broker = parts.broker
    this.api = parts.api
    this.metrics = parts.metrics
  }

  static async start(
    disk: Store,
    keys: Map<string, string>,
    limits: Record<string, unknown> = {},
  ): Promise<Process> {
    const { log } = collectLog()
    const metrics = new Metrics()
    const store = new FarStore(disk)
    const clock = systemClock
    const config = brokerConfig.parse({
      listen: [],
      organisation: near,
      sys_interval: 0,
      limits,
      mqtt: { receive_maximum: 65_535, max_queue_messages: 10_000 },
    })
    const platform = await openPlatform({ store, log, metrics, clock, organisation: near, durability })
    const broker = new Broker({ ...platform, config, store, log, metrics, clock })
    const api = await startApi(
      { platform, log, metrics, clock, adminToken: 't_admin-for-the-tests', version: '1.2.3' },
      { host: '127.0.0.1', port: 0 },
    )
    await broker.start()
    return new Process({ store, platform, broker, api, metrics }, keys)
  }

  /** Makes a device, and organisation `geo` if it is the first one there; returns its key. */
  async device(org: string, name: string): Promise<string> {
    const { organisations, devices } = this.platform.registry
    if ((await organisations.find(org)) === undefined)
      await organisations.create({ id: org, durability: 'geo' })
    const { key } = await devices.create(org, { name })
    this.#keys.set(`${org}/${name}`, key)
    return key
  }

  /** A device, a new one if there is none of this name; its CONNECT is on the way. */
  async dial(
    org: string,
    name: string,
    options: Parameters<TestClient['connect']>[1] = {},
  ): Promise<TestClient> {
    const key = this.#keys.get(`${org}/${name}`) ?? (await this.device(org, name))
    const client = new TestClient(5)
    this.broker.accept(client.wire, INFO, null)
    client.connect(name, { username: '', password: Buffer.from(key), ...options })
    return client
  }

  async connect(
    org: string,
    name: string,
    options: Parameters<TestClient['connect']>[1] = {},
  ): Promise<TestClient> {
    const client = await this.dial(org, name, options)
    const { value } = await client.expect(2)
    expect(value.reason).to.equal(0)
    return client
  }

  ask(path: string, options: RequestInit = {}): Promise<Response> {
    return fetch(this.api.url + path, options)
  }

  ingest(key: string, values: unknown): Promise<Response> {
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
    return this.ask('/v1/ingest', { method: 'POST', headers, body: JSON.stringify(values) })
  }

  async values(org: string, name: string): Promise<unknown[]> {
    const device = await this.platform.registry.devices.get(org, name)
    return (await this.platform.telemetry.latest(device)).map(
      ({ key, value }) => `${key} ${JSON.stringify(value)}`,
    )
  }

  /** Other DCs are away, and that has been noticed. */
  async cut(): Promise<void> {
    this.store.away = true
    await eventually('a write between DCs fails', () => this.platform.lanes.of(geo).failing)
  }

  async stop(): Promise<void> {
    this.store.away = false
    await Promise.all([this.broker.drain(), this.api.close(1000)])
    await this.platform.close()
  }
}

/** Acknowledgements (PUBACK, PUBREC, PUBCOMP, SUBACK) that have come to a client. */
async function acknowledged(client: TestClient): Promise<number[]> {
  const packets = await client.drain()
  return packets.flatMap((packet) => ([4, 5, 7, 9].includes(packet.type) ? [packet.type] : []))
}

describe('lanes: one organisation needs other DCs, and they are away', () => {
  let disk: MemoryStore
  let keys: Map<string, string>
  let process: Process

  beforeEach(async () => {
    disk = new MemoryStore()
    keys = new Map()
  })

  afterEach(() => process.stop())

  it('the others go on with all they do; its own are acknowledged when they are back, and nothing is lost', async () => {
    process = await Process.start(disk, keys)
    const far = await process.connect(geo, 'far', kept)
    await far.subscribe('news', { qos: 1 })
    const writer = await process.connect(geo, 'writer')
    const farKey = await process.device(geo, 'over-http')
    const nearKey = await process.device(near, 'over-http')
    await process.device(geo, 'comes')
    const held = [
      writer.publish('news', 'one', { qos: 1 }),
      writer.publish('state', 'on', { qos: 1, retain: true }),
      writer.publish(own, '{"t":1}', { qos: 1 }),
      writer.publish('news', 'two', { qos: 2 }),
    ]
    // Nothing of it has been taken in yet: all of it meets the outage.
    await process.cut()

    const reader = await process.connect(near, 'reader', kept)
    expect(await reader.subscribe(['news', 'state'], { qos: 2 })).to.deep.equal([2, 2])
    const talker = await process.connect(near, 'talker', kept)
    for (const payload of ['one', 'two'])
      expect(await talker.publishAcknowledged('news', payload)).to.equal(0)
    expect(await talker.publishAcknowledged('state', 'on', { retain: true })).to.equal(0)
    expect(await talker.publishAcknowledged(own, '{"t":21.5}')).to.equal(0)
    const id = talker.publish('news', 'three', { qos: 2 })
    expect((await talker.expect(5)).value.packetId).to.equal(id)
    talker.ack(6, id)
    expect((await talker.expect(7)).value.packetId).to.equal(id)
    expect(texts(await reader.messages())).to.have.members(['one', 'two', 'on', 'three'])
    const late = await process.connect(near, 'late')
    await late.subscribe('state')
    expect(texts(await late.messages())).to.deep.equal(['on'])
    expect(await late.unsubscribe('state')).to.deep.equal([0])
    expect((await process.ingest(nearKey, { t: 3 })).status).to.equal(200)
    expect(await process.values(near, 'talker')).to.deep.equal(['t 21.5'])
    expect(await process.values(near, 'over-http')).to.deep.equal(['t 3'])
    expect((await process.ask('/readyz')).status).to.equal(200)

    const refused = await process.ingest(farKey, { t: 3 })
    expect([refused.status, await refused.json()]).to.have.nested.property('[1].code', 'store_unavailable')
    far.sendSubscribe('more', { qos: 1 })
    const comes = await process.dial(geo, 'comes', kept)
    expect(await acknowledged(writer)).to.deep.equal([])
    const page = process.metrics.render()
    expect(page)
      .to.include('cinque_store_failing{lane="geo"} 1')
      .and.include('cinque_store_failing{lane="local"} 0')
    expect(page).to.include('cinque_store_staged_rows{lane="local"} 0')

    process.store.away = false
    const answers = [
      await writer.expect(4),
      await writer.expect(4),
      await writer.expect(4),
      await writer.expect(5),
    ]
    expect(answers.map(({ value }) => value.packetId)).to.deep.equal(held)
    expect((await comes.expect(2)).value.reason).to.equal(0)
    expect(texts(await far.messages())).to.deep.equal(['one', 'two'])
    expect(await process.values(geo, 'writer')).to.deep.equal(['t 1'])
    expect((await process.ingest(farKey, { t: 4 })).status).to.equal(200)
    await writer.subscribe('state')
    expect(texts(await writer.messages())).to.deep.equal(['on'])
    expect(process.store.mixed, 'batches with rows of both').to.equal(0)
  })

  it('its publishers are slowed down, and none of the others: each lane has limits of its own', async () => {
    process = await Process.start(disk, keys, { unacknowledged_rows: 1024 })
    const flood = await process.connect(geo, 'flood')
    const talker = await process.connect(near, 'talker')
    const all = 2000
    flood.publish(own, '{"n":0}', { qos: 1 })
    await process.cut()
    for (let n = 1; n < all; n++) flood.publish(own, `{"n":${n}}`, { qos: 1 })
    const lane = process.platform.lanes.of(geo)
    await eventually('the geo lane is full', () => lane.staged > 1024)
    for (let n = 0; n < 100; n++) expect(await talker.publishAcknowledged(own, `{"n":${n}}`)).to.equal(0)
    expect(lane.staged).to.be.below(all)
    process.store.away = false
    for (let n = 0; n < all; n++) await flood.expect(4)
    expect(await process.values(geo, 'flood')).to.deep.equal([`n ${all - 1}`])
  })

  it('a drain ends in time, and in good order for all others', async () => {
    process = await Process.start(disk, keys, { drain_timeout: 0.5 })
    const writer = await process.connect(geo, 'writer')
    const reader = await process.connect(near, 'reader', kept)
    await reader.subscribe('news', { qos: 1 })
    const talker = await process.connect(near, 'talker')
    writer.publish(own, '{"n":0}', { qos: 1 })
    await process.cut()
    talker.publish('news', 'last', { qos: 1 })
    const told: string[] = []
    const ended = async (name: string, client: TestClient): Promise<void> => {
      for (;;) {
        const packet = await client.next()
        if (packet.type === 4) told.push(`${name} PUBACK`)
        if (packet.type !== 14) continue
        told.push(`${name} 0x${packet.value.reason.toString(16)}`)
        return
      }
    }
    const ends = Promise.all([ended('talker', talker), ended('writer', writer)])
    await Promise.all([process.broker.drain(), ends])
    expect(told).to.deep.equal(['talker PUBACK', 'talker 0x8b', 'writer 0x8b'])
    await process.platform.close()
    const { store } = process
    await process.api.close(1000)
    expect(store.away).to.equal(true)

    process = await Process.start(disk, keys)
    const again = await process.dial(near, 'reader', kept)
    expect((await again.expect(2)).value.sessionPresent).to.equal(true)
    expect(texts(await again.messages())).to.deep.equal(['last'])
  })
})
