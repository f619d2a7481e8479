import { expect } from 'chai'
import { Batch } from '#platform/store/store.ts'
import { put, type Subject } from './contract.ts'
import { fading, ordered, single } from './tables.ts'

const raw = (...bytes: number[]): Buffer => Buffer.from(bytes)

/** Values of each key type, ascending as the port says. */
const ascending = {
  name: [
    '',
    '\0',
    '\0\0',
    '\u0001',
    '\u0001\u0001',
    ' ',
    'A',
    'B',
    'Ba',
    'a',
    'a\0',
    'aa',
    'b',
    'z',
    'é',
    '€',
    '\uffff',
    '🚀',
  ],
  n: [
    -(2 ** 53) + 1,
    -(2 ** 32) - 1,
    -(2 ** 32),
    -(2 ** 31),
    -256,
    -1,
    0,
    1,
    255,
    2 ** 31,
    2 ** 32,
    2 ** 40,
    2 ** 53 - 1,
  ],
  part: [-(2 ** 31), -65_536, -1, 0, 1, 256, 2 ** 31 - 1],
  raw: [
    raw(),
    raw(0),
    raw(0, 0),
    raw(0, 1),
    raw(1),
    raw(1, 0),
    raw(1, 1),
    raw(2),
    raw(2, 255),
    raw(255),
    raw(255, 0),
    raw(255, 255),
  ],
}

/** Ranges and scans. */
export function orderContract(subject: Subject): void {
  describe('ranges', () => {
    it('are in the order of the key, for every type', async () => {
      const row = { name: 'n', n: 0, part: 0, raw: raw() }
      for (const [column, values] of Object.entries(ascending)) {
        const rows = values.map((value, index) => ({ group: column, ...row, [column]: value, value: index }))
        await put(
          subject.store,
          ordered,
          ...rows.toSorted((a, b) => ((a.value * 7) % 5) - ((b.value * 7) % 5)),
        )
        const found = await subject.store.range(ordered, { group: column }, { limit: 100 })
        expect(
          found.map(({ value }) => value),
          column,
        ).to.deep.equal(values.map((_, index) => index))
        const back = await subject.store.range(ordered, { group: column }, { limit: 100, reverse: true })
        expect(
          back.map(({ value }) => value),
          column,
        ).to.deep.equal(values.map((_, index) => index).toReversed())
      }
    })

    it('are bounded by keys and by prefixes of keys', async () => {
      const group = 'g'
      const rows = ['a', 'b', 'c'].flatMap((name) =>
        [1, 2, 3].map((n) => ({ group, name, n, part: 0, raw: raw() })),
      )
      await put(subject.store, ordered, ...rows)
      const full = { name: 'b', n: 2, part: 0, raw: raw() }
      const cases: [object, string][] = [
        [{}, 'a1 a2 a3 b1 b2 b3 c1 c2 c3'],
        [{ from: { name: 'b' } }, 'b1 b2 b3 c1 c2 c3'],
        [{ after: { name: 'b' } }, 'c1 c2 c3'],
        [{ to: { name: 'b' } }, 'a1 a2 a3 b1 b2 b3'],
        [{ before: { name: 'b' } }, 'a1 a2 a3'],
        [{ from: { name: 'b', n: 2 }, to: { name: 'b' } }, 'b2 b3'],
        [{ after: { name: 'b', n: 1 }, before: { name: 'c', n: 2 } }, 'b2 b3 c1'],
        [{ from: full, to: full }, 'b2'],
        [{ after: full }, 'b3 c1 c2 c3'],
        [{ before: full }, 'a1 a2 a3 b1'],
        [{ from: { name: 'bb' } }, 'c1 c2 c3'],
        [{ after: { name: 'c', n: 3 } }, ''],
        [{ from: { name: 'c' }, before: { name: 'b' } }, ''],
        [{ from: { name: 'a', n: 2 }, after: { name: 'a', n: 2 } }, 'a3 b1 b2 b3 c1 c2 c3'],
      ]
      for (const [bounds, expected] of cases) {
        const names = expected === '' ? [] : expected.split(' ')
        const all = await subject.store.range(ordered, { group }, { ...bounds, limit: 100 })
        expect(
          all.map(({ name, n }) => name + n),
          JSON.stringify(bounds),
        ).to.deep.equal(names)
        const last = await subject.store.range(ordered, { group }, { ...bounds, limit: 2, reverse: true })
        expect(
          last.map(({ name, n }) => name + n),
          `last of ${JSON.stringify(bounds)}`,
        ).to.deep.equal(names.toReversed().slice(0, 2))
      }
    })

    it('have at most as many rows as asked for', async () => {
      await put(subject.store, fading, ...[1, 2, 3].map((n) => ({ org: 'o', n })))
      expect(await subject.store.range(fading, { org: 'o' }, { limit: 0 })).to.deep.equal([])
      expect(await subject.store.range(fading, { org: 'o' }, { limit: 2 })).to.have.length(2)
    })
  })

  describe('scans', () => {
    const ids = Array.from({ length: 500 }, (_, index) => `id${index}`)

    async function scan(limit: number, meanwhile: (page: number) => Promise<void>): Promise<string[]> {
      const found: string[] = []
      let cursor: string | null = null
      let page = 0
      do {
        const result: Awaited<ReturnType<typeof subject.store.scan<typeof single>>> =
          await subject.store.scan(single, cursor, limit)
        expect(result.rows.length).to.be.at.most(limit)
        found.push(...result.rows.map(({ id }) => id))
        cursor = result.cursor
        await meanwhile(page++)
      } while (cursor !== null)
      return found
    }

    it('meet every row once, whatever the page size', async () => {
      await put(subject.store, single, ...ids.map((id) => ({ id })))
      for (const limit of [1, 7, 499, 500, 501]) {
        expect((await scan(limit, async () => undefined)).toSorted(), `pages of ${limit}`).to.deep.equal(
          ids.toSorted(),
        )
      }
    })

    it('meet every row that stays once while others come and go', async () => {
      await put(subject.store, single, ...ids.map((id) => ({ id })))
      const going = ids.filter((_, index) => index % 3 === 0)
      const found = await scan(20, async (page) => {
        const batch = new Batch()
        for (const id of going.slice(page * 7, page * 7 + 7)) batch.delete(single, { id })
        for (let n = 0; n < 5; n++) batch.put(single, { id: `new${page}.${n}` })
        await subject.store.write(batch)
      })
      const staying = ids.filter((id) => !going.includes(id))
      expect(new Set(found).size).to.equal(found.length)
      expect(found.filter((id) => staying.includes(id)).toSorted()).to.deep.equal(staying.toSorted())
    })

    it('of an empty table end at once', async () => {
      expect(await subject.store.scan(single, null, 10)).to.deep.equal({ rows: [], cursor: null })
    })
  })
}
