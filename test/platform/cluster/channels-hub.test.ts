import { expect } from 'chai'
import type { Channels } from '#platform/cluster/channels.ts'
import { newIncarnation } from '#platform/cluster/incarnation.ts'
import { LocalHub } from '#platform/cluster/local-bus.ts'
import type { ChannelListener, Peer } from '#platform/cluster/peer.ts'
import { systemClock } from '#platform/clock.ts'
import { startChannels } from './channel-start.ts'

/** With real timers and the bus that one process uses: the parts fit together. */
describe('channels over the local hub', () => {
  const hub = new LocalHub()
  const running: Channels[] = []
  const start = (name: string, listener: Partial<ChannelListener>): Channels => {
    const incarnation = newIncarnation(systemClock.now() * 1024, 1).toString('hex')
    const channels = startChannels(name, hub.open(incarnation), listener)
    running.push(channels)
    return channels
  }

  after(async () => {
    await Promise.all(running.map((channels) => channels.goodbye()))
  })

  it('carry 100,000 entries there and an echo back, and a goodbye', async () => {
    const opened = Promise.withResolvers<Peer>()
    const gone = Promise.withResolvers<string>()
    let count = 0
    let sum = 0
    const a = start('a', { opened: opened.resolve, gone: (_peer, how) => gone.resolve(how) })
    const b = start('b', {
      entry: (_peer, type, body) => {
        expect(type).to.equal(3)
        count++
        sum += body.readUInt32BE(0)
      },
    })
    const peer = await opened.promise
    const body = Buffer.alloc(100)
    for (let i = 0; i < 100_000; i++) {
      body.writeUInt32BE(i)
      // 10 MB: some of it must be awaited.
      if (peer.pressed) await new Promise<void>((resolve) => a.taken(resolve))
      peer.send(3, body)
    }
    await new Promise<void>((resolve) => a.echo(resolve))
    expect(count).to.equal(100_000)
    expect(sum).to.equal((99_999 * 100_000) / 2)
    await b.goodbye()
    expect(await gone.promise).to.equal('goodbye')
    expect(a.inContact).to.equal(0)
  })
})
