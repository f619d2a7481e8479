import type { ApiDeps, OutgoingMessage } from '#api/deps.ts'
import { type ApiServer, startApi } from '#api/server.ts'
import { Broker } from '#broker/broker.ts'
import { brokerConfig } from '#broker/config.ts'
import { attachWebSocket } from '#broker/listeners/index.ts'
import { Message } from '#broker/message.ts'
import { systemClock } from '#platform/clock.ts'
import { Metrics } from '#platform/metrics.ts'
import { openPlatform } from '#platform/platform.ts'
import { untilStopped } from '#scripts/lifecycle.ts'
import { CliError, errorCode, printJson, printLine } from '#scripts/output.ts'
import { version } from '#scripts/version.ts'
import { devBanner } from './dev-banner.ts'
import { DevFiles } from './dev-files.ts'
import { developerSecrets } from './developer.ts'
import { stderrLogger } from './logger.ts'
import { openStore } from './store.ts'

export interface DevOptions {
  /** Undefined: in memory. */
  data: string | undefined
  mqttPort: number
  httpPort: number
  logLevel: string
  json: boolean
}

const host = '127.0.0.1'
const webSocketPath = '/mqtt'

/** Runs the whole platform in this process until SIGTERM or SIGINT; resolves when everything is closed. */
export async function runDev(options: DevOptions): Promise<void> {
  const stopped = untilStopped()
  const metrics = new Metrics()
  const log = stderrLogger(options.logLevel, metrics)
  const clock = systemClock
  const store = await openStore(options.data, log)
  const platform = await openPlatform({ store, log, metrics, clock })
  const { registry, organisation, commit } = platform
  const files = options.data === undefined ? null : new DevFiles(options.data)
  const secrets = await developerSecrets(registry, organisation, files?.readSecrets())
  files?.writeSecrets(secrets)

  const config = brokerConfig.parse({ listen: [`tcp://${host}:${options.mqttPort}`], organisation })
  const broker = new Broker({ ...platform, config, store, log, metrics, clock })
  registry.onRevoked((device) => broker.kickDevice(device.org, device.id))
  const publish = ({ org, topic, payload }: OutgoingMessage): Promise<void> => {
    broker.publish(broker.space(org), new Message(topic, Buffer.from(payload), 1, false))
    return commit.durable()
  }
  const adminToken = secrets.token
  const deps = { platform, log, metrics, clock, version, adminToken, publish }
  const server = await listen(deps, options.httpPort)
  const mqtt = await startBroker(broker, options.mqttPort)
  attachWebSocket(server.server, webSocketPath, (stream, info, head) => broker.accept(stream, info, head), {
    log,
    metrics,
    maxPacketSize: config.mqtt.maximum_packet_size,
  })

  const addresses = { url: server.url, mqtt, ws: `${server.url.replace(/^http/, 'ws')}${webSocketPath}` }
  files?.writeRunning({ pid: process.pid, url: server.url, mqtt, token: secrets.token })
  if (options.json) printJson({ ...addresses, ...secrets, data: options.data ?? null })
  else printLine(devBanner(version, options.data, addresses, secrets))

  await stopped
  if (!options.json) printLine('stopping')
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

async function startBroker(broker: Broker, port: number): Promise<string> {
  try {
    const [url] = await broker.start()
    return url.replace(/^tcp:/, 'mqtt:')
  } catch (error) {
    if (errorCode(error) !== 'EADDRINUSE') throw error
    throw new CliError(`port ${port} (MQTT) is in use on ${host}`, {
      remedy:
        'Is another broker running, mosquitto perhaps? Another port: --mqtt-port PORT; any free one: --mqtt-port 0.',
      cause: error,
    })
  }
}
