import { type Batch, type Conditional, type Range, type Store, StoreError } from '#platform/store/store.ts'
import type { AnyTable, KeyOf, PartitionOf, RowOf } from '#platform/store/table.ts'
import type { Life } from './life.ts'
import type { Net } from './net.ts'
import type { Random } from './random.ts'
import { type Change, encodeChange, partitionOf, Replica } from './replica.ts'
import type { World } from './world.ts'

/** How long a driver waits for an answer. */
const TIMEOUT_MS = 2000

/** What may go wrong with replication, as chances of each batch and DC. */
export interface StoreFaults {
  /** A write reaches another DC seconds later. */
  late: number
  /** It never does: the coordinator died with its hint. */
  never: number
  /** A write answers with an error; whether it landed nobody knows. */
  failure: number
}

/** How a DC's store behaves now. */
interface Weather {
  /** Factor on latencies. */
  slow: number
  /** Chance of a write or read to fail. */
  failure: number
}

/** Hears of rows as they become readable in a DC. */
export type Landed = (dc: string, change: Change) => void

/**
 * One database in several DCs. A write is durable in its own DC within milliseconds, reaches the others behind that,
 * late, or never; a failed one may have landed, may land later, or never. Reads see the own DC.
 */
export class SimDatabase {
  readonly world: World
  readonly replicas = new Map<string, Replica>()
  readonly weather = new Map<string, Weather>()
  faults: StoreFaults = { late: 0, never: 0, failure: 0 }
  landed: Landed = () => undefined
  readonly random: Random
  readonly #net: Net
  #order = 0

  constructor(world: World, net: Net) {
    this.world = world
    this.random = world.random.fork()
    this.#net = net
    for (const dc of net.dcs) {
      this.replicas.set(dc, new Replica(dc))
      this.weather.set(dc, { slow: 1, failure: 0 })
    }
  }

  replica(dc: string): Replica {
    const replica = this.replicas.get(dc)
    if (replica === undefined) throw new Error(`no DC ${dc}`)
    return replica
  }

  weatherOf(dc: string): Weather {
    return this.weather.get(dc) as Weather
  }

  /** A number that says which of two writes came later. */
  nextOrder(): number {
    return ++this.#order
  }

  /** The changes become readable in `dc`, now. */
  land(dc: string, changes: readonly Change[]): void {
    const replica = this.replica(dc)
    for (const change of changes) {
      replica.apply(change)
      this.landed(dc, change)
    }
  }

  /** The changes become readable where they were written, and go to all other DCs, each partition on its own. */
  write(from: string, partitions: readonly (readonly Change[])[]): void {
    for (const changes of partitions) this.land(from, changes)
    for (const to of this.#net.dcs) {
      if (to === from) continue
      const usual = this.#net.latency(from, to) + this.random.between(1, 5)
      const inTime: Change[] = []
      for (const changes of partitions) {
        const fate = this.random.fraction()
        if (fate < this.faults.never) continue
        if (fate >= this.faults.never + this.faults.late) inTime.push(...changes)
        else this.world.after(usual + this.random.between(300, 8000), () => this.#arrive(from, to, changes))
      }
      if (inTime.length > 0) this.world.after(usual, () => this.#arrive(from, to, inTime))
    }
  }

  #arrive(from: string, to: string, changes: readonly Change[]): void {
    // A hint waits for the other DC, unless the coordinator dies with it.
    if (!this.#net.cut(from, to)) this.land(to, changes)
    else if (this.random.chance(0.75)) {
      this.world.after(this.random.between(200, 1500), () => this.#hinted(from, to, changes))
    }
  }

  #hinted(from: string, to: string, changes: readonly Change[]): void {
    if (!this.#net.cut(from, to)) this.land(to, changes)
    else this.world.after(this.random.between(200, 1500), () => this.#hinted(from, to, changes))
  }

  /** The newest row there is in any DC. */
  newest<T extends AnyTable>(table: T, key: Record<string, unknown>, now: number): RowOf<T> | undefined {
    let newest: { row: RowOf<T>; order: number } | undefined
    for (const replica of this.replicas.values()) {
      const found = replica.get(table, key, now)
      if (found !== undefined && (newest === undefined || found.order > newest.order)) newest = found
    }
    return newest?.row
  }
}

/** A process's way to its DC's part of the database. */
export class SimStore implements Store {
  readonly #database: SimDatabase
  readonly #life: Life
  readonly #dc: string
  readonly #random: Random
  #lastStamp = 0
  #closed = false

  constructor(database: SimDatabase, life: Life, dc: string) {
    this.#database = database
    this.#life = life
    this.#dc = dc
    this.#random = database.random
  }

  get<T extends AnyTable>(table: T, key: KeyOf<T>): Promise<RowOf<T> | undefined> {
    return this.#read(() => this.#database.replica(this.#dc).get(table, key, this.#life.now())?.row)
  }

  range<T extends AnyTable>(table: T, partition: PartitionOf<T>, range: Range<T>): Promise<RowOf<T>[]> {
    return this.#read(() => this.#database.replica(this.#dc).range(table, partition, range, this.#life.now()))
  }

  scan<T extends AnyTable>(
    table: T,
    cursor: string | null,
    limit: number,
  ): Promise<{ rows: RowOf<T>[]; cursor: string | null }> {
    return this.#read(() => this.#database.replica(this.#dc).scan(table, cursor, limit, this.#life.now()))
  }

  write(batch: Batch): Promise<void> {
    if (this.#closed) return Promise.reject(closed())
    const partitions = this.#encode(batch)
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const { slow, failure } = this.#database.weatherOf(this.#dc)
    const random = this.#random
    const lands = random.between(0.5, 3) * slow
    const database = this.#database
    const { world } = database
    const answer = lands + random.between(0.2, 2) * slow
    if (!random.chance(Math.max(failure, database.faults.failure))) {
      world.after(lands, () => database.write(this.#dc, partitions))
      this.#life.reach(answer, resolve)
      return promise
    }
    // Not at all, as a whole, in part, or after its writer has given up.
    const outcome = random.below(4)
    const part = outcome === 2 ? partitions.filter(() => random.chance(0.5)) : partitions
    const late = outcome === 3 ? random.between(0, 2 * TIMEOUT_MS) : lands
    if (outcome !== 0) world.after(late, () => database.write(this.#dc, part))
    const after = random.chance(0.5) ? TIMEOUT_MS : answer
    this.#life.reach(after, () => reject(new StoreError('unavailable', 'simulated: no answer')))
    return promise
  }

  putIf<T extends AnyTable>(
    table: T,
    row: RowOf<T>,
    column: keyof T['columns'] & string,
    expected: string | number | boolean | undefined,
  ): Promise<Conditional> {
    return this.#read(() => {
      const { replicas } = this.#database
      const now = this.#life.now()
      const found = this.#database.newest(table, row, now)
      if (expected === undefined ? found !== undefined : found === undefined || found[column] !== expected)
        return 'rejected'
      const change = encodeChange(
        { kind: 'put', table, row },
        now,
        this.#stamp(),
        this.#database.nextOrder(),
      ) as Change
      // An equal stamp overwrites; here any does, as in a compare-and-set.
      for (const dc of replicas.keys()) this.#database.land(dc, [change])
      return 'applied'
    })
  }

  async close(): Promise<void> {
    this.#closed = true
  }

  /** The changes of each partition. */
  #encode(batch: Batch): Change[][] {
    const partitions = new Map<string, Change[]>()
    const now = this.#life.now()
    for (const mutation of batch.mutations) {
      const change = encodeChange(mutation, now, this.#stamp(), this.#database.nextOrder())
      if (change === null) continue
      const name = partitionOf(mutation)
      const changes = partitions.get(name)
      if (changes === undefined) partitions.set(name, [change])
      else changes.push(change)
    }
    return [...partitions.values()]
  }

  /** As the driver does it: microseconds of the process's clock, never twice, never back. */
  #stamp(): number {
    this.#lastStamp = Math.max(this.#lastStamp + 1, this.#life.now() * 1000)
    return this.#lastStamp
  }

  #read<T>(look: () => T): Promise<T> {
    if (this.#closed) return Promise.reject(closed())
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    const { slow, failure } = this.#database.weatherOf(this.#dc)
    const random = this.#random
    const fails = random.chance(failure)
    const looks = random.between(0.2, 1.5) * slow
    this.#database.world.after(looks, () => {
      let answer: () => void
      if (fails) answer = () => reject(new StoreError('unavailable', 'simulated: no answer'))
      else
        try {
          const found = look()
          answer = () => resolve(found)
        } catch (error) {
          answer = () => reject(error)
        }
      this.#life.reach(random.between(0.2, 1) * slow, answer)
    })
    return promise
  }
}

function closed(): StoreError {
  return new StoreError('closed', 'the store is closed')
}
