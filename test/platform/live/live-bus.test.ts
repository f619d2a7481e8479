import { expect } from 'chai'
import {
  LiveBus,
  type LiveEvent,
  type LiveLimits,
  type LiveRelay,
  type LiveSubscription,
} from '#platform/live/live-bus.ts'
import { Metrics } from '#platform/metrics.ts'
import type { Timer, Timers } from '#platform/timers.ts'

function event(org: string, device: string, at: number): LiveEvent {
  return { type: 'telemetry', device: { org, id: device, name: device }, at, points: [] }
}

function open(limits: Partial<LiveLimits> = {}): {
  bus: LiveBus
  metrics: Metrics
  publish: (org: string, device: string, at: number, bytes?: number) => void
} {
  const metrics = new Metrics()
  const bus = new LiveBus(metrics, limits)
  return {
    bus,
    metrics,
    publish: (org, device, at, bytes = 10) => bus.publish(event(org, device, at), bytes),
  }
}

function takeAll(subscription: LiveSubscription | null): number[] {
  const seen: number[] = []
  for (let one = subscription?.take(); one !== undefined; one = subscription?.take()) seen.push(one.event.at)
  return seen
}

describe('live events', () => {
  it('reach the subscribers of their organisation, from the subscription on, and nobody else', () => {
    const { bus, publish } = open()
    publish('acme', 'a', 1)
    const acme = bus.subscribe('acme')
    const other = bus.subscribe('other')
    publish('acme', 'a', 2)
    publish('other', 'a', 3)
    publish('acme', 'b', 4)
    expect(takeAll(acme)).to.deep.equal([2, 4])
    expect(takeAll(other)).to.deep.equal([3])
  })

  it('of one device only, if asked for', () => {
    const { bus, publish } = open()
    const subscription = bus.subscribe('acme', { device: 'b' })
    publish('acme', 'a', 1)
    publish('acme', 'b', 2)
    expect(takeAll(subscription)).to.deep.equal([2])
  })

  it('go on exactly after a cursor', () => {
    const { bus, publish } = open()
    const first = bus.subscribe('acme')
    for (let at = 1; at <= 5; at++) publish('acme', at % 2 ? 'odd' : 'even', at)
    const cursors: string[] = []
    for (let one = first?.take(); one !== undefined; one = first?.take()) cursors.push(one.cursor)
    const again = bus.subscribe('acme', { after: cursors[1] })
    expect(again?.complete).to.equal(true)
    expect(takeAll(again)).to.deep.equal([3, 4, 5])
    expect(takeAll(bus.subscribe('acme', { after: cursors[1], device: 'odd' }))).to.deep.equal([3, 5])
    const last = bus.subscribe('acme', { after: cursors[4] })
    expect(last?.complete).to.equal(true)
    publish('acme', 'a', 6)
    expect(takeAll(last)).to.deep.equal([6])
  })

  it('say when something between is not kept any more, and give what is', () => {
    const { bus, publish } = open({ ringEvents: 3 })
    const first = bus.subscribe('acme')
    for (let at = 1; at <= 5; at++) publish('acme', 'a', at)
    const cursor = first?.take()?.cursor
    const again = bus.subscribe('acme', { after: cursor })
    expect(again?.complete).to.equal(false)
    expect(takeAll(again)).to.deep.equal([3, 4, 5])
    const exact = bus.subscribe('acme', { after: first?.take()?.cursor })
    expect(exact?.complete).to.equal(true)
    expect(takeAll(exact)).to.deep.equal([3, 4, 5])
  })

  it('keep no more bytes than they may', () => {
    const { bus, publish } = open({ ringBytes: 100 })
    for (let at = 1; at <= 5; at++) publish('acme', 'a', at, 40)
    publish('acme', 'a', 6, 101)
    const all = bus.subscribe('acme', { after: 'x-0' })
    expect(takeAll(all)).to.deep.equal([])
  })

  for (const after of ['', '-', 'x', 'x-1', '1', 'abc-', '-1', 'x-1-2', 'x-99999999999999999999']) {
    it(`take the cursor "${after}" for one they do not know`, () => {
      const { bus, publish } = open()
      publish('acme', 'a', 1)
      const subscription = bus.subscribe('acme', { after })
      expect(subscription?.complete).to.equal(false)
      expect(takeAll(subscription)).to.deep.equal([1])
    })
  }

  it("do not take another organisation's cursor, nor one from before its events were forgotten", () => {
    const { bus, publish } = open({ rings: 2 })
    const subscription = bus.subscribe('acme')
    publish('acme', 'a', 1)
    const cursor = subscription?.take()?.cursor
    expect(bus.subscribe('other', { after: cursor })?.complete).to.equal(false)
    publish('third', 'a', 2)
    expect(bus.subscribe('acme', { after: cursor })?.complete).to.equal(false)
  })

  it('that a slow subscriber does not take are dropped, oldest first, and counted', () => {
    const { bus, metrics, publish } = open({ queue: 3 })
    const subscription = bus.subscribe('acme')
    for (let at = 1; at <= 5; at++) publish('acme', 'a', at)
    expect(subscription?.takeDropped()).to.equal(2)
    expect(subscription?.takeDropped()).to.equal(0)
    expect(takeAll(subscription)).to.deep.equal([3, 4, 5])
    expect(metrics.total('cinque_live_dropped_total')).to.equal(2)
  })

  it('that wait for a subscriber are bounded in bytes too, but one is always kept', () => {
    const { bus, publish } = open({ queueBytes: 100 })
    const subscription = bus.subscribe('acme')
    for (let at = 1; at <= 4; at++) publish('acme', 'a', at, 40)
    expect(takeAll(subscription)).to.deep.equal([3, 4])
    publish('acme', 'a', 5, 1000)
    expect(takeAll(subscription)).to.deep.equal([5])
    expect(subscription?.takeDropped()).to.equal(2)
  })

  it('wake a subscriber once for what it has not taken yet', () => {
    const { bus, publish } = open()
    const subscription = bus.subscribe('acme')
    let woken = 0
    subscription?.onReadable(() => woken++)
    publish('acme', 'a', 1)
    publish('acme', 'a', 2)
    expect(woken).to.equal(1)
    takeAll(subscription)
    publish('acme', 'a', 3)
    expect(woken).to.equal(2)
  })

  it('have a bounded number of subscribers, whose places come free', () => {
    const { bus, metrics, publish } = open({ subscribers: 2 })
    const one = bus.subscribe('acme')
    bus.subscribe('acme')
    expect(bus.subscribe('acme')).to.equal(null)
    expect(bus.subscribe('other')).to.not.equal(null)
    expect(metrics.render()).to.include('cinque_live_subscribers 3')
    one?.close()
    publish('acme', 'a', 1)
    expect(takeAll(one)).to.deep.equal([])
    expect(bus.subscribe('acme')).to.not.equal(null)
  })

  describe('in a cell', () => {
    /** The other processes, who all want everything. */
    class Others implements LiveRelay {
      readonly heard: string[] = []
      readonly sent: number[] = []
      wanted = true

      wants(): boolean {
        return this.wanted
      }

      send({ at }: LiveEvent): void {
        this.sent.push(at)
      }

      listening(org: string, on: boolean): void {
        this.heard.push(`${org} ${on}`)
      }

      whenKnown(then: () => void): void {
        then()
      }
    }

    /** Time that passes when the test says so. */
    class Time implements Timers {
      due: (() => void)[] = []
      monotonic(): number {
        return 0
      }
      after(_ms: number, then: () => void): Timer {
        this.due.push(then)
        return { cancel: () => void this.due.splice(this.due.indexOf(then), 1) }
      }
      every(): Timer {
        throw new Error('not used')
      }
      soon(): void {
        throw new Error('not used')
      }
    }

    let others: Others
    let time: Time
    let bus: LiveBus
    beforeEach(() => {
      others = new Others()
      time = new Time()
      bus = new LiveBus(new Metrics(), {}, time)
      bus.join(others)
    })

    it('what is taken here goes to those who want it, and is kept only for listeners here', () => {
      bus.publish(event('acme', 'a', 1), 10)
      others.wanted = false
      bus.publish(event('acme', 'a', 2), 10)
      expect(others.sent).to.deep.equal([1])
      const stream = bus.subscribe('acme', { after: 'x-0' })
      expect(takeAll(stream)).to.deep.equal([])
      bus.receive(event('acme', 'a', 3), 10)
      expect(takeAll(stream)).to.deep.equal([3])
      expect(others.sent).to.deep.equal([1])
    })

    it('the others are told of the first listener, and a minute after the last that there is none', () => {
      const one = bus.subscribe('acme')
      const two = bus.subscribe('acme')
      expect(others.heard).to.deep.equal(['acme true'])
      one?.close()
      two?.close()
      bus.subscribe('acme')?.close()
      expect(time.due).to.have.length(1)
      expect(others.heard).to.deep.equal(['acme true'])
      bus.publish(event('acme', 'a', 1), 10)
      time.due[0]()
      expect(others.heard).to.deep.equal(['acme true', 'acme false'])
    })

    it('a stream that comes back later than that is told that something is missing', () => {
      const stream = bus.subscribe('acme')
      bus.receive(event('acme', 'a', 1), 10)
      const cursor = stream?.take()?.cursor
      stream?.close()
      const soon = bus.subscribe('acme', { after: cursor })
      expect(soon?.complete).to.equal(true)
      soon?.close()
      time.due[0]()
      expect(bus.subscribe('acme', { after: cursor })?.complete).to.equal(false)
    })

    it('what was lost on its way is told to streams that are open, and to those that come back', () => {
      const stream = bus.subscribe('acme')
      const quiet = bus.subscribe('other')
      for (const at of [1, 2]) bus.receive(event('acme', 'a', at), 10)
      const cursors = [stream?.take()?.cursor, stream?.take()?.cursor]
      let woken = 0
      stream?.onReadable(() => woken++)
      bus.lost('acme')
      expect([woken, stream?.takeGap(), stream?.takeGap(), quiet?.takeGap()]).to.deep.equal([
        1,
        true,
        false,
        false,
      ])
      bus.receive(event('acme', 'a', 3), 10)
      const again = bus.subscribe('acme', { after: cursors[1] })
      expect(again?.complete).to.equal(false)
      expect(takeAll(again)).to.deep.equal([3])
      const after = bus.subscribe('acme', { after: stream?.take()?.cursor })
      expect(after?.complete).to.equal(true)
      bus.lostSome()
      expect([stream?.takeGap(), quiet?.takeGap()]).to.deep.equal([true, true])
    })
  })
})
