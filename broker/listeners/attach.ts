import type http from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'
import type { Logger } from '#platform/log.ts'
import { Metrics } from '#platform/metrics.ts'
import { Refusals } from '../refusals.ts'
import { peerAddress } from './tcp.ts'
import type { Accept } from './transport.ts'
import { Upgrader } from './websocket.ts'

export interface AttachOptions {
  readonly log: Logger
  readonly metrics?: Metrics
  /** The largest MQTT packet, in bytes; bounds a WebSocket frame. */
  readonly maxPacketSize?: number
}

/**
 * Serves MQTT over WebSocket on one path of an HTTP server that others own and whose time-outs bound the request:
 * `ws://host:8080/mqtt` beside the API. Upgrades of other paths are left to the server's other listeners, or answered
 * with 404 if there are none. Returns a function that takes it off again; open connections go on.
 */
export function attachWebSocket(
  server: http.Server,
  path: string,
  accept: Accept,
  options: AttachOptions,
): () => void {
  const refusals = new Refusals(options.metrics ?? new Metrics(), options.log)
  const upgrader = new Upgrader({
    path,
    maxPacketSize: options.maxPacketSize,
    refused: (reason, why, address) => refusals.refuse(reason, why, { path, address }),
  })
  const onUpgrade = (request: http.IncomingMessage, socket: Duplex, head: Buffer): void => {
    if (!upgrader.serves(request) && server.listenerCount('upgrade') > 1) return
    const address = peerAddress(request.socket)
    const port = request.socket.remotePort ?? 0
    const protocol = request.socket instanceof TLSSocket ? 'wss' : 'ws'
    upgrader.upgrade(request, socket, head, address, (stream) =>
      accept(
        stream,
        {
          remoteAddress: address,
          remotePort: port,
          listener: localUrl(protocol, request.socket, path),
          protocol,
        },
        null,
      ),
    )
  }
  server.on('upgrade', onUpgrade)
  return () => server.off('upgrade', onUpgrade)
}

function localUrl(protocol: string, socket: Socket, path: string): string {
  const host = socket.localAddress ?? ''
  return `${protocol}://${host.includes(':') ? `[${host}]` : host}:${socket.localPort}${path}`
}
