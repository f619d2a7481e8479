import { expect } from 'chai'
import { describe, it } from 'mocha'
import { concernsOf } from '#platform/inventory/concerns.ts'
import { devInventory } from '#platform/inventory/dev.ts'
import { checkInventory, type Inventory } from '#platform/inventory/inventory.ts'

/** The development cell with names, prices and checkers in four places, after a change. */
function concerns(change: (inventory: Inventory) => void = () => undefined): string[] {
  const inventory = devInventory()
  inventory.dns = { zone: 'iot.example.org', names: ['mqtt'], ttl: 60 }
  for (const [at, dc] of inventory.dcs.entries()) dc.provider = `provider ${at}`
  for (const host of inventory.hosts) host.price = 4
  for (const host of inventory.hosts.slice(0, 3)) host.roles = ['db', 'app', 'checker']
  const [first] = inventory.hosts
  for (const { name } of inventory.dcs.slice(0, 3)) {
    inventory.hosts.push({
      ...first,
      name: `${name}-app2`,
      dc: name,
      roles: ['app'],
      address: `127.9.9.${inventory.hosts.length}`,
    })
  }
  inventory.hosts.push({
    ...first,
    name: 'home',
    dc: 'outside',
    roles: ['checker'],
    address: '127.9.9.99',
  })
  change(inventory)
  return concernsOf(checkInventory(inventory, 'cell.yaml')).map(
    ({ field, message }) => `${field}: ${message}`,
  )
}

describe('doubts about an inventory', () => {
  it('there are none about a cell that is spread well', () => {
    expect(concerns()).to.deep.equal([])
  })

  const doubtful: [string, (inventory: Inventory) => void, RegExp][] = [
    [
      'two DCs of one provider fall together',
      (i) => (i.dcs[3].provider = i.dcs[2].provider),
      /^dcs\[2\]\.provider: dc03 and dcb1 are both at provider 2/,
    ],
    [
      'one host in it is of the provider of another DC',
      (i) => (i.hosts[0].provider = 'provider 4'),
      /^dcs\[0\]\.provider: dc01 and dcb2 are both at provider 4/,
    ],
    [
      'a live DC whose only app host is restarted daily',
      (i) => (i.hosts = i.hosts.filter(({ name }) => name !== 'dc02-app2')),
      /^dcs\[1\]: dc02 has one host with role app/,
    ],
    [
      'a DC whose checkers decide alone',
      (i) => {
        for (const host of i.hosts.filter(({ dc }) => dc === 'dc01')) host.roles = ['app', 'db', 'checker']
        i.health.quorum = 2
      },
      /^health\.quorum: the 2 checkers of dc01 are a quorum alone/,
    ],
    [
      'nobody looks from outside',
      (i) => (i.hosts = i.hosts.map((host) => (host.dc === 'outside' ? { ...host, dc: 'dcb1' } : host))),
      /^hosts: no checker is outside/,
    ],
    [
      'nobody looks at all',
      (i) => {
        i.hosts = i.hosts.filter(({ dc }) => dc !== 'outside')
        for (const host of i.hosts) host.roles = host.roles.filter((role) => role !== 'checker')
      },
      /^hosts: 0 hosts have role checker/,
    ],
    [
      'a DC that takes so many checkers with it that nobody can say it is lost',
      (i) => (i.health.quorum = 4),
      /^health\.quorum: when dc01 is lost, 3 checkers are left for 4 votes/,
    ],
    [
      'a DC of which nobody knows where it is',
      (i) => delete i.dcs[1].location,
      /^dcs\[1\]\.location: it is not known where dc02 is/,
    ],
    ['a bill that lacks hosts', (i) => (i.hosts[1].price = undefined), /^hosts: no price: dc02-n1;/],
    ['no names', (i) => (i.dns = undefined), /^dns: the cell has no names/],
  ]
  for (const [what, change, line] of doubtful) {
    it(`are told before they hurt: ${what}`, () => {
      const all = concerns(change)
      expect(
        all.filter((one) => line.test(one)),
        all.join('\n'),
      ).to.have.length(1)
    })
  }
})
