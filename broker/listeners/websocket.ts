import http from 'node:http'
import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { type ServerOptions, WebSocketServer } from 'ws'
import { WebSocketStream } from './websocket-stream.ts'

/** MQTT 5.0, section 6; [MQTT-6.0.0-3], [MQTT-6.0.0-4]. */
const SUBPROTOCOL = 'mqtt'
/** A client that does not answer our Close frame is cut off. */
const CLOSE_TIMEOUT_MS = 2000
/** A client may put the end of one packet and the beginning of others into one frame. */
const FRAME_ALLOWANCE = 65_536

/** Of `mqtt.maximum_packet_size`. */
const DEFAULT_MAX_PACKET_SIZE = 262_144

export interface UpgraderOptions {
  /** The only path that is accepted; null: all. */
  readonly path: string | null
  /** The largest MQTT packet, in bytes; a frame or message may be 64 KB longer (RFC 6455, 1009 beyond). */
  readonly maxPacketSize: number | undefined
  /** Hears of requests, and later frames, that end a connection. */
  readonly refused: (
    reason: 'websocket_upgrade' | 'websocket_frame',
    explanation: string,
    address: string,
  ) => void
}

/** Upgrades HTTP requests to MQTT. Origin is not looked at: MQTT's credentials are in CONNECT, not in cookies. */
export class Upgrader {
  readonly #options: UpgraderOptions
  readonly #server: WebSocketServer

  constructor(options: UpgraderOptions) {
    this.#options = options
    // @types/ws does not know closeTimeout yet
    const server: ServerOptions & { closeTimeout: number } = {
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: (options.maxPacketSize ?? DEFAULT_MAX_PACKET_SIZE) + FRAME_ALLOWANCE,
      closeTimeout: CLOSE_TIMEOUT_MS,
      handleProtocols: () => SUBPROTOCOL,
    }
    this.#server = new WebSocketServer(server)
  }

  /** Whether the request's path is the one. */
  serves(request: http.IncomingMessage): boolean {
    const { path } = this.#options
    return path === null || request.url?.split('?', 1)[0] === path
  }

  /** `address` is the client's own; `done` gets the stream of MQTT bytes, within this call or never. */
  upgrade(
    request: http.IncomingMessage,
    socket: Duplex,
    head: Buffer,
    address: string,
    done: (stream: Duplex) => void,
  ): void {
    const { path, refused } = this.#options
    if (!this.serves(request)) {
      refused('websocket_upgrade', `the path ${request.url} is not ${path}`, address)
      answer(socket, 404, `MQTT is at ${path}`)
      return
    }
    const offered = request.headers['sec-websocket-protocol'] ?? ''
    if (!offered.split(',').some((one) => one.trim() === SUBPROTOCOL)) {
      refused('websocket_upgrade', `the subprotocol ${SUBPROTOCOL} is not offered`, address)
      answer(socket, 400, `Offer the subprotocol ${SUBPROTOCOL} in Sec-WebSocket-Protocol`)
      return
    }
    let upgraded = false
    this.#server.handleUpgrade(request, socket, head, (webSocket) => {
      upgraded = true
      done(new WebSocketStream(webSocket, frameRefusal(refused, address)))
    })
    // ws has answered what is wrong
    if (!upgraded) refused('websocket_upgrade', 'not a WebSocket handshake of version 13', address)
  }
}

/** Apart from `upgrade`, or the closure would keep all of the handshake in memory with the stream. */
function frameRefusal(refused: UpgraderOptions['refused'], address: string): (why: string) => void {
  return (why) => refused('websocket_frame', why, address)
}

/**
 * An HTTP server that never listens: sockets go in by its 'connection' event, and all it does is upgrade them. Whoever
 * puts one in bounds its time, because the time-outs of http.Server begin with 'listening'.
 */
export function upgradeServer(
  upgrade: (request: http.IncomingMessage, socket: Duplex, head: Buffer) => void,
  refused: (explanation: string, socket: Socket) => void,
): http.Server {
  const server = http.createServer({ noDelay: true }, (request, response) => {
    refused('an HTTP request without upgrade', request.socket)
    response.writeHead(426, { Upgrade: 'websocket', Connection: 'close', 'Content-Type': 'text/plain' })
    response.end(`This is MQTT over WebSocket; connect with the subprotocol ${SUBPROTOCOL}.\n`)
  })
  server.on('upgrade', upgrade)
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (error.code === 'ECONNRESET' || !socket.writable || !(socket instanceof Socket)) socket.destroy()
    else {
      refused(`bad HTTP: ${error.message}`, socket)
      answer(socket, 400, 'Bad request')
    }
  })
  return server
}

function answer(socket: Duplex, status: number, text: string): void {
  // the client may have gone
  socket.on('error', () => socket.destroy())
  const body = `${text}\n`
  socket.end(
    `HTTP/1.1 ${status} ${http.STATUS_CODES[status]}\r\nConnection: close\r\nContent-Type: text/plain\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    () => socket.destroy(),
  )
}
