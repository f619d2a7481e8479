import { mock } from 'node:test'
import { Broker } from '#broker/broker.ts'
import { brokerConfig } from '#broker/config.ts'
import type { ConnectionInfo } from '#broker/listeners/transport.ts'
import {
  type ConnectPacket,
  encodeAck,
  encodeConnect,
  encodeDisconnect,
  encodePublish,
  encodeSubscribe,
  encodeUnsubscribe,
  noProperties,
  PINGREQ,
  type ProtocolVersion,
  type Properties,
  type PublishPacket,
  type SubscribePacket,
} from '#broker/packets/index.ts'
import { TICK_MS } from '#broker/wheel.ts'
import { ConfigAuthenticator } from '#platform/auth/config-authenticator.ts'
import type { Authenticator } from '#platform/auth/principal.ts'
import { Quotas } from '#platform/limits/quotas.ts'
import { Usage } from '#platform/limits/usage.ts'
import { Metrics } from '#platform/metrics.ts'
import { Lanes } from '#platform/store/lanes.ts'
import { MemoryStore } from '#platform/store/memory.ts'
import type { Store } from '#platform/store/store.ts'
import { type Conventions, noConventions } from '#platform/telemetry/conventions.ts'
import { Client } from '../fuzz/wire.ts'
import { collectLog } from './log-lines.ts'
import { SlowStore } from './slow-store.ts'
import type { Packet } from './packets/packet.ts'

/** The start of the tests' time; any will do. */
const START = Date.UTC(2030, 0, 1)

interface Parts {
  readonly store?: Store
  readonly clock?: TestClock
  readonly authenticator?: Authenticator
  readonly conventions?: Conventions
}

/** Wall clock of a test; stands still until it is told otherwise. */
export class TestClock {
  #now = START

  now(): number {
    return this.#now
  }

  /** Also backwards. */
  advance(ms: number): void {
    this.#now += ms
  }
}

/** A whole broker in this process, in memory, whose time passes only when the test says so. */
export class TestBroker {
  readonly broker: Broker
  readonly clock: TestClock
  /** What outlives the process. */
  readonly store: Store
  /** This process's way to it. */
  readonly disk: SlowStore
  readonly lanes: Lanes
  readonly metrics: Metrics
  readonly lines: Record<string, unknown>[]
  readonly #ownsTime: boolean

  private constructor(
    broker: Broker,
    parts: Pick<TestBroker, 'clock' | 'store' | 'disk' | 'lanes' | 'metrics' | 'lines'>,
    ownsTime: boolean,
  ) {
    this.broker = broker
    this.clock = parts.clock
    this.store = parts.store
    this.disk = parts.disk
    this.lanes = parts.lanes
    this.metrics = parts.metrics
    this.lines = parts.lines
    this.#ownsTime = ownsTime
  }

  /** `settings` as in a configuration file. A second broker on the same store is what comes after a crash. */
  static async start(settings: Record<string, unknown> = {}, parts: Parts = {}): Promise<TestBroker> {
    const config = brokerConfig.parse({
      listen: [],
      auth: { anonymous: true },
      sys_interval: 0,
      ...settings,
    })
    const { log, lines } = collectLog()
    const metrics = new Metrics()
    const clock = parts.clock ?? new TestClock()
    const store = parts.store ?? new MemoryStore({ clock })
    const disk = new SlowStore(store)
    const lanes = new Lanes(disk, log, { retryMs: 1 })
    const authenticator =
      parts.authenticator ?? new ConfigAuthenticator({ ...config.auth, organisation: config.organisation })
    const conventions = parts.conventions ?? noConventions
    const usage =
      'quotas' in settings
        ? new Usage({ store, lanes, clock, log, metrics, quotas: new Quotas(store, config.quotas) })
        : undefined
    const broker = new Broker({
      config,
      usage,
      store: disk,
      lanes,
      authenticator,
      conventions,
      log,
      metrics,
      clock,
    })
    const ownsTime = !mocked
    if (ownsTime) mock.timers.enable({ apis: ['setInterval'] })
    mocked = true
    await broker.start()
    return new TestBroker(broker, { clock, store, disk, lanes, metrics, lines }, ownsTime)
  }

  /** Lets time pass, tick by tick, with all that is due in it. */
  async pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= TICK_MS) {
      this.clock.advance(Math.min(left, TICK_MS))
      mock.timers.tick(TICK_MS)
    }
    await this.settled()
  }

  /** Lets one tick of the broker pass, and waits for nothing. */
  tick(): void {
    this.clock.advance(TICK_MS)
    mock.timers.tick(TICK_MS)
  }

  /** Everything that is under way has come to its end: what was staged is durable, what was written has left. */
  async settled(): Promise<void> {
    for (let i = 0; i < 4; i++) {
      await this.lanes.durable()
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  /** A client that has not said anything yet. */
  dial(version: ProtocolVersion = 5, info: Partial<ConnectionInfo> = {}): TestClient {
    const client = new TestClient(version)
    this.broker.accept(client.wire, { ...INFO, ...info }, null)
    return client
  }

  /** A client whose CONNECT was accepted. */
  async connect(
    clientId: string,
    options: ConnectOptions = {},
    version: ProtocolVersion = 5,
  ): Promise<TestClient> {
    const client = this.dial(version)
    client.connect(clientId, options)
    const { value } = await client.expect(2)
    if (value.reason !== 0) throw new Error(`CONNACK ${value.reason}`)
    client.sessionPresent = value.sessionPresent
    return client
  }

  /** A counter by its name and labels as `/metrics` shows them. */
  count(name: string): number {
    const line = this.metrics
      .render()
      .split('\n')
      .find((l) => l.startsWith(`${name} `))
    return Number(line?.slice(name.length + 1) ?? 0)
  }

  /** Ends as by kill -9: what is durable stays in the store, the rest is lost. */
  crash(): void {
    this.disk.die()
    this.#release()
  }

  async stop(): Promise<void> {
    await this.broker.drain()
    await this.lanes.close()
    this.#release()
  }

  /** Ends without a word, as by kill -9; whatever is under way stays so. */
  abandon(): void {
    this.#release()
  }

  #release(): void {
    if (!this.#ownsTime) return
    mock.timers.reset()
    mocked = false
  }
}

let mocked = false

const INFO: ConnectionInfo = {
  remoteAddress: '127.0.0.1',
  remotePort: 1,
  listener: 'test',
  protocol: 'tcp',
}

type ConnectOptions = Partial<Omit<ConnectPacket, 'clientId' | 'version'>>
type Of<T extends Packet['type']> = Packet & { type: T }

/** A client that says what the test tells it to; it acknowledges nothing by itself. */
export class TestClient extends Client {
  readonly version: ProtocolVersion
  sessionPresent = false
  readonly #closed: Promise<void>
  #packetId = 0

  constructor(version: ProtocolVersion) {
    super(version)
    this.version = version
    this.#closed = new Promise((resolve) => this.wire.once('close', resolve))
  }

  connect(clientId: string, options: ConnectOptions = {}): void {
    this.send(
      encodeConnect({
        version: this.version,
        cleanStart: true,
        keepAlive: 0,
        properties: noProperties,
        ...options,
        clientId,
      }),
    )
  }

  /** The next packet, which has to be of this type. */
  async expect<T extends Packet['type']>(type: T): Promise<Of<T>> {
    const packet = await this.next()
    if (packet.type !== type) throw new Error(`packet type ${packet.type} instead of ${type}`)
    return packet as Of<T>
  }

  /** Everything that the broker had to say before it answered a PINGREQ. */
  async drain(): Promise<Packet[]> {
    this.send(PINGREQ)
    const packets: Packet[] = []
    for (;;) {
      const packet = await this.next()
      if (packet.type === 13) return packets
      packets.push(packet)
    }
  }

  /** What is published to it until it is quiet; `acknowledge`: QoS 1 and 2 are answered to the end. */
  async messages(acknowledge = true): Promise<PublishPacket[]> {
    const found: PublishPacket[] = []
    for (;;) {
      const packets = await this.drain()
      if (packets.length === 0) return found
      for (const packet of packets) {
        if (packet.type === 3) found.push(packet.value)
        if (acknowledge) this.answer(packet)
      }
    }
  }

  /** Acknowledges PUBLISH or PUBREL. */
  answer(packet: Packet): void {
    if (packet.type === 3 && packet.value.qos > 0) {
      this.ack(packet.value.qos === 1 ? 4 : 5, packet.value.packetId)
    } else if (packet.type === 6) this.ack(7, packet.value.packetId)
  }

  ack(type: 4 | 5 | 6 | 7, packetId: number, reason = 0): void {
    this.send(encodeAck(type, packetId, reason, noProperties, this.version))
  }

  /** Sends a PUBLISH; returns its packet identifier, 0 at QoS 0. */
  publish(topic: string, payload: string | Buffer, options: Partial<PublishPacket> = {}): number {
    const packetId = (options.qos ?? 0) === 0 ? 0 : (options.packetId ?? this.#nextId())
    this.send(
      encodePublish(
        {
          qos: 0,
          retain: false,
          dup: false,
          properties: noProperties,
          ...options,
          topic,
          packetId,
          payload: Buffer.from(payload),
        },
        this.version,
      ),
    )
    return packetId
  }

  /** Publishes at QoS 1 and waits for its PUBACK; returns its reason. */
  async publishAcknowledged(
    topic: string,
    payload: string,
    options: Partial<PublishPacket> = {},
  ): Promise<number> {
    const packetId = this.publish(topic, payload, { ...options, qos: 1 })
    const { value } = await this.expect(4)
    if (value.packetId !== packetId) throw new Error(`PUBACK ${value.packetId} instead of ${packetId}`)
    return value.reason
  }

  /** Sends SUBSCRIBE and waits for the reasons. */
  async subscribe(
    filter: string | readonly string[],
    options: Partial<SubscribePacket['subscriptions'][number]> = {},
    properties: Properties = noProperties,
  ): Promise<number[]> {
    this.sendSubscribe(filter, options, properties)
    return [...(await this.expect(9)).value.reasons]
  }

  sendSubscribe(
    filter: string | readonly string[],
    options: Partial<SubscribePacket['subscriptions'][number]> = {},
    properties: Properties = noProperties,
  ): void {
    const filters = typeof filter === 'string' ? [filter] : filter
    const subscriptions = filters.map((f) => ({
      qos: 0 as const,
      noLocal: false,
      retainAsPublished: false,
      retainHandling: 0 as const,
      ...options,
      filter: f,
    }))
    this.send(encodeSubscribe({ packetId: this.#nextId(), subscriptions, properties }, this.version))
  }

  async unsubscribe(...filters: string[]): Promise<number[]> {
    this.sendUnsubscribe(...filters)
    return [...(await this.expect(11)).value.reasons]
  }

  sendUnsubscribe(...filters: string[]): void {
    this.send(
      encodeUnsubscribe({ packetId: this.#nextId(), filters, properties: noProperties }, this.version),
    )
  }

  disconnect(reason = 0, properties: Properties = noProperties): void {
    this.send(encodeDisconnect(reason, properties, this.version))
  }

  /** Cuts the connection without DISCONNECT; resolves when the broker has noticed. */
  async vanish(): Promise<void> {
    this.wire.destroy()
    await this.closed()
  }

  closed(): Promise<void> {
    return this.#closed
  }

  #nextId(): number {
    this.#packetId = (this.#packetId % 65_535) + 1
    return this.#packetId
  }
}

/** The payloads as text. */
export function texts(messages: readonly PublishPacket[]): string[] {
  return messages.map(({ payload }) => payload.toString())
}
