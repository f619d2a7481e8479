import { expect } from 'chai'
import {
  decodeSubscribe,
  encodeAck,
  noProperties,
  PacketType,
  decodePublish,
  encodePublish,
} from '#broker/packets/index.ts'
import { bytes } from './hex.ts'
import { decodePacket } from './packet.ts'
import { errorOf, refuses } from './vectors.ts'

/** Table 2-4: where each property may stand. Will Properties are tested with CONNECT. */
const allowed: [id: number, value: string, types: number[]][] = [
  [0x01, '01', [3]],
  [0x02, '00 00 00 01', [3]],
  [0x03, '"x"', [3]],
  [0x08, '"x"', [3]],
  [0x09, '"x"', [3]],
  [0x0b, '01', [3, 8]],
  [0x11, '00 00 00 01', [1, 2, 14]],
  [0x12, '"x"', [2]],
  [0x13, '00 01', [2]],
  [0x15, '"x"', [1, 2, 15]],
  [0x16, '"x" 15 "m"', [1, 2, 15]],
  [0x17, '01', [1]],
  [0x18, '00 00 00 01', []],
  [0x19, '01', [1]],
  [0x1a, '"x"', [2]],
  [0x1c, '"x"', [2, 14]],
  [0x1f, '"x"', [2, 4, 5, 6, 7, 9, 11, 14, 15]],
  [0x21, '00 01', [1, 2]],
  [0x22, '00 01', [1, 2]],
  [0x23, '00 01', [3]],
  [0x24, '01', [2]],
  [0x25, '01', [2]],
  [0x26, '"k" "v"', [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 14, 15]],
  [0x27, '00 00 00 01', [1, 2]],
  [0x28, '01', [2]],
  [0x29, '01', [2]],
  [0x2a, '01', [2]],
]

/** A packet of each type that has properties, around them. */
const packets: Record<number, (properties: string) => string> = {
  1: (p) => `10 [ "MQTT" 05 02 00 3c [ ${p} ] "c" ]`,
  2: (p) => `20 [ 00 00 [ ${p} ] ]`,
  3: (p) => `30 [ "a" [ ${p} ] ]`,
  4: (p) => `40 [ 00 01 00 [ ${p} ] ]`,
  5: (p) => `50 [ 00 01 00 [ ${p} ] ]`,
  6: (p) => `62 [ 00 01 00 [ ${p} ] ]`,
  7: (p) => `70 [ 00 01 00 [ ${p} ] ]`,
  8: (p) => `82 [ 00 01 [ ${p} ] "a" 00 ]`,
  9: (p) => `90 [ 00 01 [ ${p} ] 00 ]`,
  10: (p) => `a2 [ 00 01 [ ${p} ] "a" ]`,
  11: (p) => `b0 [ 00 01 [ ${p} ] 00 ]`,
  14: (p) => `e0 [ 00 [ ${p} ] ]`,
  15: (p) => `f0 [ 18 [ ${p}${p.includes('15 ') ? '' : ' 15 "m"'} ] ]`,
}

const hex = (id: number) => id.toString(16).padStart(2, '0')

describe('properties', () => {
  for (const [type, packet] of Object.entries(packets)) {
    it(`allows packet type ${type} its own and no other (table 2-4)`, () => {
      for (const [id, value, types] of allowed) {
        const text = packet(`${hex(id)} ${value}`)
        if (types.includes(Number(type))) {
          expect(decodePacket(bytes(text), 5), text).to.not.equal(null)
        } else {
          const error = errorOf(() => decodePacket(bytes(text), 5))
          expect(error, text).to.include({ reason: 0x81, clause: '2.2.2.2' })
        }
      }
    })
  }

  it('refuses every identifier that is not defined', () => {
    const defined = new Set(allowed.map(([id]) => id))
    for (let id = 0; id < 256; id++) {
      if (defined.has(id)) continue
      const error = errorOf(() => decodePacket(bytes(`30 [ "a" [ ${hex(id)} 00 ] ]`), 5))
      expect(error, hex(id)).to.include({ reason: 0x81, clause: '2.2.2.2' })
    }
  })

  it('refuses a second value of all that are not lists', () => {
    for (const [id, value, types] of allowed) {
      if (id === 0x26 || id === 0x0b || types.length === 0) continue
      const one = `${hex(id)} ${value}`
      const error = errorOf(() => decodePacket(bytes(packets[types[0]](`${one} ${one}`)), 5))
      expect(error.reason, hex(id)).to.equal(0x82)
    }
  })

  refuses([
    ['a property length beyond the packet', 5, '30 [ "a" 05 01 00 ]', 0x81, '2.2.2.1'],
    ['a property length of five bytes', 5, '30 [ "a" ff ff ff ff 01 ]', 0x81, '1.5.5'],
    ['a property length with a needless byte', 5, '30 [ "a" 80 00 ]', 0x81, 'MQTT-1.5.5-1'],
    ['a value that reaches beyond the properties', 5, '30 [ "a" 02 02 00 00 00 00 ]', 0x81, 'MQTT-4.13.1-1'],
    ['a string that reaches beyond the properties', 5, '30 [ "a" 04 03 00 02 61 61 ]', 0x81, 'MQTT-4.13.1-1'],
    ['an identifier without value', 5, '30 [ "a" [ 01 ] ]', 0x81, 'MQTT-4.13.1-1'],
    ['half a user property', 5, '30 [ "a" [ 26 "k" ] ]', 0x81, 'MQTT-4.13.1-1'],
    ['U+0000 in the name of a user property', 5, '30 [ "a" [ 26 00 01 00 "v" ] ]', 0x81, 'MQTT-1.5.4-2'],
    ['a user property that is not UTF-8', 5, '30 [ "a" [ 26 "k" 00 01 ff ] ]', 0x81, 'MQTT-1.5.4-1'],
    ['an open subscription identifier', 5, '30 [ "a" [ 0b 80 ] ]', 0x81, 'MQTT-4.13.1-1'],
    ['a subscription identifier with a needless byte', 5, '30 [ "a" [ 0b 81 00 ] ]', 0x81, 'MQTT-1.5.5-1'],
  ])

  it('are one shared frozen object where there are none', () => {
    const packet = bytes('82 [ 00 01 [ ] "a" 00 ]')
    expect(decodeSubscribe(packet, 2, packet.length, 5).properties).to.equal(noProperties)
    expect(() => Object.assign(noProperties, { reasonString: 'x' })).to.throw(TypeError)
  })

  it('keep the order of user properties, names that repeat included [MQTT-3.3.2-18]', () => {
    const packet = bytes('30 [ "a" [ 26 "b" "1" 01 01 26 "a" "2" 26 "b" "3" ] ]')
    expect(decodePublish(0, packet, 2, packet.length, 5).properties.userProperties).to.deep.equal([
      ['b', '1'],
      ['a', '2'],
      ['b', '3'],
    ])
  })

  it('that the broker gets wrong are an error of the broker, not bytes for a client', () => {
    const encode = (properties: object) => () => encodeAck(PacketType.PUBACK, 1, 0, properties, 5)
    expect(encode({ reason: 'x' })).to.throw(TypeError, 'no such property: reason')
    expect(encode({ reasonString: 5 })).to.throw(TypeError, 'reasonString must be a string')
    expect(encode({ correlationData: 'x' })).to.throw(TypeError, 'correlationData must be bytes')
    expect(encode({ receiveMaximum: '5' })).to.throw(TypeError, 'receiveMaximum must be a number')
    expect(encode({ userProperties: [['a']] })).to.throw(TypeError, 'userProperties must be pairs')
    expect(encode({ reasonString: 'x'.repeat(65_536) })).to.throw(RangeError, 'exceeds 65535')
    expect(encode({ reasonString: undefined })().toString('hex')).to.equal('40020001')
  })

  it('are left out for a 3.1.1 client', () => {
    const packet = {
      topic: 'a',
      packetId: 0,
      qos: 0,
      retain: false,
      dup: false,
      payload: Buffer.from('x'),
      properties: { messageExpiryInterval: 5 },
    } as const
    expect(encodePublish(packet, 4).toString('hex')).to.equal('300400016178')
  })
})
