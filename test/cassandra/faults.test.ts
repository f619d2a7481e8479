import { expect } from 'chai'
import { migrate } from '#cassandra/migrate.ts'
import type { CassandraNode } from '#cassandra/local/node.ts'
import type { CassandraStore } from '#cassandra/store/cassandra-store.ts'
import { openCassandraStore } from '#cassandra/store/store.ts'
import { Batch } from '#platform/store/store.ts'
import { inbox } from '#platform/store/tables.ts'
import { put, storeError } from '../platform/store/contract.ts'
import { keyspace, newDirectory, newNode, silent, startTimeoutMs } from './node.ts'

const partition = { org: 'o', log: Buffer.from('log'), day: 1 }
const writer = Buffer.from('w')
/** Two time-outs of the driver, and the machine is busy. */
const boundMs = 8_000

/** Writes numbered rows until told to stop, one batch after the other; `acknowledged` are durable. */
class Load {
  acknowledged = 0
  #next = 1
  #stopped = false
  readonly #store: CassandraStore
  readonly done: Promise<void>

  constructor(store: CassandraStore) {
    this.#store = store
    this.done = this.#run()
  }

  stop(): Promise<void> {
    this.#stopped = true
    return this.done
  }

  async reached(number: number): Promise<void> {
    while (this.acknowledged < number && !this.#stopped) await new Promise((wake) => setTimeout(wake, 5))
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const batch = new Batch()
      for (let n = 0; n < 20; n++) {
        batch.put(inbox, { ...partition, writer, seq: this.#next + n, message: Buffer.alloc(100) })
      }
      try {
        await this.#store.write(batch)
        this.#next += 20
        this.acknowledged = this.#next - 1
      } catch {
        await new Promise((wake) => setTimeout(wake, 50))
      }
    }
  }
}

/** Resolves when the store says so; the mocha time limit is the bound. */
function health(store: CassandraStore, wanted: boolean): Promise<void> {
  if (store.healthy === wanted) return Promise.resolve()
  return new Promise((done) => {
    store.onHealth((healthy) => {
      if (healthy === wanted) done()
    })
  })
}

describe('Cassandra fails', function () {
  this.timeout(120_000)
  let node: CassandraNode
  let store: CassandraStore
  let load: Load | undefined

  before(async function () {
    this.timeout(startTimeoutMs)
    node = await newNode(2, { directory: newDirectory() })
    await node.cqlReady
    await migrate({
      contactPoints: [node.ip],
      localDc: 'dc01',
      log: silent,
      keyspace,
      replication: { dc01: 1 },
    })
  })

  beforeEach(async () => {
    store = await openCassandraStore({
      contactPoints: [node.ip],
      localDc: 'dc01',
      keyspace,
      log: silent,
      tables: [inbox],
    })
  })

  afterEach(async () => {
    await load?.stop()
    await store.close()
  })

  async function rows(): Promise<number[]> {
    const found: number[] = []
    for (;;) {
      const page = await store.range(inbox, partition, {
        after: { writer, seq: found.at(-1) ?? 0 },
        limit: 5_000,
      })
      found.push(...page.map(({ seq }) => seq))
      if (page.length < 5_000) return found
    }
  }

  it('by kill -9 during writes: everything acknowledged is there after its restart, and writes go on', async () => {
    load = new Load(store)
    await load.reached(2_000)
    await node.kill()
    await health(store, false)
    const before = load.acknowledged
    expect((await storeError(put(store, inbox, { ...partition, writer, seq: 1 }))).code).to.equal(
      'unavailable',
    )
    node = await newNode(2, { directory: node.options.directory })
    await node.cqlReady
    await health(store, true)
    await load.reached(before + 200)
    await load.stop()
    const found = new Set(await rows())
    const missing = Array.from({ length: load.acknowledged }, (_, at) => at + 1).filter((n) => !found.has(n))
    expect(missing, 'acknowledged and lost').to.deep.equal([])
  })

  it('by silence: calls end in time, readiness goes, and both come back', async () => {
    await put(store, inbox, { ...partition, writer, seq: 1 })
    node.pause()
    const started = Date.now()
    const batch = new Batch()
    for (let day = 0; day < 200; day++) batch.put(inbox, { ...partition, day, writer, seq: 9_000_001 })
    const failures = await Promise.all([
      storeError(store.write(batch)),
      storeError(store.get(inbox, { ...partition, writer, seq: 1 })),
    ])
    expect(failures.map(({ code }) => code)).to.deep.equal(['unavailable', 'unavailable'])
    expect(Date.now() - started).to.be.below(boundMs)
    await health(store, false)
    expect(Date.now() - started).to.be.below(boundMs * 2)
    node.resume()
    await health(store, true)
    await store.write(batch)
    expect(await store.get(inbox, { ...partition, writer, seq: 1 })).to.not.equal(undefined)
  })

  it('while the store is closed: the close does not wait for it', async () => {
    await node.kill()
    await storeError(store.get(inbox, { ...partition, writer, seq: 1 }))
    const started = Date.now()
    await store.close()
    expect(Date.now() - started).to.be.below(boundMs)
    const options = { contactPoints: [node.ip], localDc: 'dc01', keyspace, log: silent, tables: [inbox] }
    const error = await storeError(openCassandraStore(options))
    expect(error.code).to.equal('unavailable')
    expect(error.message).to.match(new RegExp(`^Cassandra at ${node.ip} cannot be reached: .*ECONNREFUSED`))
  })
})
