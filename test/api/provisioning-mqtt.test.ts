import { expect } from 'chai'
import { topicTaps } from '#broker/topic-tap.ts'
import { type DeviceApi, startDeviceApi } from './device-fixture.ts'
import { expectProblem } from './fixture.ts'

const nonce = 'Nonce-of-a-device-0001'
const answer = `$cinque/provision/response/${nonce}`

describe('a device gets its key over MQTT', () => {
  let api: DeviceApi
  let key: string

  beforeEach(async () => {
    api = await startDeviceApi()
    const { body } = await api.ask('POST', '/v1/provisioning-keys', { body: { max_uses: 5 } })
    ;({ key } = body)
  })
  afterEach(() => api.close())

  for (const protocolVersion of [4, 5] as const) {
    it(`from the factory's key to its first value, MQTT ${protocolVersion === 4 ? '3.1.1' : '5.0'}`, async () => {
      const fresh = await api.connect({ name: '', key }, { protocolVersion, clientId: 'factory' })
      await fresh.subscribe(answer)
      const properties = protocolVersion === 5 ? { properties: { responseTopic: answer } } : {}
      const request = JSON.stringify({ name: 'meter-17', nonce })
      await fresh.client.publishAsync('$cinque/provision', request, { qos: 1, ...properties })
      const { topic, text } = await fresh.next()
      expect(topic).to.equal(answer)
      const got = JSON.parse(text)
      expect(got).to.include({ status: 'provisioned', name: 'meter-17', organisation: 'default', nonce })
      await fresh.end()
      const own = await api.connect({ name: 'meter-17', key: got.key }, { protocolVersion })
      await own.publish('v1/devices/me/telemetry', { temp: 1 })
      const { body } = await api.ask('GET', '/v1/devices/meter-17/latest')
      expect(body.items[0]).to.include({ key: 'temp', value: 1 })
    })
  }

  it('and hears nothing that is for others of its batch', async () => {
    const one = await api.connect({ name: '', key }, { clientId: 'one' })
    const spy = await api.connect({ name: '', key }, { clientId: 'spy' })
    for (const filter of ['$cinque/provision/response/+', '$cinque/#', '#', '$cinque/provision']) {
      const granted = await spy.client.subscribeAsync(filter, { qos: 1 }).catch(() => [{ qos: 128 }])
      expect(granted[0].qos, filter).to.equal(128)
    }
    const mine = '$cinque/provision/response/Nonce-of-a-spy-00000001'
    await spy.subscribe(mine)
    await one.subscribe(answer)
    await one.publish('$cinque/provision', { name: 'secret', nonce })
    expect(JSON.parse((await one.next()).text).status).to.equal('provisioned')
    await spy.publish('$cinque/provision', { name: 'spy', nonce: 'Nonce-of-a-spy-00000001' })
    expect((await spy.next()).topic, 'the first that it hears is its own').to.equal(mine)
  })

  it('nor is it shown to who watches topics', async () => {
    const seen: string[] = []
    api.platform.topics.open(topicTaps(api.broker))
    for (const topic of ['$cinque/provision/response/%2B', '$cinque/%23', '$cinque/provision', '$cinque'])
      expectProblem(await api.ask('GET', `/v1/live/messages?topic=${topic}`), 400, 'invalid_request')
    const stop = topicTaps(api.broker)('default', '#', ({ topic }) => seen.push(topic))
    const one = await api.connect({ name: '', key }, { clientId: 'one' })
    await one.subscribe(answer)
    await one.publish('$cinque/provision', { name: 'secret', nonce })
    expect(JSON.parse((await one.next()).text).status).to.equal('provisioned')
    stop()
    expect(seen).to.deep.equal([])
  })

  it('a revoked key of several closes its own connection only', async () => {
    const device = await api.connected('d')
    const { body: second } = await api.ask('POST', '/v1/devices/d/credentials', { body: { label: 'other' } })
    const other = await api.connect({ name: 'd', key: second.key }, { clientId: 'other' })
    const closed = new Promise<void>((gone) => other.client.once('close', () => gone()))
    const { registry } = api.platform
    registry.onRevoked(({ org, id, hash }) =>
      api.broker.kickDevice(org, id, hash === undefined ? undefined : Buffer.from(hash).toString('hex')),
    )
    await api.ask('DELETE', `/v1/devices/d/credentials/${second.id}`)
    await closed
    await device.publish('v1/devices/me/telemetry', { still: 1 })
    expect(device.client.connected).to.equal(true)
  })
})
