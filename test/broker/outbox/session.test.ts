import { expect } from 'chai'
import * as fc from 'fast-check'
import { TestBroker } from '../harness.ts'
import { Publisher } from './publisher.ts'
import { Reader } from './reader.ts'

const DAY = 86_400_000
const RUNS = 250

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('publish' as const),
      qos: fc.constantFrom(1 as const, 2 as const),
      count: fc.constantFrom(1, 2, 5, 40),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant('read' as const), limit: fc.constantFrom(1, 3, 10, 1000) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('read and lose' as const), limit: fc.constantFrom(1, 3, 10) }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('connect' as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('vanish' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('crash' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('hold the disk' as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('release the disk' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.constantFrom(250, 1000, DAY) }),
  },
)
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

/** A publisher, a reader with a persistent session, and a broker that crashes. */
class Play {
  readonly publisher: Publisher
  #t!: TestBroker
  readonly #reader: Reader
  #diskHeld = false
  #days = 0

  constructor(receiveMaximum: number, keptPublisher: boolean) {
    this.#reader = new Reader('reader', receiveMaximum)
    this.publisher = new Publisher(keptPublisher)
  }

  async begin(): Promise<void> {
    await this.#start()
    const client = await this.#reader.connect(this.#t)
    await client.subscribe('q/+', { qos: 2 })
  }

  async #start(previous?: TestBroker): Promise<void> {
    const parts = previous === undefined ? {} : { store: previous.store, clock: previous.clock }
    this.#t = await TestBroker.start({}, parts)
    this.#diskHeld = false
    this.#reader.lost()
    await this.publisher.connect(this.#t)
  }

  async run(s: Step): Promise<void> {
    const reader = this.#reader
    switch (s.kind) {
      case 'publish':
        if (this.publisher.hasRoom(s.count)) for (let i = 0; i < s.count; i++) this.publisher.publish(s.qos)
        break
      case 'read':
        await reader.read(s.limit)
        break
      case 'read and lose':
        await reader.read(s.limit, false)
        break
      case 'connect':
        // a CONNECT would wait for the disk
        if (!this.#diskHeld) await reader.connect(this.#t)
        break
      case 'vanish':
        await reader.vanish()
        break
      case 'crash':
        this.#t.crash()
        await this.#start(this.#t)
        break
      case 'restart':
        this.#t.disk.release()
        await this.#t.stop()
        await this.#start(this.#t)
        break
      case 'hold the disk':
        this.#t.disk.hold()
        this.#diskHeld = true
        break
      case 'release the disk':
        this.#release()
        break
      case 'pass':
        // rows live for seven days
        if (s.ms === DAY && ++this.#days > 5) break
        this.#t.clock.advance(s.ms - 250)
        if (!this.#diskHeld) await this.#t.pass(250)
    }
    await this.#settle()
  }

  #release(): void {
    this.#t.disk.release()
    this.#diskHeld = false
  }

  /** Lets what can happen happen, and takes the publisher's acknowledgements. */
  async #settle(): Promise<void> {
    if (this.#diskHeld) for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve))
    else await this.#t.settled()
    await this.publisher.take()
  }

  /** The reader comes back and reads until there is nothing more. */
  async finish(): Promise<void> {
    this.#release()
    await this.#settle()
    const client = await this.#reader.connect(this.#t)
    if (!client.sessionPresent) throw new Error('the session is gone')
    for (let quiet = 0; quiet < 3; ) {
      await this.#settle()
      quiet = (await this.#reader.read(1000)) === 0 && this.publisher.idle ? quiet + 1 : 0
      await this.#t.pass(250)
    }
    await this.#t.stop()
  }

  numbers(qos: 1 | 2): number[] {
    return this.#reader.got.filter((m) => m.topic === `q/${qos}`).map((m) => Number(m.payload.toString()))
  }
}

function firstOf(numbers: readonly number[]): number[] {
  return [...new Set(numbers)]
}

const up = (a: number, b: number): number => a - b

describe('a persistent session through takeovers, lost connections, crashes and a slow disk', () => {
  for (const kept of [false, true]) {
    it(`gets every acknowledged message, QoS 2 exactly once, each topic in order; publisher ${kept ? 'with' : 'without'} a session`, async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.constantFrom(1, 2, 7, 1000),
          fc.array(step, { minLength: 5, maxLength: 40 }),
          async (receiveMaximum, steps) => {
            const play = new Play(receiveMaximum, kept)
            await play.begin()
            for (const s of steps) await play.run(s)
            await play.finish()
            const { sent, acknowledged, connectionOf } = play.publisher
            for (const qos of [1, 2] as const) {
              const got = play.numbers(qos)
              const missing = [...acknowledged[qos]].filter((n) => !got.includes(n))
              expect(missing, `QoS ${qos} acknowledged and lost`).to.deep.equal([])
              if (kept) expect(acknowledged[qos].size, 'all acknowledged').to.equal(sent[qos].length)
              expect(
                got.filter((n) => !sent[qos].includes(n)),
                'never sent',
              ).to.deep.equal([])
              for (const connection of new Set(connectionOf)) {
                const own = firstOf(got).filter((n) => connectionOf[n] === connection)
                expect(own, `QoS ${qos} in order`).to.deep.equal(own.toSorted(up))
              }
            }
            const twice = play.numbers(2).filter((n, i, all) => all.indexOf(n) !== i)
            expect(twice, 'QoS 2 twice').to.deep.equal([])
          },
        ),
        { numRuns: RUNS },
      )
    })
  }
})
