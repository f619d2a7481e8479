import { expect } from 'chai'
import * as fc from 'fast-check'
import { isWellFormedUtf8, readString } from '#broker/packets/index.ts'
import { bytes } from './hex.ts'
import { errorOf } from './vectors.ts'

const read = (buf: Buffer) => readString(buf, 0, buf.length)
const wellFormed = (buf: Buffer) => isWellFormedUtf8(buf, 0, buf.length)

describe('strings', () => {
  it("reads the specification's example, A and a character of four bytes (figure 1-2)", () => {
    expect(read(bytes('41 f0 aa 9b 94'))).to.equal('A\u{2a6d4}')
  })

  it('keeps a byte order mark wherever it stands [MQTT-1.5.4-3]', () => {
    expect(read(bytes("ef bb bf 'a' ef bb bf"))).to.equal('\ufeffa\ufeff')
  })

  it('refuses what is not well-formed [MQTT-1.5.4-1]', () => {
    for (const text of [
      '80', // a continuation byte alone
      'c0 80', // overlong U+0000
      'c1 bf',
      'e0 9f bf', // overlong U+07FF
      'f0 8f bf bf', // overlong U+FFFF
      'ed a0 80', // U+D800
      'ed bf bf', // U+DFFF
      'f4 90 80 80', // U+110000
      'f5 80 80 80',
      'ff',
      "c3 '('", // a lead byte without its continuation
      'e2 82',
      "e2 82 '('",
      'f0 9f 98',
      "'ok' c3",
    ]) {
      const buf = bytes(text)
      expect(wellFormed(buf), text).to.equal(false)
      expect(errorOf(() => read(buf)).clause, text).to.equal('MQTT-1.5.4-1')
    }
  })

  it('takes the bounds of each length', () => {
    for (const code of [0x1, 0x7f, 0x80, 0x7ff, 0x800, 0xd7ff, 0xe000, 0xffff, 0x10000, 0x10ffff]) {
      const text = String.fromCodePoint(code)
      expect(wellFormed(Buffer.from(text)), code.toString(16)).to.equal(true)
      expect(read(Buffer.from(text))).to.equal(text)
    }
  })

  it('refuses U+0000 in strings only: a payload may hold it [MQTT-1.5.4-2]', () => {
    for (const text of ['00', "'a' 00", "c3 a9 00 'a'"]) {
      expect(wellFormed(bytes(text)), text).to.equal(true)
      expect(errorOf(() => read(bytes(text))).clause, text).to.equal('MQTT-1.5.4-2')
    }
  })

  it('agrees with a strict decoder on any bytes', () => {
    const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
    const lead = fc.constantFrom(0x41, 0x80, 0xbf, 0xc2, 0xe0, 0xed, 0xef, 0xf0, 0xf4, 0x8f, 0x90, 0x9f, 0xa0)
    const byte = fc.oneof(lead, fc.integer({ min: 1, max: 255 }))
    fc.assert(
      fc.property(fc.array(byte, { maxLength: 8 }), (list) => {
        const buf = Buffer.from(list)
        let expected: string | null
        try {
          expected = decoder.decode(buf)
        } catch {
          expected = null
        }
        expect(wellFormed(buf)).to.equal(expected !== null)
        if (expected !== null) expect(read(buf)).to.equal(expected)
      }),
      { numRuns: 5000 },
    )
  })
})
