import { Duplex } from 'node:stream'
import type { ConnectionInfo } from '#broker/listeners/transport.ts'
import type { Life } from './life.ts'
import type { SimProcess } from './process.ts'
import type { World } from './world.ts'

const INFO: ConnectionInfo = {
  remoteAddress: '192.0.2.1',
  remotePort: 1,
  listener: 'sim',
  protocol: 'tcp',
}

/** The client's side of a line. */
export interface LineUser {
  received(line: Line, chunk: Buffer): void
  /** The other end has closed it, or its process has died. */
  closed(line: Line): void
}

/** The broker's end of a line. */
class Socket extends Duplex {
  readonly #line: Line

  constructor(line: Line) {
    super({ allowHalfOpen: false })
    this.#line = line
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#line.toClient(Buffer.from(chunk))
    done()
  }

  override _final(done: () => void): void {
    this.#line.brokerClosed()
    done()
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#line.brokerClosed()
    done(error)
  }
}

/** A TCP connection between a client and a process: bytes arrive in order, after a while. */
export class Line {
  readonly process: SimProcess
  readonly life: Life
  /** The client has not let go of it. */
  open = true
  readonly #world: World
  readonly #user: LineUser
  readonly #socket: Socket
  #downAt = 0
  #upAt = 0
  #ended = false

  /** The process must be up. */
  constructor(world: World, process: SimProcess, user: LineUser) {
    this.#world = world
    this.process = process
    this.life = process.life as Life
    this.#user = user
    this.#socket = new Socket(this)
    const { broker } = process
    this.#toBroker(() => broker?.accept(this.#socket, INFO, null))
  }

  send(packet: Buffer): void {
    if (!this.open) return
    this.#toBroker(() => {
      if (!this.#socket.destroyed && !this.#socket.readableEnded) this.#socket.push(packet)
    })
  }

  /** Closes it; what was sent before still arrives. */
  end(): void {
    if (!this.open) return
    this.open = false
    this.#toBroker(() => {
      if (!this.#socket.destroyed) this.#socket.push(null)
    })
  }

  /** Breaks it: the broker sees a reset. */
  reset(): void {
    if (!this.open) return
    this.open = false
    this.#toBroker(() => this.#socket.destroy())
  }

  /** The client loses its network: the broker hears nothing, neither now nor later. */
  vanish(): void {
    this.open = false
  }

  toClient(chunk: Buffer): void {
    this.#down(() => this.#user.received(this, chunk))
  }

  brokerClosed(): void {
    if (this.#ended) return
    this.#ended = true
    this.#down(() => this.#closed())
  }

  /** The process has died; the kernel of its host says so. */
  died(): void {
    this.brokerClosed()
  }

  #closed(): void {
    this.open = false
    this.#user.closed(this)
  }

  #down(then: () => void): void {
    this.#downAt = Math.max(this.#downAt, this.#world.now + this.#world.random.between(0.5, 8))
    this.#world.at(this.#downAt, () => {
      if (this.open) then()
    })
  }

  #toBroker(then: () => void): void {
    this.#upAt = Math.max(this.#upAt, this.#world.now + this.#world.random.between(0.5, 8))
    this.#world.at(this.#upAt, then, this.life)
  }
}
