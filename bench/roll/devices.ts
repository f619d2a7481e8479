import { connect as tcp, type Socket } from 'node:net'
import { MqttClient } from 'mqtt'
import type { Meter } from './meter.ts'
import type { Names } from './names.ts'

export interface Identity {
  readonly name: string
  readonly key: string
}

const topic = 'roll'
const retryMs = 500
const sessionSeconds = 86_400

interface Options {
  readonly device: Identity
  readonly names: Names
  readonly port: number
}

/** A client that goes to another host of the name's answers each time that it connects. */
function client({ device: { name, key }, names, port }: Options): MqttClient {
  let last: string | undefined
  const dial = (): Socket => tcp(port, (last = names.next(last)))
  const one = new MqttClient(dial, {
    clientId: name,
    username: name,
    password: Buffer.from(key),
    protocolVersion: 5,
    clean: false,
    keepalive: 10,
    connectTimeout: 8000,
    reconnectPeriod: retryMs,
    reconnectOnConnackError: true,
    properties: { sessionExpiryInterval: sessionSeconds, receiveMaximum: 1000 },
  })
  // It connects again by itself.
  one.on('error', () => undefined)
  return one
}

/** Publishes numbered messages at QoS 1 from a persistent session; what is not acknowledged is sent again. */
export class Publisher {
  readonly name: string
  /** Numbers of what was acknowledged. */
  readonly acked = new Set<number>()
  readonly #client: MqttClient
  #sent = 0
  lostConnections = 0

  constructor(options: Options) {
    this.name = options.device.name
    this.#client = client(options)
    this.#client.on('close', () => this.lostConnections++)
  }

  get connected(): boolean {
    return this.#client.connected
  }

  get waiting(): number {
    return this.#sent - this.acked.size
  }

  publish(meter: Meter): void {
    const n = ++this.#sent
    const at = performance.now()
    this.#client.publish(`${topic}/${this.name}`, String(n), { qos: 1 }, (error) => {
      if (error) {
        meter.failures.push(`${this.name}: ${error.message}`)
        return
      }
      this.acked.add(n)
      meter.took(performance.now() - at)
    })
  }

  async end(): Promise<void> {
    await this.#client.endAsync(true)
  }
}

/** A persistent session that gets everything that is published, at QoS 1. */
export class Receiver {
  readonly #seen = new Map<string, Set<number>>()
  readonly #client: MqttClient
  /** Messages that came more than once, as QoS 1 allows. */
  again = 0

  constructor(options: Options) {
    this.#client = client(options)
    this.#client.on('message', (at, payload) => {
      const name = at.slice(topic.length + 1)
      const seen = this.#seen.get(name) ?? new Set()
      this.#seen.set(name, seen)
      const n = Number(payload.toString())
      if (seen.has(n)) this.again++
      seen.add(n)
    })
  }

  async subscribe(): Promise<void> {
    await this.#client.subscribeAsync(`${topic}/+`, { qos: 1 })
  }

  /** Acknowledged messages that have not come. */
  missing(publishers: readonly Publisher[]): number {
    return publishers.reduce((sum, { name, acked }) => {
      const seen = this.#seen.get(name)
      return sum + Array.from(acked).filter((n) => seen?.has(n) !== true).length
    }, 0)
  }

  async end(): Promise<void> {
    await this.#client.endAsync(true)
  }
}
