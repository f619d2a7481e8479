import { MqttClient } from 'mqtt'
import { CliError, errorCode, errorLine } from '#scripts/output.ts'
import { pause } from '#scripts/pause.ts'
import type { AckMeter } from './ack-meter.ts'
import { dial, type Way } from './dial.ts'

export interface SimulatedDevice {
  readonly name: string
  readonly key: string
}

const topic = 'v1/devices/me/telemetry'
const ticksPerSecond = 50
/** Connections being made at a time. */
const maxConnecting = 50
const connectMs = 10_000

/** MQTT clients that act as devices: each keeps one connection and publishes telemetry at QoS 1. */
export class Fleet {
  readonly #clients: MqttClient[] = []
  readonly #meter: AckMeter
  #turn = 0
  #closing = false

  constructor(meter: AckMeter) {
    this.#meter = meter
  }

  /** Connects all of them. CliError if the broker can't be reached or refuses one. */
  async connect(way: Way, devices: readonly SimulatedDevice[]): Promise<void> {
    for (let at = 0; at < devices.length; at += maxConnecting) {
      const some = devices.slice(at, at + maxConnecting).map((device) => this.#connectOne(way, device))
      const failed = (await Promise.allSettled(some)).find((result) => result.status === 'rejected')
      if (failed !== undefined) throw failed.reason
    }
  }

  async #connectOne(way: Way, { name, key }: SimulatedDevice): Promise<void> {
    const client = await this.#open(way, name, key)
    this.#clients.push(client)
    // From here on a lost connection comes back by itself, and its unacknowledged messages with it.
    client.on('error', () => undefined)
    // It closes after each vain attempt, too: those are no connections that were lost.
    let connected = true
    client.on('connect', () => (connected = true))
    client.on('close', () => {
      if (connected && !this.#closing) this.#meter.lostConnection()
      connected = false
    })
  }

  async #open(way: Way, name: string, key: string): Promise<MqttClient> {
    const client = new MqttClient(() => dial(way), {
      protocolVersion: 5,
      clientId: name,
      username: name,
      password: key,
      connectTimeout: connectMs,
      // A broker that starts or drains refuses for a while.
      reconnectOnConnackError: true,
    })
    try {
      await new Promise<void>((connected, failed) => {
        client.once('connect', () => connected())
        client.once('error', failed)
        client.once('close', () => failed(new Error('the connection was closed')))
      })
      return client
    } catch (error) {
      client.on('error', () => undefined)
      client.end(true)
      const reason = errorCode(error) === 'ECONNREFUSED' ? 'nothing listens there' : errorLine(error)
      throw new CliError(`${name} cannot connect to ${way.url}: ${reason}`, {
        remedy: 'Is `cinque dev` running? Another broker: --mqtt URL.',
        cause: error,
      })
    }
  }

  /** Publishes `rate` messages a second in total, evenly over the devices, until `signal` aborts. */
  async publish(rate: number, signal: AbortSignal): Promise<void> {
    const started = performance.now()
    let given = 0
    while (!signal.aborted) {
      const due = Math.floor(((performance.now() - started) / 1000) * rate)
      for (; given < due; given++) {
        // More than two seconds' worth unacknowledged: the broker can't follow, and more would only pile up here.
        if (this.#meter.waiting > Math.max(100, 2 * rate)) this.#meter.skip()
        else this.#publishOne()
      }
      await pause(1000 / ticksPerSecond, signal)
    }
  }

  #publishOne(): void {
    const client = this.#clients[this.#turn++ % this.#clients.length]
    const acknowledged = this.#meter.sent()
    client.publish(topic, JSON.stringify(reading(this.#turn)), { qos: 1 }, (error) =>
      acknowledged(error ?? null),
    )
  }

  /** Waits up to `ms` for outstanding acknowledgements and disconnects. */
  async close(ms: number): Promise<void> {
    this.#closing = true
    const deadline = performance.now() + ms
    while (this.#meter.waiting > 0 && performance.now() < deadline) await pause(20)
    await Promise.all(this.#clients.map((client) => client.endAsync(this.#meter.waiting > 0)))
  }
}

/** A room's temperature and humidity: slow waves, so that a chart of them looks like one. */
function reading(n: number): { temp: number; humidity: number } {
  const wave = Math.sin(n / 50)
  return { temp: Math.round((21 + 2 * wave) * 100) / 100, humidity: Math.round((45 - 8 * wave) * 10) / 10 }
}
