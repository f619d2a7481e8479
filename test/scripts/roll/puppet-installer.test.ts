import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { expect } from 'chai'
import { stringify } from 'yaml'
import { checkInventory, type Host } from '#platform/inventory/inventory.ts'
import { must } from '#scripts/child-process.ts'
import { FleetDirectory } from '#scripts/fleet/directory.ts'
import { writeOperators } from '#scripts/fleet/operators.ts'
import type { Remote } from '#scripts/remote/remote.ts'
import { puppetInstaller } from '#scripts/roll/puppet-installer.ts'
import { runHere } from '../cli-runner.ts'

const inventory = checkInventory(
  {
    cell: 'test',
    health: { quorum: 1 },
    dcs: [{ name: 'dc01', number: 1, place: 'x', kind: 'live', replicas: 1 }],
    hosts: [
      { name: 'dc01-n1', dc: 'dc01', roles: ['db', 'app'], address: '10.60.1.1' },
      { name: 'dc01-app2', dc: 'dc01', roles: ['app'], address: '10.60.1.12' },
      { name: 'dc01-check1', dc: 'dc01', roles: ['checker'], address: '10.60.1.31' },
    ],
  },
  'test',
)
const hostOf = (name: string): Host => {
  const found = inventory.hosts.find((one) => one.name === name)
  if (found === undefined) throw new Error(name)
  return found
}

describe('what Puppet is given for a host', () => {
  let directory: string
  let given: string
  let remote: Remote

  const write = (path: string, text: string): void => {
    const file = join(directory, path)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, text, { mode: 0o400 })
  }
  const all = (): unknown[] =>
    readdirSync(directory, { recursive: true, encoding: 'utf8' })
      .toSorted((a, b) => a.localeCompare(b))
      .map((name) => ({ name, at: statSync(join(directory, name)).mtimeMs }))
  const install = (name: string): Promise<void> =>
    puppetInstaller(inventory, new FleetDirectory(directory)).install(hostOf(name), remote)
  /** As it comes to the host. */
  const secret = (path: string): string => readFileSync(join(given, path), 'utf8')

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'cinque-installer-'))
    given = mkdtempSync(join(tmpdir(), 'cinque-installed-'))
    write('local.yaml', 'profile::operator::hosts: [dc01-app2]\n')
    for (const [host, who] of [
      ['dc01-check1', 'checker'],
      ['dc01-app2', 'operator'],
    ]) {
      write(`secrets/${host}/host.key`, 'key')
      write(`secrets/${host}/${who}/inventory.yaml`, 'from before a host came')
    }
    write('secrets/dc01-check1/checker/checker.yaml', 'its own')
    write('secrets/dc01-app2/operator/local.yaml', 'profile::operator::hosts: [dc01-app1]\n')
    write('secrets/dc01-app2/operator/secrets/dc01-n1/local.yaml', 'of another')
    remote = {
      async run(_, command, { input } = {}) {
        if (command.includes('/etc/cinque/secrets') && typeof input === 'object') {
          copyFileSync(input.file, join(given, 'tar'))
          await must('tar', ['-xf', join(given, 'tar'), '-C', given])
        }
        return { code: 0, stdout: '', stderr: '', failure: null }
      },
      session: () => [],
      close: () => Promise.resolve(),
    }
  })
  afterEach(() => {
    for (const path of [directory, given]) rmSync(path, { recursive: true, force: true })
  })

  it('has a checker made anew look at the hosts that there are now, from a directory that may only be read', async () => {
    const before = all()
    await install('dc01-check1')
    expect(secret('checker/inventory.yaml')).to.equal(stringify(inventory))
    expect(secret('checker/checker.yaml')).to.equal('its own')
    expect(secret('host.key')).to.equal('key')
    expect(all()).to.deep.equal(before)
  })

  it('has an operator make hosts from the values and the inventory that are true now', async () => {
    const before = all()
    await install('dc01-app2')
    expect(secret('operator/inventory.yaml')).to.equal(stringify(inventory))
    expect(secret('operator/local.yaml')).to.equal('profile::operator::hosts: [dc01-app2]\n')
    expect(secret('operator/secrets/dc01-n1/local.yaml')).to.equal('of another')
    expect(all()).to.deep.equal(before)
  })

  it('brings keys of all hosts to none that is no operator any more', async () => {
    rmSync(join(directory, 'local.yaml'))
    write('local.yaml', 'profile::operator::hosts: [dc01-n1]\n')
    await install('dc01-app2')
    expect(readdirSync(given)).to.have.members(['tar', 'host.key'])
  })

  for (const [key, now] of [
    ['profile::gdnsd::enabled', 'profile::gdnsd::hosts'],
    ['profile::prometheus::enabled', 'profile::prometheus::hosts'],
  ]) {
    it(`is no value of ${key}, by which a cell once had what it would not have any more`, async () => {
      writeFileSync(join(directory, 'cell.yaml'), stringify(inventory))
      writeFileSync(join(directory, 'ssh_config'), 'Host *\n  ProxyCommand false\n')
      rmSync(join(directory, 'local.yaml'))
      write('local.yaml', `${key}: true\n`)
      const at = ['--inventory', join(directory, 'cell.yaml')]
      for (const words of [
        ['roll', 'apply', '--plan'],
        ['node', 'remove', 'dc01-app2', '--plan'],
      ]) {
        // oxlint-disable-next-line no-await-in-loop -- both write to the same outputs
        const { code, stderr } = await runHere(...words, ...at)
        expect(stderr).to.include(`local.yaml: ${key} is not read any more`).and.include(`${now}: [`)
        expect(code).to.equal(2)
      }
      rmSync(join(directory, 'local.yaml'))
      write('values.yaml', `${key}: false\n`)
      expect(() => new FleetDirectory(directory).values()).to.throw(/values\.yaml: .* is not read any more/)
    })
  }

  it('leaves a test fleet no keys of all hosts but with operators', () => {
    for (const path of ['admin-token', 'ssh/operator', 'ssh/hosts-ca.pub', 'secrets/dc01-n1/host.key'])
      write(path, 'key')
    const fleet = new FleetDirectory(directory)
    const withKeys = (): string[] =>
      inventory.hosts
        .map(({ name }) => name)
        .filter((name) => existsSync(join(directory, 'secrets', name, 'operator')))
    for (const names of [['dc01-app2', 'dc01-check1'], ['dc01-check1'], []]) {
      writeFileSync(join(directory, 'values.yaml'), stringify({ 'profile::operator::hosts': names }))
      writeOperators(inventory, fleet)
      expect(withKeys()).to.deep.equal(names)
    }
    expect(existsSync(join(directory, 'operator'))).to.equal(false)
  })
})
