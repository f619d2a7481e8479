import { expect } from 'chai'
import {
  checkFlags,
  decodeRemainingLength,
  MAX_VARIABLE_BYTE_INTEGER,
  PacketType,
  remainingLengthBytes,
} from '#broker/packets/index.ts'
import { bytes } from './hex.ts'
import { errorOf } from './vectors.ts'

describe('fixed header', () => {
  it('reads the bounds of each size of a remaining length (table 1-1)', () => {
    for (const [text, length] of [
      ['00', 0],
      ['7f', 127],
      ['80 01', 128],
      ['ff 7f', 16_383],
      ['80 80 01', 16_384],
      ['ff ff 7f', 2_097_151],
      ['80 80 80 01', 2_097_152],
      ['ff ff ff 7f', MAX_VARIABLE_BYTE_INTEGER],
    ] as const) {
      const buf = bytes(text)
      expect(decodeRemainingLength(buf, 0, buf.length), text).to.equal(length)
      expect(remainingLengthBytes(length), text).to.equal(buf.length)
      for (let end = 0; end < buf.length; end++) {
        expect(decodeRemainingLength(buf, 0, end), `${text} up to ${end}`).to.equal(-1)
      }
    }
  })

  it('refuses a fifth byte as soon as the fourth announces it', () => {
    const error = errorOf(() => decodeRemainingLength(bytes('ff ff ff ff'), 0, 4))
    expect(error).to.include({ reason: 0x81, clause: '1.5.5' })
  })

  it('refuses more bytes than the value needs [MQTT-1.5.5-1]', () => {
    for (const text of ['80 00', 'ff 00', '80 80 00', '80 80 80 00']) {
      const buf = bytes(text)
      const error = errorOf(() => decodeRemainingLength(buf, 0, buf.length))
      expect(error, text).to.include({ reason: 0x81, clause: 'MQTT-1.5.5-1' })
    }
  })

  it('takes one flag value for each type but PUBLISH, and no type 0 [MQTT-2.1.3-1]', () => {
    const two: number[] = [PacketType.PUBREL, PacketType.SUBSCRIBE, PacketType.UNSUBSCRIBE]
    for (let type = 0; type < 16; type++) {
      for (let flags = 0; flags < 16; flags++) {
        const expected = two.includes(type) ? 2 : 0
        if (type !== 0 && (type === PacketType.PUBLISH || flags === expected)) checkFlags(type, flags)
        else expect(errorOf(() => checkFlags(type, flags)).reason, `${type} ${flags}`).to.equal(0x81)
      }
    }
  })
})
