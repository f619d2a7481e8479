import { accepts, refuses } from './vectors.ts'

describe('PINGREQ and PINGRESP', () => {
  accepts([
    ['PINGREQ', 4, 'c0 00', null],
    ['PINGREQ', 5, 'c0 00', null],
    ['PINGRESP', 4, 'd0 00', null],
  ])

  refuses([
    ['PINGREQ with a body', 4, 'c0 01 00', 0x81, '3.12.3'],
    ['PINGREQ with flags', 5, 'c1 00', 0x81, 'MQTT-2.1.3-1'],
    ['PINGRESP with flags', 5, 'd8 00', 0x81, 'MQTT-2.1.3-1'],
  ])
})
