import { expect } from 'chai'
import { devInventory } from '#platform/inventory/dev.ts'
import { rollingOrder } from '#scripts/roll/order.ts'

describe('the order of a roll', () => {
  it('begins where it is least missed, and goes from DC to DC', () => {
    const inventory = devInventory({ full: true })
    const db = inventory.hosts.filter(({ roles }) => roles.includes('db'))
    const names = rollingOrder(inventory, db).map(({ name }) => name)
    expect(names.slice(0, 5)).to.deep.equal(['dcb1-n1', 'dcb2-n1', 'dc01-n1', 'dc02-n1', 'dc03-n1'])
    expect(names.slice(5)).to.deep.equal(['dc01-n2', 'dc02-n2', 'dc03-n2', 'dc01-n3', 'dc02-n3', 'dc03-n3'])
  })

  it('takes the host with the lowest load first', () => {
    const inventory = devInventory()
    const app = inventory.hosts.filter(({ roles, dc }) => roles.includes('app') && !dc.startsWith('dcb'))
    const loads: Record<string, number> = { dc03: 5, dc01: 700 }
    const load = new Map(app.flatMap(({ name, dc }) => (loads[dc] === undefined ? [] : [[name, loads[dc]]])))
    expect(rollingOrder(inventory, app, load).map(({ dc }) => dc)).to.deep.equal(['dc03', 'dc01', 'dc02'])
  })
})
