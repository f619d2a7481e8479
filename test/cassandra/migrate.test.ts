import { expect } from 'chai'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type cassandra from 'cassandra-driver'
import { migrate, type Migrated, type MigrateOptions } from '#cassandra/migrate.ts'
import { spread } from '#cassandra/spread.ts'
import { openCassandraStore } from '#cassandra/store/store.ts'
import { storeError } from '../platform/store/contract.ts'
import { readMigrations } from '#cassandra/schema/migrations.ts'
import { keyspace as ours, sharedNode, silent, startTimeoutMs } from './node.ts'

const first = 'CREATE TABLE IF NOT EXISTS one (id text, PRIMARY KEY ((id)))'
const second = 'ALTER TABLE one ADD IF NOT EXISTS more text'

describe('Cassandra migrations', () => {
  let admin: cassandra.Client
  let ip: string
  let directory: string
  let keyspace = ''
  let count = 0

  before(async function () {
    this.timeout(startTimeoutMs)
    ;({ admin, ip } = await sharedNode())
  })

  beforeEach(() => {
    keyspace = `migrated_${count++}`
    directory = mkdtempSync(join(tmpdir(), 'cinque-migrations-'))
    file('001-one.cql', first)
  })

  afterEach(async function () {
    this.timeout(startTimeoutMs)
    rmSync(directory, { recursive: true, force: true })
    await admin.execute(`DROP KEYSPACE IF EXISTS ${keyspace}`, [], { prepare: false, readTimeout: 60_000 })
  })

  function file(name: string, ...statements: string[]): void {
    writeFileSync(join(directory, name), `-- A comment.\n${statements.join(';\n\n')};\n`)
  }

  function run(options: Partial<MigrateOptions> = {}): Promise<Migrated> {
    const at = { contactPoints: [ip], localDc: 'dc01', log: silent }
    return migrate({ ...at, keyspace, replication: { dc01: 1 }, directory, ...options })
  }

  const add = (column: string): string => `ALTER TABLE one ADD IF NOT EXISTS ${column} text`

  async function columns(): Promise<string[]> {
    const { rows } = await admin.execute(
      "SELECT column_name FROM system_schema.columns WHERE keyspace_name = ? AND table_name = 'one'",
      [keyspace],
    )
    return rows.map((row) => String(row.column_name))
  }

  it('may be made in one DC alone, and spread: what they are known by is in all', async () => {
    const options = { contactPoints: [ip], localDc: 'dc01', log: silent, keyspace, replication: { dc01: 1 } }
    expect((await storeError(spread(options))).message).to.match(/there is no keyspace/)
    await run()
    await spread(options)
    await spread(options)
    expect(await run(), 'nothing is applied anew').to.deep.equal({ applied: [], version: 1 })
  })

  it('make a keyspace, are applied once, and later ones on top', async () => {
    expect(await run()).to.deep.equal({ applied: ['001-one'], version: 1 })
    expect(await run()).to.deep.equal({ applied: [], version: 1 })
    file('002-two.cql', second, add('third'))
    expect(await run()).to.deep.equal({ applied: ['002-two'], version: 2 })
    expect(await columns()).to.have.members(['id', 'more', 'third'])
  })

  it('that were cut off are finished: each is run again from its beginning', async () => {
    await run()
    file('002-two.cql', second, 'ALTER TABLE missing ADD IF NOT EXISTS x text')
    expect((await storeError(run())).message).to.match(/missing/)
    expect(await columns()).to.include('more')
    // What is applied next is what was begun: the file that could not work is put right before it ever was applied.
    file('002-two.cql', second, add('third'))
    const error = await storeError(run())
    expect(error.code).to.equal('version')
    expect(error.message).to.match(/002-two was begun, and not finished, by a program with another 002-two/)
    await admin.execute(`DELETE FROM ${keyspace}.schema_version WHERE part = 'cinque' AND version = 2`)
    expect((await run()).applied).to.deep.equal(['002-two'])
    expect(await columns()).to.include('third')
  })

  it('that were cut off at the very first are done from the start', async () => {
    await admin.execute(
      `CREATE KEYSPACE ${keyspace} WITH replication = {'class': 'NetworkTopologyStrategy', 'dc01': 1}`,
      [],
      { prepare: false },
    )
    expect((await run()).applied).to.deep.equal(['001-one'])
  })

  it('run by two at once are applied by one of them', async () => {
    await run()
    file('002-two.cql', second)
    const both = await Promise.all([run(), run()])
    expect(both.flatMap(({ applied }) => applied)).to.deep.equal(['002-two'])
  })

  it('newer than the program: it says so, and changes nothing', async () => {
    file('002-two.cql', second)
    await run()
    rmSync(join(directory, '002-two.cql'))
    const error = await storeError(run())
    expect(error.code).to.equal('version')
    expect(error.message).to.equal(
      `keyspace ${keyspace} has schema 002-two, this program knows 001-one: upgrade the program`,
    )
  })

  it('whose file was changed afterwards are refused', async () => {
    await run()
    file('001-one.cql', first, add('sneaked'))
    const error = await storeError(run())
    expect(error.message).to.match(/migration 001-one was applied by a program with another 001-one/)
    expect(await columns()).to.deep.equal(['id'])
  })

  it('of a keyspace with other replicas are refused, with both and the remedy', async () => {
    await run()
    const error = await storeError(run({ replication: { dc01: 3 } }))
    expect(error.code).to.equal('version')
    expect(error.message).to.match(/has replicas dc01: 1, the inventory says dc01: 3: .*ALTER KEYSPACE/)
  })

  it('with a datacenter that Cassandra does not know are refused by its name', async () => {
    const error = await storeError(run({ replication: { dc01: 1, dc07: 3 } }))
    expect(error.message).to.match(/replicas in dc07, Cassandra knows only dc01: start a node there first/)
  })

  it('with a keyspace name that is none are refused', async () => {
    const error = await storeError(run({ keyspace: 'no; drop' }))
    expect(error.message).to.match(/^keyspace "no; drop": must be/)
  })

  describe('for a program that only uses the schema', () => {
    const opened = (): ReturnType<typeof openCassandraStore> =>
      openCassandraStore({ contactPoints: [ip], localDc: 'dc01', keyspace, log: silent, tables: [] })
    const open = (): ReturnType<typeof storeError> => storeError(opened())

    it('a keyspace that is missing is named', async () => {
      const error = await open()
      expect(error.code).to.equal('version')
      expect(error.message).to.match(new RegExp(`has no keyspace ${keyspace}: run the migration first`))
    })

    it('missing and half-applied migrations are named, with what to do', async () => {
      await run()
      await admin.execute(`TRUNCATE ${keyspace}.schema_version`)
      expect((await open()).message).to.match(/lacks migration 001-tables: run `cinque schema apply`/)
      const { rows } = await admin.execute(`SELECT * FROM ${ours}.schema_version WHERE part = 'cinque'`)
      for (const { version, name, checksum } of rows) {
        await admin.execute(
          `INSERT INTO ${keyspace}.schema_version (part, version, name, checksum, began) VALUES ('cinque', ?, ?, ?, 1)`,
          [version, name, checksum],
        )
      }
      expect((await open()).message).to.match(/migration 001-tables was begun and not finished: run/)
    })

    it('those of a newer version are let be, also half-applied: the old one serves on while a cell is upgraded', async () => {
      await run()
      await admin.execute(`TRUNCATE ${keyspace}.schema_version`)
      const write = (values: readonly unknown[]): Promise<unknown> =>
        admin.execute(
          `INSERT INTO ${keyspace}.schema_version (part, version, name, checksum, began, ended) VALUES ('cinque', ?, ?, ?, 1, ?)`,
          [...values],
          { prepare: true },
        )
      for (const { number, name, checksum } of readMigrations()) await write([number, name, checksum, 1])
      for (const ended of [null, 1]) {
        await write([99, '099-later', '', ended])
        await (await opened()).close()
      }
    })

    it('only add, so that this can be so', () => {
      for (const { name, statements } of readMigrations())
        for (const statement of statements)
          expect(statement, name).to.match(/^(CREATE TABLE IF NOT EXISTS|ALTER TABLE \w+ (ADD|WITH)) /)
    })
  })
})
