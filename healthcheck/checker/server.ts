import type { RequestListener, Server } from 'node:http'
import { createServer as createHttps } from 'node:https'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import type { Metrics } from '#platform/metrics.ts'
import { http } from '../http.ts'
import type { Route } from './route.ts'

export interface CheckerServer {
  /** `http://192.0.2.1:8053`; HTTPS is on the same port. */
  readonly url: string
  close(): Promise<void>
}

export interface ServerOptions {
  readonly host: string
  /** 0: any free one. */
  readonly port: number
  readonly routes: readonly Route[]
  readonly metrics: Metrics
  /** PEM. */
  readonly tls: { readonly cert: string; readonly key: string }
}

/** Connections at a time: checkers, Route 53 (some 16 places, several checks each), a few people. */
const maxConnections = 1000
/** First byte of a TLS connection: the content type "handshake" (RFC 8446, 5.1). */
const handshake = 0x16
const firstByteMs = 10_000
const limits = {
  requestTimeout: 10_000,
  headersTimeout: 10_000,
  keepAliveTimeout: 30_000,
  maxHeaderSize: 8192,
}

/**
 * Serves HTTP and HTTPS on one port: health checks of DNS providers need no certificate, other checkers want one. What
 * comes first tells which it is. Rejects with the error of `listen`.
 */
export async function serve({ host, port, routes, metrics, tls }: ServerOptions): Promise<CheckerServer> {
  const requests = metrics.counter('cinque_health_requests_total', 'Requests to the checker')
  const answer: RequestListener = (request, response) => {
    requests.value++
    response.setHeader('x-content-type-options', 'nosniff')
    response.setHeader('cache-control', 'no-store')
    for (const route of routes) if (route(request, response)) return
    response.writeHead(404, { 'content-type': 'text/plain' }).end('not found\n')
  }
  const plain = http.createServer(limits, answer)
  const secure = createHttps({ ...limits, ...tls, minVersion: 'TLSv1.2' }, answer)
  secure.on('tlsClientError', (_error, socket) => socket.destroy())
  const sockets = new Set<Socket>()
  const front = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    socket.on('error', () => socket.destroy())
    hand(socket, plain, secure)
  })
  front.maxConnections = maxConnections
  const dropped = metrics.counter('cinque_health_connections_dropped_total', 'Connections above the limit')
  front.on('drop', () => dropped.value++)
  await new Promise<void>((listening, failed) => {
    front.once('error', failed)
    front.listen(port, host, () => {
      front.off('error', failed)
      listening()
    })
  })
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${(front.address() as AddressInfo).port}`,
    close: () =>
      new Promise((closed) => {
        front.close(() => closed())
        for (const socket of sockets) socket.destroy()
      }),
  }
}

/** Gives a connection to one of the servers, by its first byte. */
function hand(socket: Socket, plain: Server, secure: Server): void {
  const limit = setTimeout(() => socket.destroy(), firstByteMs)
  socket.once('close', () => clearTimeout(limit))
  socket.once('readable', () => {
    clearTimeout(limit)
    const first = socket.read() as Buffer | null
    if (first === null) {
      socket.destroy()
      return
    }
    socket.unshift(first)
    const server = first[0] === handshake ? secure : plain
    server.emit('connection', socket)
  })
}
