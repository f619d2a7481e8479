import { expect } from 'chai'
import { connackReturnCode, encodeConnack, ReasonCode } from '#broker/packets/index.ts'
import { accepts, refuses } from './vectors.ts'

const properties = {}

describe('CONNACK', () => {
  accepts([
    ['a new session', 4, '20 02 00 00', { sessionPresent: false, reason: 0, properties }],
    ['a resumed session', 4, '20 02 01 00', { sessionPresent: true, reason: 0, properties }],
    ['unacceptable protocol version', 4, '20 02 00 01', { sessionPresent: false, reason: 0x84, properties }],
    ['identifier rejected', 4, '20 02 00 02', { sessionPresent: false, reason: 0x85, properties }],
    ['server unavailable', 4, '20 02 00 03', { sessionPresent: false, reason: 0x88, properties }],
    ['bad user name or password', 4, '20 02 00 04', { sessionPresent: false, reason: 0x86, properties }],
    ['not authorized', 4, '20 02 00 05', { sessionPresent: false, reason: 0x87, properties }],
    ['a new session', 5, '20 [ 00 00 [ ] ]', { sessionPresent: false, reason: 0, properties }],
    ['a refusal', 5, '20 [ 00 8a [ ] ]', { sessionPresent: false, reason: 0x8a, properties }],
    [
      'every property',
      5,
      `20 [ 01 00 [ 11 00 00 00 0a 12 "id" 13 00 1e 15 "m" 16 "d" 1a "ri" 1c "sr" 1f "why" 21 00 14 22 00 05
         24 01 25 00 26 "k" "v" 27 00 01 00 00 28 01 29 00 2a 01 ] ]`,
      {
        sessionPresent: true,
        reason: 0,
        properties: {
          sessionExpiryInterval: 10,
          assignedClientIdentifier: 'id',
          serverKeepAlive: 30,
          authenticationMethod: 'm',
          authenticationData: Buffer.from('d'),
          responseInformation: 'ri',
          serverReference: 'sr',
          reasonString: 'why',
          receiveMaximum: 20,
          topicAliasMaximum: 5,
          maximumQos: 1,
          retainAvailable: false,
          userProperties: [['k', 'v']],
          maximumPacketSize: 65536,
          wildcardSubscriptionAvailable: true,
          subscriptionIdentifiersAvailable: false,
          sharedSubscriptionAvailable: true,
        },
      },
    ],
  ])

  refuses([
    ['reserved flags', 5, '20 [ 02 00 [ ] ]', 0x81, 'MQTT-3.2.2-1'],
    ['session present in a refusal', 5, '20 [ 01 87 [ ] ]', 0x82, 'MQTT-3.2.2-6'],
    ['session present in a refusal', 4, '20 02 01 05', 0x82, 'MQTT-3.2.2-6'],
    ['a return code to come', 4, '20 02 00 06', 0x82, 'MQTT-3.2.2-8'],
    ['a reason code of another packet', 5, '20 [ 00 8d [ ] ]', 0x82, 'MQTT-3.2.2-8'],
    ['a maximum QoS of 2', 5, '20 [ 00 00 [ 24 02 ] ]', 0x82, '3.2.2.3.4'],
    ['a property of CONNECT', 5, '20 [ 00 00 [ 17 01 ] ]', 0x81, '2.2.2.2'],
    ['a byte too many', 4, '20 03 00 00 00', 0x81, '3.2.3'],
  ])

  it('never says session present when it refuses [MQTT-3.2.2-6]', () => {
    const refusal = encodeConnack({ sessionPresent: true, reason: ReasonCode.NotAuthorized, properties }, 5)
    expect(refusal.toString('hex')).to.equal('2003008700')
  })

  it('has a 3.1.1 return code for every reason code', () => {
    for (const reason of Object.values(ReasonCode).filter((code) => code >= 0x80)) {
      expect(connackReturnCode(reason), `0x${reason.toString(16)}`).to.be.within(1, 5)
    }
    expect(connackReturnCode(ReasonCode.Banned)).to.equal(5)
    expect(connackReturnCode(ReasonCode.ServerBusy)).to.equal(3)
    expect(connackReturnCode(ReasonCode.BadAuthenticationMethod)).to.equal(4)
  })
})
