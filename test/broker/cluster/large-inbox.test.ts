import { setImmediate as turn } from 'node:timers/promises'
import { expect } from 'chai'
import type { GatherEntry } from '#broker/cluster/answers.ts'
import type { Cell } from '#broker/cluster/cell.ts'
import { takeEntry } from '#broker/cluster/dispatch.ts'
import { Entry } from '#broker/cluster/entries.ts'
import { Gathering } from '#broker/cluster/gathering.ts'
import type { Member } from '#broker/cluster/member.ts'
import { Scrubber } from '#broker/cluster/scrubber.ts'
import type { DurableOutbox } from '#broker/outbox/durable-outbox.ts'
import type { Session } from '#broker/session.ts'
import { MemoryStore } from '#platform/store/memory.ts'
import { Batch } from '#platform/store/store.ts'
import { inbox } from '#platform/store/tables.ts'
import { type CellMember, TestCell } from './cell-harness.ts'

const rows = 4096
const sid = Buffer.from('00112233445566778899aabbccddeeff', 'hex')

/** A store that reads inboxes when it is told to, and counts its answers. */
class SlowStore extends MemoryStore {
  pages = 0
  go: () => void = () => undefined
  readonly #told = new Promise<void>((resolve) => (this.go = resolve))

  override async range(...args: Parameters<MemoryStore['range']>): ReturnType<MemoryStore['range']> {
    if (args[0] === inbox) {
      await this.#told
      this.pages++
    }
    return super.range(...args)
  }
}

describe('a session with a large inbox', () => {
  let cell: TestCell
  let member: CellMember
  let store: SlowStore
  beforeEach(async () => {
    cell = new TestCell([1])
    store = new SlowStore({})
    cell.stores.set(1, store)
    member = await cell.start(1)
    const batch = new Batch()
    const { day } = member.broker
    for (let seq = 1; seq <= rows; seq++) {
      const row = { org: 'default', log: sid, day, writer: Buffer.alloc(16, 7), seq }
      batch.put(inbox, { ...row, message: Buffer.alloc(100), hlc: 1, kind: 0 })
    }
    await store.write(batch)
  })
  afterEach(() => cell.stop())

  /** Asks as another process does; resolves with how the answer ends. */
  function ask(id: number, epoch = 1): Promise<{ failed?: true; over?: true; groups: { n: number }[] }> {
    return new Promise((resolve) => {
      const send = (kind: number, body: Buffer): void => {
        if (kind === Entry.GATHERED) resolve(JSON.parse(body.toString()) as never)
      }
      const question: GatherEntry = {
        id,
        org: 'default',
        sid: sid.toString('hex'),
        epoch,
        read: true,
        floors: [],
        stamp: 0,
      }
      member.broker.cell?.answers.gather(
        { peer: { send } } as unknown as Member,
        Buffer.from(JSON.stringify(question)),
      )
    })
  }

  it('is read for its holder, whoever else believes to be', async () => {
    const [holder, earlier] = [ask(1, 5), ask(2, 4)]
    // Its process is told that this says nothing of the store: it would take it for one that is away.
    expect(await earlier).to.include({ failed: true, over: true })
    store.go()
    expect(await holder).not.to.have.property('failed')
    expect(await ask(2, 4)).not.to.have.property('failed')
  })

  it('is read for the newest question only: the others have been given up, and reading for them would hold up everybody', async () => {
    const questions = [1, 2, 3, 4].map((id) => ask(id))
    store.go()
    const answers = await Promise.all(questions)
    expect(answers.map(({ failed = false }) => failed)).to.deep.equal([true, true, true, false])
    expect(answers[3].groups.map(({ n }) => n)).to.deep.equal([rows])
    const once = store.pages
    await ask(5)
    const alone = store.pages - once
    // Of those that were given up only what had been asked for at once, the first page of each day.
    expect(once).to.be.at.most(alone + 3 * 9)
  })

  it('does not make its DC one whose store is away, when a newer question ended the reading', () => {
    const away: number[] = []
    const asker = {
      membership: { storeAway: (dc: number) => away.push(dc) },
      gathering: { gathered: () => undefined },
    } as unknown as Cell
    const other = { peer: { dcNumber: 2 } } as unknown as Member
    const answer = (end: object): void =>
      takeEntry(asker, other, Entry.GATHERED, Buffer.from(JSON.stringify(end)))
    answer({ id: 1, failed: true, over: true })
    expect(away).to.deep.equal([])
    answer({ id: 2, failed: true })
    expect(away).to.deep.equal([2])
  })

  it('does not keep its next connection waiting while it is read for the one before', async () => {
    const asked: number[] = []
    const silent = { inContact: true, dcNumber: 2, send: (kind: number) => asked.push(kind) }
    const gathering = new Gathering({
      dc: 1,
      dcs: [1, 2],
      members: () => [{ peer: silent, opens: 1 }],
      membership: { deathsIn: () => 0 },
      // Its time never comes.
      timers: { after: () => ({ cancel: () => undefined }) },
      broker: { hlc: { next: () => 1 } },
      answers: { readStore: () => Promise.resolve(null) },
    } as unknown as Cell)
    const session = { epoch: 1, ended: false, sid, space: { org: 'default' } } as unknown as Session
    const knowledge = { unreadDcs: () => [2], waiting: [] }
    const outbox = { knowledge, loaded: true, attaching: Promise.resolve(), floors: () => [] }
    const scrubbed = gathering.scrub(session, outbox as unknown as DurableOutbox, 32)
    expect(asked).to.deep.equal([Entry.GATHER])
    expect(gathering.size).to.equal(1)
    Object.assign(session, { epoch: 2 })
    Object.assign(outbox, { knowledge: null })
    await gathering.attach(session, outbox as unknown as DurableOutbox)
    expect(await scrubbed).to.equal(true)
    expect(gathering.size).to.equal(0)
  })

  it('is waited for longer each time that nobody had read it in time, and not any more when somebody had', async () => {
    const asked: number[] = []
    const inTime = [false, false, false, true, false]
    const scrub = (_session: unknown, _outbox: unknown, patience: number): Promise<boolean> => {
      asked.push(patience)
      return Promise.resolve(inTime[asked.length - 1])
    }
    const scrubber = new Scrubber({
      membership: { reachable: () => true },
      gathering: { scrub },
    } as unknown as Cell)
    const knowledge = { complete: false, waiting: [], unreadDcs: () => [1] }
    const outbox = { knowledge, session: { space: { commit: {} } }, loaded: true, scrubbing: false }
    scrubber.attached(outbox as unknown as DurableOutbox)
    for (const _ of inTime) {
      scrubber.scrub()
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      while (outbox.scrubbing) await turn()
    }
    expect(asked).to.deep.equal([1, 2, 4, 8, 1])
  })
})
