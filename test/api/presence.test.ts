import { expect } from 'chai'
import { newIncarnation } from '#platform/cluster/incarnation.ts'
import type { DeviceClient } from '#platform/presence/change.ts'
import { expectProblem, startTestApi, type TestApi } from './fixture.ts'

const minute = 60_000

describe('REST: presence', () => {
  let api: TestApi
  let epoch = 0
  before(async () => {
    api = await startTestApi()
    const { presence, clock } = api.platform
    presence.start({ id: newIncarnation(clock.now() * 1024, 2), process: 'dc02-b1', dc: 'dc02' })
  })
  after(() => api.close())

  function client({ id, name }: { id: string; name: string }, org = 'default'): DeviceClient {
    return {
      device: { org, id, name },
      clientId: `client of ${name}`,
      epoch: api.platform.clock.now() * 1024 + ++epoch,
      address: '192.0.2.7',
      version: 4,
      keepAlive: 30,
      cleanStart: false,
      sessionExpiry: 3600,
    }
  }

  async function connected(name: string, org = 'default'): Promise<DeviceClient & { key: string }> {
    const device = await api.device(name, org)
    const one = client(device, org)
    api.platform.presence.connected(one)
    await api.platform.lanes.durable()
    return { ...one, key: device.key }
  }

  it('of a device says whether it is connected and active, since when, from where and how', async () => {
    const never = (await api.device('never')).id
    const answer = await api.ask('GET', '/v1/devices/never/presence')
    expect(answer.status, answer.text).to.equal(200)
    expect(answer.body).to.deep.equal({
      device: { id: never, name: 'never' },
      connected: false,
      confirmed: true,
      since: null,
      reason: null,
      active: false,
      active_window: 600,
      last_activity: null,
      last_seen: null,
      clients: [],
    })
    const { device } = await connected('on')
    const on = await api.ask('GET', '/v1/devices/on/presence')
    expect(on.body).to.deep.include({
      device: { id: device.id, name: 'on' },
      connected: true,
      confirmed: true,
      since: '2026-11-21T12:00:00.000Z',
      last_seen: '2026-11-21T12:00:00.000Z',
      active: false,
    })
    expect(on.body.clients).to.deep.equal([
      {
        client_id: 'client of on',
        connected: true,
        confirmed: true,
        since: '2026-11-21T12:00:00.000Z',
        connected_at: '2026-11-21T12:00:00.000Z',
        reason: null,
        process: 'dc02-b1',
        dc: 'dc02',
        address: '192.0.2.7',
        mqtt: '3.1.1',
        keep_alive: 30,
        clean_start: false,
        session_expiry: 3600,
      },
    ])
  })

  it('becomes active by data, by HTTP as well, for a window that the reader chooses', async () => {
    const { key } = await api.device('http')
    await api.ask('POST', '/v1/ingest', { body: { t: 1 }, authorization: `Device ${key}` })
    const at = (await api.ask('GET', '/v1/devices/http/presence')).body
    expect(at).to.include({ connected: false, active: true, last_activity: at.last_seen })
    api.platform.clock.time += 2 * minute
    const narrow = await api.ask('GET', '/v1/devices/http/presence?active_window=60')
    expect(narrow.body).to.include({ active: false, active_window: 60 })
    expect((await api.ask('GET', '/v1/devices/http/presence')).body.active).to.equal(true)
    expectProblem(await api.ask('GET', '/v1/devices/http/presence?active_window=0'), 400, 'invalid_request')
  })

  it('has a history, newest first, in pages', async () => {
    const one = await connected('history')
    api.platform.clock.time += minute
    api.platform.presence.disconnected(one, 'kicked')
    await api.platform.lanes.durable()
    const first = (await api.ask('GET', '/v1/devices/history/presence/history?limit=1')).body
    expect(first.items).to.have.length(1)
    expect(first.items[0]).to.include({ connected: false, reason: 'kicked', changes: 1 })
    const second = (await api.ask('GET', `/v1/devices/history/presence/history?limit=1&cursor=${first.next}`))
      .body
    expect(second.items[0]).to.include({ connected: true, reason: null, client_id: 'client of history' })
    expect(second.next).to.equal(null)
    for (const cursor of ['x', 'e30', Buffer.from('{"at":1,"slot":"zz"}').toString('base64url')]) {
      const wrong = await api.ask('GET', `/v1/devices/history/presence/history?cursor=${cursor}`)
      expectProblem(wrong, 400, 'invalid_request')
    }
    const wrong = await api.ask('GET', '/v1/devices/history/presence/history?from=yesterday')
    expectProblem(wrong, 400, 'invalid_request')
  })

  it('of many devices comes by their names, or page by page, chosen by connected and active', async () => {
    await api.ask('POST', '/v1/organisations', { body: { id: 'many' } })
    for (let i = 0; i < 12; i++) {
      const one = await connected(`m${i}`, 'many')
      if (i % 3 === 0) api.platform.presence.disconnected(one, 'client_disconnected')
    }
    await api.platform.lanes.durable()
    const some = await api.ask('GET', '/v1/presence?organisation=many&devices=m0,m1,m1,nobody')
    expect(some.body.items.map((one: { device: { name: string } }) => one.device.name)).to.deep.equal([
      'm0',
      'm1',
    ])
    const seen: string[] = []
    let next: string | null = ''
    while (next !== null) {
      const cursor: string = next === '' ? '' : `&cursor=${next}`
      const page = await api.ask('GET', `/v1/presence?organisation=many&connected=true&limit=3${cursor}`)
      expect(page.status, page.text).to.equal(200)
      for (const one of page.body.items) {
        expect(one.connected).to.equal(true)
        seen.push(one.device.name)
      }
      next = page.body.next
    }
    expect(seen.toSorted()).to.deep.equal(['m1', 'm10', 'm11', 'm2', 'm4', 'm5', 'm7', 'm8'])
    expectProblem(await api.ask('GET', '/v1/presence?cursor=nonsense'), 400, 'invalid_request')
    const names = Array.from({ length: 101 }, (_, i) => `d${i}`).join(',')
    expectProblem(await api.ask('GET', `/v1/presence?devices=${names}`), 400, 'invalid_request')
  })

  it('of a device that was deleted is not shown any more', async () => {
    const one = await connected('deleted')
    await api.ask('DELETE', '/v1/devices/deleted')
    api.platform.presence.disconnected(one, 'credentials_revoked')
    await api.platform.lanes.durable()
    expectProblem(await api.ask('GET', '/v1/devices/deleted/presence'), 404, 'device_not_found')
    const all = await api.ask('GET', '/v1/presence?limit=1000')
    expect(all.text).to.not.include('deleted')
  })

  it("shows an organisation nothing of another's devices, and a device only itself", async () => {
    const { token } = (await api.ask('POST', '/v1/organisations', { body: { id: 'curious' } })).body
    const { device, key } = await connected('secret')
    const authorization = `Bearer ${token}`
    for (const path of [`/v1/devices/${device.id}/presence`, `/v1/devices/${device.id}/presence/history`])
      expectProblem(await api.ask('GET', path, { authorization }), 404, 'device_not_found')
    expect((await api.ask('GET', '/v1/presence', { authorization })).body.items).to.deep.equal([])
    const named = await api.ask('GET', `/v1/presence?devices=${device.id},secret`, { authorization })
    expect(named.body.items).to.deep.equal([])
    const own = { authorization: `Device ${key}` }
    expect((await api.ask('GET', '/v1/devices/me/presence', own)).body.connected).to.equal(true)
    expectProblem(await api.ask('GET', '/v1/devices/on/presence', own), 404, 'device_not_found')
    expectProblem(await api.ask('GET', '/v1/presence', own), 403, 'forbidden')
  })

  it('is told live, when it is durable, to those who listen', async () => {
    const stream = api.platform.live.subscribe('default', { types: new Set(['presence']) })
    const one = await connected('told')
    api.platform.presence.disconnected(one, 'connection_lost')
    await api.platform.lanes.durable()
    const [on, off] = [stream?.take()?.event, stream?.take()?.event]
    expect(on?.data).to.include({ connected: true, client: 'client of told', dc: 'dc02', reason: null })
    expect(off?.data).to.include({ connected: false, reason: 'connection_lost' })
    expect(off?.device?.name).to.equal('told')
    stream?.close()
  })
})
