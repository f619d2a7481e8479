import { expect } from 'chai'
import type { DeviceRef } from '#platform/auth/principal.ts'
import { Commands } from '#platform/commands/commands.ts'
import { LiveBus } from '#platform/live/live-bus.ts'
import { createLogger } from '#platform/log.ts'
import { type DeviceMessage, Outlet } from '#platform/messages.ts'
import { Metrics } from '#platform/metrics.ts'
import { Lanes } from '#platform/store/lanes.ts'
import { MemoryStore } from '#platform/store/memory.ts'
import { VirtualTime, VirtualTimers } from '../../virtual-time.ts'
import { noon } from '../telemetry/fixture.ts'

const device: DeviceRef = { org: 'o', id: 'd', name: 'thermo' }
const asked = { name: 'blink', ttl: 3_600_000, timeout: 10_000, retries: 0, oneWay: false }

/** A process on a store, in virtual time; the device is what the test says it is. */
function start(
  time: VirtualTime,
  store: MemoryStore,
  isConnected: () => Promise<boolean> = async () => false,
): { commands: Commands; metrics: Metrics; sent: DeviceMessage[]; take: () => void } {
  const clock = { now: () => noon + time.now }
  const log = createLogger({ level: 'silent' })
  const metrics = new Metrics()
  const outlet = new Outlet()
  const sent: DeviceMessage[] = []
  const lanes = new Lanes(store, log)
  const live = new LiveBus(metrics)
  outlet.open(async (message) => void sent.push(message))
  const timers = new VirtualTimers(time)
  const commands = new Commands({ store, lanes, clock, outlet, live, log, metrics, timers, isConnected })
  const take = (): void => {
    const correlation = sent.at(-1)?.correlation ?? ''
    commands.follower.sent('o', 'd', correlation)
    commands.follower.acknowledged('o', 'd', correlation, false)
  }
  return { commands, metrics, sent, take }
}

describe('commands in time', () => {
  let time: VirtualTime
  let store: MemoryStore
  beforeEach(() => {
    time = new VirtualTime()
    store = new MemoryStore({ clock: { now: () => noon + time.now } })
  })

  it('are sent again when the answer does not come, as often as was asked, then they have timed out', async () => {
    const { commands, sent, take, metrics } = start(time, store)
    const { command } = await commands.create(device, { ...asked, retries: 2 })
    for (let attempt = 1; attempt <= 3; attempt++) {
      expect(sent.map(({ correlation }) => correlation).at(-1)).to.equal(
        attempt === 1 ? command.id : `${command.id}~${attempt}`,
      )
      expect(sent).to.have.length(attempt)
      take()
      await time.runAsync(9000)
      expect((await commands.get(device, command.id)).outcome.state).to.equal('delivered')
      await time.runAsync(3000)
    }
    const { outcome, facts } = await commands.get(device, command.id)
    expect([outcome.state, facts.attempt]).to.deep.equal(['timed_out', 3])
    expect(sent).to.have.length(3)
    expect(metrics.render()).to.match(/cinque_commands_total\{state="timed_out"\} 1/)
    expect(metrics.render()).to.match(/cinque_commands_tracked 0/)
    commands.close()
  })

  it('an answer to the second attempt is the end of it', async () => {
    const { commands, sent, take } = start(time, store)
    const { command } = await commands.create(device, { ...asked, retries: 1 })
    take()
    await time.runAsync(12_000)
    take()
    const entry = commands.tracker.meet('o', 'd', command.id)
    expect(commands.tracker.end(entry, 'succeeded', Buffer.from('1'))).to.equal(true)
    await time.runAsync(60_000)
    const view = await commands.get(device, command.id)
    expect(view.outcome.state).to.equal('succeeded')
    expect(Buffer.from((await commands.result(view)) ?? []).toString()).to.equal('1')
    expect(sent).to.have.length(2)
    commands.close()
  })

  it('a device that was out of contact when it was made, and is connected, gets it without having to come again', async () => {
    let connected = false
    const { commands, sent, take } = start(time, store, async () => connected)
    const { command } = await commands.create(device, asked)
    await time.runAsync(8000)
    expect(sent, 'nobody is there').to.have.length(1)
    connected = true
    await time.runAsync(60_000)
    expect(sent.length).to.be.within(2, 6)
    take()
    const before = sent.length
    await time.runAsync(9000)
    expect((await commands.get(device, command.id)).outcome.state).to.equal('delivered')
    expect(sent).to.have.length(before)
    commands.close()
  })

  it('those that a process has left behind are ended and counted by another', async () => {
    const first = start(time, store)
    const { command } = await first.commands.create(device, { ...asked, ttl: 20_000 })
    await time.runAsync(0)
    // kill -9
    first.commands.close()
    const second = start(time, store)
    second.commands.sweeper.start()
    await time.runAsync(200_000)
    expect(second.metrics.render()).to.match(/cinque_commands_total\{state="expired"\} 1/)
    expect((await second.commands.get(device, command.id)).outcome.state).to.equal('expired')
    await time.runAsync(200_000)
    expect(second.metrics.render()).to.match(/cinque_commands_total\{state="expired"\} 1/)
    second.commands.close()
  })

  it('a device that subscribes gets what it has not acknowledged, oldest first, and nothing that is over', async () => {
    const { commands, sent } = start(time, store)
    const ids: string[] = []
    for (const ttl of [1000, 100_000, 100_000]) {
      ids.push((await commands.create(device, { ...asked, ttl })).command.id)
      await time.runAsync(10)
    }
    sent.length = 0
    await time.runAsync(2000)
    commands.follower.subscribed('o', 'd', 'v1/devices/other/rpc/request/+', true)
    commands.follower.subscribed('o', 'd', 'v1/devices/d/telemetry', true)
    commands.follower.subscribed('o', 'd', 'v1/devices/d/rpc/request/+', false)
    await time.runAsync(6000)
    expect(sent).to.have.length(0)
    commands.follower.subscribed('o', 'd', 'v1/devices/d/#', true)
    await time.runAsync(10)
    expect(sent.map(({ correlation }) => correlation)).to.deep.equal(ids.slice(1))
    for (const id of ids.slice(1)) commands.follower.sent('o', 'd', id)
    await time.runAsync(6000)
    expect(sent, 'the second look sends none again').to.have.length(2)
    commands.close()
  })
})
