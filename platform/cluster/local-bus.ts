import type { Bus } from './bus.ts'

/** Largest frame: as on NATS, so that what works here works there. */
const MAX_FRAME = 1 << 20

type Listener = (frame: Buffer) => void

/**
 * The bus inside one process: every member that opened an address at the same hub. Frames are copied when they are
 * sent and delivered in the next turn of the event loop, in the order in which they were sent, to whoever has the
 * address then. What a listener throws is thrown again, as an uncaught exception, after the others have got theirs.
 */
export class LocalHub {
  readonly #members = new Map<string, LocalBus>()
  #waiting: { to: LocalBus; frame: Buffer }[] = []

  /** A member's end. @throws Error if the address is taken */
  open(address: string): Bus {
    if (this.#members.has(address)) throw new Error(`the bus address ${address} is taken`)
    const bus = new LocalBus(address, this)
    this.#members.set(address, bus)
    return bus
  }

  /** For its members only. */
  send(from: LocalBus, to: string, frame: Uint8Array): void {
    const member = this.#members.get(to)
    if (member !== undefined && member !== from) this.#post(member, frame)
  }

  /** For its members only. */
  broadcast(from: LocalBus, frame: Uint8Array): void {
    for (const member of this.#members.values()) if (member !== from) this.#post(member, frame)
  }

  /** For its members only: what was sent before still goes to the others. */
  leave(member: LocalBus): void {
    if (this.#members.get(member.address) === member) this.#members.delete(member.address)
  }

  #post(to: LocalBus, frame: Uint8Array): void {
    if (this.#waiting.length === 0) setImmediate(this.#deliver)
    this.#waiting.push({ to, frame: Buffer.from(frame) })
  }

  readonly #deliver = (): void => {
    const due = this.#waiting
    this.#waiting = []
    for (const { to, frame } of due) to.take(frame)
  }
}

class LocalBus implements Bus {
  readonly address: string
  readonly maxFrame = MAX_FRAME
  readonly #hub: LocalHub
  #listener: Listener | null = null
  #open = true

  constructor(address: string, hub: LocalHub) {
    this.address = address
    this.#hub = hub
  }

  get connected(): boolean {
    return this.#open
  }

  send(to: string, frame: Uint8Array): void {
    if (this.#open && frame.length <= MAX_FRAME) this.#hub.send(this, to, frame)
  }

  broadcast(frame: Uint8Array): void {
    if (this.#open && frame.length <= MAX_FRAME) this.#hub.broadcast(this, frame)
  }

  receive(listener: Listener): void {
    this.#listener = listener
  }

  take(frame: Buffer): void {
    if (!this.#open || this.#listener === null) return
    try {
      this.#listener(frame)
    } catch (error) {
      process.nextTick(() => {
        throw error
      })
    }
    // Whoever kept a part of it must notice here, not first on NATS, where the memory goes to the next frame.
    frame.fill(0xdb)
  }

  close(): Promise<void> {
    this.#open = false
    this.#hub.leave(this)
    return Promise.resolve()
  }
}
