import { expect } from 'chai'
import { publisherOf } from '#broker/followed.ts'
import type { CommandView } from '#platform/commands/commands.ts'
import type { Device } from '#platform/registry/device-record.ts'
import { MemoryStore } from '#platform/store/memory.ts'
import type { TestClient } from '../harness.ts'
import { connectDevice, PlatformCell, type PlatformMember } from './platform-cell.ts'

const PERSISTENT = { cleanStart: false, properties: { sessionExpiryInterval: 3600 } }
const REQUESTS = 'v1/devices/me/rpc/request/+'
const asked = { name: 'blink', ttl: 60_000, timeout: 30_000, retries: 0, oneWay: false }

describe('commands made at one process, for a device at another', () => {
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

  const create = async ({ platform }: PlatformMember): Promise<string> =>
    (await platform.commands.create(device, asked)).command.id
  const read = ({ platform }: PlatformMember, id: string): Promise<CommandView> =>
    platform.commands.get(device, id)
  const until = async (at: PlatformMember, id: string, state: string): Promise<void> => {
    while ((await read(at, id)).outcome.state !== state) await new Promise(setImmediate)
  }
  const request = async (client: TestClient, id: string): Promise<number> => {
    const { value } = await client.expect(3)
    expect(value.topic).to.equal(`v1/devices/me/rpc/request/${id}`)
    return value.packetId
  }

  it('go to where it is, and their states are seen from both', async () => {
    const client = await connectDevice(b, 'c', key)
    await client.subscribe(REQUESTS, { qos: 1 })
    const id = await create(a)
    const packet = await request(client, id)
    for (const one of [a, b]) await until(one, id, 'sent')
    client.ack(4, packet)
    for (const one of [a, b]) await until(one, id, 'delivered')
    const waiting = a.platform.commands.wait(device, id, 60_000, new AbortController().signal)
    await client.publishAcknowledged(`v1/devices/me/rpc/response/${id}`, '{"ok":true}')
    const view = await waiting
    expect(view.outcome.state).to.equal('succeeded')
    expect(Buffer.from((await a.platform.commands.result(view)) ?? []).toString()).to.equal('{"ok":true}')
  })

  it('wait for a device that moves, and reach it once, in the order in which they were made (TB#5848)', async () => {
    const before = await connectDevice(a, 'c', key, PERSISTENT)
    await before.subscribe(REQUESTS, { qos: 1 })
    before.wire.destroy()
    await before.closed()
    const ids: string[] = []
    for (const at of [a, b, a, b]) {
      ids.push(await create(at))
      // Those of one millisecond have no order.
      await new Promise((later) => setTimeout(later, 2))
    }
    await a.platform.commands.cancel(device, ids[1])
    const after = await connectDevice(b, 'c', key, PERSISTENT)
    expect(after.sessionPresent).to.equal(true)
    const got: string[] = []
    while (got.length < 3) {
      const { value } = await after.expect(3)
      got.push(value.topic.split('/').at(-1) ?? '')
      after.ack(4, value.packetId)
    }
    expect(got).to.deep.equal([ids[0], ids[2], ids[3]])
    for (const id of got) await until(a, id, 'delivered')
    expect(await after.messages()).to.deep.equal([])
    expect((await read(b, ids[1])).outcome.state).to.equal('cancelled')
  })

  it('that a device had without acknowledging them come again when it connects elsewhere', async () => {
    const first = await connectDevice(a, 'c', key)
    await first.subscribe(REQUESTS, { qos: 1 })
    const id = await create(b)
    await request(first, id)
    await until(b, id, 'sent')
    first.wire.destroy()
    await first.closed()
    const second = await connectDevice(b, 'c', key)
    await second.subscribe(REQUESTS, { qos: 1 })
    second.ack(4, await request(second, id))
    for (const one of [a, b]) await until(one, id, 'delivered')
  })

  it('that a device will not take (PUBACK with an error) are rejected', async () => {
    const client = await connectDevice(b, 'c', key)
    await client.subscribe(REQUESTS, { qos: 1 })
    const id = await create(a)
    client.ack(4, await request(client, id), 0x83)
    for (const one of [a, b]) await until(one, id, 'rejected')
  })

  it('an answer at a process that has never seen the command ends it', async () => {
    const first = await connectDevice(a, 'c', key)
    await first.subscribe(REQUESTS, { qos: 1 })
    const id = await create(a)
    first.ack(4, await request(first, id))
    await until(a, id, 'delivered')
    const second = await connectDevice(b, 'c', key)
    await second.publishAcknowledged(`v1/devices/me/rpc/response/${id}`, 'done')
    for (const one of [a, b]) await until(one, id, 'succeeded')
  })
})
