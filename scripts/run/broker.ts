import { Broker } from '#broker/broker.ts'
import type { BrokerConfig } from '#broker/config.ts'
import { systemClock } from '#platform/clock.ts'
import type { Logger } from '#platform/log.ts'
import { Metrics } from '#platform/metrics.ts'
import { Lanes } from '#platform/store/lanes.ts'
import { noConventions } from '#platform/telemetry/conventions.ts'
import { untilStopped } from '#scripts/lifecycle.ts'
import { printJson, printLine } from '#scripts/output.ts'
import { checkConfig } from './check-config.ts'
import { stderrLogger } from './logger.ts'
import { serveMetrics } from './metrics-page.ts'
import { serviceReady } from './service-manager.ts'
import { openStore } from './store.ts'

export interface BrokerRun {
  /** Client ids whose packets are logged. */
  traced: readonly string[]
  /** Where to serve metrics. */
  metricsAt: { host: string; port: number } | undefined
  /** The cell that it is a member of: its file, and the process's name in it. */
  cell: { file: string; name: string } | undefined
  json: boolean
}

/** Runs the broker alone until SIGTERM or SIGINT; resolves when it is drained and everything is closed. */
export async function runBroker(config: BrokerConfig, options: BrokerRun): Promise<void> {
  const stopped = untilStopped()
  const metrics = new Metrics()
  const log = stderrLogger(config.log_level, metrics)
  const opened =
    options.cell === undefined
      ? await openAlone(config, log, metrics)
      : await openInCell(config, log, metrics, options.cell)
  const { broker } = opened
  for (const client of options.traced) broker.traceClient(client, true)
  const page = options.metricsAt === undefined ? null : await serveMetrics(metrics, options.metricsAt)
  const urls = await broker.start()
  process.on('SIGHUP', () => broker.reload())
  if (options.json) printJson({ ready: urls, metrics: page?.url ?? null })
  else {
    if (page !== null) printLine(`metrics ${page.url}`)
    printLine(`ready ${urls.join(' ')}`)
  }
  serviceReady(log)
  await stopped
  await broker.drain()
  page?.close()
  await opened.close()
}

interface Opened {
  readonly broker: Broker
  /** After it is drained. */
  close(): Promise<void>
}

async function openAlone(config: BrokerConfig, log: Logger, metrics: Metrics): Promise<Opened> {
  const authenticator = checkConfig(config)
  const store = await openStore(config.data, log, config.store_max_bytes)
  const lanes = new Lanes(store, log)
  const broker = new Broker({
    config,
    store,
    lanes,
    authenticator,
    conventions: noConventions,
    log,
    metrics,
    clock: systemClock,
  })
  const close = async (): Promise<void> => {
    await lanes.close()
    await store.close()
  }
  return { broker, close }
}

async function openInCell(
  config: BrokerConfig,
  log: Logger,
  metrics: Metrics,
  { file, name }: { file: string; name: string },
): Promise<Opened> {
  checkConfig(config)
  const { openMember } = await import('./member.ts')
  return openMember({ file, name, config, log, metrics })
}
