import { expect } from 'chai'
import { createTable, tableOptions } from '#cassandra/schema/ddl.ts'
import { readMigrations } from '#cassandra/schema/migrations.ts'
import { openCassandraStore } from '#cassandra/store/store.ts'
import { Batch } from '#platform/store/store.ts'
import { table } from '#platform/store/table.ts'
import * as broker from '#platform/store/tables.ts'
import { everyTable } from '#platform/tables.ts'
import { plain, put, storeError } from '../platform/store/contract.ts'
import { keyspace, sharedNode, silent, startTimeoutMs } from './node.ts'
import { eventually } from '../patience.ts'

/** Rows of it are gone two seconds after they were written. */
const brief = table({
  name: 'test_brief',
  partition: { org: 'text' },
  clustering: { n: 'int' },
  columns: { value: 'text' },
  ttlDays: 2 / 86_400,
  compaction: 'TWCS',
})

describe('Cassandra tables', () => {
  let ip: string
  let options: Parameters<typeof openCassandraStore>[0]

  before(async function () {
    this.timeout(startTimeoutMs)
    ;({ ip } = await sharedNode())
    options = { contactPoints: [ip], localDc: 'dc01', keyspace, log: silent, tables: everyTable }
  })

  it('are those that are declared, so that no row is written that could not be read', async () => {
    const { admin } = await sharedNode()
    const columns = await admin.execute(
      'SELECT * FROM system_schema.columns WHERE keyspace_name = ?',
      [keyspace],
      { fetchSize: 0 },
    )
    const tables = await admin.execute('SELECT * FROM system_schema.tables WHERE keyspace_name = ?', [
      keyspace,
    ])
    for (const one of everyTable) {
      const wanted = `migrations do not make table ${one.name} as it is declared; it should be\n${createTable(one)}`
      const stored = columns.rows.filter((row) => row.table_name === one.name)
      const of = (kind: string): string[] =>
        stored
          .filter((row) => row.kind === kind)
          .toSorted((a, b) => Number(a.position) - Number(b.position))
          .map((row) => `${row.column_name} ${row.type}`)
      const cql = (kind: Readonly<Record<string, string>>): string[] =>
        Object.entries(kind).map(([name, type]) => `${name} ${type === 'long' ? 'bigint' : type}`)
      expect(of('partition_key'), wanted).to.deep.equal(cql(one.partition))
      expect(of('clustering'), wanted).to.deep.equal(cql(one.clustering))
      expect(of('regular').toSorted(), wanted).to.deep.equal(cql(one.columns).toSorted())
      const row = tables.rows.find(({ table_name }) => table_name === one.name)
      const { compaction, ...rest } = tableOptions(one)
      expect(row?.compaction, wanted).to.include({ ...(compaction as object), class: qualified(compaction) })
      expect(row?.default_time_to_live, wanted).to.equal(rest.default_time_to_live ?? 0)
      expect(row?.speculative_retry, wanted).to.equal('MIN(99p,50ms)')
    }
  })

  it('are made by statements that can be run again', () => {
    for (const { name, statements } of readMigrations()) {
      for (const statement of statements) expect(statement, name).to.match(/ IF (NOT )?EXISTS /)
    }
  })

  it('that a program needs and Cassandra lacks are named before anything is written', async () => {
    const more = table({
      name: 'session',
      partition: { org: 'text' },
      clustering: { n: 'int' },
      columns: { colour: 'text' },
      compaction: 'UCS',
    })
    const error = await storeError(openCassandraStore({ ...options, tables: [more] }))
    expect(error.code).to.equal('version')
    expect(error.message).to.match(/^keyspace cinque: column session\.n is missing, .*cinque schema apply/)
  })

  it('with a TTL lose their rows by themselves', async () => {
    const { admin } = await sharedNode()
    await admin.execute(createTable(brief))
    const store = await openCassandraStore({ ...options, tables: [brief] })
    await put(store, brief, { org: 'o', n: 1, value: 'x' })
    expect(await store.get(brief, { org: 'o', n: 1 })).to.not.equal(undefined)
    await eventually(
      'the row is gone',
      async () => (await store.get(brief, { org: 'o', n: 1 })) === undefined,
      30_000,
      100,
    )
    expect(await store.range(brief, { org: 'o' }, { limit: 9 })).to.deep.equal([])
    expect(await store.putIf(brief, { org: 'o', n: 1, value: 'new' }, 'value', undefined)).to.equal('applied')
    await store.close()
  })

  it('take every declared row and give it back', async () => {
    const store = await openCassandraStore(options)
    for (const one of everyTable) {
      const row = Object.fromEntries(
        Object.entries({ ...one.partition, ...one.clustering, ...one.columns }).map(([name, type]) => [
          name,
          samples[type],
        ]),
      )
      await put(store, one, row)
      expect(plain(await store.get(one, row)), one.name).to.deep.equal(plain(row))
    }
    await store.close()
  })

  it('with stamps: a deletion takes what was there; an older row never comes to light, a newer one does', async () => {
    const store = await openCassandraStore(options)
    const row = { org: 'stamps', sid: Buffer.from('s'), filter_hash: Buffer.from('f') }
    const filter = async (): Promise<string | undefined> =>
      (await store.get(broker.subscription, row))?.filter
    await put(store, broker.subscription, { ...row, filter: 'a', stamp: 50 })
    const deletion = new Batch()
    deletion.delete(broker.subscription, row)
    await store.write(deletion)
    expect(await filter()).to.equal(undefined)
    await put(store, broker.subscription, { ...row, filter: 'older', stamp: 40 })
    expect(await filter()).to.equal(undefined)
    await put(store, broker.subscription, { ...row, filter: 'newer', stamp: 60 })
    expect(await filter()).to.equal('newer')
    const whole = new Batch()
    whole.put(broker.subscription, { ...row, filter: 'newest', stamp: 70 })
    whole.deletePartition(broker.subscription, row)
    await store.write(whole)
    expect(await filter()).to.equal(undefined)
    await put(store, broker.subscription, { ...row, filter: 'after', stamp: 71 })
    expect(await filter()).to.equal('after')
    await store.close()
  })
})

const samples = {
  text: 'text',
  blob: Buffer.from('blob'),
  int: 7,
  long: 2 ** 52,
  double: 0.5,
  boolean: true,
} as const

function qualified(compaction: unknown): string {
  const { class: name } = compaction as { class: string }
  return `org.apache.cassandra.db.compaction.${name}`
}
