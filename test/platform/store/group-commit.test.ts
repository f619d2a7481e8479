import { expect } from 'chai'
import * as fc from 'fast-check'
import { pino } from 'pino'
import { GroupCommit } from '#platform/store/group-commit.ts'
import { MemoryStore } from '#platform/store/memory.ts'
import { type Batch, StoreError } from '#platform/store/store.ts'
import { deadline } from '../../patience.ts'
import { storeError } from './contract.ts'
import { type Fault, FaultyStore } from './faulty-store.ts'
import { every, single } from './tables.ts'

const turn = (): Promise<void> => new Promise((done) => setImmediate(done))

/** Waits until something is so. */
async function until(condition: () => boolean): Promise<void> {
  const over = deadline()
  while (!condition()) {
    if (over()) throw new Error(`still not: ${condition.toString()}`)
    await turn()
  }
}

/** A store that notes the batches it is asked to write. */
class NotingStore extends FaultyStore {
  readonly batches: string[] = []

  override write(batch: Batch): Promise<void> {
    this.batches.push(batch.mutations.map((one) => (one.kind === 'put' ? one.row.id : one.kind)).join(' '))
    return super.write(batch)
  }
}

describe('group commit', () => {
  let store: NotingStore
  let commit: GroupCommit
  let lines: { event: string }[]
  let durable: number[]

  beforeEach(() => {
    store = new NotingStore(new MemoryStore())
    lines = []
    const log = pino({ base: null }, { write: (line: string) => void lines.push(JSON.parse(line)) })
    commit = new GroupCommit(store, log, { retryMs: 1 })
    durable = []
    commit.onDurable((through) => durable.push(through))
  })

  afterEach(async () => {
    store.always(() => null)
    store.release()
    await commit.close()
  })

  /** Stages a row and returns its ticket. */
  function stage(id: string): number {
    commit.stage().put(single, { id })
    return commit.ticket
  }

  it('writes together what is staged in one turn of the event loop', async () => {
    const tickets = [stage('a'), stage('b'), stage('c')]
    await commit.durable()
    expect(store.batches).to.deep.equal(['a b c'])
    expect(new Set(tickets).size).to.equal(1)
    expect(commit.through).to.equal(tickets[0])
    expect(durable).to.deep.equal([tickets[0]])
    expect(await store.get(single, { id: 'c' })).to.deep.equal({ id: 'c' })
  })

  it('has one batch in the air; what comes meanwhile goes with the next, in order', async () => {
    store.next('held')
    const first = stage('a')
    await until(() => store.held === 1)
    const second = stage('b')
    await turn()
    stage('c')
    await turn()
    expect(store.batches).to.deep.equal(['a'])
    expect(commit.through).to.be.below(first)
    expect(commit.staged).to.equal(3)
    store.release()
    await commit.durable()
    expect(store.batches).to.deep.equal(['a', 'b c'])
    expect(durable).to.deep.equal([first, second])
    expect(commit.staged).to.equal(0)
  })

  it('says how much waits, in rows and in bytes, so that sources can be slowed down', async () => {
    store.next('held')
    commit.stage().put(single, { id: 'a', value: 'x'.repeat(1_000) })
    await until(() => store.held === 1)
    commit.stage().put(single, { id: 'b', value: 'x'.repeat(2_000) })
    expect(commit.staged).to.equal(2)
    expect(commit.stagedBytes).to.be.within(3_000, 3_100)
    store.release()
    await commit.durable()
    expect(commit.stagedBytes).to.equal(0)
  })

  it('acknowledges nothing while the store fails, repeats the same batch, and goes on when it writes again', async () => {
    store.next('before', 'after', 'half')
    const first = stage('a')
    await until(() => commit.failing)
    const second = stage('b')
    expect(commit.through).to.be.below(first)
    expect(durable).to.deep.equal([])
    await commit.durable()
    expect(store.batches).to.deep.equal(['a', 'a', 'a', 'a', 'b'])
    expect(durable).to.deep.equal([first, second])
    expect(commit.failing).to.equal(false)
    expect(commit.failures).to.equal(3)
    expect(lines.map(({ event }) => event)).to.deep.equal(['store.write_failed', 'store.recovered'])
  })

  it('makes room in a full store by what may be discarded', async () => {
    const partition = { org: 'o', log: Buffer.from('l'), day: 1 }
    store.error = new StoreError('full', 'full')
    store.next('before', null, 'before')
    stage('a')
    await until(() => commit.failing)
    commit.stage().discard(every, partition, { writer: Buffer.from('w'), seq: 1 })
    await commit.durable()
    expect(store.batches).to.deep.equal(['a', 'discard', 'a', 'discard', 'a', 'discard'])
  })

  it('takes along what listeners stage when a batch leaves', async () => {
    let rounds = 0
    commit.beforeLaunch(() => {
      if (rounds++ === 0) commit.stage().put(single, { id: 'state' })
    })
    stage('a')
    await commit.durable()
    expect(store.batches).to.deep.equal(['a state'])
  })

  it('durable() waits for what listeners have kept back', async () => {
    const kept = ['first', 'second']
    commit.beforeLaunch(() => {
      for (const id of kept.splice(0)) commit.stage().put(single, { id })
    })
    store.next('held')
    stage('a')
    await until(() => store.held === 1)
    kept.push('third')
    const waiting = commit.durable()
    store.release()
    await waiting
    expect(await store.get(single, { id: 'third' })).to.deep.equal({ id: 'third' })
  })

  it('a row that no engine can write is refused to who stages it; the others are written', async () => {
    const ticket = stage('a')
    expect(() => commit.stage().put(single, { id: 'x'.repeat(3_000) })).to.throw(
      RangeError,
      /test_single\.id/,
    )
    await commit.durable()
    expect(commit.through).to.equal(ticket)
  })

  describe('closing', () => {
    it('writes what is staged', async () => {
      stage('a')
      await commit.close()
      expect(await store.get(single, { id: 'a' })).to.deep.equal({ id: 'a' })
    })

    it('writes what was staged while a batch is in the air', async () => {
      store.next('held')
      stage('a')
      await until(() => store.held === 1)
      stage('b')
      const closing = commit.close()
      store.release()
      await closing
      expect(store.batches).to.deep.equal(['a', 'b'])
    })

    it('while the store fails makes one more attempt, acknowledges nothing and ends', async () => {
      store.always(() => 'before')
      stage('a')
      await until(() => commit.failing)
      const waiting = storeError(commit.durable())
      const attempts = store.writes
      await commit.close()
      expect((await waiting).code).to.equal('closed')
      expect(store.writes).to.be.within(attempts + 1, attempts + 2)
      const { writes } = store
      await new Promise((wake) => setTimeout(wake, 20))
      expect(store.writes).to.equal(writes)
      expect(durable).to.deep.equal([])
      expect(lines.at(-1)?.event).to.equal('store.unwritten')
      expect((await storeError(commit.durable())).code).to.equal('closed')
    })

    it('in the middle of a repetition does not write the batch twice at a time', async () => {
      store.error = new StoreError('full', 'full')
      store.next('before', 'held')
      stage('a')
      commit
        .stage()
        .discard(every, { org: 'o', log: Buffer.from('l'), day: 1 }, { writer: Buffer.from('w'), seq: 1 })
      await until(() => store.held === 1)
      const closing = commit.close()
      await turn()
      store.release()
      await closing
      expect(store.batches).to.deep.equal(['a discard', 'discard', 'a discard'])
      expect(durable).to.deep.equal([1])
    })

    it('ends when the very last write fails', async () => {
      store.always(() => 'before')
      stage('a')
      await commit.close()
      expect(durable).to.deep.equal([])
    })

    it('what is staged afterwards is neither written nor acknowledged', async () => {
      await commit.close()
      const ticket = stage('a')
      await turn()
      await turn()
      expect(store.writes).to.equal(0)
      expect(commit.through).to.be.below(ticket)
    })
  })

  it('under random faults: acknowledged means there, tickets come in order, the last write of a row wins', async () => {
    const action = fc.record({
      id: fc.constantFrom('a', 'b', 'c', 'd'),
      pause: fc.boolean(),
      wait: fc.boolean(),
    })
    const fault = fc.constantFrom<Fault | null>(null, null, 'before', 'after', 'half')
    await fc.assert(
      fc.asyncProperty(
        fc.array(action, { maxLength: 30 }),
        fc.array(fault, { maxLength: 20 }),
        async (actions, faults) => {
          const faulty = new FaultyStore(new MemoryStore())
          faulty.next(...faults)
          const group = new GroupCommit(faulty, pino({ level: 'silent' }), { retryMs: 0 })
          const seen: number[] = []
          const staged: { id: string; version: number; ticket: number }[] = []
          const checks: Promise<void>[] = []
          group.onDurable((through) => {
            seen.push(through)
            for (const { id, version } of staged.filter(({ ticket }) => ticket <= through)) {
              checks.push(
                faulty.get(single, { id }).then((row) => void expect(row?.version).to.be.at.least(version)),
              )
            }
          })
          for (const { id, pause, wait } of actions) {
            const version = staged.length
            group.stage().put(single, { id, version })
            staged.push({ id, version, ticket: group.ticket })
            if (pause) await turn()
            if (wait) await group.durable()
          }
          await group.durable()
          await Promise.all(checks)
          expect(seen).to.deep.equal(seen.toSorted((a, b) => a - b))
          expect(group.through).to.equal(staged.at(-1)?.ticket ?? 0)
          for (const id of ['a', 'b', 'c', 'd']) {
            const last = staged.findLast((one) => one.id === id)
            expect((await faulty.get(single, { id }))?.version).to.equal(last?.version)
          }
          await group.close()
        },
      ),
      { numRuns: 50 },
    )
  })
})
