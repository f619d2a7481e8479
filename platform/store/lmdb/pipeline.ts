import type { Clock } from '../../clock.ts'
import type { KeyRange } from '../key-range.ts'
import { StoreError } from '../store.ts'
import type { Catalogue } from './catalogue.ts'
import type { Environment, Step } from './environment.ts'
import type { KnownExpiries, Slice } from './expiry.ts'
import { freeBytes, storeErrorOf } from './failures.ts'
import { Plan } from './plan.ts'
import type { EncodedRow, Prepared } from './prepared.ts'

/** Bounds of a transaction that batches share. */
const sharedOperations = 20_000
const sharedBytes = 16 * 1024 * 1024
/** Space on the disk that puts leave alone: a removal needs pages too, until it gives some back. */
const reserveBytes = 4 * 1024 * 1024
/** While the disk has this much beyond the reserve, the pages inside the file need not be counted. */
const plentyBytes = 64 * 1024 * 1024
/** Pages that one transaction may add to the tree beside its rows. */
const treeBytes = 16 * 4096

interface Job {
  kind: 'write' | 'putIf' | 'maintain'
  operations: number
  bytes: number
  /** Adds what is to be done to the plan; called when no transaction is under way. */
  plan(plan: Plan): void
  done(): void
  failed(error: unknown): void
}

export interface PipelineParts {
  environment: Environment
  catalogue: Catalogue
  known: KnownExpiries
  clock: Clock
  maxBytes: number
}

/**
 * One transaction at a time, in order of arrival; what arrives while one is on its way to the disk shares the next.
 * So a decision made from what is committed holds until its transaction is done.
 */
export class Pipeline {
  readonly #parts: PipelineParts
  readonly #queue: Job[] = []
  readonly #discards: KeyRange[] = []
  #running: Promise<void> | null = null

  constructor(parts: PipelineParts) {
    this.#parts = parts
  }

  /** Resolves when all of it is on disk. Rejects with StoreError; then nothing of it is there. */
  write(prepared: Prepared): Promise<void> {
    const { operations, bytes } = prepared
    return new Promise((resolve, reject) => {
      this.#enqueue({
        kind: 'write',
        operations: operations.length,
        bytes,
        plan: (plan) => {
          for (const operation of operations) plan.add(operation)
        },
        done: () => {
          this.#parts.known.add(prepared.expiries)
          resolve()
        },
        failed: reject,
      })
    })
  }

  /** Puts the row if the stored row's column equals `expected`; resolves with whether it did when that is on disk. */
  putIf(prepared: Prepared, row: EncodedRow, column: string, expected: unknown): Promise<boolean> {
    return new Promise((resolve, reject) => {
      let applied = false
      this.#enqueue({
        kind: 'putIf',
        operations: 1,
        bytes: prepared.bytes,
        plan: (plan) => {
          applied = plan.addIf(row, column, expected)
          if (applied) for (const operation of prepared.operations) if (operation !== row) plan.add(operation)
        },
        done: () => {
          if (applied) this.#parts.known.add(prepared.expiries)
          resolve(applied)
        },
        failed: reject,
      })
    })
  }

  /** Runs a piece of maintenance in a transaction of its own; resolves with it when it is done. */
  maintain(find: (now: number) => Slice): Promise<Slice> {
    return new Promise((resolve, reject) => {
      let slice: Slice
      this.#enqueue({
        kind: 'maintain',
        operations: 1,
        bytes: 0,
        plan: (plan) => {
          slice = find(this.#parts.clock.now())
          plan.steps.push(...slice.steps)
        },
        done: () => resolve(slice),
        failed: reject,
      })
    })
  }

  /** Resolves when all that was asked for is done or has failed. */
  async close(): Promise<void> {
    this.#discards.length = 0
    while (this.#running !== null) await this.#running
  }

  #enqueue(job: Job): void {
    this.#queue.push(job)
    this.#running ??= this.#run()
  }

  async #run(): Promise<void> {
    // Let what is written in this turn of the event loop share the first transaction.
    await Promise.resolve()
    while (this.#queue.length > 0 || this.#discards.length > 0) {
      await this.#transact(this.#queue.length > 0 ? this.#take() : [])
    }
    this.#running = null
  }

  /** The next jobs that may share a transaction: of one kind, within the bounds. */
  #take(): Job[] {
    const { kind } = this.#queue[0]
    let operations = 0
    let bytes = 0
    let count = 0
    for (const job of this.#queue) {
      operations += job.operations
      bytes += job.bytes
      if (count > 0 && (job.kind !== kind || operations > sharedOperations || bytes > sharedBytes)) break
      count++
      if (kind === 'maintain') break
    }
    return this.#queue.splice(0, count)
  }

  async #transact(waiting: Job[]): Promise<void> {
    const { environment, catalogue, clock } = this.#parts
    let jobs: Job[] = waiting
    try {
      await environment.ready
      jobs = this.#admit(waiting)
      const plan = new Plan(environment, clock.now())
      const rest = this.#discards.splice(0, 1)
      for (const job of jobs) job.plan(plan)
      for (const range of rest) plan.discard(range)
      if (plan.steps.length > 0) {
        const unsaved = catalogue.unsaved
        const steps: Step[] = unsaved.length > 0 ? [...unsaved, ...plan.steps] : plan.steps
        await environment.transact(steps, bytesOf(jobs))
        catalogue.saved(unsaved)
      }
      this.#discards.push(...plan.unfinished)
      for (const job of jobs) job.done()
    } catch (cause) {
      const error = storeErrorOf(cause, 'cannot use the data in', environment.directory)
      for (const job of jobs) job.failed(error)
    }
  }

  /** Refuses the jobs for which there is no room; those that only remove rows go on. */
  #admit(jobs: Job[]): Job[] {
    const { environment, maxBytes } = this.#parts
    const { directory } = environment
    const free = freeBytes(directory)
    let disk = free - reserveBytes
    let room = Number.POSITIVE_INFINITY
    if (disk < plentyBytes + bytesOf(jobs) * 2) disk += environment.fileBytes() - environment.usedBytes()
    if (maxBytes < room) room = maxBytes - environment.usedBytes() - treeBytes
    return jobs.filter((job) => {
      if (job.bytes === 0) return true
      if (job.bytes > disk) {
        job.failed(new StoreError('full', `the disk of ${directory} is full: ${free} bytes are left`))
        return false
      }
      if (job.bytes > room) {
        job.failed(
          new StoreError('full', `the data in ${directory} have reached their limit of ${maxBytes} bytes`),
        )
        return false
      }
      disk -= job.bytes
      room -= job.bytes
      return true
    })
  }
}

function bytesOf(jobs: readonly Job[]): number {
  return jobs.reduce((sum, job) => sum + job.bytes, 0)
}
