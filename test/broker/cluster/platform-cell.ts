import { Broker } from '#broker/broker.ts'
import { Control } from '#broker/cluster/control.ts'
import { LiveEvents } from '#broker/cluster/live-events.ts'
import { PresenceLink } from '#broker/presence-link.ts'
import { brokerConfig } from '#broker/config.ts'
import { systemClock } from '#platform/clock.ts'
import type { Bus } from '#platform/cluster/bus.ts'
import { newIncarnation } from '#platform/cluster/incarnation.ts'
import { LocalHub } from '#platform/cluster/local-bus.ts'
import { Metrics } from '#platform/metrics.ts'
import { openPlatform, type Platform } from '#platform/platform.ts'
import type { Store } from '#platform/store/store.ts'
import { durability } from '../../platform/store/far-store.ts'
import { TestClient } from '../harness.ts'
import { collectLog } from '../log-lines.ts'

const INFO = { remoteAddress: '127.0.0.1', remotePort: 1, listener: 'test', protocol: 'tcp' } as const

/** A bus that can be cut off. */
class BreakableBus implements Bus {
  cut = false
  readonly #bus: Bus

  constructor(bus: Bus) {
    this.#bus = bus
  }

  get address(): string {
    return this.#bus.address
  }

  get connected(): boolean {
    return this.#bus.connected
  }

  get maxFrame(): number {
    return this.#bus.maxFrame
  }

  send(to: string, frame: Uint8Array): void {
    if (!this.cut) this.#bus.send(to, frame)
  }

  broadcast(frame: Uint8Array): void {
    if (!this.cut) this.#bus.broadcast(frame)
  }

  receive(listener: (frame: Buffer) => void): void {
    this.#bus.receive((frame) => {
      if (!this.cut) listener(frame)
    })
  }

  close(): Promise<void> {
    return this.#bus.close()
  }
}

/** A process of a cell with all of the platform. */
export interface PlatformMember {
  readonly platform: Platform
  readonly broker: Broker
  readonly control: Control
  readonly metrics: Metrics
  readonly store: Store
  readonly bus: BreakableBus
  readonly lines: Record<string, unknown>[]
}

/** Several processes with brokers and platforms; the caller says which of them share a store. */
export class PlatformCell {
  readonly #hub = new LocalHub()
  readonly #members: PlatformMember[] = []

  /** Resolves when it takes connections. The first two must be started together. */
  async start(dc: number, store: Store, name = `dc0${dc}-${this.#members.length}`): Promise<PlatformMember> {
    const { log, lines } = collectLog()
    const metrics = new Metrics()
    const config = brokerConfig.parse({ listen: [], auth: { anonymous: true }, sys_interval: 0 })
    const { organisation, auth } = config
    const platform = await openPlatform({
      store,
      log,
      metrics,
      clock: systemClock,
      organisation,
      auth,
      durability,
    })
    const incarnation = newIncarnation(Date.now() * 1024, dc)
    const bus = new BreakableBus(this.#hub.open(incarnation.toString('hex')))
    const broker = new Broker({
      ...platform,
      config,
      store,
      log,
      metrics,
      clock: systemClock,
      cell: { bus, incarnation, name, dc: `dc0${dc}`, dcs: [1, 2] },
    })
    const control = new Control(broker, platform)
    if (broker.cell !== null) LiveEvents.join(broker.cell, platform.live)
    PresenceLink.join(broker, platform.presence)
    const member = { platform, broker, control, metrics, store, bus, lines }
    this.#members.push(member)
    await broker.start()
    return member
  }

  async stop(): Promise<void> {
    await Promise.all(this.#members.map(({ broker }) => broker.drain()))
    await Promise.all(this.#members.map(({ platform }) => platform.close()))
  }
}

/** A device that logs in at that process with its key. */
export async function connectDevice(
  member: PlatformMember,
  clientId: string,
  key: string,
  options: Parameters<TestClient['connect']>[1] = {},
): Promise<TestClient> {
  const client = dial(member, clientId, key, options)
  const { value } = await client.expect(2)
  if (value.reason !== 0) throw new Error(`CONNACK ${value.reason}`)
  client.sessionPresent = value.sessionPresent
  return client
}

/** Its CONNECT is on the way. */
export function dial(
  { broker }: PlatformMember,
  clientId: string,
  key: string,
  options: Parameters<TestClient['connect']>[1] = {},
): TestClient {
  const client = new TestClient(5)
  broker.accept(client.wire, INFO, null)
  client.connect(clientId, { username: '', password: Buffer.from(key), ...options })
  return client
}
