import { Duplex } from 'node:stream'
import { expect } from 'chai'
import * as fc from 'fast-check'
import { Output, type OutputLimits, type Source } from '#broker/output.ts'

/** A socket that takes what it is given at once, or later: what it has not taken yet must not change under it. */
class LazySocket extends Duplex {
  lazy: boolean
  readonly #taken: Buffer[] = []
  #waiting: (() => void) | null = null

  constructor(lazy: boolean) {
    super({ highWaterMark: 1000 })
    this.lazy = lazy
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    const take = (): void => {
      this.#taken.push(Buffer.from(chunk))
      done()
    }
    if (this.lazy) this.#waiting = take
    else take()
  }

  /** Takes the oldest write; false: there is none. */
  takeOne(): boolean {
    const take = this.#waiting
    this.#waiting = null
    take?.()
    return take !== null
  }

  get taken(): Buffer {
    return Buffer.concat(this.#taken)
  }
}

const limits = (): OutputLimits => ({ high: 10_000, max: 100_000, slow: new Set() })
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

class Held implements Source {
  holds = 0
  holdSource(): void {
    this.holds++
  }
  releaseSource(): void {
    this.holds--
  }
}

const size = fc.oneof(fc.nat(50), fc.nat(5000), fc.constantFrom(4095, 4096, 4097, 65_535, 65_536, 70_000))
const operation = fc.record({
  to: fc.nat(2),
  kind: fc.constantFrom('push', 'view', 'ack', 'reserve', 'flush', 'take', 'turn', 'lazy', 'prompt'),
  size,
})

describe('the bytes on their way to clients', () => {
  it('arrive whole and in order, whatever is mixed and however slowly sockets take them', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { maxLength: 60 }), async (operations) => {
        const shared = limits()
        const sockets = [new LazySocket(false), new LazySocket(true), new LazySocket(false)]
        const outputs = sockets.map((socket) => new Output(socket, shared))
        const wanted: Buffer[][] = [[], [], []]
        let fill = 0
        for (const { to, kind, size: n } of operations) {
          const output = outputs[to]
          const bytes = Buffer.alloc(n, ++fill)
          if (kind === 'push') {
            const around = Buffer.concat([Buffer.alloc(3, 255), bytes, Buffer.alloc(3, 255)])
            output.push(around, 3, 3 + n)
            around.fill(254) // the caller's buffer is free again
            wanted[to].push(bytes)
          } else if (kind === 'view') {
            output.view(bytes)
            wanted[to].push(bytes)
          } else if (kind === 'ack') {
            output.ack(0x40, n & 0xffff)
            wanted[to].push(Buffer.from([0x40, 2, (n >> 8) & 255, n & 255]))
          } else if (kind === 'reserve') {
            const at = output.reserve(n)
            bytes.copy(output.buffer, at)
            wanted[to].push(bytes)
          } else if (kind === 'flush') output.flush()
          else if (kind === 'take') sockets[to].takeOne()
          else if (kind === 'turn') await turn()
          else sockets[to].lazy = kind === 'lazy'
        }
        await turn()
        for (const [i, socket] of sockets.entries()) {
          socket.lazy = false
          while (socket.takeOne());
          await turn()
          expect(socket.taken.equals(Buffer.concat(wanted[i])), `output ${i}`).to.equal(true)
          expect(outputs[i].backlog).to.equal(0)
        }
      }),
      { numRuns: 300 },
    )
  })

  it('are dropped when the socket is closed, and cost nothing any more', async () => {
    const socket = new LazySocket(true)
    const output = new Output(socket, limits())
    output.push(Buffer.alloc(100), 0, 100)
    socket.destroy()
    output.view(Buffer.alloc(50_000))
    output.ack(0x40, 1)
    await turn()
    expect(output.backlog).to.equal(0)
  })
})

describe('who waits for a client that does not read', () => {
  const big = Buffer.alloc(20_000)

  async function full(): Promise<{ socket: LazySocket; output: Output; shared: OutputLimits }> {
    const socket = new LazySocket(true)
    const shared = limits()
    const output = new Output(socket, shared)
    output.push(big, 0, big.length)
    await turn()
    return { socket, output, shared }
  }

  it('is held once, however often it publishes, and released once when the client has read', async () => {
    const { socket, output, shared } = await full()
    const sources = [new Held(), new Held()]
    for (let i = 0; i < 3; i++) for (const source of sources) output.holdFor(source)
    expect(sources.map((s) => s.holds)).to.deep.equal([1, 1])
    expect(shared.slow.has(output)).to.equal(true)
    socket.takeOne()
    await turn()
    expect(sources.map((s) => s.holds)).to.deep.equal([0, 0])
    expect(shared.slow.size).to.equal(0)
  })

  it('may be held again after a release', async () => {
    const { socket, output } = await full()
    const source = new Held()
    for (let i = 0; i < 3; i++) {
      output.holdFor(source)
      expect(source.holds).to.equal(1)
      socket.takeOne()
      await turn()
      expect(source.holds).to.equal(0)
      output.push(big, 0, big.length)
      await turn()
    }
  })

  it('is not held by a client that has stalled, until it reads again', async () => {
    const { socket, output } = await full()
    const source = new Held()
    output.holdFor(source)
    output.stalled = true
    output.releaseAll()
    expect(source.holds).to.equal(0)
    output.holdFor(source)
    output.holdWhilePressing(source)
    expect(source.holds).to.equal(0)
    expect(output.choked).to.equal(true)
    socket.takeOne()
    await turn()
    expect([output.stalled, output.choked]).to.deep.equal([false, false])
  })

  it('has no hold left over at the end, in whatever order things happen', () => {
    const event = fc.constantFrom('hold', 'press', 'write', 'take', 'stall', 'progress', 'releaseAll')
    fc.assert(
      fc.property(fc.array(fc.tuple(event, fc.nat(2)), { maxLength: 40 }), (events) => {
        const socket = new LazySocket(true)
        const shared = limits()
        const output = new Output(socket, shared)
        const sources = [new Held(), new Held(), new Held()]
        for (const [kind, i] of events) {
          if (kind === 'hold') output.holdFor(sources[i])
          else if (kind === 'press') output.holdWhilePressing(sources[i])
          else if (kind === 'write') {
            output.push(big, 0, big.length)
            output.flush()
          } else if (kind === 'take') socket.takeOne()
          else if (kind === 'stall') {
            output.stalled = true
            output.releaseAll()
          } else if (kind === 'progress') output.progressed()
          else output.releaseAll()
          for (const { holds } of sources) expect(holds).to.be.within(0, 1)
          expect(shared.slow.has(output)).to.equal(sources.some(({ holds }) => holds > 0))
        }
        output.releaseAll()
        expect(sources.map((s) => s.holds)).to.deep.equal([0, 0, 0])
        socket.destroy()
      }),
      { numRuns: 200 },
    )
  })
})
