import { expect } from 'chai'
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { Batch } from '#platform/store/store.ts'
import { table } from '#platform/store/table.ts'
import { put, storeContract, storeError, TestClock } from './contract.ts'
import { LmdbFixture } from './lmdb-fixture.ts'
import { every, fading, fadingSpec, single, stamped } from './tables.ts'
import { eventually } from '../../patience.ts'

const dayMs = 86_400_000

storeContract({
  name: 'LMDB',
  ordered: true,
  clocked: true,
  open: async (clock) => {
    const fixture = new LmdbFixture()
    return { store: await fixture.open(fixture.directory(), { clock }), remove: () => fixture.clean() }
  },
})

describe('LMDB store', () => {
  const fixture = new LmdbFixture()
  afterEach(() => fixture.clean())

  it('has everything again after it was closed and opened', async () => {
    const directory = fixture.directory()
    const store = await fixture.open(directory)
    const { identity } = store
    await put(store, single, { id: 'a', value: 'one', version: 1 })
    await put(store, stamped, { org: 'o', name: 'n', value: 'two', stamp: 9 })
    await store.close()
    const again = await fixture.open(directory)
    expect(again.identity).to.equal(identity)
    expect(await again.get(single, { id: 'a' })).to.deep.equal({ id: 'a', value: 'one', version: 1 })
    await put(again, stamped, { org: 'o', name: 'n', value: 'older', stamp: 8 })
    expect((await again.get(stamped, { org: 'o', name: 'n' }))?.value).to.equal('two')
  })

  it('other data have another identity', async () => {
    const one = await fixture.open(fixture.directory())
    const other = await fixture.open(fixture.directory())
    expect(one.identity).to.not.equal(other.identity)
  })

  describe('tables change', () => {
    const spec = {
      name: 'test_grown',
      partition: { id: 'text' },
      clustering: { n: 'int' },
      columns: { a: 'text', b: 'int' },
      compaction: 'UCS',
    } as const
    const v1 = table(spec)
    const v2 = table({ ...spec, columns: { ...spec.columns, c: 'blob', d: 'boolean' } })

    it('by columns at the end: each version reads the rows of the other', async () => {
      const directory = fixture.directory()
      const old = await fixture.open(directory)
      await put(old, v1, { id: 'x', n: 1, a: 'old', b: 1 })
      await old.close()
      const newer = await fixture.open(directory)
      expect(await newer.get(v2, { id: 'x', n: 1 })).to.deep.equal({ id: 'x', n: 1, a: 'old', b: 1 })
      await put(
        newer,
        v2,
        { id: 'x', n: 2, a: 'new', c: Buffer.from('c'), d: true },
        { id: 'x', n: 3, d: false },
      )
      await newer.close()
      const back = await fixture.open(directory)
      expect(await back.range(v1, { id: 'x' }, { limit: 9 })).to.deep.equal([
        { id: 'x', n: 1, a: 'old', b: 1 },
        { id: 'x', n: 2, a: 'new' },
        { id: 'x', n: 3 },
      ])
      await put(back, v1, { id: 'x', n: 4, b: 4 })
      await back.close()
      const last = await fixture.open(directory)
      expect(await last.get(v2, { id: 'x', n: 4 })).to.deep.equal({ id: 'x', n: 4, b: 4 })
      expect((await last.get(v2, { id: 'x', n: 2 }))?.d).to.equal(true)
    })

    it('in any other way are refused by one clear line, and the rows stay', async () => {
      const directory = fixture.directory()
      const store = await fixture.open(directory)
      await put(store, v1, { id: 'x', n: 1, a: 'kept' })
      await store.close()
      const again = await fixture.open(directory)
      const others = [
        table({ ...spec, clustering: { n: 'long' } }),
        table({ ...spec, partition: { name: 'text' } }),
        table({ ...spec, columns: { b: 'int', a: 'text' } }),
        table({ ...spec, ttlDays: 1 }),
      ]
      for (const other of others) {
        const error = await storeError(again.scan(other, null, 1))
        expect(error.code).to.equal('version')
        expect(error.message).to.match(/^table test_grown was written with other columns .*$/)
      }
      expect((await again.get(v1, { id: 'x', n: 1 }))?.a).to.equal('kept')
    })
  })

  describe('expired rows', () => {
    it('are removed from the disk, also after a restart; the others stay', async () => {
      const directory = fixture.directory()
      const clock = new TestClock()
      const store = await fixture.open(directory, { clock })
      const rows = (org: string): { org: string; n: number; value: string }[] =>
        Array.from({ length: 3_000 }, (_, n) => ({ org, n, value: org }))
      await put(store, fading, ...rows('old'), ...rows('mixed'))
      await put(store, single, { id: 'for ever' })
      clock.time += 5 * dayMs
      await put(store, fading, ...rows('mixed').slice(0, 10), { org: 'new', n: 1 })
      expect(await store.sweep()).to.equal(0)
      await store.close()
      clock.time += 3 * dayMs
      const again = await fixture.open(directory, { clock })
      await put(again, fading, { org: 'old', n: -1 })
      expect(await again.sweep()).to.equal(5_990)
      expect(await again.sweep()).to.equal(0)
      // A clock set back would show what is still there.
      clock.time -= 3 * dayMs
      expect(await again.range(fading, { org: 'old' }, { limit: 9_000 })).to.have.length(1)
      expect(await again.range(fading, { org: 'mixed' }, { limit: 9_000 })).to.have.length(10)
      expect(await again.get(single, { id: 'for ever' })).to.not.equal(undefined)
      clock.time += 20 * dayMs
      expect(await again.sweep()).to.equal(12)
      expect(await again.sweep()).to.equal(0)
    })

    it('are removed although writes go on meanwhile, and a row written again is not taken for expired', async () => {
      const clock = new TestClock()
      const store = await fixture.open(fixture.directory(), { clock })
      await put(store, fading, ...Array.from({ length: 5_000 }, (_, n) => ({ org: 'o', n })))
      clock.time += 9 * dayMs
      const sweeping = store.sweep()
      for (let n = 4_999; n > 4_899; n--) await put(store, fading, { org: 'o', n, value: 'again' })
      const removed = await sweeping
      const left = await store.range(fading, { org: 'o' }, { limit: 9_000 })
      expect(left).to.have.length(100)
      expect(removed).to.be.within(4_900, 5_000)
    })

    it('follow a TTL that was made longer, for rows written before too', async () => {
      const directory = fixture.directory()
      const clock = new TestClock()
      const store = await fixture.open(directory, { clock })
      await put(store, fading, { org: 'o', n: 1 })
      await store.close()
      const longer = table({ ...fadingSpec, ttlDays: 30 })
      const again = await fixture.open(directory, { clock })
      await put(again, longer, { org: 'other', n: 1 })
      clock.time += 20 * dayMs
      expect(await again.sweep()).to.equal(0)
      expect(await again.get(longer, { org: 'o', n: 1 })).to.not.equal(undefined)
      clock.time += 12 * dayMs
      expect(await again.get(longer, { org: 'o', n: 1 })).to.equal(undefined)
      expect(await again.sweep()).to.equal(2)
    })

    it('leave by themselves', async () => {
      const clock = new TestClock()
      const store = await fixture.open(fixture.directory(), { clock, sweepMs: 5 })
      await put(store, fading, ...Array.from({ length: 100 }, (_, n) => ({ org: 'o', n })))
      clock.time += 9 * dayMs
      await eventually('all of them are gone', async () => {
        clock.time -= 9 * dayMs
        const left = await store.range(fading, { org: 'o' }, { limit: 200 })
        clock.time += 9 * dayMs
        return left.length === 0
      })
    })
  })

  describe('discard', () => {
    it('of many rows is done in pieces, and all of it', async () => {
      const store = await fixture.open(fixture.directory())
      const partition = { org: 'o', log: Buffer.from('log'), day: 1 }
      const writer = Buffer.from('w')
      const rows = Array.from({ length: 4_500 }, (_, seq) => ({ ...partition, writer, seq }))
      await put(store, every, ...rows)
      const batch = new Batch()
      batch.discard(every, partition, { writer, seq: 4_400 })
      await store.write(batch)
      // Writes stand in line behind the pieces, so after some of them all is done.
      for (let n = 0; n < 10; n++) await put(store, single, { id: String(n) })
      const left = await store.range(every, partition, { limit: 5_000 })
      expect(left.map(({ seq }) => seq)).to.deep.equal(Array.from({ length: 99 }, (_, n) => 4_401 + n))
    })
  })

  it('uses the pages of removed rows again: reads keep none of them back', async () => {
    const directory = fixture.directory()
    const store = await fixture.open(directory)
    const value = 'x'.repeat(1_000)
    const size = (): number => statSync(join(directory, 'data.mdb')).size
    const round = async (): Promise<void> => {
      await put(store, single, ...Array.from({ length: 100 }, (_, n) => ({ id: String(n), value })))
      await store.range(single, { id: '1' }, { limit: 1 })
      await store.scan(single, null, 3)
      await new Promise((turn) => setImmediate(turn))
    }
    for (let n = 0; n < 10; n++) await round()
    const settled = size()
    for (let n = 0; n < 200; n++) await round()
    expect(size()).to.be.below(settled * 3)
  })

  it('takes thousands of batches at once', async () => {
    const store = await fixture.open(fixture.directory())
    const writes = Array.from({ length: 2_000 }, (_, n) => put(store, single, { id: String(n) }))
    const results = await Promise.allSettled(writes)
    expect(results.every(({ status }) => status === 'fulfilled')).to.equal(true)
    let rows = 0
    let cursor: string | null = null
    do {
      const page: { rows: unknown[]; cursor: string | null } = await store.scan(single, cursor, 300)
      rows += page.rows.length
      cursor = page.cursor
    } while (cursor !== null)
    expect(rows).to.equal(2_000)
  })
})
