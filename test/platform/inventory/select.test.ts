import { expect } from 'chai'
import { devInventory } from '#platform/inventory/dev.ts'
import { InventoryError } from '#platform/inventory/inventory.ts'
import { selectHosts } from '#platform/inventory/select.ts'

const inventory = devInventory({ full: true })

function chosen(expression: string): string[] {
  return selectHosts(inventory, expression).map(({ name }) => name)
}

describe('hosts by an expression', () => {
  for (const [expression, expected] of [
    ['dc01-n1', ['dc01-n1']],
    ['dc01 & role=db & !role=app', ['dc01-n2', 'dc01-n3']],
    ['dc01-n1 | dc02-n2', ['dc01-n1', 'dc02-n2']],
    ['kind=backup & role=db', ['dcb1-n1', 'dcb2-n1']],
    ['(dcb1|dcb2)&!(dcb2)&role=app', ['dcb1-n1']],
    ['dc=dc03 & host=dc03-n3', ['dc03-n3']],
    ['!!dc03-n3', ['dc03-n3']],
  ] as const) {
    it(`${expression}: ${expected.join(', ')}`, () => {
      expect(chosen(expression)).to.deep.equal(expected)
    })
  }

  for (const [expression, why] of [
    ['dc09', /there is no host or DC "dc09"; fields are host=/],
    ['rol=app', /there is no field "rol"; there are host, dc, role/],
    ['role=web', /no host has role=web/],
    ['dc01 &', /ends too early/],
    ['& dc01', /"&" is not expected there/],
    ['dc01 dc02', /"dc02" is not expected there/],
    ['(dc01', /a bracket is not closed/],
    ['dc01 & dc02', /no host of the inventory is meant/],
    ['', /ends too early/],
    [`${'!'.repeat(1000)}dc01`, /nested too deeply/],
  ] as const) {
    it(`refuses "${expression.slice(0, 12)}", and says why`, () => {
      expect(() => chosen(expression)).to.throw(InventoryError, why)
    })
  }
})
