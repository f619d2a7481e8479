import { expect } from 'chai'
import { checkInventory, type Inventory } from '#platform/inventory/inventory.ts'
import { fleetInventory } from '#scripts/fleet/inventory.ts'
import { reachOf } from '#scripts/roll/reach.ts'

/** Devices that are sent to hosts whose Cassandra is being restarted get no answer. */
describe('what a host takes with it while it is away', () => {
  const of = (inventory: Inventory, host: string): { out: string | null; apps: string[] } => {
    const { apps, subject } = reachOf(inventory, host)
    return { out: subject, apps: Array.from(apps) }
  }

  it('is its DC, where its Cassandra is the only one', () => {
    const full = fleetInventory('full')
    expect(of(full, 'dc01-db1')).to.deep.equal({ out: 'dc01', apps: ['dc01-app1', 'dc01-app2'] })
    expect(of(full, 'dcb1-n1')).to.deep.equal({ out: 'dcb1', apps: ['dcb1-n1'] })
  })

  it('is itself, where others of its DC serve on', () => {
    expect(of(fleetInventory('full'), 'dc01-app2')).to.deep.equal({ out: 'dc01-app2', apps: ['dc01-app2'] })
  })

  it('is itself in the only DC: without that there would be no answer', () => {
    expect(of(fleetInventory('one'), 'dc01-n1')).to.deep.equal({ out: 'dc01-n1', apps: ['dc01-n1'] })
  })

  it('is nothing, where two of three replicas are left', () => {
    const hosts = ['db1', 'db2', 'db3', 'app1'].map((name, at) => ({
      name,
      dc: 'dc01',
      roles: [name.startsWith('db') ? 'db' : 'app'],
      address: `192.0.2.${at + 1}`,
    }))
    const dcs = [{ name: 'dc01', number: 1, place: 'Here', kind: 'live', replicas: 3 }]
    expect(of(checkInventory({ cell: 'test', dcs, hosts }, 'the test'), 'db1')).to.deep.equal({
      out: null,
      apps: [],
    })
  })
})
