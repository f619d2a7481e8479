import { expect } from 'chai'
import { decodePublish, encodePublish, noProperties } from '#broker/packets/index.ts'
import { bytes } from './hex.ts'
import { accepts, refuses } from './vectors.ts'

const properties = {}
const base = { packetId: 0, qos: 0, retain: false, dup: false, properties }

describe('PUBLISH', () => {
  accepts([
    [
      "the specification's example (figure 3.11)",
      4,
      '32 [ "a/b" 00 0a ]',
      { ...base, topic: 'a/b', packetId: 10, qos: 1, payload: Buffer.alloc(0), payloadAt: 9 },
    ],
    [
      "the specification's example (figure 3-9)",
      5,
      '32 [ "a/b" 00 0a [ ] ]',
      { ...base, topic: 'a/b', packetId: 10, qos: 1, payload: Buffer.alloc(0), payloadAt: 10 },
    ],
    [
      'QoS 0: no packet id, the payload follows the topic',
      4,
      '30 [ "a/b" 00 0a \'hi\' ]',
      { ...base, topic: 'a/b', payload: bytes("00 0a 'hi'"), payloadAt: 7 },
    ],
    [
      'a retained message sent again',
      4,
      '3d [ "a" ff ff \'x\' ]',
      {
        ...base,
        topic: 'a',
        packetId: 65535,
        qos: 2,
        retain: true,
        dup: true,
        payload: Buffer.from('x'),
        payloadAt: 7,
      },
    ],
    [
      'a byte order mark, which is part of the topic [MQTT-1.5.4-3]',
      4,
      '30 [ 00 04 ef bb bf 61 ]',
      { ...base, topic: '\ufeffa', payload: Buffer.alloc(0), payloadAt: 8 },
    ],
    [
      'an alias in the place of the topic',
      5,
      '30 [ "" [ 23 00 01 ] \'x\' ]',
      {
        ...base,
        topic: '',
        payload: Buffer.from('x'),
        payloadAt: 8,
        properties: { topicAlias: 1 },
      },
    ],
    [
      'every property',
      5,
      `30 [ "a" [ 01 00 02 00 00 00 3c 03 "text/plain" 08 "r/t" 09 "id" 0b 01 0b 80 01 23 ff ff 26 "a" "1" 26 "a" "2" ]
         'x' ]`,
      {
        ...base,
        topic: 'a',
        payload: Buffer.from('x'),
        payloadAt: 59,
        properties: {
          payloadFormatIndicator: 0,
          messageExpiryInterval: 60,
          contentType: 'text/plain',
          responseTopic: 'r/t',
          correlationData: Buffer.from('id'),
          subscriptionIdentifiers: [1, 128],
          topicAlias: 65535,
          userProperties: [
            ['a', '1'],
            ['a', '2'],
          ],
        },
      },
    ],
  ])

  refuses([
    ['QoS 3', 4, '36 [ "a" 00 01 ]', 0x81, 'MQTT-3.3.1-4'],
    ['QoS 3', 5, '36 [ "a" 00 01 [ ] ]', 0x81, 'MQTT-3.3.1-4'],
    ['DUP at QoS 0', 4, '38 [ "a" ]', 0x81, 'MQTT-3.3.1-2'],
    ['packet id 0', 4, '32 [ "a" 00 00 ]', 0x82, 'MQTT-2.2.1-3'],
    ['packet id 0', 5, '34 [ "a" 00 00 [ ] ]', 0x82, 'MQTT-2.2.1-3'],
    ['a missing packet id', 4, '32 [ "a" 00 ]', 0x81, 'MQTT-4.13.1-1'],
    ['a body without topic', 4, '30 [ ]', 0x81, 'MQTT-4.13.1-1'],
    ['a topic longer than the packet', 4, '30 [ 00 05 61 ]', 0x81, 'MQTT-4.13.1-1'],
    ['+ in the topic', 4, '30 [ "a/+" ]', 0x90, 'MQTT-3.3.2-2'],
    ['# in the topic', 5, '30 [ "#" [ ] ]', 0x90, 'MQTT-3.3.2-2'],
    ['an empty topic', 4, '30 [ "" ]', 0x90, 'MQTT-4.7.3-1'],
    ['neither topic nor alias', 5, '30 [ "" [ ] ]', 0x82, '3.3.2.1'],
    ['U+0000 in the topic', 5, '30 [ 00 02 61 00 [ ] ]', 0x81, 'MQTT-1.5.4-2'],
    ['an overlong slash in the topic', 4, '30 [ 00 02 c0 af ]', 0x81, 'MQTT-1.5.4-1'],
    ['no property length', 5, '30 [ "a" ]', 0x81, 'MQTT-4.13.1-1'],
    ['topic alias 0', 5, '30 [ "a" [ 23 00 00 ] ]', 0x94, 'MQTT-3.3.2-8'],
    ['two topic aliases', 5, '30 [ "a" [ 23 00 01 23 00 01 ] ]', 0x82, 'MQTT-3.3.2-8'],
    ['payload format 2', 5, '30 [ "a" [ 01 02 ] ]', 0x82, '3.3.2.3.2'],
    ['two expiries', 5, '30 [ "a" [ 02 00 00 00 01 02 00 00 00 01 ] ]', 0x82, '3.3.2.3.3'],
    ['a wildcard in the response topic', 5, '30 [ "a" [ 08 "r/+" ] ]', 0x82, 'MQTT-3.3.2-14'],
    ['an empty response topic', 5, '30 [ "a" [ 08 "" ] ]', 0x82, 'MQTT-3.3.2-14'],
    ['subscription identifier 0', 5, '30 [ "a" [ 0b 00 ] ]', 0x82, '3.8.2.1.2'],
    ['a property of CONNECT', 5, '30 [ "a" [ 21 00 01 ] ]', 0x81, '2.2.2.2'],
  ])

  it('gives the payload as a view, so that a large message is not copied', () => {
    const packet = bytes('30 [ "a" \'payload\' ]')
    const { payload, payloadAt } = decodePublish(0, packet, 2, packet.length, 4)
    packet[payloadAt] = 0x50
    expect(payload.toString()).to.equal('Payload')
  })

  it('keeps correlation data when the socket chunk is used again', () => {
    const packet = bytes('30 [ "a" [ 09 "id" ] ]')
    const { properties: decoded } = decodePublish(0, packet, 2, packet.length, 5)
    packet.fill(0)
    expect(decoded.correlationData?.toString()).to.equal('id')
  })

  it('is never encoded with DUP at QoS 0 [MQTT-3.3.1-2]', () => {
    const packet = { ...base, qos: 0, topic: 'a', dup: true, payload: Buffer.alloc(0) } as const
    expect(encodePublish(packet, 4)[0]).to.equal(0x30)
  })

  it('is encoded with a remaining length of each size', () => {
    for (const [size, header] of [
      [124, '307f'],
      [125, '308001'],
      [16_380, '30ff7f'],
      [16_381, '30808001'],
      [2_097_148, '30ffff7f'],
      [2_097_149, '3080808001'],
    ] as const) {
      const packet = encodePublish(
        { ...base, qos: 0, topic: 'a', payload: Buffer.alloc(size), properties: noProperties },
        4,
      )
      expect(packet.subarray(0, header.length / 2).toString('hex')).to.equal(header)
      expect(packet.length).to.equal(header.length / 2 + 3 + size)
    }
  })
})
