import { expect } from 'chai'
import {
  array,
  assert,
  boolean,
  constantFrom,
  double,
  integer,
  oneof,
  property,
  string,
  tuple,
} from 'fast-check'
import { Bucket } from '#platform/telemetry/rollups/bucket.ts'
import { pack, unpack } from '#platform/telemetry/rollups/packing.ts'
import { Sketch } from '#platform/telemetry/rollups/sketch.ts'

const width = 60_000
const start = 1_795_262_400_000

const number = oneof(
  double({ noNaN: true, noDefaultInfinity: true }),
  integer(),
  constantFrom(0, -0, 5e-324, 1.7976931348623157e308, -1.7976931348623157e308),
)
const value = oneof(
  { weight: 4, arbitrary: number },
  boolean(),
  string({ unit: 'grapheme', maxLength: 300 }),
  constantFrom({ a: [1, { b: null }] }, []),
)
const values = array(tuple(integer({ min: 0, max: 60 * width - 1 }), value), { maxLength: 80 })

function bucketsOf(
  all: readonly (readonly [number, number | boolean | string | object])[],
): Map<number, Bucket> {
  const buckets = new Map<number, Bucket>()
  for (const [offset, one] of all.toSorted(([a], [b]) => a - b)) {
    const place = Math.floor(offset / width)
    const bucket = buckets.get(place) ?? new Bucket(true)
    buckets.set(place, bucket)
    bucket.add(start + offset, one)
  }
  return buckets
}

describe('aggregates as bytes', () => {
  it('are read as they were written; only texts beyond 256 bytes are left to the values', () => {
    assert(
      property(values, boolean(), (all, sketched) => {
        const buckets = bucketsOf(all)
        const seen: number[] = []
        unpack(pack(buckets, start, width), start, width, sketched, (place, found) => {
          seen.push(place)
          const { sketch, first, last, ...rest } = found
          const {
            sketch: whole,
            first: firstThere,
            last: lastThere,
            ...expected
          } = buckets.get(place) ?? new Bucket(true)
          expect(rest).to.deep.equal(expected)
          for (const [edge, there] of [
            [first, firstThere],
            [last, lastThere],
          ]) {
            const text = typeof there.value === 'string' ? there.value : JSON.stringify(there.value)
            const isLong = typeof there.value !== 'number' && Buffer.byteLength(text) > 256
            expect(edge).to.deep.equal(isLong ? { ts: there.ts, value: undefined } : there)
          }
          if (sketched) expect(sketch).to.deep.equal(whole)
          else expect(sketch).to.equal(null)
        })
        expect(seen).to.deep.equal([...buckets.keys()].toSorted((a, b) => a - b))
      }),
    )
  })

  it('of a newer version, or cut off, are refused rather than misread', () => {
    const bytes = pack(
      bucketsOf([
        [0, 1.5],
        [1, 2],
        [2, 3],
      ]),
      start,
      width,
    )
    const read = (body: Uint8Array) => () => unpack(body, start, width, true, () => undefined)
    expect(read(Buffer.concat([Buffer.from([2]), bytes.subarray(1)]))).to.throw(RangeError, 'version 2')
    for (let length = 2; length < bytes.length - 1; length++)
      expect(read(bytes.subarray(0, length)), `${length}`).to.throw(RangeError)
  })
})

describe('quantile sketch', () => {
  it('is within 1 % of the true quantile, also merged of parts', () => {
    const moderate = oneof(double({ noNaN: true, min: -1e9, max: 1e9 }), integer({ min: -100, max: 100 }))
    assert(
      property(
        array(moderate, { minLength: 1, maxLength: 200 }),
        double({ noNaN: true, min: 0, max: 1 }),
        (all, q) => {
          const [whole, a, b] = [new Sketch(), new Sketch(), new Sketch()]
          for (const [at, one] of all.entries()) {
            whole.add(one)
            ;(at % 3 === 0 ? a : b).add(one)
          }
          a.merge(b)
          expect([...a.bins].toSorted(([x], [y]) => x - y)).to.deep.equal(
            [...whole.bins].toSorted(([x], [y]) => x - y),
          )
          const exact = all.toSorted((x, y) => x - y)[Math.max(1, Math.ceil(q * all.length)) - 1]
          expect(whole.quantile(q)).to.be.closeTo(exact, Math.abs(exact) * 0.0101 + 1e-11)
        },
      ),
    )
  })

  it('stays small whatever it is fed; what is vague then are the lowest values', () => {
    const sketch = new Sketch()
    for (let e = -300; e < 300; e += 0.01) sketch.add(10 ** e)
    expect(sketch.sorted()).to.have.length(512)
    const stored = new Sketch()
    for (const [bin, count] of sketch.sorted()) stored.bins.set(bin, count)
    stored.count = sketch.count
    const exact = 10 ** (-300 + 0.01 * Math.ceil(0.999 * sketch.count - 1))
    expect(stored.quantile(0.999)).to.be.closeTo(exact, exact * 0.03)
  })
})
