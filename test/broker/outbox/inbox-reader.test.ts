import { expect } from 'chai'
import { InboxReader, type Mode } from '#broker/outbox/inbox-reader.ts'
import { MemoryStore } from '#platform/store/memory.ts'
import { Batch } from '#platform/store/store.ts'
import { inbox } from '#platform/store/tables.ts'

const TODAY = 20_000
const SID = Buffer.alloc(16, 7)
const EVERYTHING = { limit: 100, before: Number.POSITIVE_INFINITY, durable: true }
const PROCESS = Buffer.alloc(16, 9)

/** The stream of a publisher's connection. */
function stream(birth: number, publisher: number): Buffer {
  const writer = Buffer.alloc(16, publisher)
  writer.writeBigUInt64BE(BigInt(birth))
  writer[8] = 0
  return writer
}

describe('the reader of an inbox that several processes write', () => {
  let store: MemoryStore
  let reader: InboxReader
  let youngAfter: number
  let streams: Mode

  beforeEach(() => {
    store = new MemoryStore()
    youngAfter = 0
    streams = 'ordered'
    const sources = { own: PROCESS, modeOf: () => streams, isYoung: (hlc: number) => hlc > youngAfter }
    reader = new InboxReader(store, { org: 'o', session: { sid: SID } }, sources)
  })

  /** Rows in the store: their stamps are their numbers. */
  async function has(...rows: readonly (readonly [writer: Buffer, seq: number])[]): Promise<void> {
    const batch = new Batch()
    for (const [writer, seq] of rows)
      batch.put(inbox, {
        org: 'o',
        log: SID,
        day: TODAY,
        writer,
        seq,
        message: Buffer.from('m'),
        hlc: seq,
        kind: 0,
      })
    await store.write(batch)
  }

  async function fetched(): Promise<number[]> {
    const taken: number[] = []
    await reader.fetch(TODAY, EVERYTHING, ({ seq }) => taken.push(seq))
    return taken
  }

  it('lets no message of QoS 2 pass one that its publisher sent over an earlier connection and that has to wait', async () => {
    const [before, after, other] = [stream(1, 5), stream(2, 5), stream(2, 6)]
    await has([before, 1], [before, 2], [after, 3], [other, 4])
    // The publisher is here now: what it sends over its new connection may be read as soon as it is durable.
    reader.progressOf(before).limit = 1
    reader.progressOf(after).limit = 3
    reader.progressOf(other).limit = 4
    expect(await fetched()).to.deep.equal([1, 4])
    expect(reader.heldYoung).to.equal(true)
    expect(reader.holdsBack(reader.progressOf(after))).to.equal(true)
    expect(reader.holdsBack(reader.progressOf(stream(3, 5)))).to.equal(true)
    expect(reader.holdsBack(reader.progressOf(other))).to.equal(false)
  })

  it('goes on with all of them when the first is old enough', async () => {
    const [before, after] = [stream(1, 5), stream(2, 5)]
    await has([before, 1], [after, 2])
    reader.progressOf(after).limit = 2
    expect(await fetched()).to.deep.equal([])
    youngAfter = 1
    expect(await fetched()).to.deep.equal([1, 2])
    expect(reader.holdsBack(reader.progressOf(after))).to.equal(false)
  })

  it('waits for nothing that was settled elsewhere, however young', async () => {
    const [before, after] = [stream(1, 5), stream(2, 5)]
    await has([before, 1], [after, 2])
    reader.progressOf(before).learn(0, [[1, 1]])
    reader.progressOf(after).limit = 2
    expect(await fetched()).to.deep.equal([2])
    expect(reader.heldYoung).to.equal(false)
  })

  it('reads again what it had asked for before more of it was allowed: a row that came meanwhile is not passed', async () => {
    const writer = Buffer.alloc(16, 3)
    await has([writer, 8], [writer, 10])
    const range = store.range.bind(store)
    store.range = async (...asked) => {
      const rows = await range(...asked)
      if (rows.length > 0 && reader.progressOf(writer).limit === 0) {
        await has([writer, 9])
        reader.raise(reader.progressOf(writer), 10)
      }
      return rows
    }
    const taken: number[] = []
    expect(await reader.fetch(TODAY, EVERYTHING, ({ seq }) => taken.push(seq))).to.equal(false)
    expect(taken).to.deep.equal([])
    expect(await fetched()).to.deep.equal([8, 9, 10])
  })

  it('keeps the order of streams that may be read from the middle of a look on', async () => {
    const [before, after] = [stream(1, 5), stream(2, 5)]
    await has([before, 1], [after, 2])
    youngAfter = 2
    streams = 'wait'
    const taken: number[] = []
    const look = reader.fetch(TODAY, EVERYTHING, ({ seq }) => taken.push(seq))
    while (!reader.holdsBack(reader.progressOf(before))) await Promise.resolve()
    streams = 'ordered'
    await look
    expect(taken).to.deep.equal([])
    expect(await fetched()).to.deep.equal([1, 2])
  })
})
