import { accepts, refuses } from './vectors.ts'

describe('AUTH', () => {
  accepts([
    ['the short form of success', 5, 'f0 00', { reason: 0, properties: {} }],
    [
      'a step of an exchange, with every property',
      5,
      'f0 [ 18 [ 15 "SCRAM-SHA-256" 16 "data" 1f "go on" 26 "k" "v" ] ]',
      {
        reason: 0x18,
        properties: {
          authenticationMethod: 'SCRAM-SHA-256',
          authenticationData: Buffer.from('data'),
          reasonString: 'go on',
          userProperties: [['k', 'v']],
        },
      },
    ],
    [
      're-authentication',
      5,
      'f0 [ 19 [ 15 "m" ] ]',
      { reason: 0x19, properties: { authenticationMethod: 'm' } },
    ],
  ])

  refuses([
    ['flags', 5, 'f1 00', 0x81, 'MQTT-3.15.1-1'],
    ['a reason code of another packet', 5, 'f0 [ 87 [ 15 "m" ] ]', 0x82, 'MQTT-3.15.2-1'],
    ['a reason code without properties', 5, 'f0 01 18', 0x81, 'MQTT-4.13.1-1'],
    ['no method', 5, 'f0 [ 18 [ ] ]', 0x82, '3.15.2.2.2'],
    ['data without method', 5, 'f0 [ 18 [ 16 "x" ] ]', 0x82, '3.1.2.11.10'],
    ['two methods', 5, 'f0 [ 18 [ 15 "m" 15 "m" ] ]', 0x82, '3.1.2.11.9'],
    ['a byte behind the properties', 5, 'f0 [ 18 [ 15 "m" ] 00 ]', 0x81, '3.15.3'],
  ])
})
