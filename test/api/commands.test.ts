import { expect } from 'chai'
import { startDeviceApi, type DeviceApi } from './device-fixture.ts'
import type { Answer } from './fixture.ts'

const requests = 'v1/devices/me/rpc/request/+'

describe('REST: commands', () => {
  let api: DeviceApi
  let count = 0
  beforeEach(async () => {
    api = await startDeviceApi()
  })
  afterEach(() => api.close())

  const fresh = (): string => `dev-${count++}`
  const send = (device: string, body: object = {}): Promise<Answer> =>
    api.ask('POST', `/v1/devices/${device}/commands`, { body: { name: 'blink', ...body } })
  const read = (device: string, id: string, query = ''): Promise<Answer> =>
    api.ask('GET', `/v1/devices/${device}/commands/${id}${query}`)
  const stateOf = async (device: string, id: string): Promise<string> => (await read(device, id)).body.state

  it('a device that is there does it, and who asked has its answer', async () => {
    const device = await api.connected(fresh())
    await device.subscribe(requests)
    const made = await send(device.id, { params: { n: 3 } })
    expect(made.status, made.text).to.equal(201)
    expect(made.headers.get('location')).to.equal(`/v1/devices/${device.id}/commands/${made.body.id}`)
    const { topic, text } = await device.next()
    expect(topic).to.equal(`v1/devices/me/rpc/request/${made.body.id}`)
    expect(JSON.parse(text)).to.deep.equal({ method: 'blink', params: { n: 3 } })
    await device.publish(`v1/devices/me/rpc/response/${made.body.id}`, { blinked: 3 })
    const { body } = await read(device.id, made.body.id)
    expect(body).to.deep.include({
      state: 'succeeded',
      result: { blinked: 3 },
      result_encoding: 'json',
      attempt: 1,
      ended_at: '2026-11-21T12:00:00.000Z',
    })
    expect(body.sent_at).to.be.a('string')
  })

  it('who waits for the end is told when it comes, not at the end of the wait', async () => {
    const device = await api.connected(fresh())
    await device.subscribe(requests)
    const { id } = (await send(device.id)).body
    const waiting = read(device.id, id, '?wait=60s')
    await device.next()
    await device.publish(`v1/devices/me/rpc/response/${id}`, 'done')
    const { body } = await waiting
    expect([body.state, body.result, body.result_encoding]).to.deep.equal(['succeeded', 'done', 'text'])
  })

  it('is not "delivered" while its device is away (TB#7123), and comes when the device does', async () => {
    const name = fresh()
    const made = await api.device(name)
    const { id } = (await send(name)).body
    expect(await stateOf(name, id)).to.equal('queued')
    const device = await api.connect(made)
    expect(await stateOf(name, id)).to.equal('queued')
    await device.subscribe(requests)
    const { topic } = await device.next()
    expect(topic).to.match(new RegExp(`${id}$`))
    const { body } = await read(name, id, '?wait=0')
    expect(body.state).to.be.oneOf(['sent', 'delivered'])
  })

  it('is delivered by the PUBACK of its device only, not by having been sent', async () => {
    const name = fresh()
    const made = await api.device(name)
    const silent = await api.connect(made, {
      customHandleAcks: () => undefined,
      protocolVersion: 5,
    })
    await silent.subscribe(requests)
    const { id } = (await send(name)).body
    await silent.client.listenerCount('message')
    while ((await stateOf(name, id)) === 'queued') await new Promise(setImmediate)
    expect(await stateOf(name, id)).to.equal('sent')
    await silent.cut()
    expect(await stateOf(name, id)).to.equal('sent')
    const device = await api.connect(made)
    await device.subscribe(requests)
    await device.next()
    while ((await stateOf(name, id)) === 'sent') await new Promise(setImmediate)
    expect(await stateOf(name, id)).to.equal('delivered')
  })
})
