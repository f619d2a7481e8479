import type { Bus } from '#platform/cluster/bus.ts'
import type { VirtualTime, VirtualTimers } from '../../virtual-time.ts'

/** What may happen to a frame between two processes. Chances from 0 to 1, times in ms. */
export interface Weather {
  /** Fastest way, and up to how much longer. Frames between two processes keep their order ... */
  latency: number
  jitter: number
  loss: number
  duplication: number
  /** ... but these, which come up to `lateBy` later. */
  late: number
  lateBy: number
}

export const FAIR: Weather = { latency: 1, jitter: 1, loss: 0, duplication: 0, late: 0, lateBy: 0 }

/** A bus in virtual time that loses, repeats, delays and cuts, all by one random function. */
export class LossyNet {
  weather: Weather = FAIR
  /** Frames that were put on the bus. */
  frames = 0
  /** Sees each frame before it leaves; false: it is lost. */
  gate: (from: string, to: string, frame: Buffer) => boolean = () => true
  readonly time: VirtualTime
  readonly #random: () => number
  readonly #ends = new Map<string, LossyBus>()
  readonly #cuts = new Set<string>()
  /** When the last frame in order of each pair comes. */
  readonly #last = new Map<string, number>()

  constructor(time: VirtualTime, random: () => number) {
    this.time = time
    this.#random = random
  }

  open(address: string, timers: VirtualTimers, maxFrame = 1 << 20): LossyBus {
    const bus = new LossyBus(address, timers, maxFrame, this)
    this.#ends.set(address, bus)
    return bus
  }

  /** Nothing goes from one to the other any more; the way back is another one. */
  cut(from: string, to: string): void {
    this.#cuts.add(`${from}>${to}`)
  }

  heal(): void {
    this.#cuts.clear()
  }

  addresses(): string[] {
    return [...this.#ends.keys()]
  }

  post(from: string, to: string, bytes: Uint8Array): void {
    const end = this.#ends.get(to)
    if (end === undefined) return
    this.frames++
    const { weather } = this
    // A frame's bytes are the bus's from now on: a sender that changes them is found by what arrives.
    const frame = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    if (this.#cuts.has(`${from}>${to}`) || this.#random() < weather.loss || !this.gate(from, to, frame))
      return
    const copies = this.#random() < weather.duplication ? 2 : 1
    for (let i = 0; i < copies; i++) {
      const pair = `${from}>${to}`
      let at = this.time.now + weather.latency + this.#random() * weather.jitter
      if (this.#random() < weather.late) at += this.#random() * weather.lateBy
      else {
        at = Math.max(at, this.#last.get(pair) ?? 0)
        this.#last.set(pair, at)
      }
      end.timers.after(at - this.time.now, () => end.deliver(frame))
    }
  }
}

class LossyBus implements Bus {
  readonly address: string
  readonly timers: VirtualTimers
  readonly connected = true
  readonly maxFrame: number
  readonly #net: LossyNet
  #listener: ((frame: Buffer) => void) | null = null

  constructor(address: string, timers: VirtualTimers, maxFrame: number, net: LossyNet) {
    this.address = address
    this.timers = timers
    this.maxFrame = maxFrame
    this.#net = net
  }

  send(to: string, frame: Uint8Array): void {
    if (frame.length > this.maxFrame) throw new Error(`frame of ${frame.length} bytes`)
    if (this.timers.alive && to !== this.address) this.#net.post(this.address, to, frame)
  }

  broadcast(frame: Uint8Array): void {
    for (const to of this.#net.addresses()) this.send(to, frame)
  }

  receive(listener: (frame: Buffer) => void): void {
    this.#listener = listener
  }

  deliver(frame: Buffer): void {
    if (this.#listener === null) return
    // Valid during the call only.
    const copy = Buffer.from(frame)
    this.#listener(copy)
    copy.fill(0xdb)
  }

  close(): Promise<void> {
    this.#listener = null
    return Promise.resolve()
  }
}
