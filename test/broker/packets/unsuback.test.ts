import { expect } from 'chai'
import { encodeUnsuback, noProperties } from '#broker/packets/index.ts'
import { accepts, refuses } from './vectors.ts'

const properties = {}

describe('UNSUBACK', () => {
  accepts([
    ['the packet id alone', 4, 'b0 02 00 0a', { packetId: 10, reasons: [], properties }],
    [
      'every reason code and property',
      5,
      'b0 [ 00 0a [ 1f "why" 26 "k" "v" ] 00 11 80 83 87 8f 91 ]',
      {
        packetId: 10,
        reasons: [0, 0x11, 0x80, 0x83, 0x87, 0x8f, 0x91],
        properties: { reasonString: 'why', userProperties: [['k', 'v']] },
      },
    ],
  ])

  refuses([
    ['packet id 0', 4, 'b0 02 00 00', 0x82, 'MQTT-2.2.1-3'],
    ['a reason code', 4, 'b0 03 00 0a 00', 0x81, '3.11.3'],
    ['no reason code', 5, 'b0 [ 00 0a [ ] ]', 0x82, '3.11.3'],
    ['a reason code of another packet', 5, 'b0 [ 00 0a [ ] 01 ]', 0x82, 'MQTT-3.11.3-2'],
  ])

  it('has no payload for a 3.1.1 client', () => {
    expect(encodeUnsuback(7, [0, 0x11], noProperties, 4).toString('hex')).to.equal('b0020007')
  })
})
