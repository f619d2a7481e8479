import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { ServedFiles } from '#platform/pki/served-certificate.ts'
import { ServedCertificate } from '#platform/pki/served-certificate.ts'
import { createApi } from './app.ts'
import type { ApiDeps } from './deps.ts'
import { secureServer } from './https.ts'
import type { Route } from './route.ts'

export interface ApiAddress {
  readonly host: string
  /** 0: a free one. */
  readonly port: number
  /** The same over TLS, beside it. */
  readonly https?: { readonly host: string; readonly port: number; readonly files: ServedFiles } | undefined
}

export interface ApiServer {
  /** `http://127.0.0.1:8080` */
  readonly url: string
  /** `https://127.0.0.1:8443`; null: it was not asked for. */
  readonly secureUrl: string | null
  /** One, or two with TLS: for upgrades to WebSocket. */
  readonly servers: readonly Server[]
  /** Reads the certificate's files again, as is done by itself when they change. Throws, and keeps the old ones, if they are bad. */
  reload(): void
  /**
   * Fails `/readyz`, ends live streams, takes no more connections, lets requests under way end; cuts what is left
   * after `graceMs`.
   */
  close(graceMs?: number): Promise<void>
}

/** Connections at a time to a port; each costs about 10 KB, with TLS 40. More are closed at once and counted. */
const maxConnections = 20_000
const timeouts = { requestTimeout: 30_000, headersTimeout: 10_000, keepAliveTimeout: 65_000 }

/**
 * Listens; rejects with the error of `listen`, EADDRINUSE for one, or an Error of one line about a certificate file.
 * `resources`: tests bring their own.
 */
export async function startApi(
  deps: Omit<ApiDeps, 'stopping'>,
  address: ApiAddress,
  resources?: readonly Route[],
): Promise<ApiServer> {
  const stopping = new AbortController()
  const app = createApi({ ...deps, stopping: stopping.signal }, resources)
  const { metrics, log, platform } = deps
  const dropped = metrics.counter('cinque_http_connections_dropped_total', 'Connections above the limit')
  const { https } = address
  const listener = https === undefined ? '' : `https://${hostOf(https.host)}:${https.port}`
  const certificate = https && new ServedCertificate({ files: https.files, listener: () => listener, log })
  const secure = certificate && secureServer(timeouts, certificate, metrics, app)
  const plain = createServer(timeouts, app)
  const servers: Server[] = secure === undefined ? [plain] : [plain, secure.server]
  for (const server of servers) {
    server.maxConnections = maxConnections
    server.on('drop', () => dropped.value++)
  }
  await listen(plain, address)
  if (https && secure) {
    try {
      await listen(secure.server, https)
    } catch (error) {
      plain.close()
      throw error
    }
    certificate?.follow(secure.server)
  }
  platform.taskRunner.start()
  platform.certificateExpiry.start()
  platform.outboxWorker.start()
  return {
    url: urlOf(plain, 'http'),
    secureUrl: secure === undefined ? null : urlOf(secure.server, 'https'),
    servers,
    reload: () => certificate?.reload(),
    close: async (graceMs = 5000) => {
      stopping.abort()
      platform.taskRunner.stop()
      platform.certificateExpiry.stop()
      certificate?.close()
      secure?.cutHandshakes()
      await Promise.all([platform.outboxWorker.stop(), ...servers.map((server) => close(server, graceMs))])
    },
  }
}

function listen(server: Server, { host, port }: { host: string; port: number }): Promise<void> {
  return new Promise<void>((listening, failed) => {
    server.once('error', failed)
    server.listen(port, host, () => {
      server.off('error', failed)
      listening()
    })
  })
}

function urlOf(server: Server, scheme: 'http' | 'https'): string {
  const bound = server.address() as AddressInfo
  return `${scheme}://${hostOf(bound.address)}:${bound.port}`
}

function hostOf(address: string): string {
  return address.includes(':') ? `[${address}]` : address
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
