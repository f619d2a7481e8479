import { Broker } from '#broker/broker.ts'
import { Control } from '#broker/cluster/control.ts'
import { brokerConfig } from '#broker/config.ts'
import { systemClock } from '#platform/clock.ts'
import { newIncarnation } from '#platform/cluster/incarnation.ts'
import { LocalHub } from '#platform/cluster/local-bus.ts'
import { Metrics } from '#platform/metrics.ts'
import { openPlatform, type Platform } from '#platform/platform.ts'
import type { Store } from '#platform/store/store.ts'
import { TestClient } from '../harness.ts'
import { collectLog } from '../log-lines.ts'

const INFO = { remoteAddress: '127.0.0.1', remotePort: 1, listener: 'test', protocol: 'tcp' } as const

/** A process of a cell with all of the platform. */
export interface PlatformMember {
  readonly platform: Platform
  readonly broker: Broker
  readonly control: Control
  readonly metrics: Metrics
  readonly store: Store
  readonly address: string
  readonly lines: Record<string, unknown>[]
}

/** Several processes with brokers and platforms; the caller says which of them share a store. */
export class PlatformCell {
  readonly hub = new LocalHub()
  readonly #members: PlatformMember[] = []

  /** Resolves when it takes connections. The first two must be started together. */
  async start(dc: number, store: Store, name = `dc0${dc}-${this.#members.length}`): Promise<PlatformMember> {
    const { log, lines } = collectLog()
    const metrics = new Metrics()
    const config = brokerConfig.parse({ listen: [], auth: { anonymous: true }, sys_interval: 0 })
    const { organisation, auth } = config
    const platform = await openPlatform({ store, log, metrics, clock: systemClock, organisation, auth })
    const incarnation = newIncarnation(Date.now() * 1024, dc)
    const address = incarnation.toString('hex')
    const bus = this.hub.open(address)
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
    const member = { platform, broker, control, metrics, store, address, lines }
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
