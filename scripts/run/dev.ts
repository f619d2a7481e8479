import type { ApiDeps } from '#api/deps.ts'
import { type ApiServer, startApi } from '#api/server.ts'
import { Broker } from '#broker/broker.ts'
import { Control } from '#broker/cluster/control.ts'
import type { BrokerConfig } from '#broker/config.ts'
import { publisherOf } from '#broker/followed.ts'
import { PresenceLink } from '#broker/presence-link.ts'
import { attachWebSocket } from '#broker/listeners/index.ts'
import { systemClock } from '#platform/clock.ts'
import { measureDisk } from '#platform/disk-space.ts'
import { Metrics } from '#platform/metrics.ts'
import { openPlatform } from '#platform/platform.ts'
import { systemTimers } from '#platform/timers.ts'
import { untilStopped } from '#scripts/lifecycle.ts'
import { CliError, errorCode, errorLine, printJson, printLine } from '#scripts/output.ts'
import { version } from '#scripts/version.ts'
import { checkConfig } from './check-config.ts'
import { devBanner } from './dev-banner.ts'
import { DevFiles } from './dev-files.ts'
import { developerSecrets } from './developer.ts'
import { stderrLogger } from './logger.ts'
import { setupLink } from './setup-link.ts'
import { openStore } from './store.ts'

export interface DevOptions {
  config: BrokerConfig
  httpPort: number
  /** Client ids whose packets are logged. */
  traced: readonly string[]
  json: boolean
}

const host = '127.0.0.1'
const webSocketPath = '/mqtt'

/** Runs the whole platform in this process until SIGTERM or SIGINT; resolves when everything is closed. */
export async function runDev({ config, httpPort, traced, json }: DevOptions): Promise<void> {
  const stopped = untilStopped()
  const metrics = new Metrics()
  const log = stderrLogger(config.log_level, metrics)
  const clock = systemClock
  checkConfig(config)
  measureDisk(metrics, config.data ?? process.cwd())
  const store = await openStore(config.data, log, config.store_max_bytes)
  const { organisation, auth } = config
  const devices = { certificateIdentity: config.tls?.identity }
  const platform = await openPlatform({
    store,
    log,
    metrics,
    clock,
    organisation,
    auth,
    devices,
    quotas: config.quotas,
  })
  const files = config.data === undefined ? null : new DevFiles(config.data)
  const secrets = await developerSecrets(platform, organisation, files?.readSecrets())
  files?.writeSecrets(secrets)

  const broker = new Broker({ ...platform, config, store, log, metrics, clock })
  for (const client of traced) broker.traceClient(client, true)
  const control = new Control(broker, platform)
  PresenceLink.join(broker, platform.presence)
  const publish = publisherOf(broker)
  platform.outlet.open(publish)
  platform.commands.sweeper.start()
  platform.telemetry.start(systemTimers)
  platform.usage.start(systemTimers)
  const adminToken = secrets.token
  const deps = {
    platform,
    log,
    metrics,
    clock,
    version,
    adminToken,
    publish,
    clients: control,
    rates: config.http,
    corsOrigins: config.http.cors_origins,
    trustedProxies: config.http.trusted_proxies,
  }
  const server = await listen(deps, httpPort)
  const listeners = await startBroker(broker)
  attachWebSocket(
    server.servers[0],
    webSocketPath,
    (stream, info, head) => broker.accept(stream, info, head),
    {
      log,
      metrics,
      maxPacketSize: config.mqtt.maximum_packet_size,
    },
  )

  process.on('SIGHUP', () => broker.reload())

  const { url } = server
  const ws = `${url.replace(/^http/, 'ws')}${webSocketPath}`
  const mqtt = (listeners.find((one) => one.startsWith('tcp:')) ?? ws).replace(/^tcp:/, 'mqtt:')
  files?.writeRunning({ pid: process.pid, url, mqtt, token: secrets.token })
  const setup = await setupLink(platform, url, log)
  if (json) printJson({ url, mqtt, ws, listeners, ...secrets, data: config.data ?? null, setup })
  else printLine(devBanner({ version, data: config.data, url, mqtt, ws, listeners, secrets, setup }))

  await stopped
  if (!json) printLine('stopping')
  await Promise.all([broker.drain(), server.close()])
  await platform.close()
  files?.removeRunning()
  await store.close()
}

async function listen(deps: ApiDeps, port: number): Promise<ApiServer> {
  try {
    return await startApi(deps, { host, port })
  } catch (error) {
    if (errorCode(error) !== 'EADDRINUSE') throw error
    throw new CliError(`port ${port} (HTTP) is in use on ${host}`, {
      remedy: 'Is another `cinque dev` running? Another port: --http-port PORT; any free one: --http-port 0.',
      cause: error,
    })
  }
}

async function startBroker(broker: Broker): Promise<string[]> {
  try {
    return await broker.start()
  } catch (error) {
    if (errorCode(error) !== 'EADDRINUSE') throw error
    throw new CliError(errorLine(error), {
      remedy:
        'Is another broker running, mosquitto perhaps? Another port: --mqtt-port PORT; any free one: --mqtt-port 0.',
      cause: error,
    })
  }
}
