import { expect } from 'chai'
import { startWriter, Writer } from './children.ts'
import { LmdbFixture } from './lmdb-fixture.ts'
import { numbered, numberedPartitions } from './numbered.ts'

const rounds = 12

describe('kill -9', () => {
  const fixture = new LmdbFixture()
  afterEach(() => fixture.clean())

  it('at any moment: nothing acknowledged is lost, no batch is there by half, the rest reads well', async () => {
    const directory = fixture.directory()
    let acknowledged = -1
    for (let round = 0; round < rounds; round++) {
      const writer = round === 0 ? await startWriter(directory) : new Writer(directory)
      // Some rounds end with the opening of the store, some in the middle of the writing.
      if (round % 4 !== 3) await writer.reached(acknowledged + 1 + round * 40)
      await writer.kill()
      acknowledged = Math.max(acknowledged, writer.acknowledged)
      const store = await fixture.open(directory)
      const newest: number[] = []
      for (const partition of numberedPartitions) {
        const rows = await store.range(numbered, { partition }, { limit: 100_000 })
        const last = rows.at(-1)?.n ?? -1
        newest.push(last)
        const first = Math.max(0, last + 1 - 1_000)
        expect(rows.map(({ n }) => n)).to.deep.equal(
          Array.from({ length: last + 1 - first }, (_, index) => first + index),
        )
        for (const { n, value } of rows) {
          expect(Buffer.from(value ?? []).equals(Buffer.alloc(20 + (n % 7) ** 4, n)), `row ${n}`).to.equal(
            true,
          )
        }
      }
      expect(newest[0], 'acknowledged and there').to.be.at.least(acknowledged)
      expect(newest, 'all of a batch or nothing').to.deep.equal([newest[0], newest[0], newest[0]])
      await store.close()
    }
    expect(acknowledged).to.be.above(500)
  }).timeout(60_000)
})
