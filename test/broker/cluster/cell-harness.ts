import { Broker } from '#broker/broker.ts'
import { brokerConfig } from '#broker/config.ts'
import { ConfigAuthenticator } from '#platform/auth/config-authenticator.ts'
import { type Clock, systemClock } from '#platform/clock.ts'
import type { Bus } from '#platform/cluster/bus.ts'
import { newIncarnation } from '#platform/cluster/incarnation.ts'
import { LocalHub } from '#platform/cluster/local-bus.ts'
import { Metrics } from '#platform/metrics.ts'
import { Lanes } from '#platform/store/lanes.ts'
import { MemoryStore } from '#platform/store/memory.ts'
import type { Store } from '#platform/store/store.ts'
import { noConventions } from '#platform/telemetry/conventions.ts'
import { TestClient } from '../harness.ts'
import { collectLog } from '../log-lines.ts'

const INFO = { remoteAddress: '127.0.0.1', remotePort: 1, listener: 'test', protocol: 'tcp' } as const

/** Several brokers in this process, one store for each DC that knows nothing of the others': the worst that replication can be. */
export class TestCell {
  readonly hub = new LocalHub()
  readonly stores = new Map<number, Store>()
  readonly members: CellMember[] = []
  readonly #dcs: readonly number[]

  constructor(dcs: readonly number[]) {
    this.#dcs = dcs
    for (const dc of dcs) this.stores.set(dc, new MemoryStore({}))
  }

  /** Starts a broker in that DC; resolves when it takes connections. */
  async start(
    dc: number,
    { clock = systemClock, name = `dc0${dc}-${this.members.length}` }: { clock?: Clock; name?: string } = {},
  ): Promise<CellMember> {
    const { log, lines } = collectLog()
    const store = this.stores.get(dc) as Store
    const lanes = new Lanes(store, log)
    const config = brokerConfig.parse({ listen: [], auth: { anonymous: true }, sys_interval: 0 })
    const incarnation = newIncarnation(clock.now() * 1024, dc)
    const bus = this.hub.open(incarnation.toString('hex'))
    const broker = new Broker({
      config,
      store,
      lanes,
      authenticator: new ConfigAuthenticator({ ...config.auth, organisation: config.organisation }),
      conventions: noConventions,
      log,
      metrics: new Metrics(),
      clock,
      cell: { bus, incarnation, name, dc: `dc0${dc}`, dcs: this.#dcs },
    })
    await broker.start()
    const member = { broker, lanes, lines, bus }
    this.members.push(member)
    return member
  }

  async stop(): Promise<void> {
    await Promise.all(this.members.map(({ broker }) => broker.drain()))
  }
}

export interface CellMember {
  readonly broker: Broker
  readonly lanes: Lanes
  readonly lines: Record<string, unknown>[]
  /** Closed: nothing is heard of it any more. */
  readonly bus: Bus
}

type Options = Parameters<TestClient['connect']>[1]

/** A client connected to that member. */
export async function connectTo(
  { broker }: CellMember,
  clientId: string,
  options: Options = {},
): Promise<TestClient> {
  const client = new TestClient(5)
  broker.accept(client.wire, INFO, null)
  client.connect(clientId, options)
  const { value } = await client.expect(2)
  if (value.reason !== 0) throw new Error(`CONNACK ${value.reason}`)
  client.sessionPresent = value.sessionPresent
  return client
}
