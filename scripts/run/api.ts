import { type ApiAddress, type ApiServer, startApi } from '#api/server.ts'
import type { ApiDeps } from '#api/deps.ts'
import type { BrokerConfig } from '#broker/config.ts'
import { attachWebSocket } from '#broker/listeners/index.ts'
import type { Logger } from '#platform/log.ts'
import { measureDisk } from '#platform/disk-space.ts'
import { Metrics } from '#platform/metrics.ts'
import { readSecret } from '#scripts/cell/secret.ts'
import { untilStopped } from '#scripts/lifecycle.ts'
import { CliError, errorCode, errorLine, printJson, printLine } from '#scripts/output.ts'
import { version } from '#scripts/version.ts'
import { checkConfig } from './check-config.ts'
import { stderrLogger } from './logger.ts'
import { openMember } from './member.ts'
import { serviceReady } from './service-manager.ts'
import { setupLink } from './setup-link.ts'

export interface ApiRun {
  /** The cell's file, and this process's name in it. */
  readonly file: string
  readonly name: string
  readonly http: { host: string; port: number }
  /** The same over TLS, with the certificate of the configuration's `tls`. */
  readonly https: { host: string; port: number } | undefined
  readonly json: boolean
}

/** Path of MQTT over WebSocket. */
const webSocketPath = '/mqtt'

/**
 * Runs REST, live streams and MQTT over WebSocket of one host of a cell until SIGTERM or SIGINT. What it publishes goes
 * through a broker of its own, without listeners, which is a member of the cell like the others.
 */
export async function runApi(config: BrokerConfig, { file, name, http, https, json }: ApiRun): Promise<void> {
  const stopped = untilStopped()
  const metrics = new Metrics()
  const log = stderrLogger(config.log_level, metrics)
  checkConfig(config)
  measureDisk(metrics, process.cwd())
  const address = { ...http, https: securely(config, https) }
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
  const server = await listen(deps, address)
  for (const one of server.servers) {
    attachWebSocket(one, webSocketPath, (stream, info, head) => broker.accept(stream, info, head), {
      log,
      metrics,
      maxPacketSize: config.mqtt.maximum_packet_size,
    })
  }
  process.on('SIGHUP', () => reload(server, log))
  const urls = [server.url, server.secureUrl ?? []].flat()
  const ready = [...urls, ...urls.map((url) => `${url.replace(/^http/, 'ws')}${webSocketPath}`)]
  const link = await setupLink(platform, server.url, log)
  if (link !== null)
    log.warn({ event: 'identity.setup', link }, 'create the first administrator: good for 30 minutes, once')
  if (json) printJson({ ready })
  else printLine(`ready ${ready.join(' ')}`)
  serviceReady(log)
  await stopped
  await Promise.all([broker.drain(), server.close()])
  await member.close()
}

/** CliError: there is no certificate for it. */
function securely({ tls }: BrokerConfig, https: ApiRun['https']): ApiAddress['https'] {
  if (https === undefined) return undefined
  if (tls !== undefined) return { ...https, files: { ...tls, ca: undefined } }
  throw new CliError('--https needs a certificate', {
    remedy: 'PEM files: --set tls.cert=FILE --set tls.key=FILE, or the same keys in the file of --config.',
    exitCode: 2,
  })
}

function reload(server: ApiServer, log: Logger): void {
  try {
    server.reload()
  } catch (error) {
    log.warn({ event: 'certificate.kept', detail: errorLine(error) }, 'the old certificate stays in use')
  }
}

async function listen(deps: ApiDeps, address: ApiAddress): Promise<ApiServer> {
  try {
    return await startApi(deps, address)
  } catch (error) {
    const code = errorCode(error)
    // What is wrong with the files of the certificate is one line already.
    if (code === undefined) throw new CliError(errorLine(error), { exitCode: 2, cause: error })
    const option = portOf(error) === address.https?.port ? '--https' : '--http'
    if (code !== 'EADDRINUSE' && code !== 'EADDRNOTAVAIL' && code !== 'EACCES') throw error
    throw new CliError(`${option}: ${errorLine(error)}`, {
      remedy: `Another address or port: ${option} HOST:PORT.`,
      cause: error,
    })
  }
}

function portOf(error: unknown): unknown {
  return error instanceof Error && 'port' in error ? error.port : undefined
}
