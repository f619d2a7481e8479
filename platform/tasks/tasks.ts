import { randomBytes, randomUUIDv7 } from 'node:crypto'
import { type Clock, HybridClock } from '../clock.ts'
import { PlatformError } from '../errors.ts'
import { Batch, type Store } from '../store/store.ts'
import type { RowOf } from '../store/table.ts'
import { openTask, task, taskCancel, taskPart, taskSecret } from '../registry/tables.ts'
import { isOver, type ItemResult, type Task, type TaskCounts, type TaskState } from './task.ts'

/** Items of a part: what is repeated at most when a process dies. */
export const partItems = 200
/** Without a word from its process for that long a task is another's. */
export const leaseMs = 30_000
/** Most items of a task. */
export const maxItems = 1_000_000

/** How far a task is; what is absent stays. */
export interface Progress {
  readonly state?: TaskState | undefined
  readonly counts?: TaskCounts | undefined
  readonly parts?: number | undefined
  readonly partsDone?: number | undefined
  readonly startedAt?: number | undefined
  readonly finishedAt?: number | undefined
  readonly error?: string | undefined
}

/**
 * Tasks, their input and their results, as rows: every process sees them, those of other datacenters as soon as they
 * have come. One process at a time does a task; it writes the whole row, and the newest one counts. Everything is
 * durable when a promise resolves. Tasks are kept for 30 days, their input and results for 7.
 */
export class Tasks {
  /** Of this process, as the owner of tasks. */
  readonly owner = randomBytes(8).toString('base64url')
  readonly #store: Store
  readonly #clock: Clock
  readonly #stamps: HybridClock

  constructor(store: Store, clock: Clock) {
    this.#store = store
    this.#clock = clock
    this.#stamps = new HybridClock(clock)
  }

  /** A task whose input is to come by `addInput`. `secret`: it needs one, which only its results tell of. */
  async create(
    org: string,
    { kind, spec, actor, secret }: { kind: string; spec: unknown; actor: string; secret: boolean },
  ): Promise<Task> {
    const id = randomUUIDv7()
    const row: RowOf<typeof task> = {
      org,
      id,
      kind,
      spec: JSON.stringify(spec),
      actor,
      state: 'receiving',
      created_at: this.#clock.now(),
      total: 0,
      succeeded: 0,
      failed: 0,
      skipped: 0,
      parts: 0,
      parts_done: 0,
    }
    const batch = new Batch()
    if (secret) batch.put(taskSecret, { org, id, secret: randomBytes(32) })
    batch.put(openTask, { part: 0, id, org })
    batch.put(task, this.#stamped(row, true))
    await this.#store.write(batch)
    return record(row)
  }

  async addInput(one: Task, part: number, items: readonly unknown[]): Promise<void> {
    const batch = new Batch()
    const lines = items.map((item) => JSON.stringify(item)).join('\n')
    batch.put(taskPart, { org: one.org, id: one.id, kind: 'input', part, lines })
    await this.#store.write(batch)
  }

  async input({ org, id }: Task, part: number): Promise<unknown[]> {
    const row = await this.#store.get(taskPart, { org, id, kind: 'input', part })
    return linesOf(row).map((line) => JSON.parse(line) as unknown)
  }

  async addResults({ org, id }: Task, part: number, results: readonly object[]): Promise<void> {
    const batch = new Batch()
    const lines = results.map((result) => JSON.stringify(result)).join('\n')
    batch.put(taskPart, { org, id, kind: 'result', part, lines })
    await this.#store.write(batch)
  }

  /** Results in order of the items, some hundred at a time. */
  async *results({ org, id }: Task): AsyncGenerator<ItemResult[]> {
    const partition = { org, id, kind: 'result' }
    let after: { after?: { part: number } } = {}
    for (;;) {
      // oxlint-disable-next-line no-await-in-loop -- one part after the other
      const [row] = await this.#store.range(taskPart, partition, { ...after, limit: 1 })
      if (row === undefined) return
      yield linesOf(row).map((line) => JSON.parse(line) as ItemResult)
      after = { after: { part: row.part } }
    }
  }

  /** Null: there is none, or it was shown. */
  async secret({ org, id }: Task): Promise<Uint8Array | null> {
    return (await this.#store.get(taskSecret, { org, id }))?.secret ?? null
  }

  async forgetSecret({ org, id }: Task): Promise<void> {
    const batch = new Batch()
    batch.delete(taskSecret, { org, id })
    await this.#store.write(batch)
  }

  /** PlatformError `task_not_found`. */
  async get(org: string, id: string): Promise<Task> {
    const row = await this.#store.get(task, { org, id })
    if (row === undefined) throw new PlatformError('task_not_found', `no task "${id}"`)
    return record(row)
  }

  /** The newest first; `before` is the last one of the page before. */
  async list(
    org: string,
    { limit, before }: { limit: number; before?: string | undefined },
  ): Promise<{ tasks: Task[]; next: string | null }> {
    const rows = await this.#store.range(
      task,
      { org },
      { ...(before === undefined ? {} : { before: { id: before } }), reverse: true, limit: limit + 1 },
    )
    return {
      tasks: rows.slice(0, limit).map(record),
      next: rows.length > limit ? rows[limit - 1].id : null,
    }
  }

  /** Asks for its end; whoever does it hears of it at the end of a part. PlatformError `task_not_found`, `task_finished`. */
  async cancel(org: string, id: string): Promise<Task> {
    const found = await this.get(org, id)
    if (isOver(found)) throw new PlatformError('task_finished', `task "${id}" has ended already`)
    const batch = new Batch()
    batch.put(taskCancel, { org, id, at: this.#clock.now() })
    await this.#store.write(batch)
    return found
  }

  async isCancelled({ org, id }: Task): Promise<boolean> {
    return (await this.#store.get(taskCancel, { org, id })) !== undefined
  }

  // --- for whoever does it --------------------------------------------------------------------------------

  /** Writes how far this process is with it; with the end of the task it is nobody's any more. */
  async save(one: Task, progress: Progress): Promise<Task> {
    const next: Task = {
      ...one,
      ...Object.fromEntries(Object.entries(progress).filter(([, value]) => value !== undefined)),
    }
    const batch = new Batch()
    const over = isOver(next)
    batch.put(task, this.#stamped(rowOf(next), !over))
    if (over) batch.delete(openTask, { part: 0, id: one.id })
    await this.#store.write(batch)
    return next
  }

  /** Whether this process is the one whose word on the task is the newest. */
  async owns({ org, id }: Task): Promise<boolean> {
    return (await this.#store.get(task, { org, id }))?.owner === this.owner
  }

  /** Tasks that nobody does any more. */
  async abandoned(limit: number): Promise<Task[]> {
    const now = this.#clock.now()
    const open = await this.#store.range(openTask, { part: 0 }, { limit })
    const rows = await Promise.all(open.map(({ org = '', id }) => this.#store.get(task, { org, id })))
    const tasks = rows.map((row) => (row === undefined ? undefined : record(row)))
    // Those that are over may have been left here by a clock that was ahead.
    const over = open.filter((_, i) => tasks[i] !== undefined && isOver(tasks[i]))
    if (over.length > 0) {
      const batch = new Batch()
      for (const { id } of over) batch.delete(openTask, { part: 0, id })
      await this.#store.write(batch)
    }
    return tasks.filter(
      (one, i) => one !== undefined && !isOver(one) && (rows[i]?.leased_until ?? 0) < now,
    ) as Task[]
  }

  #stamped(row: RowOf<typeof task>, mine: boolean): RowOf<typeof task> {
    const leased_until = mine ? this.#clock.now() + leaseMs : undefined
    return { ...row, stamp: this.#stamps.next(), owner: mine ? this.owner : undefined, leased_until }
  }
}

function linesOf(row: RowOf<typeof taskPart> | undefined): string[] {
  return row?.lines === undefined || row.lines === '' ? [] : row.lines.split('\n')
}

function record(row: RowOf<typeof task>): Task {
  return {
    org: row.org,
    id: row.id,
    kind: row.kind ?? '',
    state: (row.state ?? 'failed') as TaskState,
    spec: JSON.parse(row.spec ?? 'null') as unknown,
    actor: row.actor ?? '',
    createdAt: row.created_at ?? 0,
    startedAt: row.started_at ?? null,
    finishedAt: row.finished_at ?? null,
    counts: {
      total: row.total ?? 0,
      succeeded: row.succeeded ?? 0,
      failed: row.failed ?? 0,
      skipped: row.skipped ?? 0,
    },
    parts: row.parts ?? 0,
    partsDone: row.parts_done ?? 0,
    error: row.error ?? null,
  }
}

function rowOf(one: Task): RowOf<typeof task> {
  return {
    org: one.org,
    id: one.id,
    kind: one.kind,
    state: one.state,
    spec: JSON.stringify(one.spec),
    actor: one.actor,
    created_at: one.createdAt,
    started_at: one.startedAt ?? undefined,
    finished_at: one.finishedAt ?? undefined,
    ...one.counts,
    parts: one.parts,
    parts_done: one.partsDone,
    error: one.error ?? undefined,
  }
}
