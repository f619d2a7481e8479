import cassandra from 'cassandra-driver'
import type { Fields } from '#platform/store/key-codec.ts'
import type { Batch, Mutation } from '#platform/store/store.ts'
import type { Limiter } from './limiter.ts'
import { type Deletion, type Parcel, planParcels, type Statement } from './plan.ts'
import type { TableCql } from './table-cql.ts'

export interface WriterPorts {
  /** Bounds the requests of this durability. */
  limiterOf(geo: boolean): Limiter
  cqlOf(mutation: Mutation): TableCql
  isGeo(org: string): boolean
  /** Sends statements as one request; rejects with StoreError. */
  send(statements: Statement[], geo: boolean): Promise<void>
  /** At most one row. Rejects with StoreError. */
  read(query: string, params: unknown[]): Promise<Fields | undefined>
}

/** A parcel on its way: undefined when it is there, else why not. */
type Way = Promise<Error | undefined>

/**
 * Writes batches, many at a time, each partition in the order of calls: what comes to a partition waits until what
 * went there before is durable, and fails when that fails, so that nobody ever finds a row without the ones before it.
 *
 * A batch that failed and is written again (the same object) keeps its timestamps, so it does not overwrite what was
 * written after it, and sends only what is not there yet.
 */
export class Writer {
  readonly #ports: WriterPorts
  /** The last parcel of each partition that is on its way. */
  readonly #ways = new Map<string, Way>()
  readonly #unfinished = new WeakMap<Batch, { size: number; parcels: Parcel[] }>()
  #micros = 0

  constructor(ports: WriterPorts) {
    this.#ports = ports
  }

  /** Resolves when all of the batch is durable. After a failure nothing more of it is begun, and nothing is under way. */
  async write(batch: Batch): Promise<void> {
    const parcels = this.#plan(batch)
    const sends = parcels.map((parcel) => this.#register(parcel))
    let next = 0
    let failure: Error | undefined
    const worker = async (): Promise<void> => {
      while (next < sends.length) {
        const send = sends[next++]
        // oxlint-disable-next-line no-await-in-loop -- a pool
        failure = (await send(failure)) ?? failure
      }
    }
    await Promise.all(
      Array.from({ length: Math.min(this.#ports.limiterOf(false).max, sends.length) }, worker),
    )
    if (failure === undefined) {
      this.#unfinished.delete(batch)
      return
    }
    this.#unfinished.set(batch, { size: batch.size, parcels })
    throw failure
  }

  #plan(batch: Batch): Parcel[] {
    const unfinished = this.#unfinished.get(batch)
    if (unfinished?.size === batch.size) return unfinished.parcels.filter(({ sent }) => !sent)
    const first = Math.max(this.#micros, Date.now() * 1000)
    this.#micros = first + batch.size
    return planParcels(
      batch,
      (mutation) => this.#ports.cqlOf(mutation),
      first,
      (org) => this.#ports.isGeo(org),
      (partition) => !this.#ways.has(partition),
    )
  }

  /**
   * Gives a parcel its place in the lines of its partitions. The function sends it when its turn has come, or gives up
   * its place if its batch has failed already; it never rejects.
   */
  #register(parcel: Parcel): (failed: Error | undefined) => Way {
    const before: Way[] = []
    let arrived: (error: Error | undefined) => void = () => undefined
    const way: Way = new Promise((resolve) => {
      arrived = resolve
    })
    for (const partition of parcel.partitions) {
      const last = this.#ways.get(partition)
      if (last !== undefined && !before.includes(last)) before.push(last)
      this.#ways.set(partition, way)
    }
    return async (failed) => {
      const error = failed ?? (await this.#deliver(parcel, before))
      for (const partition of parcel.partitions) {
        if (this.#ways.get(partition) === way) this.#ways.delete(partition)
      }
      arrived(error)
      return error
    }
  }

  async #deliver(parcel: Parcel, before: readonly Way[]): Way {
    for (const way of before) {
      // oxlint-disable-next-line no-await-in-loop -- all of them, in whatever order
      const error = await way
      if (error !== undefined) return error
    }
    try {
      while (parcel.deletions.length > 0) {
        const [deletion] = parcel.deletions
        // oxlint-disable-next-line no-await-in-loop -- few
        const there = await this.#settle(deletion)
        if (!there) parcel.statements.splice(parcel.statements.indexOf(deletion.statement), 1)
        // Only now: what failed here is settled when the batch is written again.
        parcel.deletions.shift()
      }
      if (parcel.statements.length > 0) {
        await this.#ports.limiterOf(parcel.geo).run(() => this.#ports.send(parcel.statements, parcel.geo))
      }
      parcel.sent = true
      return undefined
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error))
    }
  }

  /** Finds out which stamps a deletion takes. False: there is nothing to delete. */
  async #settle({ cql, mutation, staged, statement }: Deletion): Promise<boolean> {
    const params: unknown[] = []
    cql.bindPartition(params, mutation.kind === 'delete' ? mutation.key : mutation.partition)
    if (mutation.kind === 'delete') cql.bindClustering(params, mutation.key)
    const row = await this.#ports.read(
      mutation.kind === 'delete' ? cql.selectStamp : cql.selectNewestStamp,
      params,
    )
    let stamp = staged
    const stored = row?.stamp
    if (stored instanceof cassandra.types.Long) stamp = Math.max(stamp, stored.toNumber())
    else if (row !== undefined && mutation.kind === 'delete') stamp = Math.max(stamp, cql.stampOf({}))
    if (stamp === Number.NEGATIVE_INFINITY) return false
    statement.params[0] = cql.deletedAt(stamp)
    return true
  }
}
