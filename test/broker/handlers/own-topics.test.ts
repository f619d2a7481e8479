import { expect } from 'chai'
import { AclRules } from '#platform/auth/acl.ts'
import { defaultDeviceAcl } from '#platform/auth/device-acl.ts'
import type { Authenticator } from '#platform/auth/principal.ts'
import { TestBroker, type TestClient, texts } from '../harness.ts'

/** Devices `one` and `two` under the rules of devices; everybody else may do anything. */
const authenticator: Authenticator = {
  authenticate: ({ username = '', clientId }) => {
    const org = 'default'
    const isDevice = username === 'one' || username === 'two'
    const rules = isDevice ? defaultDeviceAcl : [{ effect: 'allow', access: 'all', filter: '#' } as const]
    const subject = { username, clientId, device: username, name: username, user: 'u' }
    const device = isDevice ? { org, id: username, name: username } : null
    return { org, username, device, acl: new AclRules(rules).for(subject), quota: {} }
  },
}

describe('v1/devices/me', () => {
  let t: TestBroker
  let one: TestClient
  let two: TestClient
  let app: TestClient

  beforeEach(async () => {
    t = await TestBroker.start({}, { authenticator })
    one = await t.connect('c1', { username: 'one' })
    two = await t.connect('c2', { username: 'two' })
    app = await t.connect('app', { username: 'app' })
  })

  afterEach(() => t.stop())

  it("is the device's own: the application sees it by the device's id, no other device sees it", async () => {
    await app.subscribe('v1/devices/+/telemetry')
    expect(await two.subscribe('v1/devices/me/#')).to.deep.equal([0])
    one.publish('v1/devices/me/telemetry', '1')
    await one.drain()
    expect((await app.messages()).map((m) => m.topic)).to.deep.equal(['v1/devices/one/telemetry'])
    expect(await two.messages()).to.deep.equal([])
  })

  it('v1/devices/me itself is no meeting point of devices either', async () => {
    await two.subscribe(['v1/devices/me', 'v1/devices/me/#'])
    one.publish('v1/devices/me', 'psst')
    await one.drain()
    expect(await two.messages()).to.deep.equal([])
    await one.subscribe('v1/devices/me')
    one.publish('v1/devices/me', 'to myself')
    expect((await one.messages()).map((m) => m.topic)).to.deep.equal(['v1/devices/me'])
  })

  it('a request to one device is told to it as its own, and to nobody else', async () => {
    for (const device of [one, two]) await device.subscribe('v1/devices/me/rpc/request/+', { qos: 1 })
    await app.publishAcknowledged('v1/devices/one/rpc/request/7', 'reboot')
    const [request] = await one.messages()
    expect([request.topic, request.payload.toString()]).to.deep.equal([
      'v1/devices/me/rpc/request/7',
      'reboot',
    ])
    expect(await two.messages()).to.deep.equal([])
  })

  for (const filter of [
    'v1/devices/two/#',
    'v1/devices/+/telemetry',
    'v1/+/me/telemetry',
    'v1/#',
    '#',
    '+/devices/two/telemetry',
    '+/+/+/+',
    '$share/g/v1/devices/two/#',
    '$share/g/#',
    '$SYS/#',
  ]) {
    it(`a device may not subscribe to ${filter}`, async () => {
      expect(await one.subscribe(filter, { qos: 1 })).to.deep.equal([0x87])
      two.publish('v1/devices/me/telemetry', 'private')
      await two.drain()
      expect(await one.messages()).to.deep.equal([])
    })
  }

  it('a device may not publish as another one, by topic, retained, or will', async () => {
    await app.subscribe('v1/devices/two/#')
    expect(await one.publishAcknowledged('v1/devices/two/telemetry', 'forged')).to.equal(0x87)
    expect(await one.publishAcknowledged('v1/devices/two/telemetry', 'forged', { retain: true })).to.equal(
      0x87,
    )
    const will = {
      topic: 'v1/devices/two/telemetry',
      payload: Buffer.from('forged'),
      qos: 0,
      retain: false,
      properties: {},
    } as const
    const forger = t.dial()
    forger.connect('c3', { username: 'one', will })
    expect((await forger.expect(2)).value.reason).to.equal(0x87)
    expect(await app.messages()).to.deep.equal([])
  })

  it('a will to v1/devices/me is routed by the id of its device', async () => {
    await app.subscribe('v1/devices/#')
    const will = {
      topic: 'v1/devices/me/attributes',
      payload: Buffer.from('gone'),
      qos: 0,
      retain: false,
      properties: {},
    } as const
    const dying = await t.connect('c4', { username: 'two', will })
    await dying.vanish()
    await t.settled()
    expect((await app.messages()).map((m) => m.topic)).to.deep.equal(['v1/devices/two/attributes'])
  })

  it('shared subscriptions of the same name are shared only by connections of the same device', async () => {
    const second = await t.connect('c5', { username: 'one' })
    for (const c of [one, second, two]) await c.subscribe('$share/g/v1/devices/me/rpc/request/+', { qos: 1 })
    for (let i = 0; i < 4; i++) await app.publishAcknowledged(`v1/devices/one/rpc/request/${i}`, String(i))
    const got = [...(await one.messages()), ...(await second.messages())]
    expect(texts(got).toSorted()).to.deep.equal(['0', '1', '2', '3'])
    expect(got.map((m) => m.topic).toSorted()[0]).to.equal('v1/devices/me/rpc/request/0')
    expect(await two.messages()).to.deep.equal([])
  })

  it('nobody but the broker publishes to $SYS', async () => {
    expect(await app.publishAcknowledged('$SYS/broker/version', 'evil', { retain: true })).to.equal(0x87)
    expect(t.broker.space('default').retained.get('$SYS/broker/version')).to.equal(null)
  })
})
