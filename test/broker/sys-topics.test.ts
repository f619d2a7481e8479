import { expect } from 'chai'
import { sysMessages } from '#broker/sys-topics.ts'

describe('$SYS', () => {
  const stats = {
    version: '1.2.3',
    uptime: 61.9,
    clientsConnected: 3,
    clientsDisconnected: 4,
    clientsMaximum: 5,
    clientsExpired: 6,
    packetsReceived: 70,
    publishReceived: 7,
    publishSent: 8,
    publishDropped: 9,
    bytesReceived: 1000,
    bytesSent: 2000,
    storedCount: 10,
    retainedCount: 12,
    subscriptions: 13,
    sharedSubscriptions: 14,
  }

  it("has mosquitto's names and forms, so that dashboards made for it work", () => {
    expect(Object.fromEntries(sysMessages(stats))).to.deep.equal({
      '$SYS/broker/version': 'cinque version 1.2.3',
      '$SYS/broker/uptime': '61 seconds',
      '$SYS/broker/clients/total': '7',
      '$SYS/broker/clients/connected': '3',
      '$SYS/broker/clients/disconnected': '4',
      '$SYS/broker/clients/maximum': '5',
      '$SYS/broker/clients/expired': '6',
      '$SYS/broker/messages/received': '70',
      '$SYS/broker/messages/sent': '8',
      '$SYS/broker/messages/dropped': '9',
      '$SYS/broker/messages/stored': '10',
      '$SYS/broker/store/messages/count': '10',
      '$SYS/broker/publish/messages/received': '7',
      '$SYS/broker/publish/messages/sent': '8',
      '$SYS/broker/publish/messages/dropped': '9',
      '$SYS/broker/bytes/received': '1000',
      '$SYS/broker/bytes/sent': '2000',
      '$SYS/broker/retained messages/count': '12',
      '$SYS/broker/subscriptions/count': '13',
      '$SYS/broker/shared_subscriptions/count': '14',
    })
  })
})
