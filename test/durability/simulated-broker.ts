import { type Duplex, duplexPair } from 'node:stream'
import { MemoryStore } from '#platform/store/memory.ts'
import { TestBroker, TestClock } from '../broker/harness.ts'
import type { Random } from '../fuzz/random.ts'
import { CrashingStore } from './crashing-store.ts'

const INFO = { remoteAddress: '127.0.0.1', remotePort: 1, listener: 'test', protocol: 'tcp' } as const

/** A broker in this process that crashes at any turn of the event loop and comes again on what was on its disk. */
export class SimulatedBroker {
  crashes = 0
  readonly #settings: Record<string, unknown>
  readonly #random: Random
  readonly #wires = new Set<Duplex>()
  #broker: TestBroker
  #store: CrashingStore

  private constructor(
    broker: TestBroker,
    store: CrashingStore,
    settings: Record<string, unknown>,
    random: Random,
  ) {
    this.#broker = broker
    this.#store = store
    this.#settings = settings
    this.#random = random
  }

  static async start(settings: Record<string, unknown>, random: Random): Promise<SimulatedBroker> {
    const clock = new TestClock()
    const store = new CrashingStore(new MemoryStore({ clock }), () => random.below(4))
    const broker = await TestBroker.start(settings, { store, clock })
    return new SimulatedBroker(broker, store, settings, random)
  }

  get broker(): TestBroker {
    return this.#broker
  }

  /** How a client reaches it. */
  readonly dial = (): Duplex => {
    const [near, far] = duplexPair({ allowHalfOpen: false })
    near.once('close', () => far.destroy())
    far.once('close', () => {
      near.destroy()
      this.#wires.delete(near)
    })
    this.#wires.add(near)
    this.#broker.broker.accept(far, INFO, null)
    return near
  }

  /** The disk is full, or has space again. */
  set full(full: boolean) {
    this.#store.failing = full
  }

  /** Lets `turns` of the event loop pass, and now and then a second of the broker's time. */
  async run(turns: number): Promise<void> {
    for (let i = 0; i < turns; i++) {
      await new Promise((resolve) => setImmediate(resolve))
      if (this.#random.oneIn(20)) this.#broker.tick()
    }
  }

  async crash(): Promise<void> {
    this.crashes++
    this.#store.crash()
    for (const wire of this.#wires) wire.destroy()
    this.#wires.clear()
    const { disk } = this.#store
    const { clock } = this.#broker
    this.#broker.abandon()
    clock.advance(1000)
    this.#store = new CrashingStore(disk, () => this.#random.below(4))
    this.#broker = await TestBroker.start(this.#settings, { store: this.#store, clock })
  }

  stop(): void {
    for (const wire of this.#wires) wire.destroy()
    this.#store.crash()
    this.#broker.abandon()
  }
}
