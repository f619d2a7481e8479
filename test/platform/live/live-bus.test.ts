import { expect } from 'chai'
import * as fc from 'fast-check'
import { LiveBus, type LiveLimits, type LiveRelay } from '#platform/live/live-bus.ts'
import { type LiveEvent, type LiveType, type Origin, parseCursor } from '#platform/live/live-event.ts'
import type { LiveFilter, LiveStream } from '#platform/live/live-stream.ts'
import type { Replayed } from '#platform/live/replay.ts'
import { Metrics } from '#platform/metrics.ts'
import type { Timer, Timers } from '#platform/timers.ts'

function event(org: string, device: string, at: number, type: LiveType = 'telemetry'): LiveEvent {
  return { type, org, device: { org, id: device, name: device }, at, data: {} }
}

/** Time that passes when the test says so. */
class Time implements Timers {
  wall = 0
  due: (() => void)[] = []
  now(): number {
    return this.wall
  }
  monotonic(): number {
    return this.wall
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

interface Opened {
  readonly bus: LiveBus
  readonly metrics: Metrics
  readonly time: Time
  readonly publish: (org: string, device: string, at: number, bytes?: number) => void
  readonly listen: (org: string, filter?: LiveFilter) => LiveStream
  /** A stream that goes on after a cursor. */
  readonly resume: (org: string, cursor: string, filter?: LiveFilter) => Promise<LiveStream>
}

function open(limits: Partial<LiveLimits> = {}, relay?: LiveRelay): Opened {
  const metrics = new Metrics()
  const time = new Time()
  const bus = new LiveBus(metrics, limits, { timers: time, clock: time })
  if (relay !== undefined) bus.join(relay)
  const listen = (org: string, filter?: LiveFilter): LiveStream => {
    const stream = bus.subscribe(org, filter)
    if (stream === null) throw new Error('too many streams')
    return stream
  }
  return {
    bus,
    metrics,
    time,
    listen,
    publish: (org, device, at, bytes = 10) => bus.publish(event(org, device, at), bytes),
    resume: async (org, cursor, filter) => {
      const stream = listen(org, filter)
      await bus.resume(org, stream, cursor)
      return stream
    },
  }
}

function takeAll(stream: LiveStream): number[] {
  const seen: number[] = []
  for (let one = stream.take(); one !== undefined; one = stream.take()) seen.push(one.event.at)
  return seen
}

function cursors(stream: LiveStream): string[] {
  const seen: string[] = []
  for (let one = stream.take(); one !== undefined; one = stream.take()) seen.push(one.cursor)
  return seen
}

describe('live events', () => {
  it('reach the streams of their organisation, from their beginning on, and nobody else', () => {
    const { listen, publish } = open()
    publish('acme', 'a', 1)
    const acme = listen('acme')
    const other = listen('other')
    publish('acme', 'a', 2)
    publish('other', 'a', 3)
    publish('acme', 'b', 4)
    expect(takeAll(acme)).to.deep.equal([2, 4])
    expect(takeAll(other)).to.deep.equal([3])
  })

  it('of one device, of some devices, or of some kinds only, if asked for', () => {
    const { bus, listen } = open()
    const one = listen('acme', { device: 'b' })
    const some = listen('acme', { devices: new Set(['a', 'c']) })
    const kinds = listen('acme', { types: new Set<LiveType>(['presence', 'warning']) })
    const both = listen('acme', { device: 'a', types: new Set<LiveType>(['presence']) })
    bus.publish(event('acme', 'a', 1), 10)
    bus.publish(event('acme', 'b', 2), 10)
    bus.publish(event('acme', 'a', 3, 'presence'), 10)
    bus.publish({ type: 'warning', org: 'acme', device: null, at: 4, data: {} }, 10)
    expect(takeAll(one)).to.deep.equal([2])
    expect(takeAll(some)).to.deep.equal([1, 3])
    expect(takeAll(kinds)).to.deep.equal([3, 4])
    expect(takeAll(both)).to.deep.equal([3])
  })

  it('are written out once, whoever reads them', () => {
    const { listen, publish } = open()
    const one = listen('acme')
    const other = listen('acme', { device: 'a' })
    publish('acme', 'a', 1)
    const frame = one.take()?.frame
    expect(frame).to.equal(other.take()?.frame)
    expect(frame?.toString()).to.match(
      /^id: [0-9a-f]{12}-0-1\nevent: telemetry\ndata: \{"device":\{"id":"a","name":"a"\},"at":1,"event":"[0-9a-f]{12}-0"\}\n\n$/,
    )
  })

  it('go on exactly after a cursor', async () => {
    const { listen, publish, resume } = open()
    const first = listen('acme')
    for (let at = 1; at <= 5; at++) publish('acme', at % 2 ? 'odd' : 'even', at)
    const seen = cursors(first)
    const again = await resume('acme', seen[1])
    expect(again.complete).to.equal(true)
    expect(takeAll(again)).to.deep.equal([3, 4, 5])
    expect(takeAll(await resume('acme', seen[1], { device: 'odd' }))).to.deep.equal([3, 5])
    const last = await resume('acme', seen[4])
    expect(last.complete).to.equal(true)
    publish('acme', 'a', 6)
    expect(takeAll(last)).to.deep.equal([6])
  })

  it('that come while a stream goes on are told behind the old ones', async () => {
    const { bus, listen, publish } = open()
    const first = listen('acme')
    for (let at = 1; at <= 3; at++) publish('acme', 'a', at)
    const [cursor] = cursors(first)
    const again = listen('acme')
    const going = bus.resume('acme', again, cursor)
    publish('acme', 'a', 4)
    await going
    expect(takeAll(again)).to.deep.equal([2, 3, 4])
  })

  it('say when something between is not kept any more, and give what is', async () => {
    const { listen, publish, resume } = open({ ringEvents: 3 })
    const first = listen('acme')
    const seen: string[] = []
    for (let at = 1; at <= 5; at++) {
      publish('acme', 'a', at)
      seen.push(...cursors(first))
    }
    const again = await resume('acme', seen[0])
    expect(again.complete).to.equal(false)
    expect(takeAll(again)).to.deep.equal([3, 4, 5])
    const exact = await resume('acme', seen[1])
    expect(exact.complete).to.equal(true)
    expect(takeAll(exact)).to.deep.equal([3, 4, 5])
  })

  it('keep no more bytes than they may, in an organisation and in all', () => {
    const { listen, publish, metrics } = open({ ringBytes: 100, bytes: 160 })
    const one = listen('acme')
    for (let at = 1; at <= 5; at++) publish('acme', 'a', at, 40)
    expect(metrics.render()).to.include('cinque_live_ring_bytes 80')
    expect(takeAll(one)).to.deep.equal([4, 5])
    const streams = ['b', 'c', 'd'].map((org) => listen(org))
    for (const org of ['acme', 'b', 'c', 'd']) for (let at = 1; at <= 5; at++) publish(org, 'a', at, 40)
    expect(metrics.render()).to.include('cinque_live_ring_bytes 160')
    // The newest is always kept, also one that is larger than all that may be.
    publish('b', 'a', 6, 1000)
    expect(takeAll(streams[0])).to.deep.equal([6])
  })

  for (const cursor of [
    '',
    '-',
    'x',
    'x-1',
    '1',
    'abc-',
    '-1',
    '0123456789ab-1',
    '0123456789ab--1-2',
    '0123456789ab-1-2-3',
    'x-99999999999999999999',
    '0123456789ab-99999999999999999999-1',
  ]) {
    it(`take the cursor "${cursor}" for one they do not know, and tell what comes from now on`, async () => {
      const { listen, publish, resume } = open()
      listen('acme')
      publish('acme', 'a', 1)
      const stream = await resume('acme', cursor)
      expect(stream.complete).to.equal(false)
      publish('acme', 'a', 2)
      expect(takeAll(stream)).to.deep.equal([2])
    })
  }

  it('take any text for a cursor without failing', async () => {
    const opened = open()
    opened.publish('acme', 'a', 1)
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.string(), fc.stringMatching(/^[0-9a-f-]{0,60}$/)), async (text) => {
        const stream = await opened.resume('acme', text)
        expect(stream.complete).to.equal(false)
        stream.close()
      }),
      { numRuns: 200 },
    )
  })

  it("do not take another organisation's cursor, nor one of another process of before", async () => {
    const { listen, publish, resume } = open()
    const stream = listen('acme')
    publish('acme', 'a', 1)
    listen('other')
    publish('other', 'secret', 2)
    const [cursor] = cursors(stream)
    const other = await resume('other', cursor)
    expect(other.complete).to.equal(false)
    const restarted = open()
    restarted.time.wall = 3
    const again = await restarted.resume('acme', cursor)
    expect(again.complete).to.equal(false)
    expect(takeAll(again)).to.deep.equal([])
  })

  it('that a slow stream does not take are missed, oldest first, and it is told how many', () => {
    const { listen, metrics, publish } = open({ ringEvents: 3 })
    const stream = listen('acme')
    const one = listen('acme', { device: 'b' })
    for (let at = 1; at <= 6; at++) publish('acme', at < 4 ? 'b' : 'a', at)
    expect(stream.takeMissed()).to.equal(3)
    expect(stream.takeMissed()).to.equal(0)
    expect(takeAll(stream)).to.deep.equal([4, 5, 6])
    // Of those that it wants, and nothing else.
    expect(one.takeMissed()).to.equal(3)
    expect(takeAll(one)).to.deep.equal([])
    publish('acme', 'b', 7)
    expect(takeAll(one)).to.deep.equal([7])
    expect(one.takeMissed()).to.equal(0)
    expect(metrics.render()).to.include('cinque_live_dropped_total{reason="slow_stream"} 6')
  })

  it('are each told once or counted as missed, in order, however fast a stream reads', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ publish: fc.nat(9), device: fc.constantFrom('a', 'b'), take: fc.nat(9) })),
        fc.constantFrom(undefined, 'a'),
        (steps, device) => {
          const { listen, publish } = open({ ringEvents: 7 })
          const stream = listen('acme', { device })
          let at = 0
          let wanted = 0
          let missed = 0
          const seen: number[] = []
          for (const step of steps) {
            for (let i = 0; i < step.publish; i++) publish('acme', step.device, ++at)
            if (device === undefined || device === step.device) wanted += step.publish
            for (let i = 0; i < step.take; i++) {
              missed += stream.takeMissed()
              const one = stream.take()
              if (one === undefined) break
              seen.push(one.event.at)
            }
          }
          missed += stream.takeMissed()
          seen.push(...takeAll(stream))
          expect(seen.length + missed).to.equal(wanted)
          expect(seen).to.deep.equal(seen.toSorted((a, b) => a - b))
        },
      ),
    )
  })

  it('wake a stream once for what it has not taken yet', () => {
    const { listen, publish } = open()
    const stream = listen('acme')
    let woken = 0
    stream.onReadable(() => woken++)
    publish('acme', 'a', 1)
    publish('acme', 'a', 2)
    expect(woken).to.equal(1)
    takeAll(stream)
    publish('acme', 'a', 3)
    expect(woken).to.equal(2)
  })

  it('have a bounded number of streams, whose places come free', () => {
    const { bus, metrics, listen, publish } = open({ organisationStreams: 2, streams: 3 })
    const one = listen('acme')
    listen('acme')
    expect(bus.subscribe('acme')).to.equal(null)
    listen('other')
    expect(bus.subscribe('third')).to.equal(null)
    expect(metrics.render()).to.include('cinque_live_streams 3')
    one.close()
    one.close()
    publish('acme', 'a', 1)
    expect(takeAll(one)).to.deep.equal([])
    listen('third')
    expect(bus.subscribe('acme')).to.equal(null)
  })

  it('cost nothing for organisations to which nobody has listened lately', () => {
    const { bus, listen, publish, metrics, time } = open()
    publish('acme', 'a', 1)
    expect(bus.taken('acme', 0)).to.equal(null)
    listen('acme').close()
    publish('acme', 'a', 2)
    expect(bus.taken('acme', 0)?.events).to.have.length(1)
    time.wall = 300_001
    listen('other')
    expect(bus.taken('acme', 0)).to.equal(null)
    expect(metrics.render()).to.include('cinque_live_ring_bytes 0')
  })

  describe('in a cell', () => {
    /** The other processes, who all want everything. */
    class Others implements LiveRelay {
      readonly heard: string[] = []
      readonly sent: number[] = []
      readonly asked: number[] = []
      wanted = true
      answer: Replayed = { events: [], rings: [], complete: true }

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

      replay(_org: string, since: number): Promise<Replayed> {
        this.asked.push(since)
        return Promise.resolve(this.answer)
      }
    }

    const far = (number: number): Origin => ({ ring: 'ffffffffffff', number })
    let others: Others
    let opened: Opened
    beforeEach(() => {
      others = new Others()
      opened = open({}, others)
    })

    it('what is taken here goes to those who want it, and is kept only for listeners anywhere', () => {
      const { bus, listen } = opened
      bus.publish(event('acme', 'a', 1), 10)
      others.wanted = false
      bus.publish(event('other', 'a', 2), 10)
      expect(others.sent).to.deep.equal([1])
      expect(bus.taken('acme', 0)?.events).to.have.length(1)
      expect(bus.taken('other', 0)).to.equal(null)
      const stream = listen('acme')
      bus.receive(event('acme', 'a', 3), 10, far(1))
      expect(takeAll(stream)).to.deep.equal([3])
      expect(others.sent).to.deep.equal([1])
      // What came from elsewhere is for those who took it to tell.
      expect(bus.taken('acme', 0)?.events).to.have.length(1)
    })

    it('the others are told of the first listener, and a minute after the last that there is none', () => {
      const { bus, listen, time } = opened
      const one = listen('acme')
      const two = listen('acme')
      expect(others.heard).to.deep.equal(['acme true'])
      one.close()
      two.close()
      listen('acme').close()
      expect(time.due).to.have.length(1)
      expect(others.heard).to.deep.equal(['acme true'])
      bus.publish(event('acme', 'a', 1), 10)
      time.due[0]()
      expect(others.heard).to.deep.equal(['acme true', 'acme false'])
    })

    it('a stream that comes back within that minute asks nobody, a later one asks all', async () => {
      const { bus, listen, resume, time } = opened
      const stream = listen('acme')
      bus.receive(event('acme', 'a', 9000), 10, far(1))
      const [cursor] = cursors(stream)
      stream.close()
      const soon = await resume('acme', cursor)
      expect(soon.complete).to.equal(true)
      soon.close()
      expect(others.asked).to.deep.equal([])
      time.due[0]()
      others.answer = {
        events: [
          { event: event('acme', 'a', 9000), bytes: 10, origin: far(1) },
          { event: event('acme', 'a', 9500), bytes: 10, origin: far(2) },
        ],
        rings: [{ id: 'ffffffffffff', forgottenAt: 0 }],
        complete: true,
      }
      const late = await resume('acme', cursor)
      expect(others.asked).to.deep.equal([4000])
      expect(takeAll(late)).to.deep.equal([9500])
      expect(late.complete).to.equal(true)
    })

    it('many streams that come back at one time ask once', async () => {
      const { resume } = opened
      await Promise.all(
        Array.from({ length: 100 }, (_, i) => resume('acme', `0123456789ab-1-9000-ffffffffffff-${i}`)),
      )
      expect(others.asked).to.have.length(1)
    })

    it('a cursor of another process goes on behind its event, and is not whole if that process has not answered', async () => {
      const { bus, resume } = opened
      bus.wanted('acme')
      bus.publish(event('acme', 'own', 8000), 10)
      others.answer = {
        events: [3, 4, 5].map((number) => ({
          event: event('acme', 'a', 9000 + number),
          bytes: 10,
          origin: far(number),
        })),
        rings: [{ id: 'ffffffffffff', forgottenAt: 100 }],
        complete: true,
      }
      const whole = await resume('acme', `0123456789ab-7-9004-ffffffffffff-4`)
      expect(takeAll(whole)).to.deep.equal([8000, 9005])
      expect(whole.complete).to.equal(true)
      const another = await resume('acme', `0123456789ab-7-9004-eeeeeeeeeeee-4`)
      expect(another.complete).to.equal(false)
      expect(takeAll(another)).to.deep.equal([8000, 9003, 9004, 9005])
      const older = await resume('acme', `0123456789ab-7-100-ffffffffffff-1`)
      expect(older.complete).to.equal(false)
    })

    it('a stream that breaks off again while it is told the past goes on there, not behind it', async () => {
      const { bus, listen, resume } = opened
      const stream = listen('acme')
      bus.receive(event('acme', 'a', 9000), 10, far(1))
      others.answer = {
        events: [{ event: event('acme', 'a', 9001), bytes: 10, origin: { ring: 'eeeeeeeeeeee', number: 1 } }],
        rings: [
          { id: 'ffffffffffff', forgottenAt: 0 },
          { id: 'eeeeeeeeeeee', forgottenAt: 0 },
        ],
        complete: true,
      }
      const first = await resume('acme', '0123456789ab-7-8999-ffffffffffff-0')
      const told = first.take()
      expect(told?.event.at).to.equal(9000)
      expect(parseCursor(told?.cursor ?? '')?.ring).to.equal('000000000000')
      const again = await resume('acme', told?.cursor ?? '')
      expect(takeAll(again)).to.deep.equal([9001])
      stream.close()
    })

    it('what was lost on its way is told to streams that are open, and to those that come back', async () => {
      const { bus, listen, resume } = opened
      const stream = listen('acme')
      const quiet = listen('other')
      for (const at of [1, 2]) bus.receive(event('acme', 'a', at), 10, far(at))
      const seen = cursors(stream)
      let woken = 0
      stream.onReadable(() => woken++)
      bus.lost('acme')
      expect([woken, stream.takeGap(), stream.takeGap(), quiet.takeGap()]).to.deep.equal([
        1,
        true,
        false,
        false,
      ])
      bus.receive(event('acme', 'a', 3), 10, far(4))
      others.answer = { events: [], rings: [], complete: false }
      const again = await resume('acme', seen[1])
      expect(again.complete).to.equal(false)
      expect(takeAll(again)).to.deep.equal([3])
      const after = await resume('acme', cursors(stream)[0])
      expect(after.complete).to.equal(true)
      bus.lostSome()
      expect([stream.takeGap(), quiet.takeGap()]).to.deep.equal([true, true])
    })
  })
})
