import { expect } from 'chai'
import { describe, it } from 'mocha'
import { capacityFor } from '#platform/inventory/capacity.ts'
import { costOf } from '#platform/inventory/cost.ts'
import { loadInventory } from '#platform/inventory/load.ts'

const seed = loadInventory('docs/cell.example.yaml')
const options = { usd: 1, queries: 1 }

describe('cost of a cell', () => {
  it('of the five DCs is within 125 EUR a month, and every host has its price', () => {
    const { total, unpriced } = costOf(seed, { usd: 0.92, queries: 1 })
    expect(unpriced).to.deep.equal([])
    expect(total).to.be.within(80, 125)
  })

  it('is the sum of its items, and tells which hosts are not in it', () => {
    const [first, ...others] = seed.hosts
    const cost = costOf({ ...seed, hosts: [{ ...first, price: undefined }, ...others] }, options)
    expect(cost.unpriced).to.deep.equal([first.name])
    expect(cost.items.reduce((sum, item) => sum + item.total, 0)).to.be.closeTo(cost.total, 1e-9)
    expect(cost.items.reduce((sum, item) => sum + (item.where === 'dns' ? 0 : item.count), 0)).to.equal(
      seed.hosts.length,
    )
  })

  it("has Route 53's checks: one for each checker and DC, and one a DC that counts them", () => {
    const [host] = seed.hosts
    const checkers = ['a', 'b', 'c'].map((name, at) => ({
      ...host,
      name,
      dc: 'outside',
      roles: ['checker' as const],
      address: `192.0.2.${200 + at}`,
    }))
    const hosts = [
      ...seed.hosts.map((one) => ({ ...one, roles: one.roles.filter((role) => role !== 'checker') })),
      ...checkers,
    ]
    const dns = { zone: 'iot.example.org', names: ['mqtt'], ttl: 60 }
    const items = costOf({ ...seed, hosts, dns }, options).items.filter(({ where }) => where === 'dns')
    expect(items.map(({ count, total }) => [count, total])).to.deep.equal([
      [1, 0.5],
      [15, 11.25],
      [5, 2.5],
      [1, 0.7],
    ])
  })
})

describe('hosts for a load', () => {
  it('are those of the seed for a load that one cell carries easily', () => {
    const small = capacityFor({ devices: 10_000, messages: 500, values: 1000 }, seed)
    expect(small).to.include({ cells: 1, appsPerLiveDc: 2, dbsPerLiveDc: 4, hosts: 24 })
  })

  it('grow with connections first, and one app host may always be away', () => {
    const { appsPerLiveDc, bound } = capacityFor({ devices: 200_000, messages: 500, values: 1000 }, seed)
    expect((appsPerLiveDc * 3 - 1) * 20_000).to.be.at.least(200_000)
    expect(bound).to.match(/TLS connections/)
  })

  it('are those of more cells where one ends: sessions, or what a backup node writes', () => {
    expect(capacityFor({ devices: 2_500_000, messages: 500, values: 1000 }, seed)).to.include({
      cells: 3,
      bound: 'persistent sessions',
    })
    const rows = capacityFor({ devices: 1000, messages: 5000, values: 15_000 }, seed)
    expect(rows.cells).to.equal(2)
    expect(rows.bound).to.match(/backup DC/)
  })
})
