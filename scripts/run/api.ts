import { startApi, type ApiServer } from '#api/server.ts'
import type { ApiDeps } from '#api/deps.ts'
import type { BrokerConfig } from '#broker/config.ts'
import { attachWebSocket } from '#broker/listeners/index.ts'
import { Metrics } from '#platform/metrics.ts'
import { readSecret } from '#scripts/cell/member-config.ts'
import { untilStopped } from '#scripts/lifecycle.ts'
import { CliError, errorCode, errorLine, printJson, printLine } from '#scripts/output.ts'
import { version } from '#scripts/version.ts'
import { checkConfig } from './check-config.ts'
import { stderrLogger } from './logger.ts'
import { openMember } from './member.ts'
import { setupLink } from './setup-link.ts'

export interface ApiRun {
  /** The cell's file, and this process's name in it. */
  readonly file: string
  readonly name: string
  readonly http: { host: string; port: number }
  readonly json: boolean
}

/** Path of MQTT over WebSocket. */
const webSocketPath = '/mqtt'

/**
 * Runs REST, live streams and MQTT over WebSocket of one host of a cell until SIGTERM or SIGINT. What it publishes goes
 * through a broker of its own, without listeners, which is a member of the cell like the others.
 */
export async function runApi(config: BrokerConfig, { file, name, http, json }: ApiRun): Promise<void> {
  const stopped = untilStopped()
  const metrics = new Metrics()
  const log = stderrLogger(config.log_level, metrics)
  checkConfig(config)
  const member = await openMember({ file, name, config, log, metrics })
  const tokenFile = member.file.admin_token_file
  if (tokenFile === undefined) {
    throw new CliError(`admin_token_file is missing in ${file}: the API needs it`, { exitCode: 2 })
  }
  const { platform, broker, control, clock, publish, notReady, storeAway } = member
  await broker.start()
  const adminToken = readSecret(tokenFile, 'admin_token_file')
  const deps = {
    platform,
    log,
    metrics,
    clock,
    version,
    adminToken,
    publish,
    clients: control,
    notReady,
    storeAway,
    rates: config.http,
    corsOrigins: config.http.cors_origins,
    trustedProxies: config.http.trusted_proxies,
  }
  const server = await listen(deps, http)
  attachWebSocket(server.server, webSocketPath, (stream, info, head) => broker.accept(stream, info, head), {
    log,
    metrics,
    maxPacketSize: config.mqtt.maximum_packet_size,
  })
  const ws = `${server.url.replace(/^http/, 'ws')}${webSocketPath}`
  const link = await setupLink(platform, server.url, log)
  if (link !== null)
    log.warn({ event: 'identity.setup', link }, 'create the first administrator: good for 30 minutes, once')
  if (json) printJson({ ready: [server.url, ws] })
  else printLine(`ready ${server.url} ${ws}`)
  await stopped
  await Promise.all([broker.drain(), server.close()])
  await member.close()
}

async function listen(deps: ApiDeps, http: ApiRun['http']): Promise<ApiServer> {
  try {
    return await startApi(deps, http)
  } catch (error) {
    if (errorCode(error) !== 'EADDRINUSE' && errorCode(error) !== 'EADDRNOTAVAIL') throw error
    throw new CliError(`--http: ${errorLine(error)}`, {
      remedy: 'Another address or port: --http HOST:PORT.',
      cause: error,
    })
  }
}
