import { randomInt } from 'node:crypto'
import type { DeviceRef } from '../../auth/principal.ts'
import { hash128 } from '../../hash.ts'
import { Batch, type Store } from '../../store/store.ts'
import { rollupJob } from '../tables.ts'
import { hourMs } from '../times.ts'

/** What says on disk that aggregates of a day of a device are to be made. */
export interface Job {
  readonly slot: number
  readonly shard: number
  readonly writer: number
  /** Milliseconds since 1970. */
  readonly due: number
}

/** Whether two jobs of one day are the same row. */
export function sameJob(one: Job, other: Job): boolean {
  return one.slot === other.slot && one.shard === other.shard && one.writer === other.writer
}

type Owner = Pick<DeviceRef, 'org' | 'id'>

/** Partitions of each slot; never change it, the rows would not be found. */
const shards = 16
/** Hours back that a process looks for jobs that nobody did, when it starts. */
const lookBack = 8 * 24
/** Hours after which a job that is still there was left by a process that died. */
const leftAfter = 1
const jobsAtATime = 1_000

/**
 * Each process does the jobs that it has staged itself, from memory. A job that is still on disk an hour later was left by
 * one that died: whoever finds it does it, maybe two at a time, which does no harm.
 */
export class Jobs {
  /** Tells apart the runs of processes. */
  readonly writer = randomInt(2 ** 31)
  readonly #store: Store
  #sweptThrough: number | null = null

  constructor(store: Store) {
    this.#store = store
  }

  stage(batch: Batch, { org, id }: Owner, day: number, due: number): Job {
    const { writer } = this
    const slot = Math.floor(due / hourMs)
    const shard = (hash128(id)[0] ?? 0) % shards
    batch.put(rollupJob, { slot, shard, org, device: id, day, writer })
    return { slot, shard, writer, due }
  }

  async remove({ org, id }: Owner, day: number, jobs: readonly Job[]): Promise<void> {
    const batch = new Batch()
    for (const { slot, shard, writer } of jobs) {
      batch.delete(rollupJob, { slot, shard, org, device: id, day, writer })
    }
    if (batch.size > 0) await this.#store.write(batch)
  }

  /** Calls `take` with jobs that were left, until it returns false. */
  async sweep(now: number, take: (device: Owner, day: number, job: Job) => boolean): Promise<void> {
    const last = Math.floor(now / hourMs) - leftAfter - 1
    let slot = this.#sweptThrough ?? last - lookBack
    while (slot < last) {
      slot++
      for (let shard = 0; shard < shards; shard++) {
        // oxlint-disable-next-line no-await-in-loop -- in the background
        if (!(await this.#sweepShard(slot, shard, take))) return
      }
      this.#sweptThrough = slot
    }
  }

  async #sweepShard(slot: number, shard: number, take: Parameters<Jobs['sweep']>[1]): Promise<boolean> {
    let start = {}
    for (;;) {
      // oxlint-disable-next-line no-await-in-loop -- page after page
      const rows = await this.#store.range(rollupJob, { slot, shard }, { ...start, limit: jobsAtATime })
      for (const { org, device, day, writer } of rows) {
        if (!take({ org, id: device }, day, { slot, shard, writer, due: slot * hourMs })) return false
      }
      if (rows.length < jobsAtATime) return true
      const { org, device, day, writer } = rows[rows.length - 1]
      start = { after: { org, device, day, writer } }
    }
  }
}
