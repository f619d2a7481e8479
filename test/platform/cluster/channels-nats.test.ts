import { expect } from 'chai'
import { newIncarnation } from '#platform/cluster/incarnation.ts'
import type { ChannelListener, Peer } from '#platform/cluster/peer.ts'
import { systemClock } from '#platform/clock.ts'
import { createLogger } from '#platform/log.ts'
import { Metrics } from '#platform/metrics.ts'
import { openNatsBus } from '#platform/nats/nats-bus.ts'
import { startChannels } from './channel-start.ts'
import { Mesh } from '../nats/mesh.ts'

const COUNT = 60_000

/** With real nats-servers, which drop silently: a server that dies costs nobody a subscription or a message. */
describe('channels over NATS', function () {
  this.timeout(120_000)
  let mesh: Mesh
  const closing: (() => Promise<void>)[] = []

  before(async () => {
    mesh = await Mesh.start(2)
  })
  after(async () => {
    await Promise.all(closing.map((close) => close()))
    await mesh?.remove()
  })

  async function start(i: number, listener: Partial<ChannelListener>): Promise<void> {
    const incarnation = newIncarnation(systemClock.now() * 1024, i + 1).toString('hex')
    const bus = await openNatsBus({
      servers: [mesh.address(i), mesh.address(1 - i)],
      address: incarnation,
      tls: { caFile: mesh.caFile },
      nkeySeed: mesh.user.seed,
      log: createLogger({ level: 'silent' }),
      metrics: new Metrics(),
    })
    const channels = startChannels(`p${i}`, bus, listener)
    closing.push(async () => {
      await channels.goodbye()
      await bus.close()
    })
  }

  it('lose nothing and repeat nothing when the server of the sender is killed', async () => {
    const opened = Promise.withResolvers<Peer>()
    const all = Promise.withResolvers<void>()
    let openings = 0
    let expected = 0
    let wrong = 0
    await start(1, {
      opened: () => openings++,
      entry: (_peer, _type, body) => {
        if (body.readUInt32BE(0) !== expected) wrong++
        if (++expected === COUNT) all.resolve()
      },
    })
    await start(0, { opened: opened.resolve })
    const peer = await opened.promise
    const body = Buffer.alloc(100)
    let killed: Promise<void> | undefined
    for (let i = 0; i < COUNT; i++) {
      body.writeUInt32BE(i)
      peer.send(1, body)
      if (i === COUNT / 3) killed = mesh.kill(0)
      // From here on all goes over the other server.
      if (i === (COUNT / 3) * 2) await killed
      if (i % 100 === 0) await new Promise((turn) => setImmediate(turn))
    }
    await all.promise
    await killed
    expect(wrong).to.equal(0)
    expect(expected).to.equal(COUNT)
    expect(openings).to.equal(1)
  })
})
