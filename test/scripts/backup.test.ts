import { expect } from 'chai'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Batch } from '#platform/store/store.ts'
import { device, organisation } from '#platform/registry/tables.ts'
import { LmdbFixture } from '../platform/store/lmdb-fixture.ts'
import { temporaryFolder } from './child.ts'
import { runHere } from './cli-runner.ts'

describe('cinque backup and cinque restore', () => {
  const folder = temporaryFolder()
  const fixture = new LmdbFixture()
  const at = (name: string): string => join(folder.path, name)
  const config = at('backup.yaml')
  const backup = (verb: string, ...args: string[]) => runHere('backup', verb, '--config', config, ...args)
  const restore = (verb: string, ...args: string[]) => runHere('restore', verb, '--config', config, ...args)

  before(async () => {
    for (const name of ['scratch', 'secrets']) mkdirSync(at(name))
    writeFileSync(join(at('secrets'), 'admin-token'), 'a secret')
    const lines = [
      `directory: ${at('backups')}`,
      `key_file: ${at('backup.key')}`,
      `data: ${at('data')}`,
      `files: [${at('secrets')}]`,
      `scratch: ${at('scratch')}`,
      `metrics_file: ${at('cinque.prom')}`,
    ]
    writeFileSync(config, lines.join('\n'))
    const store = await fixture.open(at('data'))
    const batch = new Batch()
    batch.put(organisation, { id: 'acme', name: 'Acme', created_at: 1, version: 1 })
    batch.put(device, { org: 'acme', id: 'pump', name: 'Pump', version: 1 })
    await store.write(batch)
    await store.close()
  })
  after(async () => {
    await fixture.clean()
    folder.remove()
  })

  it('nothing is backed up to where no repository is', async () => {
    writeFileSync(at('backup.key'), `${'0'.repeat(64)}\n`)
    mkdirSync(at('backups'))
    expect(await backup('run')).to.deep.include({ code: 1 })
    expect((await backup('run')).stderr).to.match(
      /has no repository of backups: is it the right place, and mounted\?/,
    )
    rmSync(at('backup.key'))
    rmSync(at('backups'), { recursive: true })
  })

  it('init makes key and repository; a lost key is not made anew', async () => {
    const made = await backup('init')
    expect(made).to.deep.include({ code: 0, stderr: '' })
    expect(made.stdout).to.match(/a key was made: keep a copy of it elsewhere/)
    expect(statSync(at('backup.key')).mode & 0o777).to.equal(0o600)
    const key = readFileSync(at('backup.key'))
    expect((await backup('init')).code).to.equal(0)
    expect(readFileSync(at('backup.key')).equals(key)).to.equal(true)
    rmSync(at('backup.key'))
    expect((await backup('init')).stderr).to.match(
      /has backups, but .*backup.key is not there: bring the key back/,
    )
    writeFileSync(at('backup.key'), key)
  })

  it('run, list, show, verify, prune: what is there, and how old it is', async () => {
    expect((await backup('list')).stdout).to.equal('no backup yet\n')
    expect(readFileSync(at('cinque.prom'), 'utf8')).to.match(/^cinque_backup_age_seconds -1$/m)
    expect((await backup('run')).stdout).to.match(/^backup \S+: \d+\.\d MB, .* of them new, in .* s\n$/)
    const second = JSON.parse((await backup('run', '--json')).stdout) as { id: string; shippedBytes: number }
    const listed = JSON.parse((await backup('list', '--json')).stdout) as {
      ageSeconds: number
      backups: object[]
    }
    expect(listed.backups.length).to.equal(2)
    expect(listed.ageSeconds).to.be.within(0, 60)
    expect((await backup('show', second.id)).stdout).to.match(/^of {7}lmdb at /m)
    expect((await backup('verify', '--read')).stdout).to.match(/^2 backups, \d+ chunks: all read/)
    expect((await backup('prune', '--dry-run')).stdout).to.match(/would forget \S+\nwould keep 1 backups/)
    expect((await backup('prune')).stdout).to.match(/^kept 1 backups, forgot 1, deleted \d+ chunks/)
    const metrics = readFileSync(at('cinque.prom'), 'utf8')
    expect(metrics).to.match(/^cinque_backup_age_seconds \d+$/m)
    expect(metrics.match(/^# TYPE cinque_backup_taken_timestamp_seconds gauge$/gm)).to.have.length(1)
  })

  it('a drill compares all rows, and says so in the metrics', async () => {
    expect((await backup('run', '--note')).code).to.equal(0)
    const report = JSON.parse((await restore('drill', '--json')).stdout) as {
      ok: boolean
      tables: { table: string; outcome: string; rows: number }[]
    }
    expect(report.ok).to.equal(true)
    expect(report.tables.find(({ table }) => table === 'device')).to.deep.equal({
      table: 'device',
      outcome: 'equal',
      rows: 1,
      noted: 1,
    })
    expect(readFileSync(at('cinque.prom'), 'utf8')).to.match(/^cinque_restore_drill_ok 1$/m)
    expect((await restore('drill')).stdout).to.match(/restored in .*: as it was$/m)
  })

  it('restores everything, a table, an organisation, the files; never over what is there', async () => {
    expect((await restore('all', '--into', at('new'))).code).to.equal(0)
    expect((await restore('all', '--into', at('new'))).stderr).to.match(
      /has data already: nothing was changed/,
    )
    expect((await restore('table', 'device', '--into', at('table'))).stdout).to.match(/^restored 1 rows/)
    expect((await restore('table', 'device', '--into', at('table'))).stderr).to.match(
      /table device has rows already/,
    )
    expect((await restore('table', 'devic', '--into', at('table'))).stderr).to.match(/did you mean device\?/)
    const org = await restore('organisation', 'acme', '--into', at('org'), '--json')
    expect(JSON.parse(org.stdout)).to.deep.include({ rows: { organisation: 1, device: 1 } })
    expect((await restore('organisation', 'acme', '--into', at('new'))).stderr).to.match(
      /there is an organisation acme already/,
    )
    expect((await restore('files', '--into', at('files'))).code).to.equal(0)
    const path = join(at('files'), at('secrets'), 'admin-token')
    expect(readFileSync(path, 'utf8')).to.equal('a secret')
    expect((await restore('files', '--into', at('files'))).stderr).to.match(
      /is not empty: nothing was changed/,
    )
    expect(existsSync(join(at('new'), '.restore'))).to.equal(false)
    const store = await fixture.open(at('new'))
    expect(await store.get(device, { org: 'acme', id: 'pump' })).to.deep.include({ name: 'Pump' })
  })

  it('what a killed command left in the clear is removed by the next', async () => {
    const left = join(at('scratch'), 'cinque-backup-4194305-abcdef')
    mkdirSync(left)
    writeFileSync(join(left, 'data.mdb'), 'in the clear')
    expect((await backup('run')).code).to.equal(0)
    expect(readdirSync(at('scratch'))).to.deep.equal([])
  })

  it('what is wrong in the configuration is named', async () => {
    const wrong = at('wrong.yaml')
    for (const [text, message] of [
      ['key_file: k\ndata: d', /directory, s3: exactly one of them/],
      ['key_file: k\ndirectory: d', /data, cassandra: exactly one of them/],
      ['key_file: k\ndirectory: d\ndata: d\nretension: {}', /unknown key retension/],
      [`key_file: ${at('nothing')}\ndirectory: d\ndata: d`, /cannot read the key of the backups/],
    ] as const) {
      writeFileSync(wrong, text)
      const { code, stderr } = await runHere('backup', 'list', '--config', wrong)
      expect(code).to.be.oneOf([1, 2])
      expect(stderr).to.match(message)
    }
  })
})
