import { expect } from 'chai'
import { Random } from '../fuzz/random.ts'
import type { Client } from './client.ts'
import { Publisher } from './publisher.ts'
import { seed } from './seed.ts'
import { SimulatedBroker } from './simulated-broker.ts'
import { Subscriber } from './subscriber.ts'

const ROUNDS = Number(process.env['CINQUE_STORMS'] ?? 8)
const STEPS = 60
const FILTERS = ['load/+']

/** Clients of one run, each of whom may be disturbed. */
class World {
  readonly publishers: Publisher[]
  readonly subscribers: Subscriber[]
  readonly broker: SimulatedBroker
  readonly #random: Random

  constructor(broker: SimulatedBroker, random: Random) {
    this.broker = broker
    this.#random = random
    const port = broker.dial
    this.publishers = [
      new Publisher({ port, clientId: 'p1', topic: 'load/p1', qos: [1] }),
      new Publisher({ port, clientId: 'p2', topic: 'load/p2', qos: [2] }),
      new Publisher({ port, clientId: 'p12', topic: 'load/p12', qos: [1, 2], version: 4, window: 5 }),
    ]
    this.subscribers = [
      new Subscriber({ port, clientId: 's2', filters: FILTERS, qos: 2 }),
      new Subscriber({ port, clientId: 's1', filters: FILTERS, qos: 1, version: 4 }),
      new Subscriber({ port, clientId: 'slow2', filters: FILTERS, qos: 2, lag: 3, receiveMaximum: 7 }),
      new Subscriber({ port, clientId: 'narrow2', filters: FILTERS, qos: 2, receiveMaximum: 1 }),
    ]
  }

  get clients(): Client[] {
    return [...this.publishers, ...this.subscribers]
  }

  async begin(): Promise<void> {
    await this.#until(this.subscribers.map((s) => s.ready()))
    for (const p of this.publishers) p.join()
  }

  /** Something happens to somebody. */
  async disturb(): Promise<void> {
    const client = this.#random.pick(this.clients)
    switch (this.#random.below(8)) {
      case 0:
        await this.broker.crash()
        break
      case 1:
        for (let i = 0; i < 5; i++) client.takeOver()
        break
      case 2:
        client.takeOver()
        break
      case 3:
        client.stumble()
        break
      case 4:
        client.vanish()
        break
      case 5:
        void client.leave()
        break
      case 6:
        this.broker.full = this.#random.oneIn(2)
        break
      default:
        for (const other of this.clients) other.join()
    }
  }

  /** Everybody comes back, and what is under way comes to its end. */
  async calm(): Promise<string[]> {
    this.broker.full = false
    for (const client of this.clients) client.join()
    await this.#until(this.publishers.map((p) => p.finish()))
    for (const s of this.subscribers) s.acknowledge()
    const received = (): number => this.subscribers.reduce((n, s) => n + s.count, 0)
    for (let before = -1; before < received() && this.missing.length > 0; ) {
      before = received()
      await this.broker.run(1000)
    }
    return this.missing
  }

  get missing(): string[] {
    return this.subscribers.flatMap((s) => this.publishers.flatMap((p) => s.missing(p)))
  }

  async #until(done: Promise<unknown>[]): Promise<void> {
    let over = false
    void Promise.all(done).then(() => (over = true))
    for (let turns = 0; turns < 20_000 && !over; turns += 10) await this.broker.run(10)
    if (!over) throw new Error(`seed ${seed}: ${this.publishers.map(({ state }) => state).join('; ')}`)
  }
}

describe(`storms of takeovers, crashes and full disks (seed ${seed})`, function () {
  this.timeout(120_000)

  for (const max_inflight of [3, 100]) {
    it(`lose nothing acknowledged, double nothing of QoS 2, keep the order: ${max_inflight} in flight`, async () => {
      let acknowledged = 0
      let crashes = 0
      for (let round = 0; round < ROUNDS; round++) {
        const random = new Random(seed + round)
        const settings = { mqtt: { max_inflight, max_queue_messages: 1_000_000 } }
        const broker = await SimulatedBroker.start(settings, random)
        const world = new World(broker, random)
        const where = `round ${round} of seed ${seed}`
        try {
          await world.begin()
          for (let step = 0; step < STEPS; step++) {
            await broker.run(random.below(60))
            await world.disturb()
          }
          const wrong = [...(await world.calm()), ...world.clients.flatMap((c) => c.violations)]
          expect(wrong, `${where}:\n${wrong.slice(0, 20).join('\n')}`).to.deep.equal([])
        } finally {
          for (const client of world.clients) client.vanish()
          broker.stop()
        }
        crashes += broker.crashes
        acknowledged += world.publishers.reduce(
          (n, p) => n + p.acknowledged[1].size + p.acknowledged[2].size,
          0,
        )
      }
      console.log(`      ${crashes} crashes, ${acknowledged} messages acknowledged`)
    })
  }
})
