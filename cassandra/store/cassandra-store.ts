import cassandra from 'cassandra-driver'
import {
  type Batch,
  type Conditional,
  type Mutation,
  type Range,
  type Store,
  StoreError,
} from '#platform/store/store.ts'
import type { AnyTable, KeyOf, PartitionOf, RowOf } from '#platform/store/table.ts'
import type { Fields } from '#platform/store/key-codec.ts'
import type { Metrics } from '#platform/metrics.ts'
import type { Logger } from '#platform/log.ts'
import { isOutage, storeError } from './failures.ts'
import { Health } from './health.ts'
import { Limiter } from './limiter.ts'
import { planRequests, type Request } from './plan.ts'
import { boundsOf } from './range-bounds.ts'
import { TableCql } from './table-cql.ts'

const { consistencies } = cassandra.types

export interface StoreSettings {
  readonly client: cassandra.Client
  readonly log: Logger
  readonly metrics: Metrics
  /** How far a write must have gone before it counts, by organisation. */
  readonly durability: (org: string) => 'local' | 'geo'
  /** The own DC has one replica only: a second one elsewhere must have a write, too. */
  readonly backup: boolean
}

/** Requests under way at a time; more cost every one of them its latency (measured on 11 nodes). */
const maxWrites = 32
const maxReads = 32
/** Rows that a node sends at a time. */
const pageRows = 1_000
/** A conditional write needs two round trips of the far majority. */
const conditionalTimeoutMs = 5_000

/**
 * The store on Cassandra. What a write promises when it resolves: stored at LOCAL_QUORUM (three replicas a DC: two),
 * in a backup DC at TWO, with durability `geo` at QUORUM of all replicas. Reads are LOCAL_QUORUM. There is no fallback
 * to another DC: without its own a store fails with `unavailable` within 4 s, at once when it knows, and comes back by
 * itself.
 *
 * What differs from the embedded engines:
 * - Rows of one partition are written atomically up to 50 rows and 64 KB.
 * - Writes of one row resolve in any order, but the later call wins.
 * - On stamped tables a deletion takes the versions that were there: a write with a newer stamp is not hidden by it,
 *   one with an older stamp never comes to light. Of two different rows with one stamp one wins, everywhere the same.
 * - Rows of TWCS tables are written once; a column left out by a second put keeps the first one's value.
 * - `discard` does nothing: the TTL ends the rows.
 * - Conditional puts are of the one process's in line, and their timestamps are the coordinator's: a table has either
 *   them or writes of the same rows from several processes.
 */
export class CassandraStore implements Store {
  readonly #client: cassandra.Client
  readonly #durability: (org: string) => 'local' | 'geo'
  readonly #health: Health
  readonly #localWrite: cassandra.types.consistencies
  readonly #reads = new Limiter(maxReads)
  readonly #writes = new Limiter(maxWrites)
  readonly #tables = new WeakMap<AnyTable, TableCql>()
  readonly #conditional = new Map<string, Promise<unknown>>()
  readonly #underWay = new Set<Promise<unknown>>()
  readonly #count: (what: 'read' | 'write' | 'conditional', outcome: 'done' | 'failed') => void
  #micros = 0
  #closed = false

  constructor({ client, log, metrics, durability, backup }: StoreSettings) {
    this.#client = client
    this.#durability = durability
    this.#localWrite = backup ? consistencies.two : consistencies.localQuorum
    this.#health = new Health(() => this.#probe(), log)
    this.#health.onChange((healthy) => {
      if (healthy) return
      const error = new StoreError('unavailable', 'Cassandra of this datacenter does not answer')
      this.#reads.failWaiting(error)
      this.#writes.failWaiting(error)
    })
    client.on('hostDown', () => this.#health.suspect())
    const help = 'Requests to Cassandra'
    const counters = Object.fromEntries(
      (['read', 'write', 'conditional'] as const).map((what) => [
        what,
        {
          done: metrics.counter('cinque_cassandra_requests_total', help, { what, outcome: 'done' }),
          failed: metrics.counter('cinque_cassandra_requests_total', help, { what, outcome: 'failed' }),
        },
      ]),
    )
    this.#count = (what, outcome) => void counters[what][outcome].value++
    metrics.gauge('cinque_cassandra_in_flight', 'Requests to Cassandra under way', () => [
      [{ what: 'read' }, this.#reads.running],
      [{ what: 'write' }, this.#writes.running],
    ])
    metrics.gauge('cinque_cassandra_up', 'Whether Cassandra of this datacenter answers', () =>
      this.healthy ? 1 : 0,
    )
  }

  /** Whether reads and writes work now; says no within 5 s of an outage, yes within 6 s of its end. */
  get healthy(): boolean {
    return this.#health.healthy
  }

  onHealth(listener: (healthy: boolean) => void): void {
    this.#health.onChange(listener)
  }

  get<T extends AnyTable>(table: T, key: KeyOf<T>): Promise<RowOf<T> | undefined> {
    return this.#call(async () => {
      const cql = this.#cql(table)
      cql.codec.checkKey(key)
      const [row] = await this.#read(cql.selectRow, cql.bindKey(key), 1)
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the columns of this very table
      return row === undefined ? undefined : (cql.read(row) as RowOf<T>)
    })
  }

  range<T extends AnyTable>(table: T, partition: PartitionOf<T>, range: Range<T>): Promise<RowOf<T>[]> {
    return this.#call(async () => {
      const cql = this.#cql(table)
      const bounds = boundsOf(cql, partition, range)
      if (bounds === null || range.limit <= 0) return []
      const params: unknown[] = []
      cql.bindPartition(params, partition)
      if (bounds.lower !== null) params.push(...bounds.lower.values)
      if (bounds.upper !== null) params.push(...bounds.upper.values)
      params.push(Math.min(range.limit, 2 ** 31 - 1))
      const query = cql.range(bounds.lower, bounds.upper, range.reverse ?? false)
      const rows = await this.#read(query, params, range.limit)
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the columns of this very table
      return rows.map((row) => cql.read(row) as RowOf<T>)
    })
  }

  write(batch: Batch): Promise<void> {
    return this.#call(async () => {
      const micros = this.#reserve(batch.size)
      const cqlOf = (mutation: Mutation): TableCql => this.#cql(mutation.table)
      const stamps = await this.#newestStamps(batch)
      await this.#send(planRequests(batch, cqlOf, micros, (mutation) => stamps?.get(mutation)))
    })
  }

  putIf<T extends AnyTable>(
    table: T,
    row: RowOf<T>,
    column: keyof T['columns'] & string,
    expected: string | number | boolean | undefined,
  ): Promise<Conditional> {
    return this.#call(async () => {
      const cql = this.#cql(table)
      cql.codec.check(row)
      if (table.stamp !== undefined)
        throw new TypeError(`${table.name}: rows with stamps cannot be put conditionally`)
      // One at a time a partition: those of one process do not contend, which Cassandra answers with time-outs.
      const partition = cql.partitionId(row)
      const before = this.#conditional.get(partition) ?? Promise.resolve()
      const mine = before.catch(() => undefined).then(() => this.#putIf(cql, row, column, expected))
      this.#conditional.set(partition, mine)
      try {
        return await mine
      } finally {
        if (this.#conditional.get(partition) === mine) this.#conditional.delete(partition)
      }
    })
  }

  scan<T extends AnyTable>(
    table: T,
    cursor: string | null,
    limit: number,
  ): Promise<{ rows: RowOf<T>[]; cursor: string | null }> {
    return this.#call(async () => {
      const cql = this.#cql(table)
      const page = await this.#reads.run(() => this.#page(cql.scan, [], limit, cursor ?? undefined))
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the columns of this very table
      return { rows: page.rows.map((row) => cql.read(row) as RowOf<T>), cursor: page.next ?? null }
    })
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await Promise.allSettled(this.#underWay)
    this.#health.close()
    await this.#client.shutdown()
  }

  /** Counts a call as under way, and turns its errors into those of the port. */
  async #call<T>(call: () => Promise<T>): Promise<T> {
    if (this.#closed) throw new StoreError('closed', 'the store is closed')
    const result = call()
    this.#underWay.add(result)
    try {
      return await result
    } catch (error) {
      if (isOutage(error)) this.#health.suspect()
      throw error
    } finally {
      this.#underWay.delete(result)
    }
  }

  #cql(table: AnyTable): TableCql {
    let cql = this.#tables.get(table)
    if (cql === undefined) this.#tables.set(table, (cql = new TableCql(table)))
    return cql
  }

  /** `count` microseconds that no other write of this process has, later than all before. */
  #reserve(count: number): number {
    const first = Math.max(this.#micros, Date.now() * 1000)
    this.#micros = first + count
    return first
  }

  async #read(query: string, params: unknown[], limit: number): Promise<Fields[]> {
    return this.#reads.run(async () => {
      const rows: Fields[] = []
      let state: string | undefined
      do {
        // oxlint-disable-next-line no-await-in-loop -- page after page
        const page = await this.#page(query, params, Math.min(limit - rows.length, pageRows), state)
        rows.push(...page.rows)
        state = page.next
      } while (state !== undefined && rows.length < limit)
      return rows
    })
  }

  async #page(
    query: string,
    params: unknown[],
    fetchSize: number,
    pageState: string | undefined,
    consistency = consistencies.localQuorum,
  ): Promise<{ rows: Fields[]; next: string | undefined }> {
    try {
      const result = await this.#client.execute(query, params, {
        prepare: true,
        isIdempotent: true,
        consistency,
        fetchSize,
        ...(pageState === undefined ? {} : { pageState }),
      })
      this.#count('read', 'done')
      return { rows: result.rows ?? [], next: result.pageState ?? undefined }
    } catch (error) {
      this.#count('read', 'failed')
      throw storeError(error, 'read')
    }
  }

  /** All requests, a bounded number at a time; after a failure no more of them are begun. */
  async #send(requests: Request[]): Promise<void> {
    if (requests.length === 1) {
      await this.#sendOne(requests[0])
      return
    }
    let next = 0
    let failed = false
    const worker = async (): Promise<void> => {
      while (next < requests.length && !failed) {
        try {
          // oxlint-disable-next-line no-await-in-loop -- a pool
          await this.#sendOne(requests[next++])
        } catch (error) {
          failed = true
          throw error
        }
      }
    }
    // All have ended before the batch is said to have failed, so that a repetition does not meet them.
    const ends = await Promise.allSettled(
      Array.from({ length: Math.min(maxWrites, requests.length) }, worker),
    )
    for (const end of ends) if (end.status === 'rejected') throw end.reason
  }

  #sendOne({ org, statements }: Request): Promise<void> {
    const geo = org !== undefined && this.#durability(org) === 'geo'
    const options = {
      prepare: true,
      isIdempotent: true,
      logged: false,
      consistency: geo ? consistencies.quorum : this.#localWrite,
    }
    return this.#writes.run(async () => {
      try {
        if (statements.length === 1)
          await this.#client.execute(statements[0].query, statements[0].params, options)
        else await this.#client.batch(statements, options)
        this.#count('write', 'done')
      } catch (error) {
        this.#count('write', 'failed')
        throw storeError(error, 'write')
      }
    })
  }

  /** For each deletion on a stamped table the newest stamp that it takes: stored, or put by the same batch before it. */
  async #newestStamps(batch: Batch): Promise<Map<Mutation, number> | undefined> {
    const deletions = batch.mutations.filter(
      ({ kind, table }) => table.stamp !== undefined && (kind === 'delete' || kind === 'deletePartition'),
    )
    if (deletions.length === 0) return undefined
    const newest = new Map<Mutation, number>()
    const look = async (mutation: Mutation): Promise<void> => {
      const cql = this.#cql(mutation.table)
      const stamp = Math.max(await this.#storedStamp(cql, mutation), stagedStamp(cql, batch, mutation))
      if (stamp > Number.NEGATIVE_INFINITY) newest.set(mutation, stamp)
    }
    await Promise.all(deletions.map(look))
    return newest
  }

  async #storedStamp(cql: TableCql, mutation: Mutation): Promise<number> {
    if (mutation.kind !== 'delete' && mutation.kind !== 'deletePartition') return Number.NEGATIVE_INFINITY
    const params: unknown[] = []
    cql.bindPartition(params, mutation.kind === 'delete' ? mutation.key : mutation.partition)
    if (mutation.kind === 'delete') cql.bindClustering(params, mutation.key)
    const [row] = await this.#read(
      mutation.kind === 'delete' ? cql.selectStamp : cql.selectNewestStamp,
      params,
      1,
    )
    const stamp = row?.stamp
    if (stamp instanceof cassandra.types.Long) return stamp.toNumber()
    // A row without a stamp is older than any.
    return row === undefined || mutation.kind === 'deletePartition'
      ? Number.NEGATIVE_INFINITY
      : -(2 ** 53) + 1
  }

  async #putIf(
    cql: TableCql,
    row: Fields,
    column: string,
    expected: string | number | boolean | undefined,
  ): Promise<Conditional> {
    const params: unknown[] = []
    if (expected === undefined) {
      cql.bindPartition(params, row)
      cql.bindClustering(params, row)
      cql.bindAllColumns(params, row)
    } else {
      cql.bindAllColumns(params, row)
      cql.bindPartition(params, row)
      cql.bindClustering(params, row)
      params.push(expected)
    }
    const query = expected === undefined ? cql.insertIfAbsent : cql.updateIf(column)
    return this.#writes.run(async () => {
      try {
        const result = await this.#client.execute(query, params, {
          prepare: true,
          // Never sent twice: the second would see the first one's row.
          isIdempotent: false,
          consistency: this.#localWrite,
          serialConsistency: consistencies.serial,
          readTimeout: conditionalTimeoutMs,
        })
        this.#count('conditional', 'done')
        return result.wasApplied() ? 'applied' : 'rejected'
      } catch (error) {
        this.#count('conditional', 'failed')
        const failure = storeError(error, 'write')
        if (!isOutage(failure)) throw failure
        this.#health.suspect()
        return this.#settle(cql, row, expected)
      }
    })
  }

  /** After an error: a serial read finishes what was begun, and shows whose row is there. */
  async #settle(
    cql: TableCql,
    row: Fields,
    expected: string | number | boolean | undefined,
  ): Promise<Conditional> {
    let stored: Fields | undefined
    try {
      const { rows } = await this.#page(cql.selectRow, cql.bindKey(row), 1, undefined, consistencies.serial)
      stored = rows.length === 0 ? undefined : cql.read(rows[0])
    } catch {
      return 'unknown'
    }
    if (stored !== undefined && sameColumns(cql, stored, row)) return 'applied'
    // A row of another's keeps ours out. Anything else: the coordinator may still be at it, or another came after us.
    return expected === undefined && stored !== undefined ? 'rejected' : 'unknown'
  }

  /** A read at the consistency that all reads have, of a row that is nowhere. */
  async #probe(): Promise<void> {
    await this.#page('SELECT version FROM schema_version WHERE part = ? LIMIT 1', ['cinque'], 1, undefined)
  }
}

/** The newest stamp that the batch itself puts to what a deletion of it takes. */
function stagedStamp(cql: TableCql, batch: Batch, deletion: Mutation): number {
  let newest = Number.NEGATIVE_INFINITY
  if (deletion.kind !== 'delete' && deletion.kind !== 'deletePartition') return newest
  const key: Fields = deletion.kind === 'delete' ? deletion.key : deletion.partition
  const columns = deletion.kind === 'delete' ? [...cql.partition, ...cql.clustering] : cql.partition
  for (const mutation of batch.mutations) {
    if (mutation === deletion) break
    if (mutation.kind !== 'put' || mutation.table !== deletion.table) continue
    const { row } = mutation
    if (!columns.every(({ name }) => same(row[name], key[name]))) continue
    const stamp = row[cql.table.stamp ?? '']
    newest = Math.max(newest, typeof stamp === 'number' ? stamp : -(2 ** 53) + 1)
  }
  return newest
}

function sameColumns(cql: TableCql, one: Fields, other: Fields): boolean {
  return cql.columns.every(({ name }) => same(one[name], other[name]))
}

function same(one: unknown, other: unknown): boolean {
  if (one instanceof Uint8Array && other instanceof Uint8Array) return Buffer.compare(one, other) === 0
  return one === other
}
