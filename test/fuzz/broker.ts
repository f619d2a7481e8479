import { Broker } from '#broker/broker.ts'
import { brokerConfig } from '#broker/config.ts'
import type { ConnectionInfo } from '#broker/listeners/transport.ts'
import {
  encodeAck,
  encodeConnect,
  encodePublish,
  encodeSubscribe,
  noProperties,
  PacketType,
} from '#broker/packets/index.ts'
import { ConfigAuthenticator } from '#platform/auth/config-authenticator.ts'
import { systemClock } from '#platform/clock.ts'
import { createLogger } from '#platform/log.ts'
import { Metrics } from '#platform/metrics.ts'
import { Lanes } from '#platform/store/lanes.ts'
import { MemoryStore } from '#platform/store/memory.ts'
import { noConventions } from '#platform/telemetry/conventions.ts'
import { Attacks } from './attack.ts'
import { FuzzFailure } from './fuzz.ts'
import { Random } from './random.ts'
import { Client, Wire } from './wire.ts'

const INFO: ConnectionInfo = {
  remoteAddress: '127.0.0.1',
  remotePort: 1,
  listener: 'test',
  protocol: 'tcp',
}
const TOPIC = 'undisturbed/by/others'

/** A broker in this process under attack, and a client that goes on exchanging messages with it. */
export class BrokerFuzz {
  readonly #broker: Broker
  readonly #lanes: Lanes
  readonly #store: MemoryStore
  readonly #attacks: Attacks
  readonly #client = new Client(5)
  #sent = 0

  private constructor(broker: Broker, lanes: Lanes, store: MemoryStore, seed: number) {
    this.#broker = broker
    this.#lanes = lanes
    this.#store = store
    this.#attacks = new Attacks(new Random(seed), seed)
  }

  /** Starts the broker and connects the client. */
  static async start(seed: number): Promise<BrokerFuzz> {
    const config = brokerConfig.parse({
      listen: [],
      auth: { anonymous: true },
      limits: { connect_timeout: 5 },
      sys_interval: 0,
    })
    const log = createLogger({ level: 'silent' })
    const store = new MemoryStore()
    const lanes = new Lanes(store, log)
    const broker = new Broker({
      config,
      store,
      lanes,
      authenticator: new ConfigAuthenticator({ ...config.auth, organisation: config.organisation }),
      conventions: noConventions,
      log,
      metrics: new Metrics(),
      clock: systemClock,
    })
    await broker.start()
    const fuzz = new BrokerFuzz(broker, lanes, store, seed)
    await fuzz.#connect()
    return fuzz
  }

  async #connect(): Promise<void> {
    this.#broker.accept(this.#client.wire, INFO, null)
    this.#client.send(
      encodeConnect({
        version: 5,
        cleanStart: true,
        keepAlive: 0,
        clientId: 'behaves',
        properties: noProperties,
      }),
    )
    await this.#expect(PacketType.CONNACK)
    const subscription = {
      filter: TOPIC,
      qos: 1,
      noLocal: false,
      retainAsPublished: false,
      retainHandling: 2,
    } as const
    this.#client.send(
      encodeSubscribe({ packetId: 1, subscriptions: [subscription], properties: noProperties }, 5),
    )
    await this.#expect(PacketType.SUBACK)
  }

  async #expect(type: number): Promise<void> {
    const packet = await this.#client.next()
    if (packet.type !== type) throw new Error(`packet type ${packet.type} instead of ${type}`)
  }

  /** One attack, while the client publishes at QoS 1 to itself. Rejects with FuzzFailure if anything is amiss. */
  async round(): Promise<void> {
    const chunks = this.#attacks.next()
    await this.replay(chunks)
  }

  /** The same with given chunks. */
  async replay(chunks: Buffer[]): Promise<void> {
    const failure = (cause: unknown) => new FuzzFailure(Buffer.concat(chunks), cause)
    // What the broker throws in a later turn reaches nobody here: say at least which bytes did it.
    const told = (error: unknown) => console.error(failure(error).message)
    process.prependListener('uncaughtException', told)
    try {
      await this.#attack(chunks)
    } catch (error) {
      throw failure(error)
    } finally {
      process.removeListener('uncaughtException', told)
    }
  }

  async #attack(chunks: Buffer[]): Promise<void> {
    const attacker = new Wire(() => {})
    const closed = new Promise((resolve) => attacker.once('close', resolve))
    this.#broker.accept(attacker, INFO, null)
    const half = chunks.length >> 1
    for (const chunk of chunks.slice(0, half)) push(attacker, chunk)
    await this.#exchange()
    for (const chunk of chunks.slice(half)) push(attacker, chunk)
    await this.#exchange()
    push(attacker, null)
    await closed
    if (this.#broker.connections.size !== 1) {
      throw new Error(`${this.#broker.connections.size} connections are left`)
    }
  }

  /** Publishes one message at QoS 1 and gets it back, once, in order, and acknowledged. */
  async #exchange(): Promise<void> {
    const number = ++this.#sent
    const packetId = 1 + (number % 1000)
    this.#client.send(
      encodePublish(
        {
          topic: TOPIC,
          packetId,
          qos: 1,
          retain: false,
          dup: false,
          payload: Buffer.from(String(number)),
          properties: noProperties,
        },
        5,
      ),
    )
    let acknowledged = false
    let delivered = false
    while (!acknowledged || !delivered) {
      const packet = await this.#client.next()
      if (packet.type === PacketType.PUBACK && packet.value.packetId === packetId && !acknowledged) {
        acknowledged = true
      } else if (packet.type === PacketType.PUBLISH && packet.value.topic === TOPIC && !delivered) {
        if (packet.value.payload.toString() !== String(number)) {
          throw new Error(`message ${packet.value.payload.toString()} instead of ${number}`)
        }
        delivered = true
        this.#client.send(encodeAck(PacketType.PUBACK, packet.value.packetId, 0, noProperties, 5))
      } else throw new Error(`unexpected packet: ${JSON.stringify(packet)}`)
    }
  }

  /** How far the attacks came: clients accepted, messages taken, connections ended for what they sent. */
  get reached(): { connects: number; messages: number; malformed: number } {
    const { connects, received, malformed } = this.#broker.stats
    return { connects: connects.value, messages: received.value, malformed: malformed.value }
  }

  async stop(): Promise<void> {
    this.#client.wire.destroy()
    await this.#broker.drain()
    await this.#lanes.close()
    await this.#store.close()
  }
}

function push(wire: Wire, chunk: Buffer | null): void {
  if (!wire.destroyed && !wire.readableEnded) wire.push(chunk)
}
