import { Duplex } from 'node:stream'
import { headerSize, decodeBody, type Packet } from '../broker/packets/packet.ts'
import { decodeRemainingLength, type ProtocolVersion } from '#broker/packets/index.ts'

/** The broker's end of a connection inside one process: what the test sends arrives in exactly these chunks. */
export class Wire extends Duplex {
  readonly #received: (chunk: Buffer) => void
  #stopped = false
  /** What the client has not read. */
  #waiting: (() => void) | null = null

  constructor(received: (chunk: Buffer) => void) {
    super({ allowHalfOpen: false })
    this.#received = received
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    const take = (): void => {
      this.#received(chunk)
      done()
    }
    if (this.#stopped) this.#waiting = take
    else take()
  }

  /** The client stops reading: what the broker writes from now on stays in the broker. */
  stopReading(): void {
    this.#stopped = true
  }

  readAgain(): void {
    this.#stopped = false
    const take = this.#waiting
    this.#waiting = null
    take?.()
  }
}

/** A client that behaves: sends whole packets and gives the ones it gets, in order. */
export class Client {
  readonly wire: Wire
  readonly #version: ProtocolVersion
  #rest = Buffer.alloc(0)
  #packets: Packet[] = []
  #wake: (() => void) | null = null

  constructor(version: ProtocolVersion) {
    this.#version = version
    this.wire = new Wire((chunk) => this.#take(chunk))
    this.wire.on('close', () => this.#wake?.())
  }

  send(packet: Buffer): void {
    this.wire.push(packet)
  }

  /** The next packet. Rejects if the broker closes the connection, or is silent for ten seconds. */
  async next(): Promise<Packet> {
    for (;;) {
      const packet = this.#packets.shift()
      if (packet !== undefined) return packet
      if (this.wire.destroyed) throw new Error('the broker closed the connection of a client that behaves')
      await this.#more()
    }
  }

  async #more(): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const timer = setTimeout(
      () => reject(new Error('the broker left a client that behaves without an answer')),
      10_000,
    )
    this.#wake = resolve
    await promise.finally(() => clearTimeout(timer))
    this.#wake = null
  }

  #take(chunk: Buffer): void {
    let data = Buffer.concat([this.#rest, chunk])
    while (data.length >= 2) {
      const length = decodeRemainingLength(data, 1, data.length)
      if (length === -1) break
      const from = headerSize(data)
      if (from + length > data.length) break
      this.#packets.push(decodeBody(data[0], data, from, from + length, this.#version))
      data = data.subarray(from + length)
    }
    this.#rest = data
    this.#wake?.()
  }
}
