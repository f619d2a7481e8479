import { expect } from 'chai'
import type { ChannelPeer } from '#platform/cluster/channel-peer.ts'
import { HEADER_BYTES } from '#platform/cluster/frame.ts'
import { VirtualTime } from '../../virtual-time.ts'
import { ChannelProcess } from './channel-process.ts'
import { FAIR, LossyNet } from './lossy-bus.ts'

/** Processes on a bus where everything goes well, and that have met. */
class Cell {
  readonly time = new VirtualTime()
  readonly net = new LossyNet(this.time, () => 0.5)

  start(name: string, options?: ConstructorParameters<typeof ChannelProcess>[2]): ChannelProcess {
    return new ChannelProcess(this.net, name, options)
  }

  met(...names: string[]): ChannelProcess[] {
    const processes = names.map((name) => this.start(name))
    this.time.run(100)
    for (const one of processes) one.events.length = 0
    return processes
  }

  /** Both ways. */
  cut(a: ChannelProcess, b: ChannelProcess): void {
    this.net.cut(a.incarnation, b.incarnation)
    this.net.cut(b.incarnation, a.incarnation)
  }
}

/** No process saw anything out of order. */
function sound(...processes: ChannelProcess[]): void {
  for (const one of processes) expect(one.faults).to.deep.equal([])
}

const kilobyte = Buffer.alloc(1024)

describe('channels', () => {
  let cell: Cell
  beforeEach(() => {
    cell = new Cell()
  })

  describe('meeting', () => {
    it('opens all streams within milliseconds of the start', () => {
      const processes = [cell.start('a'), cell.start('b'), cell.start('c', { dc: 2 })]
      cell.time.run(20)
      for (const one of processes) {
        expect(one.channels.inContact).to.equal(2)
        expect([...one.channels.peers].every((peer) => peer.inContact)).to.equal(true)
        expect(one.events.filter((event) => event.startsWith('opened'))).to.have.length(2)
      }
      expect(processes[0].peer(processes[2]).dcNumber).to.equal(2)
      expect(processes[0].peer(processes[2]).info).to.deep.equal(processes[2].info)
      sound(...processes)
    })

    it('takes a new run of a process for the old one: nobody waits for a process that was killed', () => {
      const [a, b] = cell.met('a', 'b')
      b.timers.kill()
      a.say(a.peer(b))
      let taken = 0
      a.channels.taken(() => taken++)
      expect(taken).to.equal(0)
      const successor = cell.start('b')
      cell.time.run(20)
      expect(a.events).to.deep.equal(['gone(replaced) b', 'opened b'])
      expect(taken).to.equal(1)
      expect(a.channels.peer(b.incarnation)).to.equal(undefined)
      expect(a.peer(successor).inContact).to.equal(true)
      sound(a, successor)
    })

    it('ignores what a predecessor sent and the bus delivers late', () => {
      const [a, b] = cell.met('a', 'b')
      const late: Buffer[] = []
      cell.net.gate = (from, to, frame) => {
        if (from === b.incarnation && to === a.incarnation) late.push(Buffer.from(frame))
        return true
      }
      b.say(b.peer(a))
      cell.time.run(1000)
      b.timers.kill()
      const successor = cell.start('b')
      cell.time.run(1000)
      a.events.length = 0
      const received = a.received
      cell.net.gate = () => true
      for (const frame of late) cell.net.post(b.incarnation, a.incarnation, frame)
      cell.time.run(20_000)
      expect(late.length).to.be.greaterThan(3)
      expect(a.events).to.deep.equal([])
      expect(a.received).to.equal(received)
      expect(a.peer(successor).inContact).to.equal(true)
      sound(a, successor)
    })

    it('tells the younger of two living processes with one name, and takes the older back when it is gone', () => {
      const [a, older] = cell.met('a', 'b')
      const younger = cell.start('b')
      cell.time.run(3000)
      expect(younger.conflicts.map(({ incarnation }) => incarnation)).to.deep.equal([older.incarnation])
      expect(older.conflicts).to.deep.equal([])
      void younger.channels.goodbye()
      cell.time.run(10_000)
      expect(a.events).to.deep.equal(['gone(replaced) b', 'opened b', 'gone(goodbye) b', 'opened b'])
      expect(a.peer(older).inContact).to.equal(true)
      expect(older.events).to.deep.equal(['lost a', 'opened a'])
      sound(a, older, younger)
    })

    it('takes a successor whose clock was set back once the predecessor is lost', () => {
      const [a, b] = cell.met('a', 'b')
      b.timers.kill()
      const successor = cell.start('b', { bornEarlier: 60_000 })
      cell.time.run(1000)
      expect(a.events).to.deep.equal([])
      cell.time.run(4000)
      expect(a.events).to.deep.equal(['lost b', 'gone(replaced) b', 'opened b'])
      expect(a.peer(successor).inContact).to.equal(true)
      sound(a, successor)
    })

    it('knows a bounded number of processes', () => {
      const a = cell.start('a', { limits: { peers: 2 } })
      for (const name of ['b', 'c', 'd']) cell.start(name)
      cell.time.run(1000)
      expect(a.channels.inContact).to.equal(2)
      expect(a.metrics.render()).to.match(/frames_skipped_total\{reason="too_many_peers"\} [1-9]/)
    })
  })

  describe('entries', () => {
    it('arrive in order, as they were, with their types', () => {
      const [a, b] = cell.met('a', 'b')
      const seen: string[] = []
      b.onEntry = (_peer, type, body) => void seen.push(`${type}:${body.toString()}`)
      a.peer(b).send(7, Buffer.from('one'))
      a.channels.broadcast(4660, Buffer.from('two'))
      const at = a.peer(b).reserve(9, 5)
      a.peer(b).buffer.write('three', at)
      a.peer(b).send(8, Buffer.alloc(0))
      cell.time.run(20)
      expect(seen).to.deep.equal(['7:one', '4660:two', '9:three', '8:'])
      expect(a.peer(b).sent).to.equal(4)
      expect(a.peer(b).taken).to.equal(4)
    })

    it('of every length up to the largest frame arrive; a longer one is refused at once', () => {
      const [a, b] = cell.met('a', 'b')
      const peer = a.peer(b)
      const lengths = [
        0,
        1,
        115,
        116,
        16_371,
        16_372,
        32_768,
        65_536,
        900_000,
        (1 << 20) - HEADER_BYTES - 5 - 12,
      ]
      const seen: number[] = []
      b.onEntry = (_peer, _type, body) => void seen.push(body.length - 12)
      for (const length of lengths) a.say(peer, length)
      expect(() => peer.send(1, Buffer.alloc(1 << 20))).to.throw(RangeError, 'does not fit')
      a.say(peer, 3)
      cell.time.run(100)
      expect(seen).to.deep.equal([...lengths, 3])
      sound(a, b)
    })

    it('leave at once when the stream was idle, then gather: 2 ms in a DC, 5 ms across, or 32 KB', () => {
      const a = cell.start('a')
      const near = cell.start('b')
      const far = cell.start('c', { dc: 2 })
      cell.time.run(1010)
      const left: { to: string; at: number; bytes: number }[] = []
      cell.net.gate = (from, to, frame) => {
        const { name } = to === near.incarnation ? near.info : far.info
        if (from === a.incarnation) left.push({ to: name, at: cell.time.now - 1010, bytes: frame.length })
        return true
      }
      a.channels.broadcast(2, kilobyte)
      a.channels.broadcast(2, kilobyte)
      cell.time.run(0)
      a.channels.broadcast(2, kilobyte)
      cell.time.run(20)
      expect(left.map(({ to, at }) => `${to}@${at}`)).to.deep.equal(['b@0', 'c@0', 'b@2', 'c@5'])
      left.length = 0
      for (let i = 0; i < 64; i++) a.peer(near).send(2, kilobyte)
      expect(left).to.have.length(2)
      for (const { bytes } of left) expect(bytes).to.be.within(28 * 1024, 32 * 1024)
    })

    it('are acknowledged in the tick in which they were taken: a SUBACK waits for no timer', () => {
      const [a, b] = cell.met('a', 'b')
      cell.time.run(400)
      const started = cell.time.now
      let took = 0
      a.say(a.peer(b))
      a.channels.taken(() => (took = cell.time.now - started))
      cell.time.run(50)
      // There and back, 1.5 ms each.
      expect(took).to.equal(3)
    })

    it('come once when a frame in the middle, or the last one, is lost', () => {
      const [a, b] = cell.met('a', 'b')
      const peer = a.peer(b)
      let frame = 0
      cell.net.gate = (from) => !(from === a.incarnation && [2, 3, 10].includes(++frame))
      for (let i = 0; i < 10; i++) {
        a.say(peer, 100)
        cell.time.run(5)
      }
      // The last one is missed when the next heartbeat says that it was sent.
      cell.time.run(700)
      expect(b.received).to.equal(10)
      expect(peer.taken).to.equal(10)
      expect(b.events).to.deep.equal([])
      sound(a, b)
    })

    it('come soon when the copy that was asked for is lost too', () => {
      const [a, b] = cell.met('a', 'b')
      cell.time.run(410)
      let copies = 0
      cell.net.gate = (from, _to, frame) =>
        !(from === a.incarnation && frame.readUIntBE(44, 6) === 1 && ++copies <= 3)
      a.say(a.peer(b))
      cell.time.run(5)
      a.say(a.peer(b))
      const started = cell.time.now
      while (b.received < 2) cell.time.step()
      expect(copies).to.equal(4)
      expect(cell.time.now - started).to.be.lessThan(200)
      sound(a, b)
    })

    it('for nobody are counted: what is sent to a stream that is not open', () => {
      const [a, b] = cell.met('a', 'b')
      const peer = a.peer(b)
      void b.channels.goodbye()
      cell.time.run(10)
      peer.send(1, kilobyte)
      const at = peer.reserve(1, 3)
      peer.buffer.write('abc', at)
      expect(peer.sent).to.equal(0)
      expect(a.metrics.total('cinque_cluster_entries_unsent_total')).to.equal(2)
    })

    it('whose handling fails are logged and counted, and the next ones come', () => {
      const [a, b] = cell.met('a', 'b')
      b.onEntry = () => {
        if (b.received === 1) throw new Error('a bug')
      }
      a.say(a.peer(b))
      a.say(a.peer(b))
      cell.time.run(20)
      expect(b.received).to.equal(2)
      expect(b.metrics.total('cinque_cluster_listener_failures_total')).to.equal(1)
    })

    it('say how long they were on their way, whatever the clocks show', () => {
      const a = cell.start('a', { skew: 90_000 })
      const b = cell.start('b')
      cell.time.run(1000)
      const delays: number[] = []
      b.onEntry = (_peer, _type, _body, delay) => void delays.push(delay)
      a.say(a.peer(b))
      cell.time.run(10)
      cell.net.weather = { ...FAIR, latency: 700 }
      a.say(a.peer(b))
      cell.time.run(1000)
      expect(delays[0]).to.be.within(0, 5)
      expect(delays[1]).to.be.within(650, 750)
    })
  })

  describe('contact', () => {
    it('is lost after 3 s of silence, and comes back with nothing missing', () => {
      const [a, b] = cell.met('a', 'b')
      cell.cut(a, b)
      const started = cell.time.now
      while (a.events.length === 0) cell.time.step()
      expect(cell.time.now - started).to.be.within(2400, 3600)
      expect(a.peer(b).inContact).to.equal(false)
      expect(a.channels.inContact).to.equal(0)
      for (let i = 0; i < 1000; i++) {
        a.say(a.peer(b), 1000)
        if (i % 100 === 0) cell.time.run(100)
      }
      cell.net.heal()
      cell.time.run(2000)
      expect(a.events).to.deep.equal(['lost b', 'back b'])
      expect(b.events).to.deep.equal(['lost a', 'back a'])
      expect(b.received).to.equal(1000)
      sound(a, b)
    })

    it('needs both directions: a process that hears but is not heard waits for nobody, nor is waited for', () => {
      const [a, b] = cell.met('a', 'b')
      cell.net.cut(a.incarnation, b.incarnation)
      cell.time.run(4000)
      expect(a.events).to.deep.equal(['lost b'])
      expect(b.events).to.deep.equal(['lost a'])
      cell.net.heal()
      cell.time.run(2000)
      expect(a.events).to.deep.equal(['lost b', 'back b'])
      expect(b.events).to.deep.equal(['lost a', 'back a'])
      sound(a, b)
    })

    it('is not restored by frames that are late', () => {
      const [a, b] = cell.met('a', 'b')
      const late: Buffer[] = []
      cell.net.gate = (from, _to, frame) => {
        if (from === b.incarnation) late.push(Buffer.from(frame))
        return from !== b.incarnation
      }
      b.say(b.peer(a))
      cell.time.run(2000)
      b.timers.kill()
      cell.time.run(6000)
      expect(a.events).to.deep.equal(['lost b'])
      cell.net.gate = () => true
      for (const frame of late) cell.net.post(b.incarnation, a.incarnation, frame)
      cell.time.run(100)
      expect(a.events).to.deep.equal(['lost b'])
      expect(a.received).to.equal(1)
    })

    it('that brings back too little begins anew, on both sides', () => {
      const limits = { keep: 100 * 1024 }
      const [a, b] = [cell.start('a', { limits }), cell.start('b', { limits })]
      cell.time.run(100)
      a.onOpened = (peer) => a.say(peer)
      cell.cut(a, b)
      b.say(b.peer(a))
      cell.time.run(5000)
      for (let i = 0; i < 200; i++) a.say(a.peer(b), 1024)
      expect((a.peer(b) as ChannelPeer).keptBytes).to.be.lessThan(100 * 1024)
      cell.net.heal()
      cell.time.run(2000)
      expect(a.events).to.deep.equal(['opened b', 'lost b', 'opened b'])
      expect(b.events).to.deep.equal(['opened a', 'lost a', 'opened a'])
      expect(b.received).to.equal(1)
      expect(a.received).to.equal(0)
      expect(a.metrics.render()).to.match(/streams_dropped_total\{reason="overflow"\} 1/)
      expect(b.metrics.render()).to.match(/streams_dropped_total\{reason="peer"\} 1/)
      sound(a, b)
    })

    it('ends when the process says goodbye, after all that it had sent', () => {
      const [a, b] = cell.met('a', 'b')
      a.say(a.peer(b))
      let ended = 0
      void a.channels.goodbye().then(() => ended++)
      cell.time.run(10)
      expect(b.received).to.equal(1)
      expect(b.events).to.deep.equal(['gone(goodbye) a'])
      expect([...b.channels.peers]).to.deep.equal([])
      cell.time.run(10_000)
      expect(b.events).to.deep.equal(['gone(goodbye) a'])
    })

    it('ends after ten minutes of silence; who comes after that begins anew', () => {
      const [a, b] = cell.met('a', 'b')
      cell.cut(a, b)
      cell.time.run(605_000)
      expect(a.events).to.deep.equal(['lost b', 'gone(silent) b'])
      expect([...a.channels.peers]).to.deep.equal([])
      cell.net.heal()
      cell.time.run(2000)
      expect(a.events).to.deep.equal(['lost b', 'gone(silent) b', 'opened b'])
      sound(a, b)
    })
  })

  describe('a process that stood still', () => {
    it('is told so before anything that came meanwhile, and loses nobody by it', () => {
      const [a, b] = cell.met('a', 'b')
      const order: string[] = []
      a.onEntry = () => void order.push(...a.events, 'entry')
      a.timers.freeze(30_000)
      b.say(b.peer(a))
      for (let i = 0; i < 30; i++) cell.time.run(1000)
      expect(b.events).to.deep.equal(['lost a'])
      cell.time.run(2000)
      expect(order[0]).to.match(/^stood still 30\d\d\d$/)
      expect(order).to.include('entry')
      expect(a.events.filter((event) => !event.startsWith('stood'))).to.deep.equal([])
      expect(b.events).to.deep.equal(['lost a', 'back a'])
      sound(a, b)
    })

    it('waits by an echo until it has taken what it was told meanwhile', () => {
      const [a, b] = cell.met('a', 'b')
      a.timers.freeze(20_000)
      cell.time.run(10_000)
      for (let i = 0; i < 500; i++) b.say(b.peer(a), 1000)
      let before = -1
      a.timers.after(1, () => a.channels.echo(() => (before = a.received)))
      cell.time.run(12_000)
      expect(before).to.equal(500)
    })

    it('begins anew with peers that could not keep what they had to say, and its echo waits for that', () => {
      const limits = { keep: 50 * 1024 }
      const [a, b] = [cell.start('a', { limits }), cell.start('b', { limits })]
      cell.time.run(100)
      b.onOpened = (peer) => {
        for (let i = 0; i < 20; i++) b.say(peer, 1000)
      }
      a.timers.freeze(20_000)
      cell.time.run(10_000)
      for (let i = 0; i < 200; i++) b.say(b.peer(a), 1000)
      let before = -1
      a.timers.after(1, () => a.channels.echo(() => (before = a.received)))
      cell.time.run(12_000)
      expect(before).to.equal(20)
      sound(a, b)
    })
  })

  describe('waiting', () => {
    it('is over at once when there is nothing to wait for', () => {
      const alone = cell.start('a')
      const called: string[] = []
      alone.channels.taken(() => called.push('taken'))
      alone.channels.echo(() => called.push('echo'))
      expect(called).to.deep.equal(['taken', 'echo'])
      const b = cell.start('b')
      cell.time.run(20)
      alone.channels.taken(() => called.push('taken by b'))
      expect(called).to.include('taken by b')
      sound(alone, b)
    })

    it('for taken ends when the last peer in contact has taken all, also what is still in the frame', () => {
      const [a, b, c] = cell.met('a', 'b', 'c')
      cell.net.gate = (from, to) => !(from === a.incarnation && to === c.incarnation)
      a.channels.broadcast(2, kilobyte)
      let called = 0
      a.channels.taken(() => called++)
      cell.time.run(1000)
      expect(a.peer(b).taken).to.equal(1)
      expect(called).to.equal(0)
      cell.net.gate = () => true
      cell.time.run(1000)
      expect(called).to.equal(1)
    })

    it('ends when those it waits for are lost, after `lost` was said', () => {
      const [a, b] = cell.met('a', 'b')
      cell.cut(a, b)
      a.channels.broadcast(2, kilobyte)
      const order: string[] = []
      a.channels.taken(() => order.push('taken', ...a.events))
      a.channels.echo(() => order.push('echo'))
      cell.time.run(2000)
      expect(order).to.deep.equal([])
      cell.time.run(2000)
      expect(order).to.deep.equal(['taken', 'lost b', 'echo'])
      a.channels.broadcast(2, kilobyte)
      a.channels.taken(() => order.push('nobody'))
      expect(order).to.include('nobody')
    })

    it('of an echo ends after everything that was said before it', () => {
      const [a, b, c] = cell.met('a', 'b', 'c')
      for (let i = 0; i < 100; i++) {
        b.say(b.peer(a), 1000)
        c.say(c.peer(a), 1000)
      }
      let before = -1
      a.channels.echo(() => (before = a.received))
      cell.time.run(50)
      expect(before).to.equal(200)
    })
  })

  describe('many who wait for an echo at the same time', () => {
    it('share a marker: a thousand SUBSCRIBEs are not a thousand frames', () => {
      const [a, b] = cell.met('a', 'b')
      let frames = 0
      cell.net.gate = () => ++frames > 0
      let called = 0
      for (let i = 0; i < 1000; i++) {
        a.say(a.peer(b))
        a.channels.echo(() => called++)
      }
      cell.time.run(10)
      expect(called).to.equal(1000)
      expect(frames).to.be.lessThan(10)
      sound(a, b)
    })
  })

  describe('pressure', () => {
    it('rises with what a peer does not take, and falls below half', () => {
      const [a, b] = cell.met('a', 'b')
      const peer = a.peer(b)
      cell.net.cut(a.incarnation, b.incarnation)
      for (let i = 0; i < 4200; i++) a.say(peer, 1024)
      expect(peer.pressed).to.equal(true)
      cell.time.run(1000)
      cell.net.heal()
      cell.time.run(3000)
      expect(peer.pressed).to.equal(false)
      expect(a.events).to.deep.equal(['relieved b'])
      expect(b.received).to.equal(4200)
      sound(a, b)
    })

    it('is not felt from a peer that is lost: nobody waits for it', () => {
      const [a, b] = cell.met('a', 'b')
      const peer = a.peer(b)
      cell.cut(a, b)
      for (let i = 0; i < 5000; i++) a.say(peer, 1024)
      expect(peer.pressed).to.equal(true)
      cell.time.run(4000)
      expect(a.events).to.deep.equal(['lost b', 'relieved b'])
      for (let i = 0; i < 5000; i++) a.say(peer, 1024)
      expect(peer.pressed).to.equal(false)
      cell.net.heal()
      cell.time.run(3000)
      expect(a.events).to.deep.equal(['lost b', 'relieved b', 'back b', 'relieved b'])
      expect(b.received).to.equal(10_000)
      sound(a, b)
    })

    it('puts no more on the bus than the window, so that no server on the way drops it', () => {
      const limits = { window: 100 * 1024 }
      const [a, b] = [cell.start('a', { limits }), cell.start('b')]
      cell.time.run(100)
      let bytes = 0
      cell.net.gate = (from, _to, frame) => {
        if (from === a.incarnation) bytes += frame.length
        return true
      }
      for (let i = 0; i < 1000; i++) a.say(a.peer(b), 1024)
      cell.time.run(0.5)
      expect(bytes).to.be.within(90 * 1024, 140 * 1024)
      cell.time.run(500)
      expect(b.received).to.equal(1000)
      sound(a, b)
    })
  })

  describe('frames that are of no use', () => {
    /** A frame of a's to b, changed by `change`, is delivered instead. */
    function forged(change: (frame: Buffer) => Buffer): { a: ChannelProcess; b: ChannelProcess } {
      const [a, b] = cell.met('a', 'b')
      let spoilt = 0
      cell.net.gate = (from, to, frame) => {
        if (spoilt > 0 || from !== a.incarnation || to !== b.incarnation || frame.readUIntBE(44, 6) === 0)
          return true
        spoilt++
        cell.net.post(from, to, change(Buffer.from(frame)))
        return false
      }
      a.say(a.peer(b), 10)
      a.say(a.peer(b), 10)
      cell.time.run(2000)
      expect(b.received).to.equal(2)
      expect(b.events).to.deep.equal([])
      sound(a, b)
      return { a, b }
    }

    for (const [reason, change] of [
      ['short', (frame) => frame.subarray(0, 20)],
      ['magic', (frame) => frame.fill(0, 0, 2)],
      ['version', (frame) => frame.fill(9, 2, 3)],
      ['kind', (frame) => frame.fill(77, 3, 4)],
      ['destination', (frame) => frame.fill(1, 20, 36)],
      ['unknown', (frame) => frame.fill(1, 4, 20)],
      ['poisoned', (frame) => frame.subarray(0, -3)],
    ] as [string, (frame: Buffer) => Buffer][])
      it(`are skipped and counted: ${reason}; what was in them comes with the next copy`, () => {
        const { b } = forged(change)
        expect(b.metrics.render()).to.include(`cinque_cluster_frames_skipped_total{reason="${reason}"} 1`)
      })

    it('that can never be read end the stream, which begins anew', () => {
      const [a, b] = cell.met('a', 'b')
      cell.net.gate = (from, to, frame) => {
        if (from !== a.incarnation || frame.readUIntBE(44, 6) === 0 || frame.length % 2 === 0) return true
        cell.net.post(from, to, Buffer.concat([frame, Buffer.alloc(1)]))
        return false
      }
      a.peer(b).send(2, Buffer.alloc(100))
      cell.time.run(20)
      const before = b.received
      a.peer(b).send(2, Buffer.alloc(101))
      cell.time.run(5000)
      expect(before).to.equal(0)
      expect(b.metrics.render()).to.match(/streams_dropped_total\{reason="poisoned"\} 1/)
      expect(b.events).to.deep.equal(['opened a'])
      expect(a.events).to.deep.equal(['opened b'])
      expect(a.peer(b).inContact).to.equal(true)
    })
  })

  describe('clocks', () => {
    it('that are off the median of the members are noticed by their owner only', () => {
      const processes = [cell.start('a', { skew: 4000 }), cell.start('b'), cell.start('c', { skew: 500 })]
      cell.time.run(3000)
      expect(processes.map(({ channels }) => channels.clockTrouble)).to.deep.equal([
        'the clock of this host is 3.5 s ahead of the median of 3 members: check its time synchronisation',
        null,
        null,
      ])
      processes[0].clock.skew = -3000
      cell.time.run(15_000)
      expect(processes[0].channels.clockTrouble).to.match(/3\.0 s behind the median/)
      processes[0].clock.skew = 0
      cell.time.run(15_000)
      expect(processes[0].channels.clockTrouble).to.equal(null)
    })

    it('cannot be judged by one other', () => {
      const [a, b] = [cell.start('a', { skew: 60_000 }), cell.start('b')]
      cell.time.run(3000)
      expect(a.channels.clockTrouble).to.equal(null)
      expect(b.channels.clockTrouble).to.equal(null)
    })
  })
})
