import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { stringify } from 'yaml'
import { checkInventory, type Host } from '#platform/inventory/inventory.ts'
import { run } from '#scripts/child-process.ts'
import { checkBackups, movedBackups } from '#scripts/node/backups.ts'
import { type Place, placeOf } from '#scripts/node/place.ts'
import type { Remote } from '#scripts/remote/remote.ts'
import { eraseScratch } from '#scripts/roll/remove-host.ts'
import { runHere } from '../cli-runner.ts'

const inventory = checkInventory(
  {
    cell: 'test',
    dcs: [
      { name: 'dc01', number: 1, place: 'x', kind: 'live', replicas: 1 },
      { name: 'dcb1', number: 2, place: 'y', kind: 'backup', replicas: 1 },
    ],
    hosts: [
      { name: 'dc01-n1', dc: 'dc01', roles: ['db', 'app'], address: '10.60.1.1' },
      { name: 'dcb1-app1', dc: 'dcb1', roles: ['app'], address: '10.60.2.11' },
      { name: 'dcb1-db1', dc: 'dcb1', roles: ['db'], address: '10.60.2.1' },
      { name: 'dcb1-db2', dc: 'dcb1', roles: ['db'], address: '10.60.2.2' },
    ],
  },
  'test',
)
const named = (name: string): Host => {
  const host = inventory.hosts.find((one) => one.name === name)
  if (host === undefined) throw new Error(name)
  return host
}
const leaving = named('dcb1-db1')
const s3 = { endpoint: 'https://s3.example.org', bucket: 'backup', access_key: 'AKIA' }

describe('backups, when the host goes that makes them', () => {
  let directory: string
  let place: Place
  /** What the host says of them. */
  let says: string
  let remote: Remote

  const values = (all: Record<string, unknown>): void =>
    writeFileSync(join(directory, 'local.yaml'), stringify(all))
  const write = (path: string, text: string): void => {
    mkdirSync(join(directory, path, '..'), { recursive: true })
    writeFileSync(join(directory, path), text)
  }
  const hash = (text: string): string => createHash('sha256').update(text).digest('hex')
  const refusal = (dead = false): Promise<string> =>
    checkBackups(place, remote, leaving, { dead, moved: movedBackups(place, inventory, leaving) }).then(
      () => 'nothing',
      (error: Error) => error.message,
    )

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'cinque-backups-'))
    writeFileSync(join(directory, 'cell.yaml'), `cell: test\ndcs: ${JSON.stringify(inventory.dcs)}\n`)
    const hosts = inventory.hosts.map((host) => `  - ${JSON.stringify(host)}\n`)
    writeFileSync(join(directory, 'cell.yaml'), `hosts:\n${hosts.join('')}`, { flag: 'a' })
    writeFileSync(join(directory, 'ssh_config'), 'Host *\n  ProxyCommand false\n')
    place = placeOf({ inventory: join(directory, 'cell.yaml') })
    values({ 'profile::backup::directory': '/srv/backup' })
    write('secrets/dcb1-db2/backup.key', 'key')
    says = `directory nfs4 /srv/backup\nkey ${hash('key')} /etc/cinque/secrets/backup.key\n`
    remote = {
      run: () => Promise.resolve({ code: 0, stdout: says, stderr: '', failure: null }),
      session: () => [],
      close: () => Promise.resolve(),
    }
  })
  afterEach(() => rmSync(directory, { recursive: true, force: true }))

  it('do not move to another one without a word: the plan says to whom, and what is to be done', async () => {
    const at = ['--inventory', join(directory, 'cell.yaml'), '--plan']
    const plan = async (): Promise<string> => (await runHere('node', 'remove', 'dcb1-db1', ...at)).stdout
    expect(await plan())
      .to.match(/dcb1-db2 makes the backups from then on, .*mount or copy there.*cinque backup init/)
      .and.match(/\/srv\/backup of dcb1-db1 is left as it is/)
    values({ 'profile::backup::s3': s3 })
    expect(await plan()).to.match(/dcb1-db2 makes the backups from then on, .*into the same bucket/)
    values({ 'profile::backup::directory': '/srv/backup', 'profile::backup::shipper': 'dcb1-db2' })
    expect(await plan()).to.not.match(/makes the backups/)
  })

  it('are not left to nobody', () => {
    const alone = { ...inventory, hosts: inventory.hosts.filter(({ name }) => name !== 'dcb1-db2') }
    expect(() => movedBackups(place, alone, leaving)).to.throw(/no other db host is in a backup DC/)
  })

  it('are not given away with the only disk that has them', async () => {
    says = says.replace('nfs4', 'ext4')
    expect(await refusal()).to.match(/its own disk has the backups, in \/srv\/backup \(ext4\)/)
    says = says.replace('ext4', '-')
    expect(await refusal()).to.match(/its own disk has the backups/)
  })

  it('are not given up with a host that cannot be asked', async () => {
    expect(await refusal(true)).to.match(/whether \/srv\/backup with the backups is on its own disk/)
    values({ 'profile::backup::s3': s3 })
    write('secrets/dcb1-db2/s3.secret', 'secret')
    expect(await refusal(true)).to.equal('nothing')
  })

  it('keep the key that they are read by', async () => {
    says = `key ${hash('another')} /etc/cinque/secrets/backup.key\n`
    values({ 'profile::backup::s3': s3 })
    expect(await refusal()).to.match(/without the key of the backups dcb1-db2 can make none/)
    rmSync(join(directory, 'secrets'), { recursive: true })
    expect(await refusal()).to.match(/it is not in .*secrets\/dcb1-db2\/backup\.key/)
  })

  it('go on in their bucket only where the next host has its secret', async () => {
    values({ 'profile::backup::s3': s3 })
    says = `key ${hash('key')} /etc/cinque/secrets/backup.key\n`
    for (const dead of [false, true]) {
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      expect(await refusal(dead)).to.match(
        /without the secret of the bucket dcb1-db2 can make no backups: there is no .*secrets\/dcb1-db2\/s3\.secret/,
      )
    }
    write('secrets/dcb1-db2/s3.secret', 'secret')
    expect(await refusal()).to.equal('nothing')
  })

  describe('that another host makes already', () => {
    const at = (path: string): string => join(directory, 'host', path)

    beforeEach(() => {
      values({ 'profile::backup::directory': at('backup'), 'profile::backup::shipper': 'dcb1-db2' })
      write('host/etc/secrets/backup.key', 'key\n')
      remote = {
        ...remote,
        run: async (_, command) => ({
          ...(await run('sh', ['-c', command.replaceAll('/etc/cinque', at('etc'))])),
          failure: null,
        }),
      }
    })

    it('are not given away with the disk that still has them', async () => {
      write('host/backup/data', 'x')
      expect(await refusal()).to.equal('nothing')
      write('host/backup/repository.json', '{}')
      expect(await refusal()).to.match(/its own disk has the backups, in .*host\/backup \(\w+\)/)
    })

    it('keep their key, wherever beside the inventory it is', async () => {
      rmSync(join(directory, 'secrets'), { recursive: true })
      expect(await refusal()).to.match(
        /host\/etc\/secrets\/backup\.key would leave with it.*it is in no .*\/secrets\/\*\/backup\.key/,
      )
      write('secrets/dc01-n1/backup.key', 'another')
      expect(await refusal()).to.match(/would leave with it/)
      write('secrets/dcb1-db1/backup.key', 'key')
      expect(await refusal()).to.equal('nothing')
    })

    it('keep the key of those that a person has set up', async () => {
      values({})
      write('host/etc/backup.yaml', `s3: { bucket: backup }\nkey_file: ${at('etc/own.key')}\n`)
      expect(await refusal()).to.match(/the key of its backups cannot be read: .*own\.key/)
      write('host/etc/own.key', 'own')
      expect(await refusal()).to.match(/own\.key would leave with it/)
      write('secrets/dcb1-db1/backup.key', 'own')
      expect(await refusal()).to.equal('nothing')
      write('host/etc/backup.yaml', `directory: ${at('mine')}\nkey_file: ${at('etc/own.key')}\n`)
      mkdirSync(at('mine'))
      expect(await refusal()).to.match(/its own disk has the backups, in .*host\/mine/)
    })

    it('are nothing to a host that never had any', async () => {
      rmSync(at('etc'), { recursive: true })
      expect(await refusal()).to.equal('nothing')
    })
  })

  it('stand in nobody’s way where they are elsewhere, or there are none', async () => {
    expect(await refusal()).to.equal('nothing')
    says = ''
    values({})
    expect(await refusal()).to.equal('nothing')
  })

  it('are never erased, but rows are that were restored for a drill', async () => {
    for (const path of ['scratch/drill/rows', 'figures/compiled', 'kept/backup/repository.json']) {
      write(path, 'x')
    }
    const command = eraseScratch(['scratch', 'figures', 'kept', 'none'].map((name) => join(directory, name)))
    expect((await run('sh', ['-c', command])).code).to.equal(0)
    const left = ['scratch', 'figures', 'kept/backup/repository.json'].filter((name) =>
      existsSync(join(directory, name)),
    )
    expect(left).to.deep.equal(['kept/backup/repository.json'])
  })

  it('leave nothing of a drill on a volume of its own, which stays mounted', async () => {
    const volume = join(directory, 'volume')
    mkdirSync(volume)
    const mount = `mount -t tmpfs none ${volume}`
    // Who may mount nothing here has a directory that is emptied.
    const mayMount = (await run('unshare', ['-rm', 'sh', '-c', mount])).code === 0
    const [mounted, program, args] = mayMount ? [mount, 'unshare', ['-rm', 'sh']] : ['true', 'sh', []]
    const rows = `${mounted} && mkdir ${volume}/drill && touch ${volume}/drill/rows ${volume}/.compiled`
    const command = `${rows} || exit 2\n${eraseScratch([volume])}\nls -A ${volume}; echo erased`
    const { code, stdout } = await run(program, [...args, '-c', command])
    expect({ code, stdout: mayMount ? stdout : 'erased\n' }).to.deep.equal({ code: 0, stdout: 'erased\n' })
  })
})
