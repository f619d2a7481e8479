import { expect } from 'chai'
import type { Bus } from '#platform/cluster/bus.ts'
import { alarm, deadline } from '../../patience.ts'

/** Where the contract is tried. */
export interface BusGround {
  /** A process's end of the bus. */
  open(address: string): Promise<Bus>
  /** Stops everything that `open` did not return. */
  remove(): Promise<void>
}

const DEADLINE_MS = 30_000
const HELLO = 0x68

/** A member of the bus and what it heard. */
export class Member {
  readonly bus: Bus
  readonly heard: string[] = []
  /** Called for every frame instead of noting its text. */
  listener: ((frame: Buffer) => void) | null = null
  readonly #greeters = new Set<string>()
  #waiting: { condition: () => boolean; done: () => void } | null = null

  constructor(bus: Bus) {
    this.bus = bus
    bus.receive((frame) => {
      if (frame[0] === HELLO) this.#greeters.add(frame.toString('utf8', 1))
      else if (this.listener !== null) this.listener(frame)
      else this.heard.push(frame.toString('utf8'))
      if (this.#waiting?.condition() === true) this.#waiting.done()
    })
  }

  /** Whether a greeting of this member has come. */
  knows(other: Member): boolean {
    return this.#greeters.has(other.bus.address)
  }

  greet(other: Member): void {
    this.bus.send(other.bus.address, Buffer.from(`h${this.bus.address}`))
  }

  forget(): void {
    this.#greeters.clear()
  }

  /** Resolves when a frame has made `condition` true. */
  async until(condition: () => boolean): Promise<void> {
    if (condition()) return
    await new Promise<void>((done, failed) => {
      const off = alarm(DEADLINE_MS, () => {
        failed(new Error(`${this.bus.address}: still not: ${condition.toString()}`))
      })
      this.#waiting = {
        condition,
        done: () => {
          off()
          this.#waiting = null
          done()
        },
      }
    })
  }
}

/** Resolves when a frame of every member reaches every other one: a new member is known everywhere only after a while. */
export async function meet(...members: Member[]): Promise<void> {
  for (const member of members) member.forget()
  const over = deadline(DEADLINE_MS)
  for (;;) {
    let missing = ''
    for (const from of members)
      for (const to of members) {
        if (from === to || to.knows(from)) continue
        missing = `${from.bus.address} -> ${to.bus.address}`
        from.greet(to)
      }
    if (missing === '') return
    if (over()) throw new Error(`no frame gets through: ${missing}`)
    await new Promise((later) => setTimeout(later, 20))
  }
}

/** What every bus does for `Channels`. */
export function busContract(name: string, prepare: () => Promise<BusGround>): void {
  describe(`bus contract: ${name}`, () => {
    let ground: BusGround
    let a: Member
    let b: Member
    let c: Member

    before(async function () {
      // The first run on a machine builds nats-server.
      this.timeout(600_000)
      ground = await prepare()
    })

    after(() => ground?.remove())

    beforeEach(async () => {
      ;[a, b, c] = (await Promise.all(['a1', 'b1', 'c1'].map((one) => ground.open(one)))).map(
        (bus) => new Member(bus),
      )
      await meet(a, b, c)
    })

    afterEach(async () => {
      await Promise.all([a, b, c].map((one) => one.bus.close()))
    })

    it('says that it is connected', () => {
      expect(a.bus.address).to.equal('a1')
      expect(a.bus.connected).to.equal(true)
      expect(a.bus.maxFrame).to.be.at.least(256 * 1024)
    })

    it('brings a frame to the process it is for, and to no other', async () => {
      a.bus.send('b1', Buffer.from('for b'))
      a.bus.send('c1', Buffer.from('for c'))
      await Promise.all([b.until(() => b.heard.length > 0), c.until(() => c.heard.length > 0)])
      expect([a.heard, b.heard, c.heard]).to.deep.equal([[], ['for b'], ['for c']])
    })

    it('brings a broadcast to all others, and not back: a process is no peer of its own', async () => {
      a.bus.broadcast(Buffer.from('all'))
      b.bus.send('a1', Buffer.from('later'))
      await Promise.all([b.until(() => b.heard.length > 0), c.until(() => c.heard.length > 0)])
      c.bus.send('a1', Buffer.from('end'))
      await a.until(() => a.heard.includes('end') && a.heard.includes('later'))
      expect(a.heard).to.have.members(['later', 'end'])
      expect([b.heard, c.heard]).to.deep.equal([['all'], ['all']])
    })

    it('keeps the order between two processes, small and large, to one and to all', async () => {
      const sizes = [20, 200, 40_000]
      const count = 3000
      const numbers: number[] = []
      b.listener = (frame) => numbers.push(frame.readUInt32BE(1))
      for (let i = 0; i < count; i++) {
        const frame = Buffer.alloc(sizes[i % 100 === 0 ? 2 : i % 2])
        frame.writeUInt32BE(i, 1)
        if (i % 10 === 0) a.bus.broadcast(frame)
        else a.bus.send('b1', frame)
      }
      await b.until(() => numbers.length === count)
      expect(numbers).to.deep.equal(Array.from({ length: count }, (_, i) => i))
    })

    it('carries the largest frame whole, and after one that is larger goes on', async () => {
      const largest = Buffer.alloc(a.bus.maxFrame)
      for (let i = 0; i < largest.length; i += 4) largest.writeUInt32BE((i * 2654435761) >>> 0, i)
      largest[0] = 1
      let same = false
      let length = 0
      b.listener = (frame) => {
        length = frame.length
        same ||= frame.equals(largest)
      }
      a.bus.send('b1', Buffer.alloc(a.bus.maxFrame + 1))
      a.bus.broadcast(Buffer.alloc(a.bus.maxFrame + 1))
      a.bus.send('b1', largest)
      await b.until(() => length > 0)
      expect([length, same]).to.deep.equal([largest.length, true])
      expect(a.bus.connected).to.equal(true)
    })

    it('sends what the frame was in the turn in which it was sent: buffers go back to a pool', async () => {
      const frame = Buffer.from('first')
      a.bus.send('b1', frame)
      a.bus.broadcast(frame)
      await Promise.resolve()
      setImmediate(() => frame.write('wrong'))
      await b.until(() => b.heard.length === 2)
      expect(b.heard).to.deep.equal(['first', 'first'])
    })

    it('drops a frame for a process that is not there', async () => {
      a.bus.send('nobody', Buffer.from('lost'))
      a.bus.send('b1', Buffer.from('kept'))
      await b.until(() => b.heard.length > 0)
      expect(b.heard).to.deep.equal(['kept'])
    })

    it('sends what is buffered before it closes: a goodbye must arrive', async () => {
      const count = 2000
      for (let i = 1; i < count; i++) a.bus.send('b1', Buffer.from(`${i}`))
      a.bus.broadcast(Buffer.from('goodbye'))
      await a.bus.close()
      await b.until(() => b.heard.length === count)
      await c.until(() => c.heard.length === 1)
      expect(b.heard.at(-1)).to.equal('goodbye')
    })

    it('is silent after its end, in both directions', async () => {
      await b.bus.close()
      expect(b.bus.connected).to.equal(false)
      b.bus.send('a1', Buffer.from('from the dead'))
      b.bus.broadcast(Buffer.from('from the dead'))
      a.bus.send('b1', Buffer.from('to the dead'))
      a.bus.broadcast(Buffer.from('to those alive'))
      await c.until(() => c.heard.length > 0)
      c.bus.send('a1', Buffer.from('end'))
      await a.until(() => a.heard.length > 0)
      expect([a.heard, b.heard, c.heard]).to.deep.equal([['end'], [], ['to those alive']])
      await b.bus.close()
    })

    it('gives a new process the address of one that is gone', async () => {
      await b.bus.close()
      b = new Member(await ground.open('b1'))
      await meet(a, b, c)
      a.bus.send('b1', Buffer.from('for the new one'))
      await b.until(() => b.heard.length > 0)
      expect(b.heard).to.deep.equal(['for the new one'])
    })
  })
}
