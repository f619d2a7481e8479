import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { after, before, describe, it } from 'mocha'
import { parse, stringify } from 'yaml'
import { devInventory } from '#platform/inventory/dev.ts'
import { runHere } from './cli-runner.ts'

const example = 'docs/cell.example.yaml'

describe('cinque inventory, hosts, cost', () => {
  let directory: string
  before(() => (directory = mkdtempSync(join(tmpdir(), 'cinque-inventory-'))))
  after(() => rmSync(directory, { recursive: true, force: true }))

  const written = (change: (file: ReturnType<typeof devInventory>) => void): string => {
    const inventory = devInventory()
    change(inventory)
    const file = join(directory, 'cell.yaml')
    writeFileSync(file, stringify(inventory))
    return file
  }

  it('say what is wrong in one line each, with exit code 2 and no stack', async () => {
    const file = written((i) => {
      i.hosts[0].dc = 'dc09'
      i.dcs[1].replicas = 3
    })
    const { code, stdout, stderr } = await runHere('inventory', 'verify', file)
    expect({ code, stdout }).to.deep.equal({ code: 2, stdout: '' })
    expect(stderr)
      .to.match(/hosts\[0\]\.dc: there is no DC "dc09"/)
      .and.match(/dcs\[1\]\.replicas/)
    expect(stderr).not.to.match(/\n\s+at /)
    expect((await runHere('cost', '--inventory', join(directory, 'none.yaml'))).stderr).to.match(
      /none\.yaml: ENOENT/,
    )
  })

  it('what is doubtful fails a pipeline that asks for it', async () => {
    const file = written((i) => (i.dcs[0].provider = i.dcs[1].provider = 'acme'))
    const { stdout } = await runHere('inventory', 'verify', file, '--json')
    expect(JSON.parse(stdout)).to.include({ cell: 'dev', dcs: 5, hosts: 5 }).and.have.property('concerns')
    expect(stdout).to.match(/both at acme/)
    const exitCode = process.exitCode
    try {
      await runHere('inventory', 'verify', file, '--strict')
      expect(process.exitCode).to.equal(1)
    } finally {
      process.exitCode = exitCode
    }
  })

  it('show what was left out, as a file that is an inventory again', async () => {
    const { stdout } = await runHere('inventory', 'show', example)
    const shown = join(directory, 'shown.yaml')
    writeFileSync(shown, stdout)
    expect((await runHere('inventory', 'show', shown)).stdout).to.equal(stdout)
    expect(parse(stdout)).to.have.nested.property('ports.mqtts', 8883)
  })

  it('list hosts of a DC and role; one that is not there is told, not an empty list', async () => {
    const { stdout } = await runHere(
      'hosts',
      '--inventory',
      example,
      '--dc',
      'dc03',
      '--role',
      'app',
      '--json',
    )
    const { hosts } = JSON.parse(stdout) as { hosts: { name: string }[] }
    expect(hosts.map(({ name }) => name)).to.deep.equal(['dc03-app1', 'dc03-app2'])
    expect(await runHere('hosts', '--inventory', example, '--dc', 'dc3')).to.include({ code: 2 })
  })

  it('tell Puppet of each host, and no more of one that is gone', async () => {
    const to = join(directory, 'hiera')
    expect((await runHere('inventory', 'hiera', to, '--inventory', example)).stdout).to.match(/29 hosts/)
    const host = parse(readFileSync(join(to, 'host/dc02-db3.yaml'), 'utf8')) as Record<string, object>
    expect(host['cinque::host']).to.include({
      dc: 'dc02',
      dc_number: 2,
      rack: 'r3',
      address: '198.51.100.13',
    })
    // Links in letters begin with it.
    const cell = parse(readFileSync(join(to, 'cell.yaml'), 'utf8')) as Record<string, unknown>
    expect(cell['cinque::public_url']).to.equal('https://api.iot.example.org:8443')
    const file = written(() => undefined)
    await runHere('inventory', 'hiera', to, '--inventory', file)
    expect(readdirSync(join(to, 'host')).toSorted()).to.deep.equal(
      ['dc01', 'dc02', 'dc03', 'dcb1', 'dcb2'].map((dc) => `${dc}-n1.yaml`),
    )
  })

  it('print the bill against the target, and what a load needs', async () => {
    const bill = await runHere('cost', '--inventory', example, '--devices', '200000')
    expect(bill.stdout).to.match(/EUR a month without VAT: within the target of 125\.00/)
    expect(bill.stdout).to.match(/bound by: TLS connections/)
    expect((await runHere('cost', '--inventory', example, '--target', '10')).stdout).to.match(
      /ABOVE the target/,
    )
    expect(await runHere('cost', '--inventory', example, '--usd', '-1')).to.include({ code: 2 })
  })
})
