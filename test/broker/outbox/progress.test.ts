import { expect } from 'chai'
import * as fc from 'fast-check'
import { type Entry, WriterProgress } from '#broker/outbox/progress.ts'
import { includes, type Span, union } from '#broker/outbox/spans.ts'

const WRITER = Buffer.alloc(16)
const numbers = fc.uniqueArray(fc.integer({ min: 1, max: 60 }), { maxLength: 40 })

function spansOf(list: readonly number[]): Span[] {
  return union(
    [],
    list.map((n) => [n, n] as const),
    0,
  )
}

describe('spans of numbers', () => {
  it('hold what is put in, joined, in order, above the floor', () => {
    fc.assert(
      fc.property(numbers, numbers, fc.nat(60), (one, other, floor) => {
        const spans = union(spansOf(one), spansOf(other), floor)
        const held = new Set([...one, ...other].filter((n) => n > floor))
        for (let n = 0; n <= 62; n++) expect(includes(spans, n), String(n)).to.equal(held.has(n))
        for (const [i, [from, to]] of spans.entries()) {
          expect(from).to.be.at.most(to)
          if (i > 0) expect(from).to.be.greaterThan(spans[i - 1][1] + 1)
        }
      }),
    )
  })
})

const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('arrive' as const), skip: fc.constantFrom(0, 0, 1, 3) }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('send' as const) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('acknowledge' as const), which: fc.nat(1000) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('drop the oldest that waits' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('rewind' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('crash' as const) }) },
)

describe('how far a session has come with the rows of a writer', () => {
  it('what was settled never comes again, what was not comes again, over rewinds and crashes', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        let progress = new WriterProgress(WRITER)
        // Rows of this inbox, by number; other inboxes of the writer have the numbers between.
        const rows: number[] = []
        const settled = new Set<number>()
        let inFlight: Entry[] = []
        let waiting: Entry[] = []
        let newest = 0
        // A reader takes, in order, the rows beyond the cursor that are not known.
        const read = (): void => {
          for (const seq of rows)
            if (seq > progress.cursor && !progress.knows(seq))
              waiting.push(progress.take(seq, 1, Buffer.of(1)))
        }
        const settle = (entry: Entry | undefined): void => {
          if (entry === undefined) return
          progress.settle(entry)
          settled.add(entry.seq)
        }
        for (const s of steps) {
          if (s.kind === 'arrive') {
            newest += 1 + s.skip
            rows.push(newest)
            read()
          } else if (s.kind === 'send') inFlight.push(...waiting.splice(0, 1))
          else if (s.kind === 'acknowledge') settle(inFlight.splice(s.which % (inFlight.length || 1), 1)[0])
          else if (s.kind === 'drop the oldest that waits') settle(waiting.shift())
          else if (s.kind === 'rewind') {
            progress.rewind(new Set(inFlight))
            waiting = []
          } else {
            const above = JSON.parse(JSON.stringify(progress.settledAbove())) as Span[]
            progress = new WriterProgress(WRITER, progress.floor, above, progress.day)
            waiting = []
            inFlight = []
          }
          const here = [...inFlight, ...waiting].map((entry) => entry.seq)
          for (const seq of rows) {
            if (settled.has(seq)) expect(here, `${seq} twice`).not.to.include(seq)
            else if (!here.includes(seq)) {
              expect(seq > progress.cursor && !progress.knows(seq), `${seq} lost`).to.equal(true)
            }
            // What lies at or below the floor is discarded from the store.
            if (seq <= progress.floor) expect(settled.has(seq), `${seq} discarded`).to.equal(true)
          }
        }
      }),
      { numRuns: 300 },
    )
  })

  it('costs nothing for what is settled around one row that never is', () => {
    const progress = new WriterProgress(WRITER)
    progress.take(1, 1, Buffer.of(1))
    for (let seq = 2; seq < 10_000; seq++) progress.settle(progress.take(seq, 1, Buffer.of(1)))
    expect(progress.floor).to.equal(0)
    expect(progress.settledAbove()).to.deep.equal([[2, 9999]])
  })
})
