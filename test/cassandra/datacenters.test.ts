import { expect } from 'chai'
import { allNormal } from '#cassandra/local/cluster.ts'
import type { CassandraNode } from '#cassandra/local/node.ts'
import { migrate } from '#cassandra/migrate.ts'
import { spread } from '#cassandra/spread.ts'
import type { CassandraStore } from '#cassandra/store/cassandra-store.ts'
import { openCassandraStore } from '#cassandra/store/store.ts'
import { state } from '#platform/store/tables.ts'
import { put, storeError } from '../platform/store/contract.ts'
import { address, keyspace, newDirectory, newNode, silent, startTimeoutMs } from './node.ts'
import { eventually } from '../patience.ts'

/** One live and one backup datacenter, with one replica each: the smallest where each level of durability differs. */
describe('Cassandra in two datacenters', function () {
  this.timeout(400_000)
  const replication = { dc01: 1, dcb1: 1 }
  const live = address(11)
  const backup = address(12)
  let node: CassandraNode
  let here: CassandraStore
  let there: CassandraStore

  before(async function () {
    this.timeout(startTimeoutMs)
    const first = await newNode(11)
    await first.cqlReady
    const at = { keyspace, log: silent, tables: [state] }
    const firstDc = { ...at, contactPoints: [live], localDc: 'dc01' }
    // As a new cell is made: tables by the first node while it is alone, and then replicas of them everywhere.
    await migrate({ ...firstDc, replication: { dc01: 1 } })
    node = await backupNode(newDirectory())
    await node.cqlReady
    await allNormal(silent, [first, node])
    await spread({ ...firstDc, replication })
    const durability = (org: string): 'local' | 'geo' => (org === 'geo' ? 'geo' : 'local')
    here = await openCassandraStore({ ...at, contactPoints: [live], localDc: 'dc01', durability })
    there = await openCassandraStore({ ...at, contactPoints: [backup], localDc: 'dcb1', backup: true })
  })

  after(async () => {
    await here?.close()
    await there?.close()
  })

  function backupNode(directory: string): Promise<CassandraNode> {
    return newNode(12, { directory, dc: 'dcb1', token: '0', seeds: [live, backup] })
  }

  const row = (org: string, epoch: number) => ({ org, sid: Buffer.from('s'), epoch, body: Buffer.from('b') })
  const has = async (store: CassandraStore, org: string, epoch: number): Promise<boolean> =>
    (await store.get(state, row(org, epoch))) !== undefined

  it('what a backup datacenter or a geo organisation wrote is in both when it is acknowledged', async () => {
    await put(here, state, row('geo', 1))
    expect(await has(there, 'geo', 1)).to.equal(true)
    await put(there, state, row('o', 1))
    expect(await has(here, 'o', 1)).to.equal(true)
  })

  it('tables that one made while it was alone have replicas in both, at the newest version', async () => {
    const options = { contactPoints: [backup], localDc: 'dcb1', keyspace, log: silent, replication }
    expect((await migrate(options)).applied).to.deep.equal([])
  })

  it('without the other one: local writes go on, others are refused, and all is made good afterwards', async () => {
    await node.kill()
    await put(here, state, row('o', 2))
    expect(await has(here, 'o', 2)).to.equal(true)
    expect((await storeError(put(here, state, row('geo', 2)))).code).to.equal('unavailable')
    expect((await storeError(there.get(state, row('o', 2)))).code).to.equal('unavailable')
    expect(here.healthy).to.equal(true)

    node = await backupNode(node.options.directory)
    await node.cqlReady
    const until = (what: string, works: () => Promise<boolean>): Promise<void> =>
      eventually(what, () => works().catch(() => false), 240_000, 100)
    await until('the other one has what was written meanwhile', () => has(there, 'o', 2))
    await until('both take writes', async () => {
      await put(here, state, row('geo', 3))
      await put(there, state, row('o', 3))
      return true
    })
    expect(await has(there, 'geo', 3)).to.equal(true)
    expect(await has(here, 'o', 3)).to.equal(true)
  })
})
