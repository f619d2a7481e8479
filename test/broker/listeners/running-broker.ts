import { Broker } from '#broker/broker.ts'
import { brokerConfig } from '#broker/config.ts'
import { ConfigAuthenticator } from '#platform/auth/config-authenticator.ts'
import type { Authenticator, Credentials } from '#platform/auth/principal.ts'
import { systemClock } from '#platform/clock.ts'
import { Metrics } from '#platform/metrics.ts'
import { Lanes } from '#platform/store/lanes.ts'
import { MemoryStore } from '#platform/store/memory.ts'
import { noConventions } from '#platform/telemetry/conventions.ts'
import { collectLog } from '../log-lines.ts'

/** A whole broker in this process, with anonymous access; remembers what clients showed. */
export class RunningBroker {
  readonly broker: Broker
  readonly metrics: Metrics
  readonly lines: Record<string, unknown>[]
  /** By client id. */
  readonly shown: Map<string, Credentials>
  readonly #urls: Map<string, URL>
  readonly #stop: () => Promise<void>

  private constructor(
    broker: Broker,
    parts: Pick<RunningBroker, 'metrics' | 'lines' | 'shown'>,
    urls: readonly string[],
    stop: () => Promise<void>,
  ) {
    this.broker = broker
    this.metrics = parts.metrics
    this.lines = parts.lines
    this.shown = parts.shown
    // URL knows the default ports of ws and wss only
    this.#urls = new Map(urls.map((url) => [url.slice(0, url.indexOf(':')), new URL(url)]))
    this.#stop = stop
  }

  /** `settings` as in a configuration file. */
  static async start(settings: Record<string, unknown>): Promise<RunningBroker> {
    const config = brokerConfig.parse({ auth: { anonymous: true }, sys_interval: 0, ...settings })
    const { log, lines } = collectLog()
    const metrics = new Metrics()
    const store = new MemoryStore()
    const lanes = new Lanes(store, log)
    const shown = new Map<string, Credentials>()
    const configured = new ConfigAuthenticator({ ...config.auth, organisation: config.organisation })
    const authenticator: Authenticator = {
      authenticate: (credentials) => {
        shown.set(credentials.clientId, credentials)
        return configured.authenticate(credentials)
      },
    }
    const conventions = noConventions
    const clock = systemClock
    const broker = new Broker({ config, store, lanes, authenticator, conventions, log, metrics, clock })
    const urls = await broker.start()
    return new RunningBroker(broker, { metrics, lines, shown }, urls, async () => {
      await broker.drain()
      await lanes.close()
      await store.close()
    })
  }

  port(scheme: string): number {
    return Number(this.#urls.get(scheme)?.port)
  }

  stop(): Promise<void> {
    return this.#stop()
  }
}
