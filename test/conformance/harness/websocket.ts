import { once } from 'node:events'
import { WebSocket } from 'ws'
import { ANSWER_MS } from './client.ts'
import { FrameSplitter } from './frames.ts'
import { alarm } from '../../patience.ts'

/** A WebSocket to the broker on which each message is sent as told. */
export class WebSocketPeer {
  readonly socket: WebSocket
  readonly #packets: Buffer[] = []
  readonly #splitter = new FrameSplitter()
  #closed = false
  #wake: (() => void) | undefined
  /** whether every message from the broker was binary */
  binary = true

  private constructor(socket: WebSocket) {
    this.socket = socket
    socket.on('message', (data: Buffer, isBinary) => {
      this.binary &&= isBinary
      this.#packets.push(...this.#splitter.push(data))
      this.#wake?.()
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      this.#closed = true
      this.#wake?.()
    })
  }

  /** Rejects if the broker refuses the upgrade. */
  static async open(address: URL, protocols: string[]): Promise<WebSocketPeer> {
    const socket = new WebSocket(address, protocols)
    const peer = new WebSocketPeer(socket)
    await once(socket, 'open')
    return peer
  }

  /** The next packet, or the end of the connection. */
  async next(deadline = ANSWER_MS): Promise<Buffer | 'closed'> {
    let over = false
    const off = alarm(deadline, () => {
      over = true
      this.#wake?.()
    })
    while (this.#packets.length === 0 && !this.#closed && !over) {
      await new Promise<void>((resolve) => (this.#wake = resolve))
    }
    off()
    const packet = this.#packets.shift()
    if (packet !== undefined) return packet
    if (this.#closed) return 'closed'
    throw new Error(`nothing came within ${deadline} ms`)
  }
}
