import { expect } from 'chai'
import { startDeviceApi, type DeviceApi } from './device-fixture.ts'
import { type Answer, expectProblem, startTestApi } from './fixture.ts'

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

  const until = async (device: string, id: string, ...wanted: string[]): Promise<string> => {
    for (;;) {
      const state = await stateOf(device, id)
      if (wanted.includes(state)) return state
      await new Promise(setImmediate)
    }
  }
  const persistent = { clean: false } as const
  const later = (ms: number): void => void (api.platform.clock.time += ms)

  it('a device that subscribed at QoS 0 is never said to have it, until it answers', async () => {
    const device = await api.connected(fresh())
    await device.client.subscribeAsync(requests, { qos: 0 })
    const { id } = (await send(device.id)).body
    await device.next()
    expect(await until(device.id, id, 'sent', 'delivered')).to.equal('sent')
    await device.publish(`v1/devices/me/rpc/response/${id}`, 'done')
    expect((await read(device.id, id)).body).to.deep.include({ state: 'succeeded', delivered_at: null })
  })

  it('a persistent session gets what was sent while it was away, in order, and once (TB#5848)', async () => {
    const device = await api.connected(fresh(), persistent)
    await device.subscribe(requests)
    await device.end()
    const ids: string[] = []
    for (let i = 0; i < 5; i++) ids.push((await send(device.id, { params: i })).body.id)
    for (const id of ids) expect(await stateOf(device.id, id)).to.equal('queued')
    const { name } = (await api.ask('GET', `/v1/devices/${device.id}`)).body
    const back = await api.connect({ name, key: device.key }, persistent)
    await back.subscribe(requests)
    for (const id of ids) expect((await back.next()).topic).to.equal(`v1/devices/me/rpc/request/${id}`)
    for (const id of ids) await until(device.id, id, 'delivered')
    await back.publish('v1/devices/me/rpc/response/none')
    expect(back.waiting).to.equal(0)
  })

  it('a cancelled one never reaches the device that was away', async () => {
    const device = await api.connected(fresh(), persistent)
    await device.subscribe(requests)
    await device.end()
    const first = (await send(device.id, { params: 1 })).body.id
    const second = (await send(device.id, { params: 2 })).body.id
    const cancelled = await api.ask('POST', `/v1/devices/${device.id}/commands/${first}/cancel`)
    expect([cancelled.status, cancelled.body.state]).to.deep.equal([200, 'cancelled'])
    const { name } = (await api.ask('GET', `/v1/devices/${device.id}`)).body
    const back = await api.connect({ name, key: device.key }, persistent)
    expect((await back.next()).topic).to.match(new RegExp(`${second}$`))
    await until(device.id, second, 'delivered')
    expect(back.waiting).to.equal(0)
    expect(await stateOf(device.id, first)).to.equal('cancelled')
    const again = await api.ask('POST', `/v1/devices/${device.id}/commands/${first}/cancel`)
    expect([again.status, again.body.state]).to.deep.equal([200, 'cancelled'])
  })

  it('a device that has it is told of the cancellation, and what it answers then changes nothing', async () => {
    const device = await api.connected(fresh())
    await device.subscribe(requests, 'v1/devices/me/rpc/cancel/+')
    const { id } = (await send(device.id)).body
    await device.next()
    await api.ask('POST', `/v1/devices/${device.id}/commands/${id}/cancel`)
    expect((await device.next()).topic).to.equal(`v1/devices/me/rpc/cancel/${id}`)
    later(1)
    await device.publish(`v1/devices/me/rpc/response/${id}`, 'done')
    expect(await stateOf(device.id, id)).to.equal('cancelled')
    const done = (await send(device.id)).body.id
    await device.next()
    await device.publish(`v1/devices/me/rpc/response/${done}`, 'done')
    const late = await api.ask('POST', `/v1/devices/${device.id}/commands/${done}/cancel`)
    expectProblem(late, 409, 'command_ended')
  })

  it('an answer that comes early, or never, holds up no other command (TB#8712)', async () => {
    const name = fresh()
    const made = await api.device(name)
    const device = await api.connect(made, { protocolVersion: 5, customHandleAcks: () => undefined })
    await device.subscribe(requests)
    const ids: string[] = []
    for (let i = 0; i < 3; i++) ids.push((await send(name)).body.id)
    for (const id of ids) await until(name, id, 'sent')
    // None of them is acknowledged; the second is answered all the same.
    void device.publish(`v1/devices/me/rpc/response/${ids[1]}`, { ok: true }).catch(() => undefined)
    await until(name, ids[1], 'succeeded')
    ids.push((await send(name)).body.id)
    await until(name, ids[3], 'sent')
    void device.publish(`v1/devices/me/rpc/response/${ids[3]}`, { ok: true }).catch(() => undefined)
    await until(name, ids[3], 'succeeded')
    expect(await stateOf(name, ids[0])).to.equal('sent')
  })

  it('what the device says while it is at it, and how it ended, is kept', async () => {
    const device = await api.connected(fresh())
    await device.subscribe(requests)
    const { id } = (await send(device.id, { timeout: 60 })).body
    await device.next()
    await until(device.id, id, 'delivered')
    await device.publish(`v1/devices/me/rpc/progress/${id}`, { progress: 40, message: 'half way' })
    const { body } = await read(device.id, id)
    expect(body.state).to.equal('running')
    expect(body.progress).to.deep.include({ percent: 40, message: 'half way' })
    later(59_000)
    await device.publish(`v1/devices/me/rpc/progress/${id}`, { progress: 50 })
    later(59_000)
    expect(await stateOf(device.id, id)).to.equal('running')
    await device.publish(`v1/devices/me/rpc/response/${id}/rejected`, { why: 'busy' })
    const end = (await read(device.id, id)).body
    expect([end.state, end.result]).to.deep.equal(['rejected', { why: 'busy' }])
    for (const [topic, payload, state] of [
      ['/failed', 'no', 'failed'],
      ['', { error: 'no' }, 'failed'],
      ['', { error: null, n: 1 }, 'succeeded'],
    ] as const) {
      const one = (await send(device.id)).body.id
      await device.next()
      await device.publish(`v1/devices/me/rpc/response/${one}${topic}`, payload)
      expect(await stateOf(device.id, one)).to.equal(state)
    }
  })

  it('an MQTT 5 device answers to the response topic that it was given', async () => {
    const device = await api.connected(fresh(), { protocolVersion: 5 })
    await device.subscribe(requests)
    const { id } = (await send(device.id)).body
    const { packet } = await device.next()
    const { responseTopic, correlationData } = packet.properties ?? {}
    await device.client.publishAsync(String(responseTopic), '21.5', {
      qos: 1,
      properties: { correlationData: correlationData ?? Buffer.alloc(0) },
    })
    const { body } = await read(device.id, id)
    expect([body.state, body.result]).to.deep.equal(['succeeded', 21.5])
  })

  it('time ends it, also when no process is there to see that (TB#11642)', async () => {
    const device = await api.connected(fresh())
    await device.subscribe(requests)
    const hung = (await send(device.id, { timeout: 10 })).body.id
    await device.next()
    await until(device.id, hung, 'delivered')
    const lost = (await api.device(fresh())).id
    const unheard = (await send(lost, { ttl: 5 })).body.id
    // Nothing but what is stored: another process, which has seen neither.
    api.platform.commands.tracker.close()
    later(10_000)
    expect((await read(device.id, hung)).body).to.deep.include({ state: 'timed_out' })
    expect((await read(lost, unheard)).body).to.deep.include({
      state: 'expired',
      ended_at: '2026-11-21T12:00:05.000Z',
      delivered_at: null,
    })
    later(120_000)
    expect(await api.platform.commands.sweeper.sweep()).to.equal(1)
    expect(await api.platform.commands.sweeper.sweep()).to.equal(0)
  })

  it('the same id is the same command, sent once; with something else asked it is refused', async () => {
    const device = await api.connected(fresh())
    await device.subscribe(requests)
    const asked = { id: 'order-17', params: { n: 1 } }
    const [first, second] = [await send(device.id, asked), await send(device.id, asked)]
    expect(first.body.id).to.equal('order-17')
    expect([second.status, second.body.created_at]).to.deep.equal([201, first.body.created_at])
    expectProblem(await send(device.id, { ...asked, params: { n: 2 } }), 409, 'command_exists')
    const other = await api.device(fresh())
    expectProblem(await send(other.id, asked), 409, 'command_exists')
    await device.next()
    await device.publish('v1/devices/me/rpc/response/order-17', 'ok')
    expect(device.waiting).to.equal(0)
    const headers = { 'idempotency-key': 'abc-1' }
    const path = `/v1/devices/${device.id}/commands`
    const [one, again] = [
      await api.ask('POST', path, { body: { name: 'blink' }, headers }),
      await api.ask('POST', path, { body: { name: 'blink' }, headers }),
    ]
    expect(again.body.id).to.equal(one.body.id)
  })

  it('lists them newest first, by state, page by page, and nobody is left out', async () => {
    const { id: device } = await api.device(fresh())
    const ids: string[] = []
    for (let i = 0; i < 7; i++) {
      ids.unshift((await send(device)).body.id)
      later(i === 3 ? 8 * 86_400_000 : 1)
    }
    await api.ask('POST', `/v1/devices/${device}/commands/${ids[1]}/cancel`)
    for (const path of [`/v1/devices/${device}/commands`, '/v1/commands']) {
      const seen: string[] = []
      let cursor = ''
      do {
        const { body, text } = await api.ask('GET', `${path}?limit=3${cursor}`)
        expect(body.items, text).to.be.an('array')
        seen.push(...body.items.map((one: { id: string }) => one.id))
        cursor = body.next === null ? '' : `&cursor=${body.next}`
      } while (cursor !== '')
      expect(seen).to.deep.equal(ids)
      const of = async (state: string): Promise<string[]> =>
        (await api.ask('GET', `${path}?state=${state}`)).body.items.map((one: { id: string }) => one.id)
      expect(await of('cancelled')).to.deep.equal([ids[1]])
      expect(await of('queued')).to.deep.equal([ids[0], ids[2]])
      expect(await of('expired,cancelled')).to.deep.equal([ids[1], ...ids.slice(3)])
    }
  })

  it('a device ends only its own commands, and cannot fill the store with what nobody asked', async () => {
    const [mine, other] = [await api.connected(fresh()), await api.connected(fresh(), { protocolVersion: 5 })]
    const { id } = (await send(mine.id)).body
    await other.publish(`v1/devices/me/rpc/response/${id}`, 'hacked').catch(() => undefined)
    await other.publish(`v1/devices/me/rpc/progress/${id}`, { progress: 99 }).catch(() => undefined)
    const { body } = await read(mine.id, id)
    expect([body.state, body.progress, body.result]).to.deep.equal(['queued', null, null])
    expectProblem(await read(other.id, id), 404, 'command_not_found')
    let refused = ''
    for (let i = 0; i < 400 && refused === ''; i++)
      await other
        .publish(`v1/devices/me/rpc/response/none-${i}`, 'x')
        .catch((error: Error) => (refused = error.message))
    expect(refused, 'it is never refused').to.match(/Quota exceeded/i)
    const large = await api.connected(fresh(), { protocolVersion: 5 })
    let sent = 0
    for (refused = ''; sent < 40 && refused === ''; sent++)
      await large
        .publish(`v1/devices/me/rpc/response/large-${sent}`, 'x'.repeat(60_000))
        .catch((error: Error) => (refused = error.message))
    expect(refused, 'large ones are never refused').to.match(/Quota exceeded/i)
    await mine.subscribe(requests)
    await mine.next()
    await mine.publish(`v1/devices/me/rpc/response/${id}`, 'mine')
    expect((await read(mine.id, id)).body.result).to.equal('mine')
  })

  it('what a device sends is bounded, and shown whatever it is', async () => {
    const device = await api.connected(fresh(), { protocolVersion: 5 })
    await device.subscribe(requests)
    const answer = async (payload: Buffer | string): Promise<Answer> => {
      const { id } = (await send(device.id)).body
      await device.next()
      await device.publish(`v1/devices/me/rpc/response/${id}`, payload)
      return read(device.id, id)
    }
    expect((await answer('x'.repeat(65_536))).body.result).to.have.length(65_536)
    const { body } = await answer(Buffer.from([0xff, 0x00]))
    expect([body.result, body.result_encoding]).to.deep.equal(['/wA=', 'base64'])
    expect((await answer('['.repeat(60_000) + ']'.repeat(5000))).body.result_encoding).to.equal('text')
    expect((await answer(`{"error":${'['.repeat(30_000)}${']'.repeat(30_000)}}`)).status).to.equal(200)
    expect((await answer('')).body).to.deep.include({ state: 'succeeded', result: null })
    const { id } = (await send(device.id)).body
    await device.next()
    const refused = await device
      .publish(`v1/devices/me/rpc/response/${id}`, 'x'.repeat(65_537))
      .then(() => '', String)
    expect(refused).to.match(/Payload format invalid/i)
    for (const bad of ['{"progress":101}', '{"progress":"1"}', '[', `{"message":"${'m'.repeat(513)}"}`])
      expect(
        await device.publish(`v1/devices/me/rpc/progress/${id}`, bad).then(() => '', String),
        bad,
      ).to.match(/Payload format invalid/i)
    expect(await until(device.id, id, 'delivered')).to.equal('delivered')
  })

  it('refuses what is asked wrongly, and names the field', async () => {
    const { id } = await api.device(fresh())
    for (const [body, field] of [
      [{ name: '' }, 'body.name'],
      [{ name: 'a b' }, 'body.name'],
      [{ ttl: 0 }, 'body.ttl'],
      [{ ttl: 604_801 }, 'body.ttl'],
      [{ timeout: 0 }, 'body.timeout'],
      [{ retries: 11 }, 'body.retries'],
      [{ id: 'a/b' }, 'body.id'],
      [{ params: 'x'.repeat(50_000) }, 'body.params'],
      [{ more: 1 }, 'body.more'],
    ] as const) {
      const answer = await send(id, body)
      expect(answer.status, answer.text).to.equal(400)
      expect(answer.body.errors[0].field).to.equal(field)
    }
    expectProblem(await read(id, 'none'), 404, 'command_not_found')
    expectProblem(await api.ask('GET', `/v1/devices/${id}/commands?cursor=x`), 400, 'invalid_request')
  })

  it("another organisation's commands do not exist", async () => {
    const device = await api.device(fresh())
    const { id } = (await send(device.id)).body
    const made = await api.ask('POST', '/v1/organisations', { body: { id: 'other' } })
    const authorization = `Bearer ${made.body.token}`
    const path = `/v1/devices/${device.id}/commands`
    expectProblem(await api.ask('GET', path, { authorization }), 404, 'device_not_found')
    expectProblem(await api.ask('GET', `${path}/${id}`, { authorization }), 404, 'device_not_found')
    expectProblem(await api.ask('POST', `${path}/${id}/cancel`, { authorization }), 404, 'device_not_found')
    expectProblem(
      await api.ask('POST', path, { authorization, body: { name: 'x' } }),
      404,
      'device_not_found',
    )
    expect((await api.ask('GET', '/v1/commands', { authorization })).body.items).to.deep.equal([])
    expectProblem(
      await api.ask('POST', '/v1/commands', { authorization, body: { name: 'x', devices: [device.id] } }),
      404,
      'device_not_found',
    )
    const batch = await api.ask('POST', '/v1/commands', { body: { name: 'x', devices: [device.id] } })
    expectProblem(
      await api.ask('GET', `/v1/command-batches/${batch.body.id}`, { authorization }),
      404,
      'batch_not_found',
    )
  })

  it('of devices in other groups than were granted do not exist, alone or in a batch; a viewer sends none', async () => {
    await api.ask('POST', '/v1/groups', { body: { id: 'mine' } })
    const inside = await api.ask('POST', '/v1/devices', { body: { name: 'inside', groups: ['mine'] } })
    const outside = await api.device('outside')
    const hidden = (await send('outside')).body.id
    const everywhere = (await api.ask('POST', '/v1/commands', { body: { name: 'x', filter: {} } })).body.id
    const keyOf = async (role: string, groups: string[] | null): Promise<string> => {
      const body = { name: role, role, groups, scopes: ['commands:write', 'commands:read'] }
      return `Bearer ${(await api.ask('POST', '/v1/api-keys', { body })).body.secret}`
    }
    const authorization = await keyOf('operator', ['mine'])
    const ask = (method: string, path: string, body?: object): Promise<Answer> =>
      api.ask(method, path, { authorization, ...(body === undefined ? {} : { body }) })
    expectProblem(await ask('POST', '/v1/devices/outside/commands', { name: 'x' }), 404, 'device_not_found')
    expectProblem(await ask('GET', `/v1/devices/outside/commands/${hidden}`), 404, 'device_not_found')
    expectProblem(
      await ask('POST', '/v1/commands', { name: 'x', devices: [outside.id] }),
      404,
      'device_not_found',
    )
    expectProblem(await ask('GET', `/v1/command-batches/${everywhere}`), 404, 'batch_not_found')
    expectProblem(await ask('POST', `/v1/command-batches/${everywhere}/cancel`), 404, 'batch_not_found')
    const same = await ask('POST', '/v1/commands', { id: everywhere, name: 'x', filter: {} })
    expectProblem(same, 409, 'command_exists')
    const own = await ask('POST', '/v1/commands', { name: 'mine', filter: {} })
    expect(own.status, own.text).to.equal(201)
    while ((await ask('GET', `/v1/command-batches/${own.body.id}`)).body.state !== 'made');
    expect((await ask('GET', `/v1/command-batches/${own.body.id}`)).body.made).to.equal(1)
    while ((await api.ask('GET', `/v1/command-batches/${everywhere}`)).body.state !== 'made');
    const listed = (await ask('GET', '/v1/commands')).body.items
    expect(new Set(listed.map(({ device }: { device: string }) => device))).to.deep.equal(
      new Set([inside.body.id]),
    )
    expect(listed).to.have.length(2)
    expectProblem(await ask('GET', '/v1/devices/inside/twins'), 403, 'forbidden')
    const viewer = await keyOf('viewer', null)
    expectProblem(
      await api.ask('POST', '/v1/devices/inside/commands', { authorization: viewer, body: { name: 'x' } }),
      403,
      'forbidden',
    )
  })

  it('go with their device', async () => {
    const device = await api.device(fresh())
    const { id } = (await send(device.id)).body
    await api.ask('DELETE', `/v1/devices/${device.id}`)
    const again = await api.ask('POST', '/v1/devices', { body: { name: 'again', id: device.id } })
    expect(again.status, again.text).to.equal(201)
    expectProblem(await read(device.id, id), 404, 'command_not_found')
    expect((await api.ask('GET', `/v1/devices/${device.id}/commands`)).body.items).to.deep.equal([])
  })

  describe('to many devices', () => {
    const batch = (body: object): Promise<Answer> =>
      api.ask('POST', '/v1/commands', { body: { name: 'blink', ...body } })

    /** The batch, when all its commands are made. */
    const whole = async (path: string): Promise<Answer> => {
      for (;;) {
        const answer = await api.ask('GET', path)
        if (answer.body.state === 'made') return answer
      }
    }

    it('are one batch, of which each command and the sums can be seen', async () => {
      const devices = await Promise.all(Array.from({ length: 6 }, () => api.connected(`many-${fresh()}`)))
      await api.device('alone')
      for (const device of devices.slice(0, 4)) await device.subscribe(requests)
      const made = await batch({ filter: { prefix: 'many-' } })
      expect(made.status, made.text).to.equal(201)
      const path = String(made.headers.get('location'))
      for (const [i, device] of devices.slice(0, 4).entries()) {
        const id = (await device.next()).topic.split('/').at(-1)
        if (i < 3) await device.publish(`v1/devices/me/rpc/response/${id}${i === 0 ? '/failed' : ''}`, 'x')
      }
      const view = await whole(path)
      expect(view.body).to.deep.include({ state: 'made', made: 6, ended: false })
      expect(view.body.counts).to.deep.include({ failed: 1, succeeded: 2, queued: 2 })
      const queued = await api.ask('GET', `${path}/commands?state=queued&limit=1`)
      const rest = await api.ask('GET', `${path}/commands?state=queued&cursor=${queued.body.next}`)
      const named = [...queued.body.items, ...rest.body.items].map(({ device }: { device: string }) => device)
      expect(named).to.have.members(devices.slice(4).map(({ id }) => id))
      const cancelled = await api.ask('POST', `${path}/cancel`)
      expect(cancelled.body).to.deep.equal({ cancelled: 3 })
      const end = await api.ask('GET', `${path}?wait=5s`)
      expect(end.body).to.deep.include({ ended: true })
      expect(end.body.counts).to.deep.include({ failed: 1, succeeded: 2, cancelled: 3, queued: 0 })
      const listed = await api.ask('GET', '/v1/command-batches')
      expect(listed.body.items.map(({ id }: { id: string }) => id)).to.deep.equal([made.body.id])
    })

    it('the same id is the same batch; each device has its command once', async () => {
      const devices = await Promise.all([fresh(), fresh()].map((name) => api.device(name)))
      const asked = { id: 'b-1', devices: devices.map(({ id }) => id) }
      await batch(asked)
      const again = await batch(asked)
      expect(again.status, again.text).to.equal(201)
      expectProblem(await batch({ ...asked, params: 1 }), 409, 'command_exists')
      await whole('/v1/command-batches/b-1')
      for (const { id } of devices)
        expect((await api.ask('GET', `/v1/devices/${id}/commands`)).body.items).to.have.length(1)
    })

    it('needs to know to which', async () => {
      expectProblem(await batch({}), 400, 'invalid_request')
      expectProblem(await batch({ filter: {}, devices: ['a'] }), 400, 'invalid_request')
      expectProblem(await batch({ group: 'none' }), 404, 'group_not_found')
      expectProblem(await batch({ devices: ['none'] }), 404, 'device_not_found')
    })
  })
})

describe('REST: commands while the store does not confirm', () => {
  it('are not known to be made; the same id then makes no second one', async () => {
    const api = await startTestApi({ durableTimeout: 500 })
    const { id: device } = await api.device('dev')
    const { store } = api.platform
    const write = store.write.bind(store)
    const held: (() => void)[] = []
    let hold = true
    store.write = async (batch) => {
      if (hold) await new Promise<void>((go) => held.push(go))
      return write(batch)
    }
    const path = `/v1/devices/${device}/commands`
    const asked = { body: { name: 'blink', id: 'slow-1' } }
    const unknown = await api.ask('POST', path, asked)
    expect(unknown.status, unknown.text).to.equal(503)
    expect(unknown.headers.get('retry-after')).to.match(/^\d+$/)
    hold = false
    for (const go of held) go()
    const again = await api.ask('POST', path, asked)
    expect([again.status, again.body.id], again.text).to.deep.equal([201, 'slow-1'])
    expect((await api.ask('GET', path)).body.items).to.have.length(1)
    await api.close()
  })
})
