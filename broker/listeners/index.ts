import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Logger } from '#platform/log.ts'
import { Metrics } from '#platform/metrics.ts'
import type { BrokerConfig } from '../config.ts'
import { Refusals } from '../refusals.ts'
import { type ListenAddress, dialUrl, parseListenUrl } from './address.ts'
import { type Handshake, Handshakes } from './handshakes.ts'
import { readProxyHeader } from './proxy-protocol.ts'
import { openPort, peerAddress } from './tcp.ts'
import { TlsStage } from './tls.ts'
import type { Accept, CertificateTrust, ConnectionInfo, Listener } from './transport.ts'
import { Upgrader, upgradeServer } from './websocket.ts'

export { attachWebSocket } from './attach.ts'

export interface ListenerOptions {
  readonly tls?: BrokerConfig['tls']
  /** Absent: only the listener's own authorities count. */
  readonly trust?: CertificateTrust | undefined
  readonly accept: Accept
  readonly log: Logger
  /** Counts what is refused; without it the log alone tells. */
  readonly metrics?: Metrics
  /** Seconds from accept to the end of all handshakes below MQTT. */
  readonly connectTimeout: number
  /** The largest MQTT packet, in bytes; bounds a WebSocket frame. */
  readonly maxPacketSize?: number
  /** Connections that the kernel holds for a busy process. */
  readonly backlog?: number
}

/** A step between accept and MQTT; `head` was read from the socket already. */
type Stage = (socket: Socket, handshake: Handshake, head: Buffer | null) => void

/**
 * Opens `tcp://`, `tls://`, `ws://` or `wss://` host:port; with `?proxy=1` each connection begins with a PROXY header.
 * Rejects with an Error of one line that names the listener and the remedy.
 */
export async function openListener(url: string, options: ListenerOptions): Promise<Listener> {
  const address = parseListenUrl(url)
  const { accept, log } = options
  const refusals = new Refusals(options.metrics ?? new Metrics(), log)
  const handshakes = new Handshakes(options.connectTimeout, refusals, url)
  const { first, tls } = stages(address, options, handshakes, (stream, handshake, head) => {
    const { certificate } = handshake
    const info: ConnectionInfo = {
      remoteAddress: handshake.address,
      remotePort: handshake.port,
      listener: handshakes.listener,
      protocol: address.scheme,
      ...(certificate === null ? {} : { certificate }),
    }
    handshake.finish()
    accept(stream, info, head)
  })

  const proxied = (socket: Socket): void => {
    const handshake = handshakes.begin(socket, 'proxy')
    if (handshake !== null)
      readProxyHeader(socket, handshake, handshakes, (head) => first(socket, handshake, head))
  }
  const direct = (socket: Socket): void => {
    const handshake = handshakes.begin(socket, address.scheme === 'ws' ? 'websocket' : 'tls')
    if (handshake !== null) first(socket, handshake, null)
  }
  // plain TCP goes straight to the broker: what costs nothing here costs nothing for 100,000 idle devices
  const plain = (socket: Socket): void =>
    accept(
      socket,
      {
        remoteAddress: peerAddress(socket),
        remotePort: socket.remotePort ?? 0,
        listener: handshakes.listener,
        protocol: 'tcp',
      },
      null,
    )

  const port = await openPort(
    url,
    address,
    address.proxy ? proxied : address.scheme === 'tcp' ? plain : direct,
    (error) => refusals.refuse('accept', `cannot accept: ${error.message}`, { listener: url }),
    options.backlog,
  ).catch((error: unknown) => {
    tls?.close()
    throw error
  })
  handshakes.listener = dialUrl(address, port.number)
  tls?.watch()
  return {
    url: handshakes.listener,
    stopAccepting: () => port.stopAccepting(),
    close: async () => {
      tls?.close()
      handshakes.abort()
      await port.close()
    },
    ...(tls === null ? {} : { reload: () => tls.reload() }),
  }
}

/** The steps that the scheme asks for, from the plain socket to `done`. */
function stages(
  address: ListenAddress,
  options: ListenerOptions,
  handshakes: Handshakes,
  done: (stream: Duplex, handshake: Handshake, head: Buffer | null) => void,
): { first: Stage; tls: TlsStage | null } {
  if (address.scheme === 'tcp') return { first: done, tls: null }
  const webSocket =
    address.scheme === 'tls' ? null : webSocketStage(address.path, options.maxPacketSize, handshakes, done)
  if (address.scheme === 'ws' && webSocket !== null) return { first: webSocket, tls: null }
  const tls = new TlsStage(
    handshakes,
    options.tls,
    options.log,
    (socket, handshake) => (webSocket ?? done)(socket, handshake, null),
    options.trust,
  )
  return { first: (socket, handshake, head) => tls.handshake(socket, handshake, head), tls }
}

function webSocketStage(
  path: string | null,
  maxPacketSize: number | undefined,
  handshakes: Handshakes,
  done: (stream: Duplex, handshake: Handshake, head: null) => void,
): Stage {
  const upgrader = new Upgrader({
    path,
    maxPacketSize,
    refused: (reason, why, client) => handshakes.refuse(reason, why, client),
  })
  const server = upgradeServer(
    (request, socket, head) => {
      const handshake = handshakes.find(request.socket)
      if (handshake === undefined) socket.destroy()
      else
        upgrader.upgrade(request, socket, head, handshake.address, (stream) => done(stream, handshake, null))
    },
    (why, socket) =>
      handshakes.refuse('websocket_upgrade', why, handshakes.find(socket)?.address ?? 'unknown'),
  )
  return (socket, handshake, head) => {
    handshake.stage = 'websocket'
    if (head !== null) {
      socket.pause()
      socket.unshift(head)
    }
    server.emit('connection', socket)
    if (head !== null) socket.resume()
  }
}
