import { Broker } from '#broker/broker.ts'
import type { BrokerConfig } from '#broker/config.ts'
import { systemClock } from '#platform/clock.ts'
import { Metrics } from '#platform/metrics.ts'
import { GroupCommit } from '#platform/store/group-commit.ts'
import { noConventions } from '#platform/telemetry/conventions.ts'
import { untilStopped } from '#scripts/lifecycle.ts'
import { printJson, printLine } from '#scripts/output.ts'
import { checkConfig } from './check-config.ts'
import { stderrLogger } from './logger.ts'
import { serveMetrics } from './metrics-page.ts'
import { openStore } from './store.ts'

export interface BrokerRun {
  /** Client ids whose packets are logged. */
  traced: readonly string[]
  /** Where to serve metrics. */
  metricsAt: { host: string; port: number } | undefined
  json: boolean
}

/** Runs the broker alone until SIGTERM or SIGINT; resolves when it is drained and everything is closed. */
export async function runBroker(config: BrokerConfig, options: BrokerRun): Promise<void> {
  const stopped = untilStopped()
  const metrics = new Metrics()
  const log = stderrLogger(config.log_level, metrics)
  const authenticator = checkConfig(config)
  const store = await openStore(config.data, log, config.store_max_bytes)
  const commit = new GroupCommit(store, log)
  const broker = new Broker({
    config,
    store,
    commit,
    authenticator,
    conventions: noConventions,
    log,
    metrics,
    clock: systemClock,
  })
  for (const client of options.traced) broker.traceClient(client, true)
  const page = options.metricsAt === undefined ? null : await serveMetrics(metrics, options.metricsAt)
  const urls = await broker.start()
  process.on('SIGHUP', () => broker.reload())
  if (options.json) printJson({ ready: urls, metrics: page?.url ?? null })
  else {
    if (page !== null) printLine(`metrics ${page.url}`)
    printLine(`ready ${urls.join(' ')}`)
  }
  await stopped
  await broker.drain()
  page?.close()
  await commit.close()
  await store.close()
}
