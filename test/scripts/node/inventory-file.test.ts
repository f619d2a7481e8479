import { readFileSync } from 'node:fs'
import { expect } from 'chai'
import { racksOf } from '#platform/inventory/racks.ts'
import { withHost, withoutHost } from '#scripts/node/inventory-file.ts'

const example = readFileSync(new URL('../../../docs/cell.example.yaml', import.meta.url), 'utf8')
const host = {
  name: 'dc01-app3',
  dc: 'dc01',
  roles: ['app' as const],
  address: '192.0.2.99',
}
/** Lines that one text has and the other has not. */
const beyond = (a: string, b: string): string[] => {
  const known = new Set(b.split('\n'))
  return a.split('\n').filter((line) => !known.has(line))
}

describe('an inventory that a command changes', () => {
  it('is as people have written it, but for the line of the host', () => {
    const { text, inventory } = withHost(example, host, 'cell.yaml')
    expect(beyond(text, example)).to.deep.equal([
      '  - { name: dc01-app3, dc: dc01, roles: [app], address: 192.0.2.99 }',
    ])
    expect(inventory.hosts.at(-1)).to.include({ name: 'dc01-app3', weight: 10 })
    expect(withoutHost(text, 'dc01-app3', 'cell.yaml').text).to.equal(example)
  })

  it('takes addresses of both kinds, and a provider of any name', () => {
    const { inventory } = withHost(
      example,
      { ...host, address: '2001:db8::1', provider: 'A & B: c', brokers: 2 },
      'cell.yaml',
    )
    expect(inventory.hosts.at(-1)).to.include({ address: '2001:db8::1', provider: 'A & B: c', brokers: 2 })
  })

  it('keeps every Cassandra in its rack when one before it goes: it would not start in another', () => {
    const before = racksOf(withHost(example, host, 'cell.yaml').inventory)
    const { text, inventory } = withoutHost(example, 'dc02-db1', 'cell.yaml')
    expect(beyond(text, example)).to.deep.equal(
      [2, 3, 4].map(
        (n) =>
          `  - { name: dc02-db${n}, dc: dc02, roles: [db], address: 198.51.100.${10 + n}, price: 4.20, rack: ${n} }`,
      ),
    )
    for (const [name, rack] of racksOf(inventory)) expect(rack, name).to.equal(before.get(name))
    // The next one gets the rack that is free.
    const db = { ...host, name: 'dc02-db9', dc: 'dc02', roles: ['db' as const] }
    expect(racksOf(withHost(text, db, 'cell.yaml').inventory).get('dc02-db9')).to.equal(1)
  })

  it('may have a host over many lines, with words behind them', () => {
    const long = `cell: c
dcs:
  - { name: dc01, number: 1, place: x, kind: live, replicas: 1 }
hosts:
  # the old ones
  - name: dc01-db1 # from Ada
    dc: dc01
    roles: [db]
    address: 192.0.2.1
  - name: dc01-db2
    dc: dc01
    roles:
      - db
      - app
    address: 192.0.2.2 # the cellar
ports: {}
`
    const { text } = withoutHost(long, 'dc01-db1', 'cell.yaml')
    expect(text).to.equal(`cell: c
dcs:
  - { name: dc01, number: 1, place: x, kind: live, replicas: 1 }
hosts:
  # the old ones
  - name: dc01-db2
    dc: dc01
    roles:
      - db
      - app
    address: 192.0.2.2 # the cellar
    rack: 2
ports: {}
`)
    expect(withHost(long, { ...host, name: 'a' }, 'cell.yaml').inventory.hosts).to.have.length(3)
  })

  it('is not changed to one that can not be right', () => {
    const few = example.replace(/^.*dc01-db4.*\n/m, '')
    expect(() => withoutHost(few, 'dc01-db3', 'cell.yaml')).to.throw(
      /dc01 has 2 hosts with role db for 3 replicas/,
    )
    expect(() => withHost(example, { ...host, dc: 'dc09' }, 'cell.yaml')).to.throw(/there is no DC "dc09"/)
    expect(() => withHost(example, { ...host, name: 'dc01-app1' }, 'cell.yaml')).to.throw(/is there twice/)
    expect(() => withoutHost(example, 'nobody', 'cell.yaml')).to.throw(/there is no host "nobody"/)
    expect(() => withHost('{ "hosts": [] }', host, 'cell.json')).to.throw(
      /^cell.json: hosts: expected a list/,
    )
  })
})
