import cassandra from 'cassandra-driver'
import { type Batch, type Conditional, type Range, type Store, StoreError } from '#platform/store/store.ts'
import type { AnyTable, KeyOf, PartitionOf, RowOf } from '#platform/store/table.ts'
import type { Fields } from '#platform/store/key-codec.ts'
import type { Metrics } from '#platform/metrics.ts'
import type { Logger } from '#platform/log.ts'
import { isOutage, storeError } from './failures.ts'
import { Health } from './health.ts'
import { Limiter } from './limiter.ts'
import { same, type Statement } from './plan.ts'
import { boundsOf } from './range-bounds.ts'
import type { Ring } from './ring.ts'
import { TableCql } from './table-cql.ts'
import { Writer } from './writer.ts'

const { consistencies } = cassandra.types

export interface StoreSettings {
  readonly client: cassandra.Client
  /** Closed with the store. */
  readonly ring: Ring
  readonly keyspace: string
  readonly log: Logger
  readonly metrics: Metrics
  /** How far a write must have gone before it counts, by organisation. */
  readonly durability: (org: string) => 'local' | 'geo'
  /** The own DC has one replica only: a second one elsewhere must have a write, too. */
  readonly backup: boolean
}

/** Requests under way at a time; more cost every one of them its latency (measured on 11 nodes). Of far ones as many again. */
const maxWrites = 32
const maxReads = 32
/** Rows that a node sends at a time. */
const pageRows = 1_000
/** A conditional write needs two round trips of the far majority. */
const conditionalTimeoutMs = 5_000
/** No request takes longer, whatever the driver does. */
const deadlineMs = 7_000

/**
 * The store on Cassandra. What a write promises when it resolves: stored at LOCAL_QUORUM (three replicas a DC: two),
 * in a backup DC at TWO, with durability `geo` at QUORUM of all replicas. Reads are LOCAL_QUORUM. There is no fallback
 * to another DC: without its own a store fails with `unavailable` within 4 s, at once when it knows, and comes back by
 * itself.
 *
 * What differs from the embedded engines:
 * - Rows of one partition are written atomically up to 50 rows and 64 KB; beyond that one part after the other. Writes
 *   that meet in a partition are done one after the other, in the order of calls.
 * - On stamped tables a deletion takes the versions that were there: a write with a newer stamp is not hidden by it,
 *   one with an older stamp never comes to light. Of two different rows with one stamp one wins, everywhere the same.
 * - Rows of TWCS tables are written once; a column left out by a second put keeps the first one's value.
 * - `discard` does nothing: the TTL ends the rows.
 * - Conditional puts are of the one process's in line, and their timestamps are the coordinator's: a table has either
 *   them or writes of the same rows from several processes.
 */
export class CassandraStore implements Store {
  readonly #client: cassandra.Client
  readonly #ring: Ring
  readonly #keyspace: string
  readonly #health: Health
  readonly #localWrite: cassandra.types.consistencies
  readonly #reads = new Limiter(maxReads)
  readonly #writes = new Limiter(maxWrites)
  /** Those that need replicas of other DCs, by organisation or as conditional ones do: they take none of the others' places. */
  readonly #farWrites = new Limiter(maxWrites)
  readonly #writer: Writer
  readonly #tables = new WeakMap<AnyTable, TableCql>()
  readonly #conditional = new Map<string, Promise<unknown>>()
  readonly #underWay = new Set<Promise<unknown>>()
  readonly #count: (what: 'read' | 'write' | 'conditional', outcome: 'done' | 'failed') => void
  #closed = false

  constructor({ client, ring, keyspace, log, metrics, durability, backup }: StoreSettings) {
    this.#client = client
    this.#ring = ring
    this.#keyspace = keyspace
    this.#localWrite = backup ? consistencies.two : consistencies.localQuorum
    this.#writer = new Writer({
      limiterOf: (geo) => (geo ? this.#farWrites : this.#writes),
      cqlOf: ({ table }) => this.#cql(table),
      isGeo: (org) => durability(org) === 'geo',
      send: (statements, geo) => this.#send(statements, geo),
      read: async (query, params) => (await this.#read(query, params, 1))[0],
    })
    this.#health = new Health(() => this.#probe(), log)
    this.#health.onChange((healthy) => {
      if (healthy) return
      const error = new StoreError('unavailable', 'Cassandra of this datacenter does not answer')
      this.#reads.failWaiting(error)
      this.#writes.failWaiting(error)
      this.#farWrites.failWaiting(error)
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
      [{ what: 'far_write' }, this.#farWrites.running],
    ])
    metrics.gauge('cinque_cassandra_up', 'Whether Cassandra of this datacenter answers', () =>
      this.healthy ? 1 : 0,
    )
    metrics.gauge(
      'cinque_cassandra_nodes',
      'Cassandra nodes of all datacenters, as they are seen from here',
      () => nodesOf(client),
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
    return this.#call(() => this.#writer.write(batch))
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
    this.#ring.close()
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
    if (cql === undefined) this.#tables.set(table, (cql = new TableCql(table, this.#keyspace)))
    return cql
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
      const result = await answered(
        this.#client.execute(query, params, {
          prepare: true,
          isIdempotent: true,
          consistency,
          fetchSize,
          ...(pageState === undefined ? {} : { pageState }),
        }),
      )
      this.#count('read', 'done')
      return { rows: result.rows ?? [], next: result.pageState ?? undefined }
    } catch (error) {
      this.#count('read', 'failed')
      throw storeError(error, 'read')
    }
  }

  async #send(statements: Statement[], geo: boolean): Promise<void> {
    const options = {
      prepare: true,
      isIdempotent: true,
      logged: false,
      consistency: geo ? consistencies.quorum : this.#localWrite,
    }
    try {
      const [{ query, params }] = statements
      await answered(
        statements.length === 1
          ? this.#client.execute(query, params, options)
          : this.#client.batch(statements, options),
      )
      this.#count('write', 'done')
    } catch (error) {
      this.#count('write', 'failed')
      throw storeError(error, 'write')
    }
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
    return this.#farWrites.run(async () => {
      try {
        const request = this.#client.execute(query, params, {
          prepare: true,
          // Never sent twice: the second would see the first one's row.
          isIdempotent: false,
          consistency: this.#localWrite,
          serialConsistency: consistencies.serial,
          readTimeout: conditionalTimeoutMs,
        })
        const result = await answered(request)
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
    await this.#page(
      `SELECT version FROM ${this.#keyspace}.schema_version WHERE part = ? LIMIT 1`,
      ['cinque'],
      1,
      undefined,
    )
  }
}

/**
 * The driver's own time-outs are shorter; but requests that it holds back while it finds its nodes again (to prepare
 * them, to open a connection) may never end.
 */
async function answered<T>(request: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, failed) => {
    timer = setTimeout(() => failed(new Error(`no answer within ${deadlineMs / 1000} s`)), deadlineMs)
  })
  try {
    return await Promise.race([request, late])
  } finally {
    clearTimeout(timer)
  }
}

function sameColumns(cql: TableCql, one: Fields, other: Fields): boolean {
  return cql.columns.every(({ name }) => same(one[name], other[name]))
}

/** Nodes by datacenter and state. Those of other DCs are known by what the own ones say of them. */
function nodesOf(client: cassandra.Client): [Record<string, string>, number][] {
  const counts = new Map<string, { up: number; down: number }>()
  for (const host of client.hosts.values()) {
    const dc = host.datacenter ?? ''
    const count = counts.get(dc) ?? { up: 0, down: 0 }
    counts.set(dc, count)
    if (host.isUp()) count.up++
    else count.down++
  }
  return Array.from(counts).flatMap(([dc, { up, down }]): [Record<string, string>, number][] => [
    [{ dc, state: 'up' }, up],
    [{ dc, state: 'down' }, down],
  ])
}
