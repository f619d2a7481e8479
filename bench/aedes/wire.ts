import { once } from 'node:events'
import net from 'node:net'
import { generate, parser, type Packet } from 'mqtt-packet'

/** An MQTT connection without a client's manners: sends what it is told, reads or does not. */
export class Wire {
  readonly socket: net.Socket
  readonly #received: Packet[] = []
  readonly #wake: (() => void)[] = []
  #closed = false

  private constructor(socket: net.Socket, protocolVersion: 4 | 5) {
    this.socket = socket
    const parse = parser({ protocolVersion })
    parse.on('packet', (packet: Packet) => {
      this.#received.push(packet)
      this.#notify()
    })
    parse.on('error', () => socket.destroy())
    socket.on('data', (chunk) => parse.parse(chunk))
    socket.on('error', () => {})
    socket.on('close', () => {
      this.#closed = true
      this.#notify()
    })
  }

  /** A TCP connection on which CONNECT has been sent; what comes back is the caller's to read. */
  static async open(
    port: number,
    clientId: string,
    { version = 4, clean = true }: { version?: 4 | 5; clean?: boolean } = {},
  ): Promise<Wire> {
    const socket = net.connect({ port, host: '127.0.0.1' })
    await once(socket, 'connect')
    const wire = new Wire(socket, version)
    wire.send({ cmd: 'connect', protocolId: 'MQTT', protocolVersion: version, clientId, clean, keepalive: 0 })
    return wire
  }

  send(packet: Packet): void {
    this.socket.write(generate(packet))
  }

  /** QoS 0 without a packet id. */
  publish(topic: string, payload: string | Buffer, qos: 0 | 1 = 0): void {
    this.send({ cmd: 'publish', topic, payload, qos, messageId: 1, retain: false, dup: false })
  }

  subscribe(...filters: readonly { topic: string; qos: 0 | 1 }[]): void {
    this.send({ cmd: 'subscribe', messageId: 2, subscriptions: [...filters] })
  }

  /** The next packet of this kind, others are passed over; null when none comes in time or the connection ends. */
  async next<C extends Packet['cmd']>(cmd: C, ms = 3000): Promise<Extract<Packet, { cmd: C }> | null> {
    const is = (p: Packet): p is Extract<Packet, { cmd: C }> => p.cmd === cmd
    const end = Date.now() + ms
    for (;;) {
      const at = this.#received.findIndex(is)
      const found = this.#received[at]
      if (found !== undefined && is(found)) {
        this.#received.splice(0, at + 1)
        return found
      }
      const left = end - Date.now()
      if (this.#closed || left <= 0) return null
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left)
        this.#wake.push(() => {
          clearTimeout(timer)
          resolve()
        })
      })
    }
  }

  /** DISCONNECT, and the end of the connection. */
  async leave(): Promise<void> {
    if (this.#closed) return
    const closed = new Promise((resolve) => this.socket.once('close', resolve))
    this.socket.end(generate({ cmd: 'disconnect' }))
    this.socket.resume()
    await closed
  }

  #notify(): void {
    for (const wake of this.#wake.splice(0)) wake()
  }
}
