import { expect } from 'chai'
import { describe, it } from 'mocha'
import { devInventory } from '#platform/inventory/dev.ts'
import { checkInventory, type Inventory, InventoryError } from '#platform/inventory/inventory.ts'
import { loadInventory } from '#platform/inventory/load.ts'
import { delayBetween } from '#platform/inventory/wan.ts'

/** What is wrong with the development cell after a change. */
function complaints(change: (inventory: Inventory) => void): string[] {
  const inventory = devInventory({ full: true })
  change(inventory)
  try {
    checkInventory(inventory, 'cell.yaml')
    return []
  } catch (error) {
    if (!(error instanceof InventoryError)) throw error
    return error.message.split('\n')
  }
}

describe('inventory', () => {
  it('has an example that is right', () => {
    const { dcs, hosts } = loadInventory('docs/cell.example.yaml')
    expect(dcs.map(({ name, replicas }) => [name, replicas])).to.deep.equal([
      ['dc01', 3],
      ['dc02', 3],
      ['dc03', 3],
      ['dcb1', 1],
      ['dcb2', 1],
    ])
    expect(hosts).to.have.length(29)
  })

  const wrong: [string, (inventory: Inventory) => void, RegExp][] = [
    [
      'a host in an unknown DC',
      (i) => (i.hosts[10].dc = 'dc09'),
      /hosts\[10\]\.dc: there is no DC "dc09"; .*dcb2/,
    ],
    [
      'more replicas than hosts',
      (i) => (i.dcs[0].replicas = 4),
      /dcs\[0\]\.replicas: dc01 has 3 hosts .*add/,
    ],
    [
      'two hosts with one address',
      (i) => (i.hosts[4].address = i.hosts[3].address),
      /hosts\[4\]\.address: .*twice/,
    ],
    ['two DCs with one number', (i) => (i.dcs[4].number = 1), /dcs\[4\]\.number: 1 is there twice/],
    ['two DCs with one name', (i) => (i.dcs[1].name = 'dc01'), /dcs\[1\]\.name: dc01 is there twice/],
    ['no app host in a DC', (i) => (i.hosts[0].roles = ['db']), /dcs\[0\]: dc01 has no host with role app/],
    ['an address that is none', (i) => (i.hosts[0].address = 'localhost'), /hosts\[0\]\.address: must be/],
    [
      'a delay to nowhere',
      (i) => i.wan.push({ between: ['dc01', 'dc7'], ms: 1 }),
      /wan\[0\]\.between\[1\]: .*"dc7"/,
    ],
    ['one port for two things', (i) => (i.ports.http = 9042), /ports\.http: 9042 is also cql's/],
    [
      'a port among those of the brokers',
      (i) => {
        i.hosts[0].brokers = 4
        i.ports.http = 1885
      },
      /ports\.http: 1885 is also mqtt's; choose/,
    ],
    [
      'one port for MQTT over TLS and HTTPS',
      (i) => (i.ports.mqtts = 8443),
      /ports\.https: 8443 is also mqtts's/,
    ],
    ['the port of checkers taken', (i) => (i.ports.checker = 8080), /ports\.checker: 8080 is also http's/],
    ['a DC that means none', (i) => (i.dcs[0].name = 'outside'), /dcs\[0\]\.name: "outside" means/],
    ['a key that nobody reads', (i) => Object.assign(i.hosts[0], { adress: 'x' }), /hosts\[0\].*adress/],
  ]
  for (const [what, change, line] of wrong) {
    it(`is refused with its field and the remedy: ${what}`, () => {
      expect(complaints(change).join('\n'))
        .to.match(/^cell\.yaml: /)
        .and.match(line)
    })
  }

  it('says which file cannot be read', () => {
    expect(() => loadInventory('nowhere.yaml')).to.throw(InventoryError, /nowhere\.yaml: ENOENT/)
  })

  it('derives delays from places, the same both ways, and takes what is said instead', () => {
    const inventory = devInventory()
    expect(delayBetween(inventory, 'dc01', 'dc01')).to.equal(0)
    // measured round trips of about 75, 35 and 165 ms
    expect(delayBetween(inventory, 'dc01', 'dcb1')).to.be.within(30, 45)
    expect(delayBetween(inventory, 'dc02', 'dc01')).to.be.within(12, 22)
    expect(delayBetween(inventory, 'dc03', 'dcb2')).to.be.within(1, 5)
    expect(delayBetween(inventory, 'dc01', 'dc03')).to.equal(delayBetween(inventory, 'dc03', 'dc01'))
    inventory.wan.push({ between: ['dc03', 'dc01'], ms: 7 })
    expect(delayBetween(inventory, 'dc01', 'dc03')).to.equal(7)
  })

  it('makes cells for one machine, small and full, that do not meet', () => {
    expect(devInventory().hosts).to.have.length(5)
    expect(devInventory({ full: true }).hosts).to.have.length(11)
    expect(devInventory({ net: 78 }).hosts[1].address).to.equal('127.78.2.1')
    const { hosts, dns, health } = devInventory({ apps: 2, checkers: true })
    expect(hosts.filter(({ dc }) => dc === 'dc03').map(({ name, roles }) => [name, ...roles])).to.deep.equal([
      ['dc03-n1', 'db', 'app'],
      ['dc03-n2', 'app'],
      ['dc03-checker', 'checker'],
    ])
    expect([dns?.zone, health.quorum]).to.deep.equal(['cell.test', 3])
    expect(devInventory({ dcs: 2, checkers: true }).health.quorum).to.equal(2)
    expect(devInventory().dns).to.equal(undefined)
  })
})
