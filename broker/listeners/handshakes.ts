import type { Socket } from 'node:net'
import type { RefusalReason, Refusals } from '../refusals.ts'
import { peerAddress } from './tcp.ts'
import type { ConnectionInfo } from './transport.ts'

/** What a connection is busy with before its first MQTT byte. */
export type HandshakeStage = 'proxy' | 'tls' | 'websocket'

const TIMEOUT_REASON = {
  proxy: 'proxy_timeout',
  tls: 'tls_timeout',
  websocket: 'websocket_timeout',
} as const satisfies Record<HandshakeStage, RefusalReason>

const AWAITED = {
  proxy: 'no PROXY header',
  tls: 'no complete TLS handshake',
  websocket: 'no WebSocket upgrade',
} as const satisfies Record<HandshakeStage, string>

/**
 * Handshakes that one listener has under way at a time. Each holds up to 100 KB (TLS), and a core finishes 2,500 TLS
 * handshakes a second, so that more of them would only time out.
 */
const MAX_HANDSHAKES = 8192

/** A connection between accept and its first MQTT byte. */
export interface Handshake {
  stage: HandshakeStage
  /** The client's own, as soon as a PROXY header has named it. */
  address: string
  port: number
  certificate: NonNullable<ConnectionInfo['certificate']> | null
  /** Ends the handshake and leaves nothing of it on the socket. */
  readonly finish: () => void
}

/** The connections of one listener that do not carry MQTT yet: bounded in number and in time. */
export class Handshakes {
  /**
   * By the addresses of both ends. tls.Server and http.Server, which take a socket in by an event, give no public way
   * back from what they make of it to the socket itself; the addresses stay the same.
   */
  readonly #pending = new Map<string, { socket: Socket; handshake: Handshake }>()
  readonly #timeout: number
  readonly #max: number
  readonly #refusals: Refusals
  /** The listener's URL, for logs; with the real port as soon as that is known. */
  listener: string

  /** `timeout` in seconds, from accept to the end of the last stage. */
  constructor(timeout: number, refusals: Refusals, listener: string, max: number = MAX_HANDSHAKES) {
    this.#timeout = timeout * 1000
    this.#max = max
    this.#refusals = refusals
    this.listener = listener
  }

  /** Null: the peer has gone already, or there are too many; the socket is closed. */
  begin(socket: Socket, stage: HandshakeStage): Handshake | null {
    const address = peerAddress(socket)
    const key = pairKey(socket)
    if (address === '') {
      socket.destroy()
      return null
    }
    if (this.#pending.size >= this.#max) {
      socket.destroy()
      this.refuse('handshakes', `more than ${this.#max} handshakes at a time`, address)
      return null
    }
    const finish = (): void => {
      clearTimeout(timer)
      socket.removeListener('close', finish)
      socket.removeListener('error', ignore)
      if (this.#pending.get(key)?.handshake === handshake) this.#pending.delete(key)
    }
    const timer = setTimeout(() => {
      this.refuse(
        TIMEOUT_REASON[handshake.stage],
        `${AWAITED[handshake.stage]} within ${this.#timeout / 1000} s`,
        handshake.address,
      )
      socket.destroy()
    }, this.#timeout)
    const handshake: Handshake = { stage, address, port: socket.remotePort ?? 0, certificate: null, finish }
    // one that breaks off before it said anything is not worth a line: port scans, health checks
    socket.on('error', ignore)
    socket.on('close', finish)
    this.#pending.set(key, { socket, handshake })
    return handshake
  }

  /** The handshake below a TLS socket, or of a socket that asks for an upgrade; undefined: it is closed already. */
  find(socket: Socket): Handshake | undefined {
    return this.#pending.get(pairKey(socket))?.handshake
  }

  refuse(reason: RefusalReason, message: string, address: string): void {
    this.#refusals.refuse(reason, message, { listener: this.listener, address })
  }

  /** Closes all that are under way. */
  abort(): void {
    for (const { socket } of this.#pending.values()) socket.destroy()
  }
}

function pairKey(socket: Socket): string {
  return `${socket.remoteAddress} ${socket.remotePort} ${socket.localAddress} ${socket.localPort}`
}

function ignore(): void {}
