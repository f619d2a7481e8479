import { once } from 'node:events'
import net from 'node:net'
import type { Duplex } from 'node:stream'
import { generate, type IConnackPacket, type IConnectPacket, type Packet, parser } from 'mqtt-packet'

export interface ClientOptions {
  /** A port of this machine, or how to reach a broker in this process. */
  readonly port: number | (() => Duplex)
  readonly clientId: string
  readonly version?: 4 | 5
  /** Keep the session: clean start 0 and an expiry that no test outlives. Default true. */
  readonly persistent?: boolean
  readonly will?: IConnectPacket['will']
  /** Seconds, MQTT 5. */
  readonly expiry?: number
  readonly receiveMaximum?: number
  /** From the loss of a connection to the next try, milliseconds. Default: at once in this process, else 15. */
  readonly retryMs?: number
  readonly username?: string
  readonly password?: string
}

const RETRY_MS = 15

/**
 * A client over a plain socket that connects again whenever it loses its connection. What a session means is the
 * subclasses' business: what the specification asks of a client's memory is in them, and survives every connection.
 */
export abstract class Client {
  readonly id: string
  /** What must never happen, as text. */
  readonly violations: string[] = []
  connects = 0
  readonly #options: ClientOptions
  #socket: Duplex | null = null
  #open = false
  #wanted = false
  #timer: NodeJS.Timeout | null = null
  #waiting: (() => void)[] = []

  constructor(options: ClientOptions) {
    this.#options = options
    this.id = options.clientId
  }

  get version(): 4 | 5 {
    return this.#options.version ?? 5
  }

  /** CONNACK has come and the connection stands. */
  get connected(): boolean {
    return this.#open
  }

  /** Connects, and again after each loss, until `leave` or `vanish`. */
  join(): void {
    if (this.#wanted) return
    this.#wanted = true
    this.#dial()
  }

  /** Resolves when it is connected. */
  joined(): Promise<void> {
    this.join()
    if (this.#open) return Promise.resolve()
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  /** DISCONNECT, and no new connection. Resolves when the broker has closed the connection, too. */
  async leave(sessionExpiryInterval?: number): Promise<void> {
    this.#wanted = false
    if (this.#timer !== null) clearTimeout(this.#timer)
    const properties = sessionExpiryInterval === undefined ? {} : { properties: { sessionExpiryInterval } }
    if (this.#open)
      this.send({ cmd: 'disconnect', ...(this.version === 5 ? { reasonCode: 0, ...properties } : {}) })
    const socket = this.#socket
    this.#lost()
    if (socket === null) return
    socket.end()
    if (!socket.closed) await once(socket, 'close')
  }

  /** The connection breaks, and no new one comes. */
  vanish(): void {
    this.#wanted = false
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#socket?.destroy()
    this.#lost()
  }

  /** The connection breaks, and a new one comes. */
  stumble(): void {
    this.#socket?.destroy()
  }

  /** Connects anew, while the old connection still stands: the broker has to end it. */
  takeOver(): void {
    if (!this.#wanted) return
    this.#lost()
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#dial()
  }

  /** Stops reading from the socket. */
  pause(): void {
    this.#socket?.pause()
  }

  resume(): void {
    this.#socket?.resume()
  }

  protected abstract accepted(sessionPresent: boolean): void
  protected abstract received(packet: Packet): void
  /** The connection is gone. */
  protected dropped(): void {}

  protected send(packet: Packet): void {
    this.#socket?.write(generate(packet, { protocolVersion: this.version }))
  }

  #dial(): void {
    const { port, retryMs = typeof this.#options.port === 'number' ? RETRY_MS : 0 } = this.#options
    const socket = typeof port === 'number' ? net.connect({ port, host: '127.0.0.1', noDelay: true }) : port()
    this.#socket = socket
    const reader = parser({ protocolVersion: this.version })
    reader.on('packet', (packet) => {
      if (socket === this.#socket) this.#packet(packet)
    })
    reader.on('error', (error: Error) => {
      this.violations.push(`${this.id}: the broker sent what cannot be read: ${error.message}`)
      socket.destroy()
    })
    socket.write(generate(this.#connect(), { protocolVersion: this.version }))
    socket.on('data', (data: Buffer) => void reader.parse(data))
    socket.on('error', () => {})
    socket.on('close', () => {
      if (socket !== this.#socket) return
      this.#lost()
      if (this.#wanted) this.#timer = setTimeout(() => this.#dial(), retryMs)
    })
  }

  #connect(): IConnectPacket {
    const {
      clientId,
      persistent = true,
      will,
      expiry = persistent ? 3600 : 0,
      receiveMaximum,
      username,
      password,
    } = this.#options
    return {
      cmd: 'connect',
      protocolId: 'MQTT',
      protocolVersion: this.version,
      clientId,
      clean: !persistent,
      keepalive: 60,
      ...(username === undefined ? {} : { username }),
      ...(password === undefined ? {} : { password: Buffer.from(password) }),
      ...(will === undefined ? {} : { will }),
      ...(this.version === 5
        ? {
            properties: {
              sessionExpiryInterval: expiry,
              ...(receiveMaximum === undefined ? {} : { receiveMaximum }),
            },
          }
        : {}),
    }
  }

  #packet(packet: Packet): void {
    if (packet.cmd === 'connack') this.#connack(packet)
    else if (packet.cmd === 'disconnect') this.#socket?.destroy()
    else this.received(packet)
  }

  #connack(packet: IConnackPacket): void {
    const code = packet.reasonCode ?? packet.returnCode ?? 0
    if (code !== 0) {
      this.#socket?.destroy()
      return
    }
    this.#open = true
    this.connects++
    this.accepted(packet.sessionPresent)
    for (const resolve of this.#waiting.splice(0)) resolve()
  }

  #lost(): void {
    this.#socket = null
    if (!this.#open) return
    this.#open = false
    this.dropped()
  }
}
