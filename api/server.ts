import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createApi } from './app.ts'
import type { ApiDeps } from './deps.ts'
import type { Route } from './route.ts'

export interface ApiServer {
  /** `http://127.0.0.1:8080` */
  readonly url: string
  /** For upgrades to WebSocket. */
  readonly server: Server
  /**
   * Fails `/readyz`, ends live streams, takes no more connections, lets requests under way end; cuts what is left
   * after `graceMs`.
   */
  close(graceMs?: number): Promise<void>
}

/** Connections at a time; each costs about 10 KB. More are closed at once and counted. */
const maxConnections = 20_000

/**
 * Listens; rejects with the error of `listen`, EADDRINUSE for one. Port 0: a free one. `resources`: tests bring their
 * own.
 */
export async function startApi(
  deps: Omit<ApiDeps, 'stopping'>,
  address: { host: string; port: number },
  resources?: readonly Route[],
): Promise<ApiServer> {
  const stopping = new AbortController()
  const app = createApi({ ...deps, stopping: stopping.signal }, resources)
  const server = createServer(
    { requestTimeout: 30_000, headersTimeout: 10_000, keepAliveTimeout: 65_000 },
    app,
  )
  server.maxConnections = maxConnections
  const dropped = deps.metrics.counter('cinque_http_connections_dropped_total', 'Connections above the limit')
  server.on('drop', () => dropped.value++)
  await new Promise<void>((listening, failed) => {
    server.once('error', failed)
    server.listen(address.port, address.host, () => {
      server.off('error', failed)
      listening()
    })
  })
  deps.platform.taskRunner.start()
  deps.platform.certificateExpiry.start()
  return {
    url: urlOf(server),
    server,
    close: (graceMs = 5000) => {
      stopping.abort()
      deps.platform.taskRunner.stop()
      deps.platform.certificateExpiry.stop()
      return close(server, graceMs)
    },
  }
}

function urlOf(server: Server): string {
  const bound = server.address() as AddressInfo
  const host = bound.family === 'IPv6' ? `[${bound.address}]` : bound.address
  return `http://${host}:${bound.port}`
}

function close(server: Server, graceMs: number): Promise<void> {
  return new Promise((closed) => {
    const cut = setTimeout(() => server.closeAllConnections(), graceMs)
    server.close(() => {
      clearTimeout(cut)
      closed()
    })
    server.closeIdleConnections()
  })
}
