import type { Letter } from '#platform/identity/letters.ts'
import { createLogger } from '#platform/log.ts'
import { Metrics } from '#platform/metrics.ts'
import { Outbox } from '#platform/outbox/outbox.ts'
import { openPlatform, type Platform } from '#platform/platform.ts'
import { MemoryStore } from '#platform/store/memory.ts'
import { TestClock } from '../store/contract.ts'

/** What a process does with a letter. */
export type Post = (letter: Letter) => Promise<void>

/** Processes of one platform, on one store. */
export class World {
  readonly clock: TestClock
  readonly store: MemoryStore
  readonly metrics = new Metrics()
  readonly #processes: Platform[] = []

  constructor(clock = new TestClock(), store = new MemoryStore({ clock })) {
    this.clock = clock
    this.store = store
  }

  get outbox(): Outbox {
    return new Outbox(this.store, this.clock)
  }

  /** Looks for letters when it is told to. */
  async process(mailer: Post | undefined, store = this.store): Promise<Platform> {
    const one = await openPlatform({
      store,
      clock: this.clock,
      metrics: this.metrics,
      log: createLogger({ level: 'silent' }),
      identity: { mailer, publicUrl: 'https://iot.example.com' },
    })
    this.#processes.push(one)
    return one
  }

  async close(): Promise<void> {
    await Promise.all(this.#processes.map((one) => one.close()))
    await this.store.close()
  }
}

/** Shows a letter once, as mail stores do that know its id. */
export class Mailbox {
  readonly letters = new Map<string, Letter>()
  /** How often something came. */
  deliveries = 0

  readonly take: Post = async (letter) => {
    this.deliveries++
    this.letters.set(letter.id ?? `none ${this.deliveries}`, letter)
  }
}
