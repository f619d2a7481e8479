import { expect } from 'chai'
import { DevicePrincipal } from '#platform/auth/device-authenticator.ts'
import type { DeviceRef, Principal } from '#platform/auth/principal.ts'
import { PayloadError } from '#platform/telemetry/payload.ts'
import { latest as latestTable } from '#platform/telemetry/tables.ts'
import { bytes, newDevice, noon, openTestPlatform, type TestPlatform } from './fixture.ts'

const day = 86_400_000
const all = { from: 0, to: noon + 2 * day, limit: 1000, order: 'asc' } as const

describe('telemetry: what a device measured is kept and read back', () => {
  let platform: TestPlatform
  let device: DeviceRef

  beforeEach(async () => {
    platform = await openTestPlatform()
    device = await newDevice(platform)
  })
  afterEach(() => platform.close())

  async function ingest(payload: unknown, at = noon): Promise<void> {
    platform.telemetry.ingestJson(device, bytes(payload), at)
    await platform.lanes.durable()
  }

  it('keeps numbers, strings, booleans, objects and arrays as they came', async () => {
    const values = { a: 21.5, b: 'warm', c: false, d: { x: [1, null] }, e: [], f: -0.1, g: '' }
    await ingest(values)
    const latest = await platform.telemetry.latest(device)
    expect(Object.fromEntries(latest.map(({ key, value }) => [key, value]))).to.deep.equal(values)
    const { points } = await platform.telemetry.history(device, all)
    expect(Object.fromEntries(points.map(({ key, value }) => [key, value]))).to.deep.equal(values)
  })

  it('takes all four forms of the payload', async () => {
    await ingest({ t: 1 })
    await ingest({ ts: noon - 1000, values: { t: 2 } })
    await ingest([{ t: 3 }, { u: 4 }], noon + 5)
    await ingest([
      { ts: noon - 3000, values: { t: 5 } },
      { ts: noon - 2000, values: { t: 6 } },
    ])
    const { points } = await platform.telemetry.history(device, { ...all, keys: ['t'] })
    expect(points.map(({ ts, value }) => [ts - noon, value])).to.deep.equal([
      [-3000, 5],
      [-2000, 6],
      [-1000, 2],
      [0, 1],
      [5, 3],
    ])
  })

  it('keeps every value of one key that came in the same millisecond, in order', async () => {
    for (let i = 0; i < 300; i++) platform.telemetry.ingestJson(device, bytes({ seq: i }), noon)
    platform.telemetry.ingestJson(device, bytes([{ seq: 300 }, { seq: 301 }]), noon)
    await platform.lanes.durable()
    const { points } = await platform.telemetry.history(device, all)
    expect(points.map(({ value }) => value)).to.deep.equal(Array.from({ length: 302 }, (_, i) => i))
  })

  it('replaces a value that comes again with the same time: a device may repeat what it is not sure of', async () => {
    await ingest({ ts: noon, values: { t: 1 } })
    await ingest({ ts: noon, values: { t: 1 } })
    const { points } = await platform.telemetry.history(device, all)
    expect(points).to.have.length(1)
  })

  it('takes as latest what has the newest time, in whatever order and however many came at once', async () => {
    await ingest({ ts: noon, values: { t: 'new' } })
    await ingest({ ts: noon - 1, values: { t: 'late' } })
    expect((await platform.telemetry.latest(device))[0]).to.deep.equal({ key: 't', ts: noon, value: 'new' })
    await ingest([
      { ts: noon + 2, values: { t: 'b' } },
      { ts: noon + 3, values: { t: { c: 1 } } },
      { ts: noon + 1, values: { t: 'a' } },
    ])
    expect((await platform.telemetry.latest(device))[0]).to.deep.equal({
      key: 't',
      ts: noon + 3,
      value: { c: 1 },
    })
  })

  it('takes as latest what has the newest time even after a restart', async () => {
    await ingest({ ts: noon, values: { t: 'new' } })
    const again = await openTestPlatform({ store: platform.store })
    again.telemetry.ingestJson(device, bytes({ ts: noon - 1, values: { t: 'late' } }), noon)
    await again.lanes.durable()
    expect((await again.telemetry.latest(device))[0].value).to.equal('new')
  })

  it('writes latest once for many values of a batch', async () => {
    for (let i = 0; i < 100; i++) platform.telemetry.ingestJson(device, bytes({ t: i }), noon + i)
    const puts = platform.lanes.local.stage().mutations.filter(({ table }) => table === latestTable)
    expect(puts).to.have.length(1)
    await platform.lanes.durable()
    expect((await platform.telemetry.latest(device))[0].value).to.equal(99)
  })

  const refused: [name: string, payload: unknown, reason: string, field: string][] = [
    ['text that is not JSON', '{"t":', 'not_json', ''],
    ['nothing', '', 'not_json', ''],
    ['bytes that are not UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), 'not_json', ''],
    ['a number alone', '21.5', 'bad_shape', ''],
    ['no value', {}, 'bad_shape', ''],
    ['no values under ts', { ts: noon, values: {} }, 'bad_shape', ''],
    ['an empty array', [], 'bad_shape', ''],
    ['an array of numbers', [1], 'bad_shape', '[0]'],
    ['a stranger beside ts and values', { ts: noon, values: { t: 1 }, unit: 'C' }, 'bad_shape', 'unit'],
    ['null as value', { t: null }, 'bad_value', 't'],
    ['a number beyond doubles', '{"t":1e999}', 'bad_value', 't'],
    ['half of a surrogate pair', '{"t":"\\ud800"}', 'bad_value', 't'],
    ['a long string', { t: 'x'.repeat(16_385) }, 'bad_value', 't'],
    ['a long object', { t: { x: 'x'.repeat(16_380) } }, 'bad_value', 't'],
    ['deep nesting', `{"t":${'['.repeat(50_000)}${']'.repeat(50_000)}}`, 'bad_value', 't'],
    ['an empty key', { '': 1 }, 'bad_key', ''],
    ['a long key', { ['k'.repeat(129)]: 1 }, 'bad_key', 'k'.repeat(32)],
    ['a key with a comma', { 'a,b': 1 }, 'bad_key', '"a,b"'],
    ['a key with a control character', { 'a\u0000': 1 }, 'bad_key', '"a\\u0000"'],
    ['a key that is no Unicode', '{"\\udc00":1}', 'bad_key', '"\\udc00"'],
    ['seconds instead of milliseconds', { ts: 1_795_262_400, values: { t: 1 } }, 'bad_time', 'ts'],
    ['a time in the far future', [{ ts: noon + day + 1, values: { t: 1 } }], 'bad_time', '[0].ts'],
    ['a time as text', { ts: '2026-11-21', values: { t: 1 } }, 'bad_time', 'ts'],
    ['part of a millisecond', { ts: noon + 0.5, values: { t: 1 } }, 'bad_time', 'ts'],
    [
      'too many values',
      Object.fromEntries(Array.from({ length: 1001 }, (_, i) => [i, i])),
      'too_many_points',
      '',
    ],
  ]
  for (const [name, payload, reason, field] of refused) {
    it(`refuses ${name}, says where, counts it and stores nothing`, async () => {
      const raw = payload instanceof Buffer ? payload : bytes(payload)
      let error: unknown
      try {
        platform.telemetry.ingestJson(device, raw, noon)
      } catch (caught) {
        error = caught
      }
      expect(error).to.be.instanceOf(PayloadError)
      expect(error).to.include({ reason, field })
      expect(platform.metrics.render()).to.include(`cinque_telemetry_refused_total{reason="${reason}"} 1`)
      await platform.lanes.durable()
      expect(await platform.telemetry.latest(device)).to.deep.equal([])
    })
  }

  it('stores nothing of a payload with one bad value', async () => {
    expect(() => platform.telemetry.ingestJson(device, bytes({ good: 1, bad: null }), noon)).to.throw(
      PayloadError,
    )
    await platform.lanes.durable()
    expect((await platform.telemetry.history(device, all)).points).to.deep.equal([])
  })

  it('limits the keys of a device, across restarts, and leaves the known ones writable', async () => {
    await ingest(Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`k${i}`, i])))
    expect(() => platform.telemetry.ingestJson(device, bytes({ extra: 1 }), noon)).to.throw('1000 keys')
    const again = await openTestPlatform({ store: platform.store })
    again.telemetry.ingestJson(device, bytes({ k1: 5 }), noon)
    await again.lanes.durable()
    expect(() => again.telemetry.ingestJson(device, bytes({ extra: 1 }), noon)).to.throw('1000 keys')
  })

  it('forgets everything of a deleted device and takes nothing more from it', async () => {
    const sink = platform.conventions.sinkFor(principalOf(device), 'v1/devices/me/telemetry')
    for (let i = 0; i < 70; i++) await ingest({ ts: noon - i * day, values: { t: i } })
    sink?.accept(bytes({ t: 1 }), noon)
    await platform.registry.deleteDevice(device.org, device.id)
    expect(sink?.accept(bytes({ t: 2 }), noon)?.explanation).to.equal('the device was deleted')
    await platform.lanes.durable()
    expect(await platform.telemetry.latest(device)).to.deep.equal([])
    expect((await platform.telemetry.history(device, { ...all, keys: ['t'] })).points).to.deep.equal([])
  })

  describe('sinks', () => {
    it('takes v1/devices/me/telemetry of devices, and of nobody else', async () => {
      const sink = platform.conventions.sinkFor(principalOf(device), 'v1/devices/me/telemetry')
      expect(sink?.accept(bytes({ t: 1 }), noon)).to.equal(undefined)
      await platform.lanes.durable()
      expect((await platform.telemetry.latest(device))[0].value).to.equal(1)
      const user = { ...principalOf(device), device: null }
      expect(platform.conventions.sinkFor(user, 'v1/devices/me/telemetry')).to.equal(null)
    })

    it('answers a bad payload with a reason and does not throw', () => {
      const sink = platform.conventions.sinkFor(principalOf(device), 'v1/devices/me/telemetry')
      expect(sink?.accept(bytes('{'), noon)?.code).to.equal('payload_format_invalid')
    })

    it('leaves every other topic free', () => {
      for (const topic of [
        'v1/devices/me/attributes/x',
        'v1/devices/me/telemetry/x',
        'telemetry',
        'pub/a/b/c/d',
      ]) {
        expect(platform.conventions.sinkFor(principalOf(device), topic), topic).to.equal(null)
      }
    })

    it('stores what the IoT Guru library publishes, under node/field', async () => {
      const organisation = await platform.registry.organisations.get(platform.organisation)
      const known = await platform.registry.devices.get(device.org, device.id)
      const principal = new DevicePrincipal({ organisation, device: known }, organisation.user, device.id)
      const base = `pub/${organisation.user}/${device.id}`
      const sink = platform.conventions.sinkFor(principal, `${base}/kitchen/temperature`)
      for (const text of ['1.50', '-10000000000.00', '00.00', '7', '1e3']) {
        expect(sink?.accept(bytes(text), noon), text).to.equal(undefined)
      }
      for (const text of ['nan', 'inf', '-inf', '', '1,5', '0x10', '1.5 C', 'NaN', '1e999', '9'.repeat(65)]) {
        expect(sink?.accept(bytes(text), noon)?.code, text).to.equal('payload_format_invalid')
      }
      await platform.lanes.durable()
      const { points } = await platform.telemetry.history(device, all)
      expect(points.map(({ value }) => value)).to.deep.equal([1.5, -1e10, 0, 7, 1000])
      expect(points[0].key).to.equal('kitchen/temperature')
      expect(platform.metrics.render()).to.include('cinque_telemetry_refused_total{reason="not_a_number"} 10')
      for (const topic of [
        `pub/${organisation.user}/other/kitchen/temperature`,
        `pub/other/${device.id}/kitchen/temperature`,
        `${base}/kitchen`,
        `${base}/kitchen/`,
        `${base}//temperature`,
        `${base}/kitchen/temperature/x`,
      ]) {
        expect(platform.conventions.sinkFor(principal, topic), topic).to.equal(null)
      }
    })
  })

  it('tells live listeners only what is durable', async () => {
    const subscription = platform.live.subscribe(device.org)
    platform.telemetry.ingestJson(device, bytes({ t: 1 }), noon)
    expect(subscription?.take()).to.equal(undefined)
    await platform.lanes.durable()
    expect(subscription?.take()?.event).to.deep.include({ type: 'telemetry', device, at: noon })
  })
})

function principalOf(device: DeviceRef): Principal {
  const acl = { check: () => true, explain: () => ({ allowed: true, reason: '' }) }
  return { org: device.org, username: device.name, device, acl, quota: {} }
}
