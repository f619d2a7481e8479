import { accepts, acceptsOnly, refuses } from './vectors.ts'

const properties = {}

describe('DISCONNECT', () => {
  accepts([
    ['the two bytes of 3.1.1', 4, 'e0 00', { reason: 0, properties }],
    ['the short form of success', 5, 'e0 00', { reason: 0, properties }],
    ['a reason without properties', 5, 'e0 01 04', { reason: 4, properties }],
    [
      'every property',
      5,
      'e0 [ 9d [ 11 00 00 00 00 1c "host:1883" 1f "moved" 26 "k" "v" ] ]',
      {
        reason: 0x9d,
        properties: {
          sessionExpiryInterval: 0,
          serverReference: 'host:1883',
          reasonString: 'moved',
          userProperties: [['k', 'v']],
        },
      },
    ],
    [
      'success with a session expiry',
      5,
      'e0 [ 00 [ 11 00 00 00 0a ] ]',
      { reason: 0, properties: { sessionExpiryInterval: 10 } },
    ],
  ])

  acceptsOnly([['success written out', 5, 'e0 02 00 00', { reason: 0, properties }]])

  refuses([
    ['flags', 4, 'e1 00', 0x81, 'MQTT-3.14.1-1'],
    ['flags', 5, 'e2 00', 0x81, 'MQTT-3.14.1-1'],
    ['a reason code', 4, 'e0 01 00', 0x81, '3.14.3'],
    ['a reason code of another packet', 5, 'e0 01 11', 0x82, 'MQTT-3.14.2-1'],
    ['a reason code to come', 5, 'e0 01 ff', 0x82, 'MQTT-3.14.2-1'],
    ['a byte behind the properties', 5, 'e0 03 00 00 00', 0x81, '3.14.3'],
    ['two session expiries', 5, 'e0 [ 00 [ 11 00 00 00 00 11 00 00 00 00 ] ]', 0x82, '3.1.2.11.2'],
    ['a property of CONNECT', 5, 'e0 [ 00 [ 21 00 01 ] ]', 0x81, '2.2.2.2'],
  ])
})
