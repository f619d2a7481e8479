import { expect } from 'chai'
import { type DeviceApi, startDeviceApi, type TestDevice } from './device-fixture.ts'
import { type Answer, expectProblem } from './fixture.ts'

const own = 'v1/devices/me/twin'

describe('REST: twins', () => {
  let api: DeviceApi
  let count = 0
  beforeEach(async () => {
    api = await startDeviceApi()
  })
  afterEach(() => api.close())

  const fresh = (): string => `dev-${count++}`
  const path = (device: string, name = 'default'): string => `/v1/devices/${device}/twins/${name}`
  const read = async (device: string, name?: string): Promise<Answer['body']> =>
    (await api.ask('GET', path(device, name))).body
  const wish = (device: string, desired: unknown, more: object = {}, name?: string): Promise<Answer> =>
    api.ask('PATCH', path(device, name), { body: { desired, ...more } })
  const told = async (device: TestDevice): Promise<{ topic: string; body: Record<string, unknown> }> => {
    const { topic, text } = await device.next()
    return { topic, body: JSON.parse(text) as Record<string, unknown> }
  }

  it('a device is told what it has to change, and nothing else; when it has reported it, all is in sync', async () => {
    const device = await api.connected(fresh())
    await device.publish('v1/devices/me/attributes', { interval: 10, mode: 'eco', fw: '1.2' })
    await device.subscribe(`${own}/+/delta`)
    const wished = await wish(device.id, { interval: 60, mode: 'eco' })
    expect(wished.status, wished.text).to.equal(200)
    expect(wished.body).to.deep.include({
      version: 1,
      delta: { interval: 60 },
      in_sync: false,
      desired: { interval: 60, mode: 'eco' },
      reported: { interval: 10, mode: 'eco', fw: '1.2' },
    })
    expect(await told(device)).to.deep.equal({
      topic: `${own}/default/delta`,
      body: { version: 1, delta: { interval: 60 } },
    })
    await device.publish(`${own}/default/update`, { reported: { interval: 60 } })
    expect(await read(device.id)).to.deep.include({ delta: {}, in_sync: true, version: 1 })
    // What changes nothing is told to nobody, and is no version.
    expect((await wish(device.id, { interval: 60 })).body.version).to.equal(1)
    await wish(device.id, { fw: '1.2' })
    await device.publish('v1/devices/me/attributes', { last: 1 })
    expect(device.waiting).to.equal(0)
  })

  it('one that was away has the difference when it comes, once, and only the newest', async () => {
    const clean = await api.device(fresh())
    await wish(clean.id, { a: 1 })
    await wish(clean.id, { b: 2 }, {}, 'other')
    const device = await api.connect(clean)
    await device.subscribe(`${own}/default/delta`)
    expect(await told(device)).to.deep.equal({
      topic: `${own}/default/delta`,
      body: { version: 1, delta: { a: 1 } },
    })
    await device.publish('v1/devices/me/attributes', { a: 1 })
    expect(device.waiting).to.equal(0)
    const kept = await api.connected(fresh(), { clean: false })
    await kept.subscribe(`${own}/+/delta`)
    await kept.end()
    for (let i = 1; i <= 3; i++) await wish(kept.id, { i })
    const { name } = (await api.ask('GET', `/v1/devices/${kept.id}`)).body
    const back = await api.connect({ name, key: kept.key }, { clean: false })
    expect((await told(back)).body).to.deep.equal({ version: 3, delta: { i: 3 } })
    await back.publish('v1/devices/me/attributes', { i: 3 })
    expect(back.waiting).to.equal(0)
  })

  it('a device can ask, and hears whether what it said was taken', async () => {
    const device = await api.connected(fresh())
    await device.subscribe(`${own}/+/get/+`, `${own}/+/update/+`)
    await device.publish(`${own}/cfg/get`, { token: 't1' })
    expect(await told(device)).to.deep.equal({
      topic: `${own}/cfg/get/rejected`,
      body: { code: 'twin_not_found', message: 'the device has no twin "cfg"', token: 't1' },
    })
    await device.publish(`${own}/cfg/update`, { reported: { a: { b: 1, c: 2 } }, token: 't2' })
    const accepted = await told(device)
    expect(accepted.topic).to.equal(`${own}/cfg/update/accepted`)
    expect(accepted.body).to.deep.include({ reported: { a: { b: 1, c: 2 } }, token: 't2' })
    await device.publish(`${own}/cfg/update`, { reported: { a: { b: null } } })
    await told(device)
    await wish(device.id, { a: { c: 3 } }, {}, 'cfg')
    await device.publish(`${own}/cfg/get`)
    const { topic, body } = await told(device)
    expect(topic).to.equal(`${own}/cfg/get/accepted`)
    expect(body).to.deep.include({
      desired: { a: { c: 3 } },
      version: 1,
      reported: { a: { c: 2 } },
      delta: { a: { c: 3 } },
    })
    for (const wrong of ['x', [], { reported: 1 }, { reported: {}, desired: { a: 1 } }]) {
      await device.publish(`${own}/cfg/update`, wrong)
      const refused = await told(device)
      expect(refused.topic).to.equal(`${own}/cfg/update/rejected`)
      expect(refused.body.code).to.equal('invalid_field')
    }
    expect((await read(device.id, 'cfg')).desired, 'a device wishes nothing').to.deep.equal({ a: { c: 3 } })
  })

  it('of two people who change the same, the second is told, by version or If-Match', async () => {
    const { id } = await api.device(fresh())
    const first = await wish(id, { a: 1 }, { version: 0 })
    expect(first.headers.get('etag')).to.equal('"1"')
    expectProblem(await wish(id, { a: 2 }, { version: 0 }), 409, 'conflict')
    const put = (match: string): Promise<Answer> =>
      api.ask('PUT', path(id), { body: { desired: { b: 1 } }, headers: { 'if-match': match } })
    expectProblem(await put('"0"'), 412, 'precondition_failed')
    expect((await put('"1"')).body).to.deep.include({ desired: { b: 1 }, version: 2 })
    const many = await Promise.all(Array.from({ length: 8 }, (_, i) => wish(id, { [`k${i}`]: i })))
    expect(many.map(({ status }) => status)).to.deep.equal(Array(8).fill(200))
    const after = await read(id)
    expect(Object.keys(after.desired)).to.have.length(9)
    expect(after.version).to.equal(10)
  })

  it('who changed what is desired, and what it was before, is in the audit', async () => {
    const { id } = await api.device(fresh())
    await wish(id, { a: 1 })
    await wish(id, { a: 2 })
    const { body } = await api.ask('GET', '/v1/audit')
    const [entry] = body.items
    expect(entry).to.deep.include({ targets: [id] })
    expect(entry.before).to.deep.equal({ desired: { a: 1 }, version: 1 })
    expect(entry.after).to.deep.equal({ name: 'default', desired: { a: 2 }, version: 2 })
  })

  it('null deletes what is desired; a document can be listed, deleted and made again, and its version never goes back', async () => {
    const device = await api.connected(fresh())
    await wish(device.id, { a: { b: 1, c: 2 } }, {}, 'x')
    expect((await wish(device.id, { a: { b: null } }, {}, 'x')).body.desired).to.deep.equal({ a: { c: 2 } })
    await device.publish(`${own}/x/update`, { reported: { r: [1] } })
    await device.publish('v1/devices/me/attributes', { fw: '1' })
    const listed = await api.ask('GET', `/v1/devices/${device.id}/twins`)
    expect(listed.body.items.map(({ name }: { name: string }) => name)).to.deep.equal(['default', 'x'])
    expect((await api.ask('DELETE', path(device.id, 'x'))).status).to.equal(204)
    expectProblem(await api.ask('GET', path(device.id, 'x')), 404, 'twin_not_found')
    expectProblem(await api.ask('DELETE', path(device.id, 'x')), 404, 'twin_not_found')
    expect((await wish(device.id, { n: 1 }, {}, 'x')).body).to.deep.include({
      desired: { n: 1 },
      reported: {},
      version: 4,
    })
  })

  it('more than 8 KB fits; what is too large, too deep or too much is refused, in one piece or in many', async () => {
    const device = await api.connected(fresh(), { protocolVersion: 5 })
    const large = Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`k${i}`, 'x'.repeat(1000)]))
    expect((await wish(device.id, large)).status).to.equal(200)
    expect((await wish(device.id, { more: 'x'.repeat(36_000) })).body.errors[0].field).to.equal(
      'body.desired',
    )
    const report = (reported: unknown): Promise<string> =>
      device.publish(`${own}/default/update`, { reported }).then(() => 'taken', String)
    for (let i = 0; i < 6; i++) expect(await report({ [`r${i}`]: 'x'.repeat(10_000) })).to.equal('taken')
    expect(await report({ more: 'x'.repeat(10_000) })).to.match(/Quota exceeded/)
    expect(await report({ r0: 'y', more: 'x'.repeat(10_000) })).to.equal('taken')
    expect(await report(JSON.parse(`${'{"a":'.repeat(11)}1${'}'.repeat(11)}`))).to.match(
      /Payload format invalid/,
    )
    expect(await report(JSON.parse('{"__proto__":{"x":1}}'))).to.match(/Payload format invalid/)
    let refused = ''
    for (let i = 0; i < 30 && refused === ''; i++) {
      const keys = Array.from({ length: 200 }, (_, k) => [`n${i}-${k}`, null])
      const answer = await report(Object.fromEntries(keys))
      if (answer !== 'taken') refused = answer
    }
    expect(refused, 'deleted paths are never refused').to.match(/Quota exceeded/)
    for (let i = 0; i < 15; i++) await device.publish(`${own}/doc${i}/update`, { reported: { a: 1 } })
    const full = await device.publish(`${own}/doc15/update`, { reported: { a: 1 } }).then(() => '', String)
    expect(full).to.match(/Quota exceeded/)
    expectProblem(await wish(device.id, { a: 1 }, {}, 'doc16'), 409, 'limit_reached')
    expect((await read(device.id)).reported).to.include({ r0: 'y' })
  })

  it('a device without MQTT reports over HTTP', async () => {
    const { id, key } = await api.device(fresh())
    const authorization = `Device ${key}`
    const said = await api.ask('PATCH', '/v1/devices/me/twins/default/reported', {
      authorization,
      body: { a: 1 },
    })
    expect(said.body, said.text).to.deep.include({ reported: { a: 1 } })
    expect((await read(id)).reported).to.deep.equal({ a: 1 })
    expect((await api.ask('GET', path('me'), { authorization })).status).to.equal(200)
    expectProblem(
      await api.ask('PATCH', path('me'), { authorization, body: { desired: {} } }),
      403,
      'forbidden',
    )
  })

  it("nobody sees or changes another device's or organisation's", async () => {
    const [mine, other] = [await api.connected(fresh()), await api.connected(fresh())]
    await mine.subscribe(`${own}/+/delta`, `${own}/+/get/+`)
    await wish(other.id, { secret: 1 })
    await mine.publish(`${own}/default/get`)
    expect((await told(mine)).topic).to.equal(`${own}/default/get/rejected`)
    const made = await api.ask('POST', '/v1/organisations', { body: { id: 'other' } })
    const authorization = `Bearer ${made.body.token}`
    for (const method of ['GET', 'DELETE'])
      expectProblem(await api.ask(method, path(other.id), { authorization }), 404, 'device_not_found')
    for (const method of ['PUT', 'PATCH'])
      expectProblem(
        await api.ask(method, path(other.id), { authorization, body: { desired: {} } }),
        404,
        'device_not_found',
      )
    expectProblem(
      await api.ask('GET', path('me'), { authorization: `Device ${mine.key}` }),
      404,
      'twin_not_found',
    )
    expectProblem(
      await api.ask('GET', path(other.id), { authorization: `Device ${mine.key}` }),
      404,
      'device_not_found',
    )
  })

  it('goes with its device', async () => {
    const device = await api.device(fresh())
    await wish(device.id, { a: 1 })
    await api.ask('DELETE', `/v1/devices/${device.id}`)
    await api.ask('POST', '/v1/devices', { body: { name: fresh(), id: device.id } })
    expectProblem(await api.ask('GET', path(device.id)), 404, 'twin_not_found')
  })
})
