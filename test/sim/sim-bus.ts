import type { Bus } from '#platform/cluster/bus.ts'
import type { Life } from './life.ts'
import type { Net } from './net.ts'
import type { Random } from './random.ts'
import type { World } from './world.ts'

const MAX_FRAME = 1_048_576

/** What the bus does to frames, as chances of each. */
export interface BusFaults {
  /** Silently gone. */
  loss: number
  /** Comes seconds later, after newer ones. */
  late: number
}

/** The messaging of a cell: frames arrive once, in order between two addresses, unless it rains. */
export class SimNetwork {
  readonly world: World
  readonly net: Net
  readonly members = new Map<string, SimBus>()
  faults: BusFaults = { loss: 0, late: 0 }
  /** Frames and bytes handed over. */
  frames = 0
  bytes = 0
  readonly #random: Random

  constructor(world: World, net: Net) {
    this.world = world
    this.net = net
    this.#random = world.random.fork()
  }

  join(life: Life, dc: string, address: string): SimBus {
    const bus = new SimBus(this, life, dc, address)
    this.members.set(address, bus)
    return bus
  }

  carry(from: SimBus, to: SimBus, frame: Buffer): void {
    const random = this.#random
    const { loss, late } = this.faults
    const fate = random.fraction()
    if (fate < loss || this.net.cut(from.dc, to.dc)) return
    let at = this.world.now + this.net.latency(from.dc, to.dc)
    if (fate < loss + late) at += random.between(5, 4000)
    else {
      // In order, as on one connection.
      at = Math.max(at, from.arrives.get(to) ?? 0)
      from.arrives.set(to, at)
    }
    this.world.at(
      at,
      () => {
        if (this.net.cut(from.dc, to.dc)) return
        this.frames++
        this.bytes += frame.length
        to.take(frame)
      },
      to.life,
    )
  }
}

/** One process's end of it. */
export class SimBus implements Bus {
  readonly address: string
  readonly connected = true
  readonly maxFrame = MAX_FRAME
  readonly life: Life
  readonly dc: string
  /** When the last frame to another arrives. */
  readonly arrives = new Map<SimBus, number>()
  readonly #network: SimNetwork
  #listener: ((frame: Buffer) => void) | null = null
  #closed = false

  constructor(network: SimNetwork, life: Life, dc: string, address: string) {
    this.#network = network
    this.life = life
    this.dc = dc
    this.address = address
  }

  send(to: string, frame: Uint8Array): void {
    const peer = this.#network.members.get(to)
    if (this.#closed || peer === undefined || peer === this) return
    this.#network.carry(this, peer, Buffer.from(frame))
  }

  broadcast(frame: Uint8Array): void {
    if (this.#closed) return
    const copy = Buffer.from(frame)
    for (const peer of this.#network.members.values())
      if (peer !== this) this.#network.carry(this, peer, copy)
  }

  receive(listener: (frame: Buffer) => void): void {
    this.#listener = listener
  }

  take(frame: Buffer): void {
    if (this.#closed || this.#listener === null) return
    const lent = Buffer.from(frame)
    this.#listener(lent)
    // Valid during the call only.
    lent.fill(0xaa)
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#network.members.delete(this.address)
  }
}
