import { accepts, refuses } from './vectors.ts'

const properties = {}

describe('UNSUBSCRIBE', () => {
  accepts([
    [
      "the specification's example (figure 3.30)",
      4,
      'a2 [ 00 0a "a/b" "c/d" ]',
      { packetId: 10, filters: ['a/b', 'c/d'], properties },
    ],
    [
      "the specification's example (figure 3-30)",
      5,
      'a2 [ 00 0a [ ] "a/b" "c/d" ]',
      { packetId: 10, filters: ['a/b', 'c/d'], properties },
    ],
    [
      'user properties and an invalid filter',
      5,
      'a2 [ 00 01 [ 26 "k" "v" ] "" ]',
      { packetId: 1, filters: [''], properties: { userProperties: [['k', 'v']] } },
    ],
  ])

  refuses([
    ['wrong flags', 4, 'a0 [ 00 0a "a" ]', 0x81, 'MQTT-3.10.1-1'],
    ['packet id 0', 4, 'a2 [ 00 00 "a" ]', 0x82, 'MQTT-2.2.1-3'],
    ['no filter', 4, 'a2 [ 00 0a ]', 0x82, 'MQTT-3.10.3-2'],
    ['no filter', 5, 'a2 [ 00 0a [ ] ]', 0x82, 'MQTT-3.10.3-2'],
    ['half a filter', 4, 'a2 [ 00 0a 00 03 61 ]', 0x81, 'MQTT-4.13.1-1'],
    ['a filter that is not UTF-8', 5, 'a2 [ 00 0a [ ] 00 02 c3 28 ]', 0x81, 'MQTT-1.5.4-1'],
    ['a subscription identifier', 5, 'a2 [ 00 0a [ 0b 01 ] "a" ]', 0x81, '2.2.2.2'],
  ])
})
