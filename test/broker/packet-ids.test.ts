import { expect } from 'chai'
import * as fc from 'fast-check'
import { PacketIds } from '#broker/packet-ids.ts'

const id = fc.oneof(
  fc.integer({ min: 1, max: 40 }),
  fc.integer({ min: 1, max: 65_535 }),
  // neighbours in the smallest table
  fc.nat(4094).map((n) => 1 + n * 16),
)
const operation = fc.oneof(
  fc.record({ kind: fc.constant('set' as const), id, state: fc.integer({ min: 1, max: 3 }) }),
  fc.record({ kind: fc.constant('delete' as const), id }),
  fc.record({ kind: fc.constant('next' as const), id }),
)

describe('packet identifiers in use', () => {
  it('behave as a map: no message is taken for another, none is forgotten', () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 200 }), (operations) => {
        const ids = new PacketIds()
        const model = new Map<number, number>()
        for (const op of operations) {
          if (op.kind === 'set') {
            ids.set(op.id, op.state)
            model.set(op.id, op.state)
          } else if (op.kind === 'delete') expect(ids.delete(op.id)).to.equal(model.delete(op.id))
          else {
            let free = op.id
            do free = free === 65_535 ? 1 : free + 1
            while (model.has(free))
            expect(ids.nextFree(op.id)).to.equal(free)
          }
          expect(ids.count).to.equal(model.size)
        }
        for (const [used, state] of model) expect(ids.get(used)).to.equal(state)
        let others = 0
        for (let free = 0; free <= 65_535; free++) if (!model.has(free)) others += ids.get(free)
        expect(others).to.equal(0)
      }),
      { numRuns: 50 },
    )
  })

  it('may all be in use at once, and each is given out once', () => {
    const ids = new PacketIds()
    let last = 40_000
    const given = new Set<number>()
    for (let i = 0; i < 65_535; i++) {
      last = ids.nextFree(last)
      ids.set(last, 1)
      given.add(last)
    }
    expect([given.size, ids.count, given.has(0)]).to.deep.equal([65_535, 65_535, false])
    expect(ids.delete(777)).to.equal(true)
    expect(ids.nextFree(last)).to.equal(777)
  })
})
