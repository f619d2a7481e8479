import { expect } from 'chai'
import { describe, it } from 'mocha'
import { devInventory } from '#platform/inventory/dev.ts'
import { checkInventory, type Inventory } from '#platform/inventory/inventory.ts'
import { loadInventory } from '#platform/inventory/load.ts'
import { regionsOf } from '#platform/inventory/regions.ts'
import { inventoryWarnings } from '#platform/inventory/warnings.ts'

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

  it('has DCs without a location last, by number, and says so', () => {
    const inventory = devInventory()
    delete inventory.dcs[0].location
    expect(chains(inventory).na).to.equal('dc02 dc03 dc01 dcb1 dcb2')
    inventory.dns = { zone: 'cell.test', names: ['mqtt'], ttl: 60 }
    expect(inventoryWarnings(inventory).join('\n')).to.match(
      /dcs\[0\]\.location: it is not known where dc01 is/,
    )
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

describe('inventory: warnings', () => {
  it('has none for the example', () => {
    expect(inventoryWarnings(loadInventory('docs/cell.example.yaml'))).to.deep.equal([])
  })

  it('says which DCs go down together because one provider has both', () => {
    const inventory = loadInventory('docs/cell.example.yaml')
    inventory.dcs[1].provider = 'ovh'
    expect(inventoryWarnings(inventory)).to.have.length(1)
    expect(inventoryWarnings(inventory)[0]).to.match(/dc01, dc02 have app hosts of one provider, ovh/)
  })

  it('says when the loss of a DC takes so many checkers that nobody can say it is lost', () => {
    const inventory = loadInventory('docs/cell.example.yaml')
    for (const host of inventory.hosts) if (host.roles.includes('checker')) host.dc = 'dc01'
    expect(inventoryWarnings(inventory).join('\n')).to.match(
      /health\.quorum: when dc01 is lost, 0 checkers are left/,
    )
  })

  it('says when a checker looks at its own host only', () => {
    const inventory = loadInventory('docs/cell.example.yaml')
    inventory.hosts[4].roles = ['app', 'checker']
    expect(inventoryWarnings(inventory).join('\n')).to.match(/dc01-app1 has roles app and checker/)
  })
})
