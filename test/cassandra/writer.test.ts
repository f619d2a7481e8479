import { expect } from 'chai'
import { Limiter } from '#cassandra/store/limiter.ts'
import type { Statement } from '#cassandra/store/plan.ts'
import { TableCql } from '#cassandra/store/table-cql.ts'
import { Writer } from '#cassandra/store/writer.ts'
import { Batch, StoreError } from '#platform/store/store.ts'
import { inbox, state } from '#platform/store/tables.ts'
import type { AnyTable } from '#platform/store/table.ts'
import { storeError } from '../platform/store/contract.ts'

const turn = (): Promise<void> => new Promise((done) => setImmediate(done))

/** A request that waits for its answer. */
interface Sent {
  readonly rows: string[]
  readonly statements: Statement[]
  readonly geo: boolean
  answer(error?: StoreError): void
}

describe('writing to Cassandra', () => {
  const tables = new Map<AnyTable, TableCql>()
  let sent: Sent[]
  let writer: Writer

  beforeEach(() => {
    sent = []
    const [near, far] = [new Limiter(8), new Limiter(8)]
    writer = new Writer({
      limiterOf: (geo) => (geo ? far : near),
      cqlOf: ({ table }) => {
        const cql = tables.get(table) ?? new TableCql(table, 'cinque')
        tables.set(table, cql)
        return cql
      },
      isGeo: (org) => org === 'geo',
      send: (statements, geo) =>
        new Promise((done, failed) => {
          const rows = statements.map(({ params }) => `${String(params[1])}${String(params[4])}`)
          sent.push({
            rows,
            statements,
            geo,
            answer: (error) => (error === undefined ? done() : failed(error)),
          })
        }),
      read: async () => undefined,
    })
  })

  /** Rows of logs: `a1` is row 1 of log a. */
  function batchOf(...rows: string[]): Batch {
    const batch = new Batch()
    for (const row of rows) {
      batch.put(inbox, {
        org: 'o',
        log: Buffer.from(row[0]),
        day: 1,
        writer: Buffer.from('w'),
        seq: Number(row.slice(1)),
      })
    }
    return batch
  }

  const numbers = (log: string, count: number): string[] =>
    Array.from({ length: count }, (_, n) => `${log}${n + 1}`)
  const failure = new StoreError('unavailable', 'injected')

  it('packs the rows of many logs into few requests, those of one log together', async () => {
    const writing = writer.write(batchOf('a1', 'b1', 'a2', 'c1', ...numbers('d', 49)))
    await turn()
    expect(sent.map(({ rows }) => rows)).to.deep.equal([['a1', 'a2', 'b1', 'c1'], numbers('d', 49)])
    for (const one of sent) one.answer()
    await writing
  })

  it('sends the rows of a long log one part after the other, so that none is seen without those before', async () => {
    const writing = writer.write(batchOf(...numbers('a', 120)))
    for (const size of [50, 50, 20]) {
      await turn()
      const last = sent.at(-1)
      expect(last?.rows).to.have.length(size)
      last?.answer()
    }
    await writing
    expect(sent).to.have.length(3)
  })

  it('of two batches only what meets in a log waits', async () => {
    const first = writer.write(batchOf('a1', 'b1'))
    const second = writer.write(batchOf('a2', 'c1'))
    await turn()
    expect(sent.map(({ rows }) => rows)).to.deep.equal([['a1', 'b1'], ['c1']])
    sent[0].answer()
    await first
    await turn()
    expect(sent[2].rows).to.deep.equal(['a2'])
    sent[1].answer()
    sent[2].answer()
    await second
  })

  it('requests that wait for other DCs take none of the places of those that do not', async () => {
    const batches = Array.from({ length: 9 }, (_, n) => {
      const batch = new Batch()
      batch.put(state, { org: 'geo', sid: Buffer.from([n]), epoch: 1 })
      return batch
    })
    const far = batches.map((batch) => writer.write(batch))
    const near = writer.write(batchOf('a1'))
    await turn()
    expect(sent.map(({ geo }) => geo)).to.deep.equal([...Array.from({ length: 8 }, () => true), false])
    sent[8].answer()
    await near
    sent[0].answer()
    await turn()
    for (const one of sent) one.answer()
    await Promise.all(far)
  })

  it('what waited for something that failed fails with it', async () => {
    const first = writer.write(batchOf('a1'))
    const second = writer.write(batchOf('a2'))
    await turn()
    sent[0].answer(failure)
    expect(await storeError(first)).to.equal(failure)
    expect(await storeError(second)).to.equal(failure)
    expect(sent).to.have.length(1)
  })

  it('a batch that is written again keeps its timestamps, and sends only what is not there', async () => {
    const batch = batchOf(...numbers('a', 50), 'b1')
    const first = storeError(writer.write(batch))
    await turn()
    sent[0].answer()
    sent[1].answer(failure)
    await first
    const later = writer.write(batchOf('b1'))
    await turn()
    const again = writer.write(batch)
    await turn()
    sent[2].answer()
    await later
    await turn()
    sent[3].answer()
    await again
    expect(sent.map(({ rows }) => rows.length)).to.deep.equal([50, 1, 1, 1])
    const stamps = sent.map(({ statements }) => Number(statements[0].params.at(-1)))
    expect(stamps[3]).to.equal(stamps[1])
    expect(stamps[3]).to.be.below(stamps[2])
  })

  it('organisations that want it have their rows in most replicas of the world', async () => {
    const batch = batchOf('a1')
    batch.put(state, { org: 'geo', sid: Buffer.from('s'), epoch: 1 })
    const writing = writer.write(batch)
    await turn()
    expect(sent.map(({ geo }) => geo)).to.deep.equal([false, true])
    for (const one of sent) one.answer()
    await writing
  })
})
