import { expect } from 'chai'
import { Metrics } from '#platform/metrics.ts'
import { type NatsBusOptions, openNatsBus } from '#platform/nats/nats-bus.ts'
import { eventually } from '../../patience.ts'
import { Member, meet } from '../cluster/bus-contract.ts'
import { Lines, Mesh } from './mesh.ts'

/** Waits for what shows itself in the log or in a metric. */
function until(condition: () => boolean): Promise<void> {
  return eventually(condition.toString(), condition)
}

/** A member on NATS, with what it logged and counted. */
class Process extends Member {
  lines = new Lines()
  metrics = new Metrics()

  static async open(
    mesh: Mesh,
    address: string,
    servers: number[],
    more: Partial<NatsBusOptions> = {},
  ): Promise<Process> {
    const [lines, metrics] = [new Lines(), new Metrics()]
    const bus = await openNatsBus({
      servers: servers.map((i) => mesh.address(i)),
      address,
      tls: { caFile: mesh.caFile },
      nkeySeed: mesh.user.seed,
      log: lines.log,
      metrics,
      ...more,
    })
    return Object.assign(new Process(bus), { lines, metrics })
  }

  moved(why: string): number {
    return Number(this.metric(`cinque_bus_moves_total{why="${why}"}`))
  }

  metric(name: string): string {
    const line = this.metrics
      .render()
      .split('\n')
      .find((one) => one.startsWith(`${name} `))
    return line?.slice(name.length + 1) ?? '0'
  }

  get away(): boolean {
    return this.metric('cinque_bus_away') === '1'
  }
}

/** Sends a numbered frame every few milliseconds until it is stopped; what came of them is looked at by the receiver. */
class Stream {
  readonly seen: number[] = []
  sent = 0
  readonly #timer: NodeJS.Timeout

  constructor(from: Member, to: Member) {
    to.listener = (frame) => this.seen.push(frame.readUInt32BE(1))
    this.#timer = setInterval(() => {
      const frame = Buffer.alloc(100)
      frame.writeUInt32BE(this.sent++, 1)
      from.bus.send(to.bus.address, frame)
    }, 2)
  }

  /** Stops, and waits for the last frame. */
  async end(to: Member): Promise<void> {
    clearInterval(this.#timer)
    await to.until(() => this.seen.includes(this.sent - 1))
  }

  get missing(): number {
    return this.sent - new Set(this.seen).size
  }
}

describe('bus on NATS', () => {
  let mesh: Mesh
  const open: Process[] = []

  async function process(
    address: string,
    servers: number[],
    more?: Partial<NatsBusOptions>,
  ): Promise<Process> {
    const one = await Process.open(mesh, address, servers, more)
    open.push(one)
    return one
  }

  before(async function () {
    this.timeout(600_000)
    mesh = await Mesh.start(3)
  })

  after(() => mesh.remove())

  afterEach(async () => {
    await Promise.all(open.splice(0).map((one) => one.bus.close()))
    for (const [i, server] of mesh.servers.entries()) {
      server?.resume()
      if (server === null) await mesh.up(i)
    }
    await mesh.meshed()
  })

  describe('when servers fail', () => {
    it('starts without any server, and connects when one comes: a host must boot in any order', async () => {
      await mesh.kill(0)
      const a = await process('a', [0])
      expect(a.bus.connected).to.equal(false)
      a.bus.send('b', Buffer.from('x'))
      a.bus.broadcast(Buffer.from('x'))
      expect(a.metric('cinque_bus_dropped_frames_total{reason="disconnected"}')).to.equal('2')
      await mesh.up(0)
      await until(() => a.bus.connected)
      const b = await process('b', [1])
      await meet(a, b)
      expect(a.lines.of('bus.unreachable')).to.deep.equal([
        `nats-server ${mesh.address(0)}: nothing listens there`,
      ])
    })

    it('comes back after its only server was killed, and is heard again without being told', async () => {
      const [a, b] = [await process('a', [0]), await process('b', [1])]
      await meet(a, b)
      await mesh.kill(0)
      await until(() => !a.bus.connected)
      expect(b.bus.connected).to.equal(true)
      await mesh.up(0)
      await until(() => a.bus.connected)
      await meet(a, b)
      expect(a.moved('lost')).to.equal(1)
    })

    it('uses the sibling while its own server is gone, and goes home when that is back', async () => {
      const [a, b] = [await process('a', [0, 1]), await process('b', [2])]
      await meet(a, b)
      await mesh.kill(0)
      await until(() => a.away)
      await meet(a, b)
      await mesh.up(0)
      await mesh.meshed()
      const stream = new Stream(a, b)
      await until(() => a.bus.connected && !a.away)
      await stream.end(b)
      expect([stream.missing, a.moved('home')]).to.deep.equal([0, 1])
    })

    it('leaves a frozen server, with much on the way to it, within seconds', async () => {
      const [a, b] = [await process('a', [0, 1]), await process('b', [2])]
      await meet(a, b)
      mesh.servers[0]?.pause()
      const frame = Buffer.alloc(32 * 1024)
      const flood = setInterval(() => {
        for (let i = 0; i < 10; i++) a.bus.send('b', frame)
      }, 5)
      b.listener = () => undefined
      await until(() => a.away)
      clearInterval(flood)
      b.listener = null
      await meet(a, b)
      expect(a.moved('silent')).to.equal(1)
      expect(Number(a.metric('cinque_bus_dropped_frames_total{reason="overloaded"}'))).to.be.greaterThan(0)
    })

    it('waits for a frozen server that is its only one, and uses it when it goes on', async () => {
      const a = await process('a', [0])
      mesh.servers[0]?.pause()
      await until(() => a.lines.of('bus.unreachable').length > 0)
      expect(a.lines.of('bus.unreachable')).to.deep.equal([`nats-server ${mesh.address(0)}: does not answer`])
      mesh.servers[0]?.resume()
      await until(() => a.bus.connected)
    })

    it('loses nothing when its server is asked to leave: a planned restart must not be noticed', async () => {
      const [a, b] = [await process('a', [0, 1]), await process('b', [2])]
      await meet(a, b)
      const [there, back] = [new Stream(a, b), new Stream(b, a)]
      const server = mesh.servers[0]
      server?.lameDuck()
      await server?.ended
      mesh.servers[0] = null
      expect(a.away).to.equal(true)
      await Promise.all([there.end(b), back.end(a)])
      expect([there.missing, back.missing, a.moved('lame_duck')]).to.deep.equal([0, 0, 1])
    })

    for (const [what, act] of [
      ['killed', (i: number) => mesh.kill(i)],
      ['frozen', (i: number) => Promise.resolve(mesh.servers[i]?.pause())],
    ] as const)
      it(`costs nobody else a frame when one is ${what}`, async () => {
        const [a, b, c] = [await process('a', [0]), await process('b', [1]), await process('c', [2])]
        await meet(a, b, c)
        const [there, back] = [new Stream(a, b), new Stream(b, a)]
        await until(() => there.sent > 50)
        await act(2)
        await until(() => !c.bus.connected)
        await Promise.all([there.end(b), back.end(a)])
        expect([there.missing, back.missing]).to.deep.equal([0, 0])
      })
  })

  it('goes on after the listener threw: a fault in one frame must not make the process deaf', async () => {
    const [a, b] = [await process('a', [0]), await process('b', [1])]
    await meet(a, b)
    b.listener = () => {
      b.listener = null
      throw new Error('cannot read this')
    }
    a.bus.send('b', Buffer.from('bad'))
    a.bus.send('b', Buffer.from('good'))
    await b.until(() => b.heard.length > 0)
    expect(b.heard).to.deep.equal(['good'])
    expect(b.metric('cinque_bus_listener_failures_total')).to.equal('1')
    expect(b.lines.of('bus.listener')).to.have.length(1)
  })
})
