import { accepts, acceptsOnly, refuses } from './vectors.ts'

const properties = {}
const plain = { packetId: 10, reason: 0, properties }

for (const [name, first, failure, clause] of [
  ['PUBACK', '40', '97', 'MQTT-3.4.2-1'],
  ['PUBREC', '50', '97', 'MQTT-3.5.2-1'],
  ['PUBREL', '62', '92', 'MQTT-3.6.2-1'],
  ['PUBCOMP', '70', '92', 'MQTT-3.7.2-1'],
] as const) {
  const reason = Number.parseInt(failure, 16)
  describe(name, () => {
    accepts([
      ['a packet id', 4, `${first} 02 00 0a`, plain],
      ['a packet id alone for success', 5, `${first} 02 00 0a`, plain],
      [
        'a reason without properties',
        5,
        `${first} 03 00 0a ${failure}`,
        { packetId: 10, reason, properties },
      ],
      [
        'properties',
        5,
        `${first} [ ff ff ${failure} [ 1f "why" 26 "k" "v" ] ]`,
        {
          packetId: 65535,
          reason,
          properties: { reasonString: 'why', userProperties: [['k', 'v']] },
        },
      ],
      [
        'success with a reason string',
        5,
        `${first} [ 00 01 00 [ 1f "ok" ] ]`,
        { packetId: 1, reason: 0, properties: { reasonString: 'ok' } },
      ],
    ])

    acceptsOnly([
      ['success written out', 5, `${first} 03 00 0a 00`, plain],
      ['success with an empty property list', 5, `${first} 04 00 0a 00 00`, plain],
    ])

    refuses([
      ['packet id 0', 4, `${first} 02 00 00`, 0x82, 'MQTT-2.2.1-3'],
      ['packet id 0', 5, `${first} 02 00 00`, 0x82, 'MQTT-2.2.1-3'],
      ['half a packet id', 4, `${first} 01 00`, 0x81, 'MQTT-4.13.1-1'],
      ['an empty body', 5, `${first} 00`, 0x81, 'MQTT-4.13.1-1'],
      ['a reason code', 4, `${first} 03 00 0a 00`, 0x81, '3.4.3'],
      ['a byte behind the properties', 5, `${first} 05 00 0a 00 00 00`, 0x81, '3.4.3'],
      ['a reason code of another packet', 5, `${first} 03 00 0a 8d`, 0x82, clause],
      ['two reason strings', 5, `${first} [ 00 0a 00 [ 1f "a" 1f "b" ] ]`, 0x82, '3.2.2.3.9'],
      ['a property of PUBLISH', 5, `${first} [ 00 0a 00 [ 01 00 ] ]`, 0x81, '2.2.2.2'],
      [
        'wrong flags',
        5,
        `${first === '62' ? '60' : `${first[0]}2`} 02 00 0a`,
        0x81,
        first === '62' ? 'MQTT-3.6.1-1' : 'MQTT-2.1.3-1',
      ],
    ])
  })
}
