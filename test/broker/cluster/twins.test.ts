import { expect } from 'chai'
import { publisherOf } from '#broker/followed.ts'
import type { LiveEvent } from '#platform/live/live-event.ts'
import type { Device } from '#platform/registry/device-record.ts'
import { MemoryStore } from '#platform/store/memory.ts'
import type { TestClient } from '../harness.ts'
import { connectDevice, PlatformCell, type PlatformMember } from './platform-cell.ts'

const TWIN = 'v1/devices/me/twin/default'

describe('twins of a device that moves between processes', () => {
  let cell: PlatformCell
  let a: PlatformMember
  let b: PlatformMember
  let device: Device
  let key: string
  beforeEach(async () => {
    cell = new PlatformCell()
    const store = new MemoryStore({})
    ;[a, b] = await Promise.all([cell.start(1, store), cell.start(2, store)])
    for (const { platform, broker } of [a, b]) platform.outlet.open(publisherOf(broker))
    ;({ device, key } = await a.platform.registry.devices.create('default', { name: 'd' }))
  })
  afterEach(() => cell.stop())

  const report = (client: TestClient, reported: object): Promise<number> =>
    client.publishAcknowledged(`${TWIN}/update`, JSON.stringify({ reported }))
  const delta = async (client: TestClient): Promise<unknown> => {
    const { value } = await client.expect(3)
    expect(value.topic).to.equal(`${TWIN}/delta`)
    client.ack(4, value.packetId)
    return JSON.parse(value.payload.toString())
  }

  it('a wish made at one reaches the device at the other; what it reports there is seen here, the newest of each value', async () => {
    const atB = await connectDevice(b, 'c', key)
    await atB.subscribe(`${TWIN}/delta`, { qos: 1 })
    await a.platform.twins.change(device, 'default', { patch: { interval: 60, mode: 'eco' } })
    expect(await delta(atB)).to.deep.equal({ version: 1, delta: { interval: 60, mode: 'eco' } })
    await report(atB, { interval: 60, mode: 'auto', at: 'b' })
    const atA = await connectDevice(a, 'c', key)
    await report(atA, { at: 'a' })
    const again = await connectDevice(b, 'c', key)
    await report(again, { at: 'b' })
    for (const { platform } of [a, b]) {
      const { reported, delta: rest } = await platform.twins.get(device, 'default')
      expect(reported).to.deep.equal({ interval: 60, mode: 'auto', at: 'b' })
      expect(rest).to.deep.equal({ mode: 'eco' })
    }
    await again.subscribe(`${TWIN}/delta`, { qos: 1 })
    expect(await delta(again)).to.deep.equal({ version: 1, delta: { mode: 'eco' } })
  })

  it('of two changes at a time at two processes none is lost', async () => {
    await Promise.all(
      [a, b].flatMap(({ platform }, n) =>
        [1, 2, 3].map((i) => platform.twins.change(device, 'default', { patch: { [`p${n}-${i}`]: i } })),
      ),
    )
    const { desired, version } = await b.platform.twins.get(device, 'default')
    expect(Object.keys(desired)).to.have.length(6)
    expect(version).to.equal(6)
  })

  it('streams at one process tell what is wished and reported, and what becomes of commands, at the other', async () => {
    const stream = a.platform.live.subscribe('default', { types: new Set(['twin', 'command']) })
    await a.platform.live.whole()
    const next = async (): Promise<LiveEvent> => {
      for (;;) {
        const kept = stream?.take()
        if (kept !== undefined) return kept.event
        await new Promise<void>((readable) => stream?.onReadable(readable))
      }
    }
    const client = await connectDevice(b, 'c', key)
    await report(client, { fw: '1' })
    expect((await next()).data).to.deep.include({
      name: 'default',
      change: 'reported',
      reported: { fw: '1' },
    })
    await b.platform.twins.change(device, 'default', { patch: { x: 1 } })
    expect((await next()).data).to.deep.include({ change: 'desired', version: 1, delta: { x: 1 } })
    await client.subscribe('v1/devices/me/rpc/request/+', { qos: 1 })
    const asked = { name: 'blink', ttl: 60_000, timeout: 30_000, retries: 0, oneWay: false }
    const { command } = await b.platform.commands.create(device, asked)
    client.ack(4, (await client.expect(3)).value.packetId)
    await client.publishAcknowledged(`v1/devices/me/rpc/response/${command.id}`, 'ok')
    const states: unknown[] = []
    while (states.at(-1) !== 'succeeded') {
      const event = await next()
      expect(event).to.deep.include({ type: 'command', device: { org: 'default', id: device.id, name: 'd' } })
      if ('state' in event.data) states.push(event.data.state)
    }
    expect(states.length).to.be.within(1, 3)
    stream?.close()
  })
})
