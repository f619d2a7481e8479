import { expect } from 'chai'
import * as fc from 'fast-check'
import {
  decodeInfo,
  encodeInfo,
  EntryReader,
  entryOverhead,
  FrameHeader,
  HEADER_BYTES,
  KIND,
  readRanges,
  writeEntry,
} from '#platform/cluster/frame.ts'
import {
  birthOf,
  dcOf,
  incarnationBytes,
  incarnationHex,
  newIncarnation,
} from '#platform/cluster/incarnation.ts'

const A = newIncarnation(1_800_000_000_000 * 1024 + 5, 3, Buffer.from('abcdefg'))
const B = newIncarnation(1_800_000_000_000 * 1024 + 6, 4, Buffer.from('hijklmn'))

/** What processes of different versions say to each other: a change here cuts a cell in two while it is upgraded. */
describe('frames', () => {
  it('have the header that is written down', () => {
    const header = new FrameHeader()
    Object.assign(header, { kind: KIND.stream, from: 1, to: 2, number: 3, newest: 4, ack: 5 })
    Object.assign(header, { wall: 6, monotonic: 7, echo: 8, held: 9 })
    const frame = Buffer.alloc(HEADER_BYTES)
    header.write(frame, 0, A, B)
    expect(frame.toString('hex')).to.equal(
      `c15e0103${A.toString('hex')}${B.toString('hex')}0000000100000002` +
        '000000000003000000000004000000000005' +
        '000000000006401c0000000000004020000000000000' +
        '41100000',
    )
    const read = new FrameHeader()
    expect(read.read(frame)).to.equal(null)
    expect(read).to.deep.equal(header)
  })

  it('give back the entries that were put in', () => {
    const entry = fc.record({
      type: fc.integer({ min: 0, max: 0xffff }),
      length: fc.oneof(
        fc.constantFrom(0, 1, 127, 128, 129, 16_383, 16_384, 2_097_151, 2_097_152),
        fc.nat(1000),
      ),
    })
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 10 }), (entries) => {
        let size = HEADER_BYTES
        for (const { length } of entries) size += entryOverhead(length) + length
        const frame = Buffer.alloc(size)
        let at = HEADER_BYTES
        for (const { type, length } of entries) at = writeEntry(frame, at, type, length) + length
        expect(at).to.equal(size)
        const reader = new EntryReader()
        reader.open(frame, HEADER_BYTES)
        const seen: { type: number; length: number }[] = []
        while (reader.next()) seen.push({ type: reader.type, length: reader.end - reader.start })
        expect(reader.end).to.equal(size)
        expect(seen).to.deep.equal(entries)
      }),
      { numRuns: 50 },
    )
  })

  it('that are damaged are found out, and nothing outside them is read', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const frame = Buffer.from(bytes)
        const reader = new EntryReader()
        reader.open(frame, 0)
        let steps = 0
        while (reader.next()) {
          expect(reader.end).to.be.at.most(frame.length)
          expect(++steps).to.be.at.most(frame.length)
        }
        expect([-1, frame.length]).to.include(reader.end)
        const header = new FrameHeader()
        if (header.read(frame) === null) readRanges(frame, () => undefined)
        decodeInfo(frame)
      }),
    )
  })

  it('say who a member is, or nothing at all', () => {
    const info = {
      incarnation: A.toString('hex'),
      name: 'dc03-n1-broker1',
      dc: 'dc03',
      version: '1.2.3',
      protocol: 1,
    }
    const body = (value: unknown): Buffer =>
      Buffer.concat([Buffer.alloc(HEADER_BYTES), Buffer.from(JSON.stringify(value))])
    expect(decodeInfo(Buffer.concat([Buffer.alloc(HEADER_BYTES), encodeInfo(info)]))).to.deep.equal(info)
    // A later version may say more.
    expect(decodeInfo(body({ ...info, more: 1 }))).to.deep.equal(info)
    for (const wrong of [null, 1, {}, { ...info, incarnation: 'x' }, { ...info, protocol: '1' }])
      expect(decodeInfo(body(wrong))).to.equal(null)
  })
})

describe('incarnations', () => {
  it('say when and where a process began, and order by that', () => {
    expect(birthOf(A)).to.equal(1_800_000_000_000 * 1024 + 5)
    expect(dcOf(A)).to.equal(3)
    expect(A.toString('hex') < B.toString('hex')).to.equal(true)
    expect(newIncarnation(1, 1).equals(newIncarnation(1, 1))).to.equal(false)
    expect(() => newIncarnation(1, 256)).to.throw(RangeError, 'number of the DC')
  })

  it('turn from bytes to hex and back', () => {
    const hex = A.toString('hex')
    expect(incarnationHex(Buffer.concat([Buffer.from('xx'), A]), 2)).to.equal(hex)
    expect(incarnationBytes(hex).equals(A)).to.equal(true)
    expect(incarnationBytes(hex)).to.equal(incarnationBytes(hex))
    expect(() => incarnationBytes('abc')).to.throw(RangeError, '32 hexadecimal digits')
  })
})
