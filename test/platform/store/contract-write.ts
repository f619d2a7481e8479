import { expect } from 'chai'
import { Batch, type Conditional } from '#platform/store/store.ts'
import { put, type Subject } from './contract.ts'
import { every, fading, single, stamped } from './tables.ts'

const dayMs = 86_400_000
const partition = { org: 'acme', log: Buffer.from('log'), day: 1 }
const writer = Buffer.from('w')

/** Batches, stamps, conditional puts, TTL, discard. */
export function writeContract(subject: Subject): void {
  const seqs = async (of: object = {}): Promise<number[]> =>
    (await subject.store.range(every, { ...partition, ...of }, { limit: 10_000 })).map(({ seq }) => seq)

  describe('batches', () => {
    it('keep the order of what they do to a row', async () => {
      const batch = new Batch()
      const row = { ...partition, writer, seq: 1 }
      batch.put(every, { ...row, text: 'first' })
      batch.delete(every, row)
      batch.put(every, { ...row, text: 'second' })
      batch.put(every, { ...row, seq: 2 })
      batch.delete(every, { ...row, seq: 2 })
      await subject.store.write(batch)
      expect((await subject.store.get(every, row))?.text).to.equal('second')
      expect(await seqs()).to.deep.equal([1])
    })

    it('delete a partition with what the same batch put before, and nothing else', async () => {
      await put(
        subject.store,
        every,
        { ...partition, writer, seq: 1 },
        { ...partition, day: 2, writer, seq: 1 },
      )
      const batch = new Batch()
      batch.put(every, { ...partition, writer, seq: 2 })
      batch.put(every, { ...partition, day: 2, writer, seq: 2 })
      batch.deletePartition(every, partition)
      batch.put(every, { ...partition, writer, seq: 3 })
      await subject.store.write(batch)
      expect(await seqs()).to.deep.equal([3])
      expect(await seqs({ day: 2 })).to.deep.equal([1, 2])
    })

    it('may delete what is not there, and may be empty', async () => {
      const batch = new Batch()
      batch.delete(every, { ...partition, writer, seq: 1 })
      batch.deletePartition(every, partition)
      batch.discard(every, partition, { writer, seq: 9 })
      await subject.store.write(batch)
      await subject.store.write(new Batch())
      expect(await seqs()).to.deep.equal([])
    })

    it('may have thousands of rows, and may be written again as they are', async () => {
      const batch = new Batch()
      for (let seq = 0; seq < 5_000; seq++)
        batch.put(every, { ...partition, writer, seq, text: `row ${seq}` })
      await subject.store.write(batch)
      await subject.store.write(batch)
      const rows = await subject.store.range(every, partition, { limit: 10_000 })
      expect(rows.map(({ seq, text }) => `${seq} ${text}`)).to.deep.equal(
        Array.from({ length: 5_000 }, (_, seq) => `${seq} row ${seq}`),
      )
    })

    it('written at the same time do not disturb each other', async () => {
      const writes = Array.from({ length: 200 }, (_, seq) =>
        put(subject.store, every, { ...partition, writer, seq }, { ...partition, day: 2, writer, seq }),
      )
      await Promise.all(writes)
      expect(await seqs()).to.deep.equal(Array.from({ length: 200 }, (_, seq) => seq))
      expect(await seqs({ day: 2 })).to.have.length(200)
    })

    it('are seen by every read after they resolved', async () => {
      for (let seq = 0; seq < 50; seq++) {
        await put(subject.store, every, { ...partition, writer, seq })
        expect(await seqs()).to.have.length(seq + 1)
        const batch = new Batch()
        batch.delete(every, { ...partition, writer, seq })
        batch.put(every, { ...partition, writer, seq, small: seq })
        await subject.store.write(batch)
        expect((await subject.store.get(every, { ...partition, writer, seq }))?.small).to.equal(seq)
      }
    })
  })

  describe('stamps', () => {
    const value = async (): Promise<string | undefined> =>
      (await subject.store.get(stamped, { org: 'o', name: 'n' }))?.value
    const row = (
      stamp: number,
      text: string,
    ): { org: string; name: string; value: string; stamp: number } => ({
      org: 'o',
      name: 'n',
      value: text,
      stamp,
    })

    it('let the newest win, in whatever order the writes come', async () => {
      await put(subject.store, stamped, row(5, 'five'))
      await put(subject.store, stamped, row(4, 'four'))
      expect(await value()).to.equal('five')
      await put(subject.store, stamped, row(6, 'six'))
      expect(await value()).to.equal('six')
    })

    it('that are equal overwrite: a repeated write is harmless', async () => {
      await put(subject.store, stamped, row(5, 'five'))
      await put(subject.store, stamped, row(5, 'again'))
      expect(await value()).to.be.oneOf(subject.ordered ? ['again'] : ['five', 'again'])
      const kept = await value()
      await put(subject.store, stamped, row(5, kept ?? ''))
      expect(await value()).to.equal(kept)
    })

    it('count within a batch and between batches under way together', async () => {
      await put(subject.store, stamped, row(3, 'three'), row(9, 'nine'), row(5, 'five'))
      expect(await value()).to.equal('nine')
      await Promise.all([20, 12, 17].map((stamp) => put(subject.store, stamped, row(stamp, String(stamp)))))
      expect(await value()).to.equal('20')
    })

    it('of the other rows of a batch do not matter', async () => {
      await put(subject.store, stamped, row(5, 'five'))
      await put(subject.store, stamped, row(1, 'old'), { org: 'o', name: 'other', value: 'new', stamp: 1 })
      expect(await value()).to.equal('five')
      expect((await subject.store.get(stamped, { org: 'o', name: 'other' }))?.value).to.equal('new')
    })
  })

  describe('conditional puts', () => {
    it('put when the column is as expected, and only then', async () => {
      const { store } = subject
      expect(await store.putIf(single, { id: 'a', version: 1 }, 'version', 0)).to.equal('rejected')
      expect(await store.putIf(single, { id: 'a', version: 1 }, 'version', undefined)).to.equal('applied')
      expect(await store.putIf(single, { id: 'a', version: 2 }, 'version', undefined)).to.equal('rejected')
      expect(await store.putIf(single, { id: 'a', version: 3 }, 'version', 2)).to.equal('rejected')
      expect((await store.get(single, { id: 'a' }))?.version).to.equal(1)
      expect(await store.putIf(single, { id: 'a', value: 'x', version: 2 }, 'version', 1)).to.equal('applied')
      expect(await store.get(single, { id: 'a' })).to.deep.equal({ id: 'a', value: 'x', version: 2 })
    })

    it('give a name to one of many who ask for it at once', async () => {
      const claims = Array.from({ length: 40 }, (_, n) =>
        subject.store.putIf(single, { id: 'name', value: `owner ${n}` }, 'value', undefined),
      )
      const outcomes = await Promise.all(claims)
      expect(outcomes.filter((outcome) => outcome === 'applied')).to.have.length(1)
      const owner = outcomes.indexOf('applied')
      expect((await subject.store.get(single, { id: 'name' }))?.value).to.equal(`owner ${owner}`)
    })

    it('lose no increment of a counter', async () => {
      const { store } = subject
      await put(store, single, { id: 'counter', version: 0 })
      const increment = async (): Promise<void> => {
        let outcome: Conditional
        do {
          const version = (await store.get(single, { id: 'counter' }))?.version ?? 0
          outcome = await store.putIf(single, { id: 'counter', version: version + 1 }, 'version', version)
        } while (outcome !== 'applied')
      }
      await Promise.all(Array.from({ length: 25 }, increment))
      expect((await store.get(single, { id: 'counter' }))?.version).to.equal(25)
    })
  })

  describe('discard', () => {
    it('takes nothing but the rows of one writer up to a number', async () => {
      const other = Buffer.from('x')
      const rows = [1, 2, 3, 4].flatMap((seq) => [
        { ...partition, writer, seq },
        { ...partition, writer: other, seq },
        { ...partition, day: 2, writer, seq },
      ])
      await put(subject.store, every, ...rows)
      const batch = new Batch()
      batch.discard(every, partition, { writer, seq: 2 })
      batch.put(every, { ...partition, writer, seq: 5 })
      await subject.store.write(batch)
      const left = await subject.store.range(every, partition, { limit: 100 })
      const of = (name: Uint8Array): number[] =>
        left.filter((row) => Buffer.compare(row.writer, name) === 0).map(({ seq }) => seq)
      expect(of(writer)).to.include.members([3, 4, 5])
      expect(of(other)).to.deep.equal([1, 2, 3, 4])
      expect(await seqs({ day: 2 })).to.deep.equal([1, 2, 3, 4])
    })
  })

  if (subject.clocked) ttlContract(subject)
  if (!subject.ordered) return
  describe('calls made together', () => {
    it('take effect in order: writes of one row', async () => {
      const row = { ...partition, writer, seq: 0 }
      await Promise.all(
        Array.from({ length: 200 }, (_, small) => put(subject.store, every, { ...row, small })),
      )
      expect((await subject.store.get(every, row))?.small).to.equal(199)
    })

    it('take effect in order: conditional puts between writes', async () => {
      const { store } = subject
      const outcomes = await Promise.all([
        put(store, single, { id: 'a', version: 1 }),
        store.putIf(single, { id: 'a', version: 2 }, 'version', 1),
        put(store, single, { id: 'a', version: 3 }),
        store.putIf(single, { id: 'a', version: 4 }, 'version', 2),
        store.putIf(single, { id: 'a', version: 5 }, 'version', 3),
        store.putIf(single, { id: 'a', version: 6 }, 'version', 5),
      ])
      expect(outcomes.slice(1)).to.deep.equal(['applied', undefined, 'rejected', 'applied', 'applied'])
      expect((await store.get(single, { id: 'a' }))?.version).to.equal(6)
    })
  })
}

function ttlContract(subject: Subject): void {
  describe('rows past their TTL', () => {
    const numbers = async (): Promise<number[]> =>
      (await subject.store.range(fading, { org: 'o' }, { limit: 100 })).map(({ n }) => n)

    it('are never returned; a row written again lives on', async () => {
      const { store, clock } = subject
      await put(store, fading, { org: 'o', n: 1 }, { org: 'o', n: 2 })
      clock.time += 6 * dayMs
      await put(store, fading, { org: 'o', n: 2 }, { org: 'o', n: 3 })
      expect(await numbers()).to.deep.equal([1, 2, 3])
      clock.time += dayMs + 1000
      expect(await numbers()).to.deep.equal([2, 3])
      expect(await store.get(fading, { org: 'o', n: 1 })).to.equal(undefined)
      expect((await store.scan(fading, null, 100)).rows.map(({ n }) => n)).to.deep.equal([2, 3])
      clock.time += 7 * dayMs
      expect(await numbers()).to.deep.equal([])
    })

    it('do not take the place of others in a page', async () => {
      const { store, clock } = subject
      await put(store, fading, ...Array.from({ length: 50 }, (_, n) => ({ org: 'o', n })))
      clock.time += 6 * dayMs
      await put(store, fading, { org: 'o', n: 60 }, { org: 'o', n: 61 })
      clock.time += 2 * dayMs
      const page = await store.range(fading, { org: 'o' }, { limit: 2 })
      expect(page.map(({ n }) => n)).to.deep.equal([60, 61])
    })

    it('count as not there for a conditional put', async () => {
      const { store, clock } = subject
      await put(store, fading, { org: 'o', n: 1, value: 'old' })
      expect(await store.putIf(fading, { org: 'o', n: 1, value: 'new' }, 'value', undefined)).to.equal(
        'rejected',
      )
      clock.time += 8 * dayMs
      expect(await store.putIf(fading, { org: 'o', n: 1, value: 'new' }, 'value', 'old')).to.equal('rejected')
      expect(await store.putIf(fading, { org: 'o', n: 1, value: 'new' }, 'value', undefined)).to.equal(
        'applied',
      )
    })
  })
}
