import { expect } from 'chai'
import { describe, it } from 'mocha'
import { devInventory } from '#platform/inventory/dev.ts'
import { checkInventory, type Inventory } from '#platform/inventory/inventory.ts'
import { regionsOf } from '#platform/inventory/regions.ts'

function chains(inventory: Inventory): Record<string, string> {
  return Object.fromEntries(regionsOf(inventory).map(({ name, chain }) => [name, chain.join(' ')]))
}

describe('inventory: regions', () => {
  it('has one for each continent by itself, and users land at the nearest live DC', () => {
    expect(chains(devInventory())).to.deep.equal({
      af: 'dc03 dc01 dc02 dcb2 dcb1',
      an: 'dc02 dc01 dc03 dcb1 dcb2',
      as: 'dc03 dc01 dc02 dcb2 dcb1',
      eu: 'dc03 dc01 dc02 dcb2 dcb1',
      na: 'dc01 dc02 dc03 dcb1 dcb2',
      oc: 'dc02 dc03 dc01 dcb2 dcb1',
      sa: 'dc02 dc01 dc03 dcb1 dcb2',
    })
    expect(regionsOf(devInventory()).filter((one) => one.default)).to.have.length(1)
  })

  it('sends clients from places that nobody knows to the first live DC', () => {
    const region = regionsOf(devInventory()).find((one) => one.default)
    expect(region?.chain[0]).to.equal('dc01')
  })

  it('never has a backup before a live DC, also where the backup is next door', () => {
    const london = checkInventory(
      {
        ...devInventory(),
        dns: {
          zone: 'cell.test',
          regions: [{ name: 'gb', countries: ['GB'], default: true, location: [51.5, 0] }],
        },
      },
      'cell.yaml',
    )
    expect(chains(london)).to.deep.equal({ gb: 'dc03 dc01 dc02 dcb1 dcb2' })
  })

  it('has DCs without a location last, by number', () => {
    const inventory = devInventory()
    delete inventory.dcs[0].location
    expect(chains(inventory).na).to.equal('dc02 dc03 dc01 dcb1 dcb2')
  })

  it('measures from the middle of several continents on the sphere', () => {
    const inventory = devInventory()
    inventory.dns = {
      zone: 'cell.test',
      names: ['mqtt'],
      ttl: 60,
      regions: [{ name: 'pacific', continents: ['OC', 'NA'], countries: [], default: true }],
    }
    expect(chains(inventory).pacific).to.match(/^dc02 dc01 /)
  })
})
