import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { parse } from 'yaml'
import { checkInventory } from '#platform/inventory/inventory.ts'
import { checkAddition, checkRacks } from '#scripts/node/checks.ts'
import { secretsState } from '#scripts/node/secrets.ts'
import { placeOf } from '#scripts/node/place.ts'
import { addSshName, dropSshName } from '#scripts/node/ssh-names.ts'
import { writeSshConfig } from '#scripts/remote/ssh-config.ts'
import { runHere } from '../cli-runner.ts'

const inventory = checkInventory(
  {
    cell: 'test',
    health: { quorum: 1 },
    dcs: [
      { name: 'dc01', number: 1, place: 'x', kind: 'live', replicas: 1 },
      { name: 'dc02', number: 2, place: 'y', kind: 'live', replicas: 1 },
    ],
    hosts: [
      { name: 'dc01-db1', dc: 'dc01', roles: ['db'], address: '10.60.1.1' },
      { name: 'dc01-db2', dc: 'dc01', roles: ['db'], address: '10.60.1.2' },
      { name: 'dc01-app1', dc: 'dc01', roles: ['app'], address: '10.60.1.11' },
      { name: 'dc02-n1', dc: 'dc02', roles: ['db', 'app'], address: '10.60.2.1' },
      { name: 'dc01-check1', dc: 'dc01', roles: ['checker'], address: '10.60.1.31' },
    ],
  },
  'test',
)
const named = (name: string) => {
  const host = inventory.hosts.find((one) => one.name === name)
  if (host === undefined) throw new Error(name)
  return host
}

describe('a host that comes or goes', () => {
  let directory: string
  let file: string
  const at = (): string[] => ['--inventory', file]

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'cinque-node-'))
    file = join(directory, 'cell.yaml')
    const lines = inventory.hosts.map((host) => `  - ${JSON.stringify({ ...host, weight: undefined })}`)
    writeFileSync(
      file,
      `cell: test\nhealth: { quorum: 1 }\ndcs:\n${inventory.dcs.map((dc) => `  - ${JSON.stringify(dc)}`).join('\n')}\nhosts:\n${lines.join('\n')}\n`,
    )
    const authority = join(directory, 'hosts-ca.pub')
    writeFileSync(authority, 'ssh-ed25519 AAAA ca\n')
    writeSshConfig(directory, {
      hosts: inventory.hosts,
      hostAuthorities: [authority],
      user: 'root',
      bastion: 'dc02-n1',
    })
  })
  afterEach(() => rmSync(directory, { recursive: true, force: true }))

  it('is no db host that would come without rows', () => {
    checkAddition(inventory, named('dc01-db2'))
    expect(() => checkAddition(inventory, named('dc01-db1'))).to.throw(/would come without rows/)
    expect(() => checkAddition(inventory, named('dc02-n1'))).to.throw(/would be the first db host of dc02/)
    expect(() => checkAddition(inventory, named('dc01-check1'))).to.throw(
      /all checkers know each other's keys/,
    )
  })

  it('moves no Cassandra into another rack', () => {
    const status = (rack: string): string =>
      `Datacenter: dc01\n--  Address\nUN  10.60.1.1  1 MiB  16  ?  id  r1\nUN  10.60.1.2  ?  16  ?  id  ${rack}\n`
    checkRacks(inventory, status('r2'))
    expect(() => checkRacks(inventory, status('r3'))).to.throw(/dc01-db2 is in rack r3, and would be in r2/)
  })

  it('is told what would be done, and nothing is', async () => {
    mkdirSync(join(directory, 'secrets/dc01-app2'), { recursive: true })
    writeFileSync(join(directory, 'secrets/dc01-app2/admin-token'), 'x')
    const before = readFileSync(file, 'utf8')
    const what = ['--dc', 'dc01', '--address', '10.60.1.12', '--roles', 'app']
    const { code, stdout, stderr } = await runHere('node', 'add', 'dc01-app2', ...at(), ...what, '--plan')
    expect(stderr).to.equal('')
    expect(code).to.equal(0)
    expect(stdout).to.match(
      /^add dc01-app2 \(dc01, app, 10\.60\.1\.12\):\n {2}1\. .*gets it, behind the others$/m,
    )
    const gone = await runHere('node', 'remove', 'dc01-db2', ...at(), '--plan')
    expect(gone.stdout).to.match(/nodetool decommission[^]*Puppet, one after the other: .*dc01-db1/)
    expect(readFileSync(file, 'utf8')).to.equal(before)
    expect(parse(before)).to.have.property('cell', 'test')
  })

  for (const [what, args, says] of [
    ['nobody said what it is', ['add', 'dc01-app2'], /has no host "dc01-app2"\n {2}Write it there/],
    [
      'only half was said',
      ['add', 'dc01-app2', '--dc', 'dc01'],
      /--dc, --address and --roles belong together/,
    ],
    [
      'its secrets are nowhere',
      ['add', 'dc01-app2', '--dc', 'dc01', '--address', '10.60.1.12', '--roles', 'app'],
      /its secrets are not in .*, and cannot be made/,
    ],
    [
      'it is there with another address',
      ['add', 'dc01-app1', '--dc', 'dc01', '--address', '10.60.1.12', '--roles', 'app'],
      /has dc01-app1 already, with another address/,
    ],
    [
      'there is no such DC',
      ['add', 'dc01-app2', '--dc', 'dc09', '--address', '10.60.1.12', '--roles', 'app'],
      /there is no DC "dc09"; the DCs are dc01, dc02$/m,
    ],
    [
      'its DC would have fewer nodes than replicas',
      ['remove', 'dc02-n1', '--yes', '--ssh-config', 'SSH'],
      /without dc02-n1: .*dc02 has 0 hosts with role db for 1 replicas[^]*fewer replicas/,
    ],
    ['the others are reached over it', ['remove', 'dc02-n1', '--yes'], /are reached over dc02-n1/],
    ['it is the only app host', ['remove', 'dc01-app1', '--yes'], /dc01 has no host with role app/],
    ['it is a checker', ['remove', 'dc01-check1', '--yes'], /is a checker/],
    ['nobody can be asked', ['remove', 'dc01-db2'], /is to be removed for good\n {2}If that is meant: --yes/],
  ] as const) {
    it(`is refused in one line when ${what}`, async () => {
      const direct = join(directory, 'direct')
      writeFileSync(direct, 'Host *\n')
      const before = readFileSync(file, 'utf8')
      const words = args.map((word) => (word === 'SSH' ? direct : word))
      const { code, stderr } = await runHere('node', ...words, ...at())
      expect(stderr).to.match(says)
      expect(code).to.equal(2)
      expect(readFileSync(file, 'utf8')).to.equal(before)
    })
  }

  it('is reached as the others are, and not any more when it is gone', () => {
    const config = join(directory, 'ssh_config')
    const texts = (): string[] =>
      [config, join(directory, 'known_hosts')].map((one) => readFileSync(one, 'utf8'))
    const before = texts()
    addSshName(config, { name: 'dc01-app2', address: '10.60.1.12' })
    const [ssh, known] = texts()
    expect(ssh).to.include(
      'Host dc01-app2\n  HostName 10.60.1.12\n  HostKeyAlias dc01-app2\n  ProxyJump dc02-n1\nHost *\n',
    )
    expect(known).to.match(/^@cert-authority \S*,dc01-app2 ssh-ed25519 /)
    addSshName(config, { name: 'dc01-app2', address: '10.60.1.12' })
    expect(texts()).to.deep.equal([ssh, known])
    dropSshName(config, 'dc01-app2')
    expect(texts()).to.deep.equal(before)
  })

  it('never gets a password of the cell that was made up for it', () => {
    const place = placeOf({ inventory: file })
    expect(() => secretsState(place, named('dc01-app1'))).to.throw(
      /cannot be made: there is no .*admin-token/,
    )
  })
})
