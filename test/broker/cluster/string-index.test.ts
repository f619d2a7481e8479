import { expect } from 'chai'
import * as fc from 'fast-check'
import { StringIndex } from '#broker/cluster/string-index.ts'

interface Item {
  readonly name: string
  readonly n: number
}

describe('objects found by a string of theirs', () => {
  const names = fc.oneof(fc.nat(40).map(String), fc.string({ maxLength: 3 }))

  it('are those that a Map has, whatever comes and goes: a session that is not found is a new one', () => {
    const change = fc.record({ name: names, kind: fc.constantFrom('set', 'set', 'delete') })
    fc.assert(
      fc.property(fc.array(change, { maxLength: 300 }), (changes) => {
        const index = new StringIndex<Item>((item) => item.name)
        const model = new Map<string, Item>()
        for (const [n, { name, kind }] of changes.entries()) {
          if (kind === 'set') {
            index.set({ name, n })
            model.set(name, { name, n })
          } else {
            index.delete(name)
            model.delete(name)
          }
          expect(index.get(name)).to.deep.equal(model.get(name))
          expect(index.size).to.equal(model.size)
        }
        const byNumber = (a: Item, b: Item): number => a.n - b.n
        expect([...index.values()].toSorted(byNumber)).to.deep.equal([...model.values()].toSorted(byNumber))
      }),
    )
  })

  it('are met by a walk during which others come and go, and those that went are not', () => {
    const index = new StringIndex<Item>((item) => item.name)
    for (let n = 0; n < 100; n++) index.set({ name: `stays-${n}`, n })
    for (let n = 0; n < 100; n++) index.set({ name: `goes-${n}`, n })
    const met = new Set<string>()
    let step = 0
    for (const item of index.values()) {
      expect(index.get(item.name), item.name).to.equal(item)
      met.add(item.name)
      if (step < 100) index.delete(`goes-${step}`)
      for (let n = 0; n < 10; n++) index.set({ name: `comes-${step}-${n}`, n })
      if (++step > 500) break
    }
    expect([...met].filter((one) => one.startsWith('stays'))).to.have.length(100)
  })

  it('do not slow down by names that differ in digits only', () => {
    let looks = 0
    const index = new StringIndex<Item>((item) => {
      looks++
      return item.name
    })
    const count = 20_000
    for (let n = 0; n < count; n++) index.set({ name: `device-${String(n).padStart(7, '0')}`, n })
    looks = 0
    for (let n = 0; n < count; n++) index.get(`device-${String(n).padStart(7, '0')}`)
    expect(looks / count).to.be.below(4)
  })
})
