import { createServer, type Server } from 'node:https'
import type { RequestListener, ServerOptions } from 'node:http'
import type { Socket } from 'node:net'
import type { Metrics } from '#platform/metrics.ts'
import type { ServedCertificate } from '#platform/pki/served-certificate.ts'

/** From accept to the end of the TLS handshake; a device on a slow link needs three round trips. */
const handshakeMs = 10_000

/** A server of HTTP over TLS, not listening. */
export interface SecureServer {
  readonly server: Server
  /** Destroys connections that are not through their handshake: the server does not know them yet. */
  cutHandshakes(): void
}

/**
 * HTTP over TLS with a certificate that follows its files. Asks for no client certificate: a browser would ask its user
 * for one. Throws an Error of one line if the files are bad.
 */
export function secureServer(
  options: ServerOptions,
  certificate: ServedCertificate,
  metrics: Metrics,
  requested: RequestListener,
): SecureServer {
  const server = createServer({ ...options, ...certificate.read(), handshakeTimeout: handshakeMs }, requested)
  const handshaking = new Map<string, Socket>()
  const failed = metrics.counter(
    'cinque_http_tls_failures_total',
    'Connections to the API that ended before their TLS handshake did',
  )
  server.on('connection', (socket: Socket) => {
    const ends = endsOf(socket)
    handshaking.set(ends, socket)
    socket.once('close', () => {
      if (handshaking.get(ends) === socket) handshaking.delete(ends)
    })
  })
  server.on('secureConnection', (socket: Socket) => handshaking.delete(endsOf(socket)))
  server.on('tlsClientError', () => failed.value++)
  return {
    server,
    cutHandshakes: () => {
      for (const socket of handshaking.values()) socket.destroy()
    },
  }
}

/** Node gives no public way from a TLS socket to the one below; both have the same ends. */
function endsOf({ remoteAddress, remotePort, localAddress, localPort }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`
}
