import { Duplex } from 'node:stream'
import type { RawData, WebSocket } from 'ws'

/** RFC 6455, section 7.4.1. */
const NORMAL = 1000
const UNSUPPORTED_DATA = 1003

/** Small writes that wait together go out as one frame; above this a copy costs more than a header. */
const JOIN_BELOW = 16_384

/**
 * MQTT's byte stream over a WebSocket. Packets need not begin or end with a frame [MQTT-6.0.0-2], so each message is
 * simply the next bytes. Back-pressure goes both ways: a reader that pauses stops the socket below, and
 * `writableLength` holds what the client has not taken.
 *
 * Made because ws's own createWebSocketStream answers text frames like binary ones, sends one frame per write, and ends
 * with an error when the client has closed before the last write.
 */
export class WebSocketStream extends Duplex {
  readonly #socket: WebSocket
  /** ws has begun to close and says why to the client; it must not be cut short. */
  #closing = false

  /** `refused` hears why a client's frame ended the connection. */
  constructor(socket: WebSocket, refused: (explanation: string) => void) {
    super({ allowHalfOpen: false })
    this.#socket = socket
    socket.on('message', (data, isBinary) => {
      if (this.destroyed || this.writableEnded) return
      if (!isBinary) {
        // [MQTT-6.0.0-1]
        refused('a text frame')
        this.#closing = true
        socket.close(UNSUPPORTED_DATA, 'MQTT needs binary frames')
        this.destroy()
      } else if (!this.push(bytes(data))) socket.pause()
    })
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code?.startsWith('WS_ERR_') === true) {
        refused(error.message)
        this.#closing = true
      }
      this.destroy(error)
    })
    socket.on('close', () => {
      this.push(null)
      // 'end' also where nobody reads, as net.Socket does
      this.read(0)
    })
  }

  override _read(): void {
    if (this.#socket.isPaused) this.#socket.resume()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    // the client closed while this waited: as with TCP, nobody is there to read it
    // of nothing only the callback matters, and all that came before is sent
    if (this.#socket.readyState !== this.#socket.OPEN || chunk.length === 0) done()
    else this.#send(chunk, done)
  }

  override _writev(chunks: { chunk: Buffer }[], done: (error?: Error | null) => void): void {
    const parts = chunks.map(({ chunk }) => chunk).filter((chunk) => chunk.length > 0)
    if (this.#socket.readyState !== this.#socket.OPEN || parts.length === 0) {
      done()
      return
    }
    const last = parts.length - 1
    if (parts.reduce((sum, part) => sum + part.length, 0) < JOIN_BELOW) {
      this.#send(Buffer.concat(parts), done)
      return
    }
    for (let i = 0; i < last; i++) this.#socket.send(parts[i])
    this.#send(parts[last], done)
  }

  /** Done at once where the kernel took all of it, so that `writableLength` is 0 then, as that of net.Socket. */
  #send(chunk: Buffer, done: (error?: Error | null) => void): void {
    let finished = false
    const finish = (error?: Error | null): void => {
      if (finished) return
      finished = true
      done(error)
    }
    this.#socket.send(chunk, finish)
    if (this.#socket.bufferedAmount === 0) finish()
  }

  override _final(done: (error?: Error | null) => void): void {
    if (this.#socket.readyState === this.#socket.CLOSED) {
      done()
      return
    }
    this.#socket.once('close', () => done())
    this.#socket.close(NORMAL)
    // a paused reader would not see the client's answer
    this.#socket.resume()
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (this.#socket.readyState === this.#socket.CLOSED) {
      done(error)
      return
    }
    this.#socket.once('close', () => done(error))
    if (!this.#closing) this.#socket.terminate()
    else this.#socket.resume()
  }
}

function bytes(data: RawData): Buffer {
  if (Buffer.isBuffer(data)) return data
  return Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data)
}
