import { connect, type MqttClient } from 'mqtt'
import type { Device } from './device.ts'

/** A persistent session that gets what all devices publish, at QoS 1, and notes what has come. */
export class Receiver {
  readonly #seen = new Map<string, Set<number>>()
  readonly #client: MqttClient

  private constructor(client: MqttClient) {
    this.#client = client
    client.on('error', () => undefined)
    client.on('message', (topic, payload) => {
      const name = topic.slice(topic.indexOf('/') + 1)
      const seen = this.#seen.get(name) ?? new Set()
      this.#seen.set(name, seen.add(Number(payload.toString())))
    })
  }

  /** Resolves when it has subscribed: a broker that has just started refuses for a while. */
  static async start(url: string): Promise<Receiver> {
    const client = connect(url, {
      clientId: 'failover-receiver',
      protocolVersion: 5,
      clean: false,
      reconnectPeriod: 500,
      reconnectOnConnackError: true,
      properties: { sessionExpiryInterval: 86_400, receiveMaximum: 1000 },
    })
    const receiver = new Receiver(client)
    await new Promise<void>((resolve) => client.once('connect', () => resolve()))
    await client.subscribeAsync('failover/+', { qos: 1 })
    return receiver
  }

  /** Acknowledged messages of these devices that have not come. */
  missing(devices: readonly Device[]): number {
    return devices.reduce((sum, { name, acked }) => {
      const seen = this.#seen.get(name)
      return sum + Array.from(acked).filter((n) => seen?.has(n) !== true).length
    }, 0)
  }

  async end(): Promise<void> {
    await this.#client.endAsync(true)
  }
}
