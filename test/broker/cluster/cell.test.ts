import { expect } from 'chai'
import { Entry } from '#broker/cluster/entries.ts'
import type { TestClient } from '../harness.ts'
import { type CellMember, connectTo, TestCell } from './cell-harness.ts'

const PERSISTENT = { cleanStart: false, properties: { sessionExpiryInterval: 3600 } }

describe('a cell of brokers whose stores do not replicate', () => {
  let cell: TestCell
  let a: CellMember
  let b: CellMember
  beforeEach(async () => {
    cell = new TestCell([1, 2])
    ;[a, b] = await Promise.all([cell.start(1), cell.start(2)])
  })
  afterEach(() => cell.stop())

  it('gives what is published at one to a subscriber at the other', async () => {
    const subscriber = await connectTo(b, 's')
    await subscriber.subscribe('t/#', { qos: 1 })
    const publisher = await connectTo(a, 'p')
    publisher.publish('t/0', 'zero')
    await publisher.publishAcknowledged('t/1', 'one')
    const first = await subscriber.expect(3)
    const second = await subscriber.expect(3)
    expect(
      [first.value, second.value].map(({ payload, qos }) => `${payload.toString()} ${qos}`),
    ).to.deep.equal(['zero 0', 'one 1'])
  })

  it('gives a persistent session at the other what is promised to it, once', async () => {
    const subscriber = await connectTo(b, 's', PERSISTENT)
    await subscriber.subscribe('t', { qos: 2 })
    const publisher = await connectTo(a, 'p')
    await publisher.publishAcknowledged('t', 'one')
    const { value } = await subscriber.expect(3)
    expect(value.payload.toString()).to.equal('one')
    subscriber.answer({ type: 3, value })
    expect(await subscriber.messages()).to.have.length(0)
  })

  it('lets a session move with all that waits for it', async () => {
    const at = await connectTo(b, 's', PERSISTENT)
    await at.subscribe('t', { qos: 1 })
    at.wire.destroy()
    await at.closed()
    const publisher = await connectTo(a, 'p')
    for (let i = 0; i < 5; i++) await publisher.publishAcknowledged('t', `a${i}`)
    const other = await connectTo(b, 'q')
    for (let i = 0; i < 5; i++) await other.publishAcknowledged('t', `b${i}`)
    const moved = await connectTo(a, 's', PERSISTENT)
    expect(moved.sessionPresent).to.equal(true)
    const got = (await moved.messages()).map(({ payload }) => payload.toString()).toSorted()
    expect(got).to.deep.equal(['a0', 'a1', 'a2', 'a3', 'a4', 'b0', 'b1', 'b2', 'b3', 'b4'])
    moved.wire.destroy()
    await moved.closed()
    const back = await connectTo(b, 's', PERSISTENT)
    expect(await back.messages()).to.have.length(0)
  })

  it('has packet identifiers released before they are given out, where it cannot know which ones a client holds', async () => {
    const before = await connectTo(a, 's', PERSISTENT)
    await before.subscribe('t', { qos: 2 })
    await a.bus.close()
    const again = async (): Promise<TestClient> => connectTo(b, 's', PERSISTENT)
    const lose = async (client: TestClient): Promise<void> => {
      client.wire.destroy()
      await client.closed()
    }
    // A client that holds it for an earlier message would take the new one for that.
    let client = await again()
    const publisher = await connectTo(b, 'p')
    publisher.publish('t', 'one', { qos: 2 })
    await publisher.expect(5)
    const releases = await client.drain()
    expect(releases.every(({ type }) => type === 6)).to.equal(true)
    for (const release of releases) client.answer(release)
    const { packetId, dup } = (await client.expect(3)).value
    expect(dup).to.equal(false)
    expect(releases.some((release) => release.type === 6 && release.value.packetId === packetId)).to.equal(
      true,
    )
    await lose(client)
    // From here on it is this message's, which must come once.
    client = await again()
    expect((await client.expect(3)).value).to.include({ packetId, dup: true })
    client.ack(5, packetId)
    expect((await client.expect(6)).value.packetId).to.equal(packetId)
    client.ack(7, packetId)
    expect(await client.messages()).to.have.length(0)
  })

  it('lets the newest connection of a client id win, wherever it is', async () => {
    for (const options of [PERSISTENT, {}]) {
      const first = await connectTo(a, 'c', options)
      // Which of two connections is the newer one, clocks say: to the millisecond.
      for (const now = Date.now(); Date.now() <= now; ) await new Promise(setImmediate)
      const second = await connectTo(b, 'c', options)
      const { value } = await first.expect(14)
      expect(value.reason).to.equal(0x8e)
      second.wire.destroy()
      await second.closed()
    }
  })

  it('knows a retained message everywhere', async () => {
    const publisher = await connectTo(a, 'p')
    await publisher.publishAcknowledged('r', 'kept', { retain: true })
    const subscriber = await connectTo(b, 's')
    await subscriber.subscribe('r')
    expect((await subscriber.expect(3)).value.payload.toString()).to.equal('kept')
    await publisher.publishAcknowledged('r', '', { retain: true })
    expect((await subscriber.expect(3)).value.payload).to.have.length(0)
    const other = await connectTo(b, 's2')
    await other.subscribe('r')
    expect(await other.messages()).to.have.length(0)
  })

  it('gives a message of a shared group to one member, near or far', async () => {
    const one = await connectTo(a, 'm1')
    const two = await connectTo(b, 'm2')
    for (const member of [one, two]) await member.subscribe('$share/g/t', { qos: 1 })
    const publisher = await connectTo(a, 'p')
    for (let i = 0; i < 10; i++) await publisher.publishAcknowledged('t', `${i}`)
    one.wire.destroy()
    await one.closed()
    for (let i = 10; i < 20; i++) await publisher.publishAcknowledged('t', `${i}`)
    // The last ten have nowhere else to go.
    for (let last = ''; last !== '19'; ) {
      const packet = await two.expect(3)
      two.answer(packet)
      last = packet.value.payload.toString()
    }
  })

  it('tells a process that starts later all that is known', async () => {
    const subscriber = await connectTo(a, 's', PERSISTENT)
    await subscriber.subscribe('t', { qos: 1 })
    const gone = await connectTo(b, 'g', PERSISTENT)
    await gone.subscribe('t', { qos: 1 })
    gone.wire.destroy()
    await gone.closed()
    const late = await cell.start(2)
    const publisher = await connectTo(late, 'p')
    await publisher.publishAcknowledged('t', 'one')
    expect((await subscriber.expect(3)).value.payload.toString()).to.equal('one')
    const back = await connectTo(a, 'g', PERSISTENT)
    expect((await back.messages()).map(({ payload }) => payload.toString())).to.deep.equal(['one'])
  })

  it('publishes the will of a client that is lost at one to a subscriber at the other', async () => {
    const subscriber = await connectTo(b, 's', PERSISTENT)
    await subscriber.subscribe('w', { qos: 1 })
    const dying = await connectTo(a, 'd', {
      will: { topic: 'w', payload: Buffer.from('gone'), qos: 1, retain: false, properties: {} },
    })
    dying.wire.destroy()
    expect((await subscriber.expect(3)).value.payload.toString()).to.equal('gone')
  })

  it('takes no clients at a process whose clock is a minute off: the others would refuse what it writes', async () => {
    const wrong = await cell.start(1, { clock: { now: () => Date.now() + 60_000 } })
    const client = await connectTo(wrong, 'c').catch((error: Error) => error.message)
    if (typeof client === 'string') expect(client).to.equal('CONNACK 136')
    else expect((await client.expect(14)).value.reason).to.equal(0x9c)
    const late = await connectTo(wrong, 'd').catch((error: Error) => error.message)
    expect(late).to.equal('CONNACK 136')
    await connectTo(a, 'e')
  })

  it('tells the younger of two processes with one name to end', async () => {
    const { lines } = await cell.start(1, { name: 'dc01-0' })
    while (!lines.some(({ event }) => event === 'cell.name_conflict')) await new Promise(setImmediate)
    expect(a.lines.some(({ event }) => event === 'cell.name_conflict')).to.equal(false)
  })

  it('skips and counts what a newer version, or a broken one, says, and goes on', async () => {
    const [toB] = a.broker.cell?.members() ?? []
    toB.peer.send(60_000, Buffer.from('of a version that is not there yet'))
    for (const type of Object.values(Entry)) toB.peer.send(type, Buffer.from([0xff, 0x00, 0xff]))
    const subscriber = await connectTo(b, 's', PERSISTENT)
    await subscriber.subscribe('t', { qos: 1 })
    const publisher = await connectTo(a, 'p')
    await publisher.publishAcknowledged('t', 'one')
    expect((await subscriber.expect(3)).value.payload.toString()).to.equal('one')
    const metrics = b.broker.metrics.render()
    expect(metrics).to.match(/cinque_cell_dropped_total\{reason="unknown"\} [1-9]/)
    expect(metrics).to.match(/cinque_cell_dropped_total\{reason="malformed"\} [1-9]/)
  })
})
