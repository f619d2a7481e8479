import type { Socket } from 'node:net'
import { MqttClient } from 'mqtt'
import { dial, type Way } from '#scripts/sim/dial.ts'

export interface DeviceOptions extends Way {
  readonly name: string
}

const keepAliveS = 10
/** A device that is not acknowledged for so long looks for another host, as its maker should have it do. */
const patienceMs = 15_000
const retryMs = 1000
const connectMs = 8000

/**
 * A device that finds the service by its name and publishes numbered messages at QoS 1 from a persistent session. Comes
 * back by itself: the name is resolved anew for each connection, and what was not acknowledged is sent again.
 */
export class Device {
  readonly name: string
  /** Numbers of messages that were acknowledged. */
  readonly acked = new Set<number>()
  /** Why messages were not taken; whoever has read it empties it. */
  readonly refused: string[] = []
  /** Milliseconds (`performance.now`) of the last acknowledgement. */
  ackedAt = 0
  /** When it was connected last. */
  connectedAt = 0
  /** The address of the host that it is, or was last, connected to. */
  host: string | null = null
  readonly #client: MqttClient
  #socket: Socket | null = null
  #sent = 0
  #refused = 0
  /** When the oldest message that waits for its acknowledgement was sent over this connection. */
  #waitingSince: number | null = null

  constructor({ name, ...way }: DeviceOptions) {
    this.name = name
    this.#client = new MqttClient(() => (this.#socket = dial(way)), {
      clientId: name,
      protocolVersion: 5,
      clean: false,
      keepalive: keepAliveS,
      connectTimeout: connectMs,
      reconnectPeriod: retryMs,
      reconnectOnConnackError: true,
      properties: { sessionExpiryInterval: 3600 },
    })
    // It connects again by itself.
    this.#client.on('error', () => undefined)
    this.#client.on('connect', () => {
      this.host = this.#socket?.remoteAddress ?? null
      this.connectedAt = performance.now()
      this.#waitingSince = null
    })
  }

  get connected(): boolean {
    return this.#client.connected
  }

  /** Messages that are neither acknowledged nor refused. */
  get waiting(): number {
    return this.#sent - this.acked.size - this.#refused
  }

  /** Publishes the next message; `topic` gets the device's name and the number. */
  publish(): void {
    const n = ++this.#sent
    const now = performance.now()
    this.#waitingSince ??= now
    if (this.connected && now - this.#waitingSince > patienceMs) this.reconnect()
    this.#client.publish(`failover/${this.name}`, String(n), { qos: 1 }, (error) => {
      if (error) {
        this.refused.push(error.message)
        this.#refused++
        return
      }
      this.acked.add(n)
      this.ackedAt = performance.now()
      this.#waitingSince = null
    })
  }

  /** Breaks its connection, and comes back where the name leads to then. */
  reconnect(): void {
    this.#waitingSince = null
    this.#socket?.destroy()
  }

  async end(): Promise<void> {
    await this.#client.endAsync(true)
  }
}
