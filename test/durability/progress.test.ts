import { expect } from 'chai'
import * as fc from 'fast-check'
import { type Entry, WriterProgress } from '#broker/outbox/progress.ts'
import { includes, type Span } from '#broker/outbox/spans.ts'

const STORED = new Uint8Array(0)

type Step = { take: number } | { settle: number } | { rewind: number } | 'restart'

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ take: fc.integer({ min: 1, max: 300 }) }) },
  { weight: 8, arbitrary: fc.record({ settle: fc.nat(1000) }) },
  { weight: 1, arbitrary: fc.record({ rewind: fc.nat(20) }) },
  { weight: 1, arbitrary: fc.constant('restart' as const) },
)

/** One writer's rows (odd numbers: others went to other sessions) and what is really settled of them. */
class Model {
  progress = new WriterProgress(STORED)
  readonly settled = new Set<number>()
  inMemory: Entry[] = []
  newest = 1

  run(s: Step): void {
    if (s === 'restart') this.#restart()
    else if ('take' in s) this.#take(s.take)
    else if ('settle' in s) this.#settle(s.settle)
    else this.#rewind(s.rewind)
  }

  /** Reads on from the cursor, as a fetch does. */
  #take(count: number): void {
    for (let seq = 1, n = 0; n < count; seq += 2) {
      if (seq <= this.progress.cursor) continue
      n++
      this.newest = Math.max(this.newest, seq)
      if (!this.progress.knows(seq)) this.inMemory.push(this.progress.take(seq, 1, STORED))
    }
  }

  #settle(at: number): void {
    const entry = this.inMemory.splice(at % Math.max(1, this.inMemory.length), 1)[0]
    if (entry === undefined) return
    this.progress.settle(entry)
    this.settled.add(entry.seq)
  }

  /** The client goes; the first `flying` rows in memory are in flight. */
  #rewind(flying: number): void {
    this.inMemory = this.inMemory.slice(0, flying)
    this.progress.rewind(new Set(this.inMemory))
  }

  #restart(): void {
    const { floor, day } = this.progress
    this.progress = new WriterProgress(STORED, floor, this.progress.settledAbove(), day)
    this.inMemory = []
  }

  check(): void {
    const { floor } = this.progress
    const above = this.progress.settledAbove()
    const inMemory = new Set(this.inMemory.map(({ seq }) => seq))
    for (let seq = 1; seq <= this.newest; seq += 2) {
      const said = seq <= floor || includes(above, seq)
      expect(said, `row ${seq} is settled`).to.equal(this.settled.has(seq))
      expect(this.progress.knows(seq), `row ${seq} is known`).to.equal(said || inMemory.has(seq))
    }
    ascending(above, floor)
    expect(above.length).to.be.at.most(this.settled.size)
  }
}

function ascending(spans: readonly Span[], floor: number): void {
  let last = floor
  for (const [from, to] of spans) {
    expect(from).to.be.greaterThan(last)
    expect(to).to.be.at.least(from)
    last = to
  }
}

describe('the progress of a session with the rows of a writer', () => {
  it('never takes a row for settled that is not, nor forgets one that is, over disconnects and restarts', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const model = new Model()
        for (const s of steps) {
          model.run(s)
          model.check()
        }
      }),
    )
  })

  it('costs what waits, not what was settled behind one row that is never acknowledged', () => {
    const progress = new WriterProgress(STORED)
    progress.take(1, 1, STORED)
    for (let seq = 2; seq < 100_000; seq++) progress.settle(progress.take(seq, 1, STORED))
    expect(progress.floor).to.equal(0)
    expect(progress.settledAbove()).to.deep.equal([[2, 99_999]])
  })
})
