import mqtt, { type IClientOptions, type IPublishPacket, type MqttClient } from 'mqtt'
import { Broker } from '#broker/broker.ts'
import { brokerConfig } from '#broker/config.ts'
import { publisherOf } from '#broker/followed.ts'
import { createLogger } from '#platform/log.ts'
import { startTestApi, type TestApi } from './fixture.ts'

/** A message that a device got. */
export interface Received {
  readonly topic: string
  readonly text: string
  readonly packet: IPublishPacket
}

/** A device at the other end of a connection, which keeps what it gets until the test looks. */
export class TestDevice {
  readonly client: MqttClient
  readonly #received: Received[] = []
  #wake: (() => void) | null = null

  constructor(client: MqttClient) {
    this.client = client
    client.on('message', (topic, payload, packet) => {
      this.#received.push({ topic, text: payload.toString(), packet })
      this.#wake?.()
    })
  }

  /** Messages that nobody has looked at. */
  get waiting(): number {
    return this.#received.length
  }

  async next(): Promise<Received> {
    for (;;) {
      const one = this.#received.shift()
      if (one !== undefined) return one
      await new Promise<void>((wake) => (this.#wake = wake))
    }
  }

  /** Resolves when the platform has acknowledged it. */
  async publish(topic: string, payload: unknown = ''): Promise<void> {
    const body = typeof payload === 'string' || payload instanceof Buffer ? payload : JSON.stringify(payload)
    await this.client.publishAsync(topic, body, { qos: 1 })
  }

  async subscribe(...topics: string[]): Promise<void> {
    await this.client.subscribeAsync(topics, { qos: 1 })
  }

  async end(): Promise<void> {
    await this.client.endAsync()
  }

  /** The connection breaks: nothing that came is acknowledged any more. */
  async cut(): Promise<void> {
    const closed = new Promise<void>((done) => this.client.once('close', () => done()))
    this.client.end(true)
    await closed
  }
}

/** The API with a broker on one store, and devices that connect to it. */
export interface DeviceApi extends TestApi {
  readonly broker: Broker
  /** Creates a device and connects it. */
  connected(
    name: string,
    options?: Partial<IClientOptions>,
  ): Promise<TestDevice & { id: string; key: string }>
  /** Connects a device that exists. */
  connect(credentials: { name: string; key: string }, options?: Partial<IClientOptions>): Promise<TestDevice>
}

export async function startDeviceApi(): Promise<DeviceApi> {
  const api = await startTestApi()
  const { platform } = api
  const config = brokerConfig.parse({ listen: ['tcp://127.0.0.1:0'], sys_interval: 0 })
  const log = createLogger({ level: 'silent' })
  const { store, metrics, clock } = platform
  const broker = new Broker({ ...platform, config, store, log, metrics, clock })
  platform.outlet.open(publisherOf(broker))
  const [url] = await broker.start()
  const clients: MqttClient[] = []
  const connect: DeviceApi['connect'] = async ({ name, key }, options = {}) => {
    const client = mqtt.connect(url.replace(/^tcp/, 'mqtt'), {
      username: name,
      password: key,
      clientId: `${name}-client`,
      protocolVersion: 4,
      clean: true,
      reconnectPeriod: 0,
      ...options,
    })
    clients.push(client)
    // What waits for it comes right behind CONNACK.
    const device = new TestDevice(client)
    await new Promise<void>((connected, failed) => {
      client.once('connect', () => connected())
      client.once('error', failed)
    })
    return device
  }
  return {
    ...api,
    broker,
    connect,
    connected: async (name, options) => {
      const made = await api.device(name)
      return Object.assign(await connect(made, options), { id: made.id, key: made.key })
    },
    close: async () => {
      for (const client of clients) client.end(true)
      await broker.drain()
      await api.close()
    },
  }
}
