import { accepts, refuses } from './vectors.ts'

const properties = {}
const plain = { noLocal: false, retainAsPublished: false, retainHandling: 0 }

describe('SUBSCRIBE', () => {
  accepts([
    [
      "the specification's example (figures 3.21 and 3.23)",
      4,
      '82 [ 00 0a "a/b" 01 "c/d" 02 ]',
      {
        packetId: 10,
        subscriptions: [
          { filter: 'a/b', qos: 1, ...plain, options: 1 },
          { filter: 'c/d', qos: 2, ...plain, options: 2 },
        ],
        properties,
      },
    ],
    [
      "the specification's example (figures 3-19 and 3-22)",
      5,
      '82 [ 00 0a [ ] "a/b" 01 "c/d" 02 ]',
      {
        packetId: 10,
        subscriptions: [
          { filter: 'a/b', qos: 1, ...plain, options: 1 },
          { filter: 'c/d', qos: 2, ...plain, options: 2 },
        ],
        properties,
      },
    ],
    [
      'every option and property',
      5,
      '82 [ 00 01 [ 0b ff ff ff 7f 26 "k" "v" ] "a" 2e "$share/g/b" 18 ]',
      {
        packetId: 1,
        subscriptions: [
          { filter: 'a', qos: 2, noLocal: true, retainAsPublished: true, retainHandling: 2, options: 0x2e },
          {
            filter: '$share/g/b',
            qos: 0,
            noLocal: false,
            retainAsPublished: true,
            retainHandling: 1,
            options: 0x18,
          },
        ],
        properties: { subscriptionIdentifiers: [268_435_455], userProperties: [['k', 'v']] },
      },
    ],
    [
      'invalid filters, since each gets its own answer',
      5,
      '82 [ 00 01 [ ] "a#" 00 "" 00 "ok" 01 ]',
      {
        packetId: 1,
        subscriptions: [
          { filter: 'a#', qos: 0, ...plain, options: 0 },
          { filter: '', qos: 0, ...plain, options: 0 },
          { filter: 'ok', qos: 1, ...plain, options: 1 },
        ],
        properties,
      },
    ],
  ])

  refuses([
    ['wrong flags', 4, '80 [ 00 0a "a" 00 ]', 0x81, 'MQTT-3.8.1-1'],
    ['wrong flags', 5, '83 [ 00 0a [ ] "a" 00 ]', 0x81, 'MQTT-3.8.1-1'],
    ['packet id 0', 4, '82 [ 00 00 "a" 00 ]', 0x82, 'MQTT-2.2.1-3'],
    ['no filter', 4, '82 [ 00 0a ]', 0x82, 'MQTT-3.8.3-3'],
    ['no filter', 5, '82 [ 00 0a [ ] ]', 0x82, 'MQTT-3.8.3-2'],
    ['a filter without options', 4, '82 [ 00 0a "a" ]', 0x81, 'MQTT-4.13.1-1'],
    ['QoS 3', 4, '82 [ 00 0a "a" 03 ]', 0x81, 'MQTT-3.8.3-4'],
    ['the options of MQTT 5', 4, '82 [ 00 0a "a" 04 ]', 0x81, 'MQTT-3.8.3-4'],
    ['the highest reserved bit', 4, '82 [ 00 0a "a" 80 ]', 0x81, 'MQTT-3.8.3-4'],
    ['QoS 3', 5, '82 [ 00 0a [ ] "a" 03 ]', 0x82, '3.8.3.1'],
    ['retain handling 3', 5, '82 [ 00 0a [ ] "a" 30 ]', 0x82, '3.8.3.1'],
    ['reserved bit 6', 5, '82 [ 00 0a [ ] "a" 40 ]', 0x81, 'MQTT-3.8.3-5'],
    ['reserved bit 7', 5, '82 [ 00 0a [ ] "a" 80 ]', 0x81, 'MQTT-3.8.3-5'],
    ['No Local on a shared subscription', 5, '82 [ 00 0a [ ] "$share/g/a" 04 ]', 0x82, 'MQTT-3.8.3-4'],
    ['a filter that is not UTF-8', 5, '82 [ 00 0a [ ] 00 01 ff 00 ]', 0x81, 'MQTT-1.5.4-1'],
    ['U+0000 in a filter', 4, '82 [ 00 0a 00 01 00 00 ]', 0x81, 'MQTT-1.5.4-2'],
    ['subscription identifier 0', 5, '82 [ 00 0a [ 0b 00 ] "a" 00 ]', 0x82, '3.8.2.1.2'],
    ['two subscription identifiers', 5, '82 [ 00 0a [ 0b 01 0b 02 ] "a" 00 ]', 0x82, '3.8.2.1.2'],
    ['a property of its answer', 5, '82 [ 00 0a [ 1f "x" ] "a" 00 ]', 0x81, '2.2.2.2'],
  ])
})
