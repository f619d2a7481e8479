import { expect } from 'chai'
import * as fc from 'fast-check'
import { includes, type Span, union } from '#broker/outbox/spans.ts'
import { decodeState, encodeState, mergeStates, type SavedState } from '#broker/outbox/state.ts'

const writer = fc.constantFrom(1, 2, 3).map((n) => Buffer.alloc(16, n))
const seq = fc.integer({ min: 1, max: 50 })

const state: fc.Arbitrary<SavedState> = fc.record({
  writers: fc.uniqueArray(
    fc
      .record({ writer, floor: fc.nat(20), above: fc.array(seq, { maxLength: 8 }), day: fc.nat(30) })
      .map((w) => ({
        ...w,
        above: union(
          [],
          w.above.map((n): Span => [n, n]),
          w.floor,
        ),
      })),
    { selector: (w) => w.writer[0], maxLength: 3 },
  ),
  out: fc.array(
    fc.record({
      id: fc.integer({ min: 1, max: 65_535 }),
      writer,
      seq,
      day: fc.nat(30),
      state: fc.constantFrom(1, 2, 3),
    }),
    { maxLength: 5 },
  ),
  ids: fc.record({ last: fc.nat(65_535), doubtful: fc.nat(65_535) }),
  in: fc.array(
    fc.record({
      id: fc.integer({ min: 1, max: 65_535 }),
      seq,
      epoch: fc.maxSafeNat(),
      checksum: fc.integer({ min: 0, max: 0xffff_ffff }),
    }),
    { maxLength: 5 },
  ),
  streamSeq: fc.nat(1000),
})

function encode(s: SavedState): Buffer {
  return encodeState({ ...s, writers: s.writers.map((w) => ({ ...w, settledAbove: () => w.above })) })
}

const settled = (s: SavedState, name: number, n: number): boolean => {
  const w = s.writers.find((x) => x.writer[0] === name)
  return w !== undefined && (n <= w.floor || includes(w.above, n))
}

describe('the saved state of a session', () => {
  it('comes back as it was written', () => {
    fc.assert(
      fc.property(state, (s) => {
        expect(decodeState(encode(s))).to.deep.equal(s)
      }),
    )
  })

  it('of a newer version is refused, not misread', () => {
    expect(() => decodeState(Buffer.from('{"v":2}'))).to.throw('format 2')
  })

  it('of several holders together knows as settled what any of them knew, and identifiers of the newest', () => {
    fc.assert(
      fc.property(fc.array(state, { minLength: 1, maxLength: 4 }), (states) => {
        const merged = mergeStates(states)
        for (const name of [1, 2, 3]) {
          for (let n = 1; n <= 50; n++) {
            expect(settled(merged, name, n)).to.equal(states.some((s) => settled(s, name, n)))
          }
        }
        expect(merged.out).to.deep.equal(states.at(-1)?.out)
        expect(merged.ids).to.deep.equal(states.at(-1)?.ids)
        expect(merged.in).to.deep.equal(states.at(-1)?.in)
        expect(merged.streamSeq).to.equal(Math.max(...states.map((s) => s.streamSeq)))
      }),
    )
  })
})
