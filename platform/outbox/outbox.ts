import { randomUUID } from 'node:crypto'
import type { Clock } from '../clock.ts'
import { PlatformError } from '../errors.ts'
import { putIf } from '../registry/conditional.ts'
import { Batch, type Store } from '../store/store.ts'
import { outbox, outboxClaim } from './tables.ts'

/** Something to be done once outside of the platform. */
export interface Job {
  /** The same whenever the same thing is wanted, and whenever it is tried again. */
  readonly id: string
  readonly kind: string
  /** What the kind wants to know, JSON. */
  readonly spec: unknown
  /** Milliseconds since 1970. */
  readonly createdAt: number
}

/** A worker's hold on a job. */
export interface Claim {
  readonly id: string
  readonly tag: string
  readonly state: 'doing' | 'waiting' | 'done'
  readonly worker: string
  /** `doing`: another worker may go on after it; `waiting`: it is not tried before. Milliseconds since 1970. */
  readonly until: number
  readonly tries: number
}

/** Jobs that wait at a time; more are refused. */
export const maxWaiting = 1000
const part = 0

/**
 * What is to be done outside of the platform, as rows: every process sees it, whichever has put it there. That a worker
 * has a job is a conditional write that a majority of all replicas takes; on the smaller side of a cut jobs wait.
 * Durable when a promise resolves.
 */
export class Outbox {
  readonly #store: Store
  readonly #clock: Clock

  constructor(store: Store, clock: Clock) {
    this.#store = store
    this.#clock = clock
  }

  /** Put again with the same id it is the same job, done once. PlatformError `overloaded`. */
  async put(job: Pick<Job, 'id' | 'kind' | 'spec'>): Promise<void> {
    const waiting = await this.#store.range(outbox, { part }, { limit: maxWaiting })
    if (waiting.length >= maxWaiting)
      throw new PlatformError('overloaded', 'too many letters wait for the mail server; try again later')
    const batch = new Batch()
    batch.put(outbox, { part, id: job.id, body: JSON.stringify({ ...job, createdAt: this.#clock.now() }) })
    await this.#store.write(batch)
  }

  /** Jobs that are not done. */
  async waiting(): Promise<Job[]> {
    const rows = await this.#store.range(outbox, { part }, { limit: maxWaiting })
    return rows.flatMap(({ body }) => (body === undefined ? [] : [JSON.parse(body) as Job]))
  }

  async claimOf(id: string): Promise<Claim | undefined> {
    const row = await this.#store.get(outboxClaim, { id })
    if (row?.body === undefined || row.tag === undefined) return undefined
    return { ...(JSON.parse(row.body) as Omit<Claim, 'id' | 'tag'>), id, tag: row.tag }
  }

  /** Changes the hold on a job as it was read; null: somebody else has changed it since. */
  async change(
    id: string,
    before: Claim | undefined,
    after: Pick<Claim, 'state' | 'worker' | 'until' | 'tries'>,
  ): Promise<Claim | null> {
    const tag = randomUUID()
    const { state, worker, until, tries } = after
    const row = { id, tag, body: JSON.stringify({ state, worker, until, tries }) }
    return (await putIf(this.#store, outboxClaim, row, 'tag', before?.tag)) ? { ...after, id, tag } : null
  }

  async remove(id: string): Promise<void> {
    const batch = new Batch()
    batch.delete(outbox, { part, id })
    await this.#store.write(batch)
  }
}
