import { expect } from 'chai'
import { connectLevel, decodeConnect } from '#broker/packets/index.ts'
import { bytes } from './hex.ts'
import { accepts, refuses } from './vectors.ts'

const properties = {}

describe('CONNECT', () => {
  accepts([
    [
      'an anonymous client',
      4,
      '10 [ "MQTT" 04 02 00 3c "c" ]',
      { version: 4, cleanStart: true, keepAlive: 60, clientId: 'c', properties },
    ],
    [
      'an empty client id with a session to keep: the broker decides',
      4,
      '10 [ "MQTT" 04 00 00 00 "" ]',
      { version: 4, cleanStart: false, keepAlive: 0, clientId: '', properties },
    ],
    [
      "the specification's example header with its payload (figure 3.6)",
      4,
      '10 [ "MQTT" 04 ce 00 0a "c" "will/topic" "gone" "user" "pass" ]',
      {
        version: 4,
        cleanStart: true,
        keepAlive: 10,
        clientId: 'c',
        will: {
          topic: 'will/topic',
          payload: Buffer.from('gone'),
          qos: 1,
          retain: false,
          properties,
        },
        username: 'user',
        password: Buffer.from('pass'),
        properties,
      },
    ],
    [
      "the specification's example header with its payload (figure 3-6)",
      5,
      '10 [ "MQTT" 05 ce 00 0a [ 11 00 00 00 0a ] "c" [ ] "will/topic" "gone" "user" "pass" ]',
      {
        version: 5,
        cleanStart: true,
        keepAlive: 10,
        clientId: 'c',
        will: {
          topic: 'will/topic',
          payload: Buffer.from('gone'),
          qos: 1,
          retain: false,
          properties,
        },
        username: 'user',
        password: Buffer.from('pass'),
        properties: { sessionExpiryInterval: 10 },
      },
    ],
    [
      'a password without a user name',
      5,
      '10 [ "MQTT" 05 42 00 00 [ ] "c" "token" ]',
      {
        version: 5,
        cleanStart: true,
        keepAlive: 0,
        clientId: 'c',
        password: Buffer.from('token'),
        properties,
      },
    ],
    [
      'every property',
      5,
      `10 [ "MQTT" 05 02 ff ff
         [ 11 ff ff ff ff 15 "m" 16 "data" 17 00 19 01 21 00 01 22 ff ff 26 "k" "v" 26 "k" "v" 27 00 00 00 01 ] "c" ]`,
      {
        version: 5,
        cleanStart: true,
        keepAlive: 65535,
        clientId: 'c',
        properties: {
          sessionExpiryInterval: 4294967295,
          authenticationMethod: 'm',
          authenticationData: Buffer.from('data'),
          requestProblemInformation: false,
          requestResponseInformation: true,
          receiveMaximum: 1,
          topicAliasMaximum: 65535,
          userProperties: [
            ['k', 'v'],
            ['k', 'v'],
          ],
          maximumPacketSize: 1,
        },
      },
    ],
    [
      'every will property',
      5,
      `10 [ "MQTT" 05 36 00 00 [ ] "c"
         [ 01 01 02 00 00 00 05 03 "text" 08 "r" 09 "id" 18 00 00 00 07 26 "k" "v" ] "w" "" ]`,
      {
        version: 5,
        cleanStart: true,
        keepAlive: 0,
        clientId: 'c',
        will: {
          topic: 'w',
          payload: Buffer.alloc(0),
          qos: 2,
          retain: true,
          properties: {
            payloadFormatIndicator: 1,
            messageExpiryInterval: 5,
            contentType: 'text',
            responseTopic: 'r',
            correlationData: Buffer.from('id'),
            willDelayInterval: 7,
            userProperties: [['k', 'v']],
          },
        },
        properties,
      },
    ],
  ])

  refuses([
    ['flags in the fixed header', 4, '11 [ "MQTT" 04 02 00 3c "c" ]', 0x81, 'MQTT-2.1.3-1'],
    ['another protocol name', 4, '10 [ "MQTX" 04 02 00 3c "c" ]', 0x84, 'MQTT-3.1.2-1'],
    ['a protocol name in lower case', 5, '10 [ "mqtt" 05 02 00 3c [ ] "c" ]', 0x84, 'MQTT-3.1.2-1'],
    ['MQTT 3.1', 4, '10 [ "MQIsdp" 03 02 00 3c "c" ]', 0x84, 'MQTT-3.1.2-1'],
    ['level 3 under the new name', 4, '10 [ "MQTT" 03 02 00 3c "c" ]', 0x84, 'MQTT-3.1.2-2'],
    ['a level to come', 5, '10 [ "MQTT" 06 02 00 3c [ ] "c" ]', 0x84, 'MQTT-3.1.2-2'],
    ['a bridge bit in the level', 4, '10 [ "MQTT" 84 02 00 3c "c" ]', 0x84, 'MQTT-3.1.2-2'],
    ['the reserved flag', 4, '10 [ "MQTT" 04 03 00 3c "c" ]', 0x81, 'MQTT-3.1.2-3'],
    ['the reserved flag', 5, '10 [ "MQTT" 05 03 00 3c [ ] "c" ]', 0x81, 'MQTT-3.1.2-3'],
    ['a Will QoS without a will', 4, '10 [ "MQTT" 04 0a 00 3c "c" ]', 0x81, 'MQTT-3.1.2-13'],
    ['a Will QoS without a will', 5, '10 [ "MQTT" 05 12 00 3c [ ] "c" ]', 0x81, 'MQTT-3.1.2-11'],
    ['Will Retain without a will', 4, '10 [ "MQTT" 04 22 00 3c "c" ]', 0x81, 'MQTT-3.1.2-15'],
    ['Will Retain without a will', 5, '10 [ "MQTT" 05 22 00 3c [ ] "c" ]', 0x81, 'MQTT-3.1.2-13'],
    ['Will QoS 3', 4, '10 [ "MQTT" 04 1e 00 3c "c" "w" "" ]', 0x81, 'MQTT-3.1.2-14'],
    ['Will QoS 3', 5, '10 [ "MQTT" 05 1e 00 3c [ ] "c" [ ] "w" "" ]', 0x81, 'MQTT-3.1.2-12'],
    ['a password without a user name', 4, '10 [ "MQTT" 04 42 00 3c "c" "p" ]', 0x81, 'MQTT-3.1.2-22'],
    ['a missing client id', 4, '10 [ "MQTT" 04 02 00 3c ]', 0x81, 'MQTT-4.13.1-1'],
    ['a missing will', 4, '10 [ "MQTT" 04 06 00 3c "c" ]', 0x81, 'MQTT-4.13.1-1'],
    ['a missing user name', 4, '10 [ "MQTT" 04 82 00 3c "c" ]', 0x81, 'MQTT-4.13.1-1'],
    ['a missing password', 4, '10 [ "MQTT" 04 c2 00 3c "c" "u" ]', 0x81, 'MQTT-4.13.1-1'],
    ['an unannounced user name', 4, '10 [ "MQTT" 04 02 00 3c "c" "u" ]', 0x81, 'MQTT-3.1.3-1'],
    ['U+0000 in the client id', 4, '10 [ "MQTT" 04 02 00 3c 00 01 00 ]', 0x81, 'MQTT-1.5.4-2'],
    ['a surrogate in the user name', 4, '10 [ "MQTT" 04 82 00 3c "c" 00 03 ed a0 80 ]', 0x81, 'MQTT-1.5.4-1'],
    ['a wildcard in the will topic', 4, '10 [ "MQTT" 04 06 00 3c "c" "w/#" "" ]', 0x90, 'MQTT-4.7.0-1'],
    ['an empty will topic', 5, '10 [ "MQTT" 05 06 00 3c [ ] "c" [ ] "" "" ]', 0x90, 'MQTT-4.7.3-1'],
    ['no property length', 5, '10 [ "MQTT" 05 02 00 3c ]', 0x81, 'MQTT-4.13.1-1'],
    ['a will property in front', 5, '10 [ "MQTT" 05 02 00 3c [ 18 00 00 00 01 ] "c" ]', 0x81, '2.2.2.2'],
    [
      'a CONNECT property in the will',
      5,
      '10 [ "MQTT" 05 06 00 3c [ ] "c" [ 11 00 00 00 01 ] "w" "" ]',
      0x81,
      '2.2.2.2',
    ],
    ['a receive maximum of 0', 5, '10 [ "MQTT" 05 02 00 3c [ 21 00 00 ] "c" ]', 0x82, '3.1.2.11.3'],
    ['a packet size of 0', 5, '10 [ "MQTT" 05 02 00 3c [ 27 00 00 00 00 ] "c" ]', 0x82, '3.1.2.11.4'],
    ['request response 2', 5, '10 [ "MQTT" 05 02 00 3c [ 19 02 ] "c" ]', 0x82, '3.1.2.11.6'],
    ['request problem 2', 5, '10 [ "MQTT" 05 02 00 3c [ 17 02 ] "c" ]', 0x82, '3.1.2.11.7'],
    [
      'session expiry twice',
      5,
      '10 [ "MQTT" 05 02 00 3c [ 11 00 00 00 01 11 00 00 00 01 ] "c" ]',
      0x82,
      '3.1.2.11.2',
    ],
    [
      'authentication data without a method',
      5,
      '10 [ "MQTT" 05 02 00 3c [ 16 "x" ] "c" ]',
      0x82,
      '3.1.2.11.10',
    ],
  ])

  it('keeps password, will payload and authentication data when the socket chunk is used again', () => {
    const chunk = bytes('10 [ "MQTT" 05 c6 00 3c [ 15 "m" 16 "data" ] "c" [ ] "w" "will" "u" "pass" ]')
    const packet = decodeConnect(chunk, 2, chunk.length)
    chunk.fill(0xff)
    expect(packet.password?.toString()).to.equal('pass')
    expect(packet.will?.payload.toString()).to.equal('will')
    expect(packet.properties.authenticationData?.toString()).to.equal('data')
  })

  it('tells the level of a CONNECT that is refused, so that the answer is in its version', () => {
    const level = (packet: string) => {
      const body = bytes(packet)
      return connectLevel(body, 2, body.length)
    }
    expect(level('10 [ "MQTT" 05 03 00 3c [ ] "c" ]')).to.equal(5)
    expect(level('10 [ "MQTT" 04 03 00 3c "c" ]')).to.equal(4)
    expect(level('10 [ "MQTT" 07 ]')).to.equal(7)
    expect(level('10 [ "MQTT" ]')).to.equal(0)
    expect(level('10 [ "MQIsdp" 03 02 00 3c "c" ]')).to.equal(0)
    expect(level('10 [ ]')).to.equal(0)
  })
})
