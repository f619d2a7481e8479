import { once } from 'node:events'
import { WebSocket } from 'ws'
import { FrameSplitter } from './frames.ts'

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
  async next(deadline = 5_000): Promise<Buffer | 'closed'> {
    const end = Date.now() + deadline
    while (this.#packets.length === 0 && !this.#closed && Date.now() < end) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, end - Date.now())
        this.#wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
    const packet = this.#packets.shift()
    if (packet !== undefined) return packet
    if (this.#closed) return 'closed'
    throw new Error(`nothing came within ${deadline} ms`)
  }
}
