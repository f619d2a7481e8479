import { expect } from 'chai'
import { describe, it } from 'mocha'
import { devInventory } from '#platform/inventory/dev.ts'
import { checkInventory, InventoryError } from '#platform/inventory/inventory.ts'

const order = ['dc01', 'dc02', 'dc03', 'dcb1', 'dcb2']
const world = { name: 'world', default: true, location: [0, 0] }

/** What is wrong with the development cell and these additions to it. */
function complaints(more: object): string[] {
  try {
    checkInventory({ ...devInventory({ full: true }), ...more }, 'cell.yaml')
    return []
  } catch (error) {
    if (!(error instanceof InventoryError)) throw error
    return error.message.split('\n')
  }
}

const regions = (...list: object[]): object => ({ dns: { zone: 'cell.test', regions: list } })
const chain = (...dcs: string[]): object => regions({ ...world, chain: dcs })

const checkers = (count: number): object[] =>
  Array.from({ length: count }, (_, at) => ({
    name: `check${at}`,
    dc: 'outside',
    roles: ['checker'],
    address: `127.0.9.${at + 1}`,
  }))

describe('inventory: names, regions and votes', () => {
  const wrong: [string, object, RegExp][] = [
    [
      'two regions of one name',
      regions(world, { ...world, default: false, countries: ['HU'] }),
      /regions\[1\]\.name: world is there twice/,
    ],
    [
      'a continent in two regions',
      regions({ ...world, continents: ['EU'] }, { name: 'eu', continents: ['EU'] }),
      /regions\[1\]\.continents\[0\]: EU is in region world already/,
    ],
    [
      'a country in two regions',
      regions({ ...world, countries: ['HU'] }, { name: 'hu', countries: ['DE', 'HU'], location: [47, 19] }),
      /regions\[1\]\.countries\[1\]: HU is in region world/,
    ],
    [
      'a country twice in a region',
      regions({ ...world, countries: ['HU', 'HU'] }),
      /countries\[1\]: HU is in region world/,
    ],
    [
      'no default region',
      regions({ name: 'eu', continents: ['EU'] }),
      /dns\.regions: no region is the default/,
    ],
    [
      'two default regions',
      regions(world, { name: 'eu', continents: ['EU'], default: true }),
      /dns\.regions: world and eu are both/,
    ],
    [
      'a region with nobody in it',
      regions(world, { name: 'moon', location: [0, 0] }),
      /regions\[1\]: nobody is in region moon/,
    ],
    [
      'a region of which nothing says where it is',
      regions({ name: 'hu', countries: ['HU'], default: true }),
      /regions\[0\]: it is not known where region hu is/,
    ],
    ['an unknown continent', regions({ ...world, continents: ['XX'] }), /regions\[0\]\.continents\[0\]/],
    [
      'an unknown country',
      regions({ ...world, countries: ['DE', 'UK'] }),
      /regions\[0\]\.countries\[1\]: there is no country "UK"/,
    ],
    [
      'an unknown DC in a chain',
      chain(...order, 'dc09'),
      /regions\[0\]\.chain\[5\]: there is no DC "dc09"; .*dcb2/,
    ],
    ['a chain that lacks DCs', chain('dc01', 'dc02', 'dcb1'), /regions\[0\]\.chain: lacks dc03, dcb2;/],
    ['a DC twice in a chain', chain(...order, 'dc01'), /regions\[0\]\.chain\[5\]: dc01 is there twice/],
    [
      'a backup before a live DC',
      chain('dc01', 'dcb1', 'dc02', 'dc03', 'dcb2'),
      /chain\[2\]: dc02 is live and comes after dcb1/,
    ],
    [
      "a service's name that is a DC's",
      { dns: { zone: 'cell.test', names: ['mqtt', 'dc01'] } },
      /dns\.names\[1\]: dc01 is also the name of a DC/,
    ],
    [
      "a service's name that is a host's",
      { dns: { zone: 'cell.test', names: ['dc01-n1'] } },
      /dns\.names\[0\]: dc01-n1 is also the name of a host/,
    ],
    [
      "a service's name twice",
      { dns: { zone: 'cell.test', names: ['mqtt', 'mqtt'] } },
      /dns\.names\[1\]: mqtt is there twice/,
    ],
    ['a zone with a dot at its end', { dns: { zone: 'cell.test.' } }, /dns\.zone: must be a domain name/],
    [
      'a zone so long that its names would be too long',
      { dns: { zone: `${'a.'.repeat(100)}test` } },
      /dns\.zone: must have 200 characters at most/,
    ],
    ['a time to live above a minute', { dns: { zone: 'cell.test', ttl: 3600 } }, /dns\.ttl/],
    [
      'more votes than checkers',
      { hosts: [...devInventory({ full: true }).hosts, ...checkers(2)] },
      /health\.quorum: 3 votes can't come from 2 hosts/,
    ],
    [
      "a host with a DC's name",
      { hosts: [...devInventory({ full: true }).hosts, { ...checkers(1)[0], name: 'dc02' }] },
      /hosts\[11\]\.name: dc02 is also a DC's name/,
    ],
  ]
  for (const [what, more, line] of wrong) {
    it(`is refused with its field and the remedy: ${what}`, () => {
      expect(complaints(more).join('\n')).to.match(line)
    })
  }

  it('takes the continent SA and the country SA, which are different places', () => {
    expect(
      complaints(
        regions({ ...world, continents: ['SA'] }, { name: 'saudi', countries: ['SA'], location: [24, 45] }),
      ),
    ).to.deep.equal([])
  })

  it('takes a full chain, enough checkers, and no checkers at all', () => {
    expect(complaints(chain(...order))).to.deep.equal([])
    expect(complaints({ hosts: [...devInventory({ full: true }).hosts, ...checkers(3)] })).to.deep.equal([])
    expect(complaints({ health: { quorum: 5 } })).to.deep.equal([])
  })
})
