import { expect } from 'chai'
import { encodeSuback, noProperties } from '#broker/packets/index.ts'
import { accepts, refuses } from './vectors.ts'

const properties = {}

describe('SUBACK', () => {
  accepts([
    [
      "the specification's example (figure 3.26)",
      4,
      '90 [ 00 0a 00 02 80 ]',
      { packetId: 10, reasons: [0, 2, 0x80], properties },
    ],
    [
      'every reason code and property',
      5,
      '90 [ ff ff [ 1f "why" 26 "k" "v" ] 00 01 02 80 83 87 8f 91 97 9e a1 a2 ]',
      {
        packetId: 65535,
        reasons: [0, 1, 2, 0x80, 0x83, 0x87, 0x8f, 0x91, 0x97, 0x9e, 0xa1, 0xa2],
        properties: { reasonString: 'why', userProperties: [['k', 'v']] },
      },
    ],
  ])

  refuses([
    ['packet id 0', 4, '90 [ 00 00 00 ]', 0x82, 'MQTT-2.2.1-3'],
    ['no answer', 4, '90 [ 00 0a ]', 0x82, 'MQTT-3.8.4-6'],
    ['a reason code of MQTT 5', 4, '90 [ 00 0a 87 ]', 0x82, 'MQTT-3.9.3-2'],
    ['a reason code of another packet', 5, '90 [ 00 0a [ ] 11 ]', 0x82, 'MQTT-3.9.3-2'],
    ['a property of the request', 5, '90 [ 00 0a [ 0b 01 ] 00 ]', 0x81, '2.2.2.2'],
  ])

  it('tells a 3.1.1 client every failure as 0x80, the only one it knows', () => {
    expect(encodeSuback(1, [1, 0x87, 0x8f], noProperties, 4).toString('hex')).to.equal('90050001018080')
  })
})
