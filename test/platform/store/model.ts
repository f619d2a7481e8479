import { expect } from 'chai'
import * as fc from 'fast-check'
import { Batch, type Range } from '#platform/store/store.ts'
import type { RowOf } from '#platform/store/table.ts'
import { plain, type Subject } from './contract.ts'
import { ordered, stamped } from './tables.ts'

type Row = RowOf<typeof ordered>
type Key = Pick<Row, 'name' | 'n' | 'part' | 'raw'>

/** Few values each, so that keys meet. */
const group = fc.constantFrom('', 'a', 'a\0')
const key = fc.record({
  name: fc.constantFrom('', 'a', 'b', 'b\0', 'bé', '\u0001'),
  n: fc.constantFrom(-(2 ** 40), -1, 0, 1, 2 ** 33),
  part: fc.constantFrom(-1, 0, 1),
  raw: fc.constantFrom(Buffer.alloc(0), Buffer.of(0), Buffer.of(1, 0), Buffer.of(255)),
})
const columns = ['name', 'n', 'part', 'raw'] as const

const change = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('put' as const), group, key, value: fc.nat(99) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('delete' as const), group, key }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('deletePartition' as const), group }) },
)
const bound = fc.tuple(key, fc.integer({ min: 1, max: 4 })).map(([whole, length]) => {
  const names: readonly string[] = columns.slice(0, length)
  return Object.fromEntries(Object.entries(whole).filter(([name]) => names.includes(name)))
})
const range: fc.Arbitrary<Range<typeof ordered>> = fc.record(
  {
    from: bound,
    after: bound,
    to: bound,
    before: bound,
    reverse: fc.boolean(),
    limit: fc.integer({ min: 0, max: 12 }),
  },
  { requiredKeys: ['limit'] },
)
const step = fc.record({
  group,
  range,
  batches: fc.array(fc.array(change, { maxLength: 12 }), { maxLength: 3 }),
})

/** Random batches and ranges against a plain map. */
export function modelContract(subject: Subject): void {
  describe('against a model', () => {
    it('random batches and ranges agree with a sorted map', async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 8 }), async (steps) => {
          const model = new Map<string, Row>()
          await clear(subject)
          for (const { batches, ...query } of steps) {
            await inOrder(subject, batches, (changes) => {
              const batch = new Batch()
              for (const one of changes) apply(one, batch, model)
              return batch
            })
            const found = await subject.store.range(ordered, { group: query.group }, query.range)
            expect(plain(found)).to.deep.equal(plain(select([...model.values()], query.group, query.range)))
          }
        }),
        { numRuns: 60 },
      )
    })

    it('random stamps: the row of the greatest stamp is left, the last of equals', async () => {
      const write = fc.record({
        name: fc.constantFrom('a', 'b', 'c'),
        stamp: fc.integer({ min: -3, max: 5 }),
      })
      let runs = 0
      await fc.assert(
        fc.asyncProperty(fc.array(fc.array(write, { maxLength: 6 }), { maxLength: 6 }), async (batches) => {
          // Not emptied for each run: what is deleted by its stamp stays deleted in some engines.
          const org = `o${runs++}`
          /** Values that may be left: of those with the greatest stamp the last, or one. */
          const model = new Map<string, { stamp: number; values: string[] }>()
          let count = 0
          await inOrder(subject, batches, (writes) => {
            const batch = new Batch()
            for (const { name, stamp } of writes) {
              const value = String(count++)
              batch.put(stamped, { org, name, stamp, value })
              const old = model.get(name)
              if (stamp < (old?.stamp ?? Number.NEGATIVE_INFINITY)) continue
              const equals = old?.stamp === stamp && !subject.ordered ? old.values : []
              model.set(name, { stamp, values: [...equals, value] })
            }
            return batch
          })
          const rows = await subject.store.range(stamped, { org }, { limit: 10 })
          expect(rows.map(({ name, stamp }) => `${name} ${stamp}`)).to.have.members(
            [...model].map(([name, { stamp }]) => `${name} ${stamp}`),
          )
          for (const { name, value } of rows) expect(value).to.be.oneOf(model.get(name)?.values ?? [])
        }),
        { numRuns: 60 },
      )
    })
  })
}

/** Writes the batches, at once if the engine keeps the order of calls. */
async function inOrder<T>(subject: Subject, changes: T[], batchOf: (one: T) => Batch): Promise<void> {
  if (subject.ordered) await Promise.all(changes.map((one) => subject.store.write(batchOf(one))))
  else for (const one of changes) await subject.store.write(batchOf(one))
}

async function clear(subject: Subject): Promise<void> {
  const batch = new Batch()
  for (const name of ['', 'a', 'a\0']) batch.deletePartition(ordered, { group: name })
  await subject.store.write(batch)
}

function apply(
  one: typeof change extends fc.Arbitrary<infer C> ? C : never,
  batch: Batch,
  model: Map<string, Row>,
): void {
  if (one.kind === 'put') {
    const row = { group: one.group, ...one.key, value: one.value }
    batch.put(ordered, row)
    model.set(identity(row), row)
  } else if (one.kind === 'delete') {
    const row = { group: one.group, ...one.key }
    batch.delete(ordered, row)
    model.delete(identity(row))
  } else {
    batch.deletePartition(ordered, { group: one.group })
    for (const [name, row] of model) if (row.group === one.group) model.delete(name)
  }
}

function identity(row: Key & { group: string }): string {
  return JSON.stringify(plain([row.group, ...columns.map((column) => row[column])]))
}

function select(
  rows: Row[],
  of: string,
  { from, after, to, before, reverse, limit }: Range<typeof ordered>,
): Row[] {
  const found = rows
    .filter((row) => row.group === of)
    .filter((row) => from === undefined || compare(row, from) >= 0)
    .filter((row) => after === undefined || compare(row, after) > 0)
    .filter((row) => to === undefined || compare(row, to) <= 0)
    .filter((row) => before === undefined || compare(row, before) < 0)
    .toSorted(compare)
  return (reverse === true ? found.toReversed() : found).slice(0, limit)
}

/** Order of a row and a bound; 0 when the row starts with the bound. */
function compare(row: Row, other: Partial<Key>): number {
  for (const column of columns) {
    const bounding = other[column]
    if (bounding === undefined) return 0
    const value = row[column]
    let order: number
    if (typeof value === 'number') order = value - Number(bounding)
    else order = Buffer.compare(Buffer.from(value as string), Buffer.from(bounding as string))
    if (order !== 0) return Math.sign(order)
  }
  return 0
}
