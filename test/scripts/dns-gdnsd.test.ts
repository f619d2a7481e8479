import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { after, before, describe, it } from 'mocha'
import { stringify } from 'yaml'
import { devInventory } from '#platform/inventory/dev.ts'
import { runHere } from './cli-runner.ts'

describe('cinque dns gdnsd', () => {
  let directory: string
  before(() => (directory = mkdtempSync(join(tmpdir(), 'cinque-gdnsd-'))))
  after(() => rmSync(directory, { recursive: true, force: true }))

  it('writes all that gdnsd needs', async () => {
    const places = join(directory, 'places')
    writeFileSync(places, '203.0.113.0/24 EU/DE\n')
    const args = [
      '--inventory',
      'docs/cell.example.yaml',
      '--out',
      join(directory, 'etc'),
      '--places',
      places,
    ]
    const { code, stdout } = await runHere('dns', 'gdnsd', ...args, '--json')
    expect(code).to.equal(0)
    const { files } = JSON.parse(stdout) as { files: string[] }
    expect(files.map((one) => one.slice(directory.length))).to.deep.equal([
      '/etc/config',
      '/etc/zones/iot.example.org',
      '/etc/geoip/nets',
    ])
    expect(readFileSync(files[0], 'utf8')).to.match(/listen => any/)
    expect(readFileSync(files[2], 'utf8')).to.equal('203.0.113.0/24 => [ dc03, dc01, dc02, dcb2, dcb1 ]\n')
  })

  it('says in one line what is missing, and writes nothing', async () => {
    const file = join(directory, 'cell.yaml')
    writeFileSync(file, stringify(devInventory()))
    const out = ['--out', join(directory, 'none')]
    const noZone = await runHere('dns', 'gdnsd', '--inventory', file, ...out)
    expect(noZone.code).to.equal(2)
    expect(noZone.stderr)
      .to.match(/dns: is missing/)
      .and.not.match(/\n\s+at /)
    const noPlaces = await runHere(
      'dns',
      'gdnsd',
      '--inventory',
      'docs/cell.example.yaml',
      ...out,
      '--places',
      'nowhere',
    )
    expect(noPlaces.code).to.equal(2)
    expect(noPlaces.stderr).to.match(/cannot read the networks in nowhere: ENOENT/)
  })
})
