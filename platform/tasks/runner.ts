import type { Clock } from '../clock.ts'
import { PlatformError } from '../errors.ts'
import type { Logger } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import { StoreError } from '../store/store.ts'
import { systemTimers, type Timer, type Timers } from '../timers.ts'
import { isOver, type ItemResult, type Task, type TaskCounts, type TaskKind } from './task.ts'
import { leaseMs, type Tasks } from './tasks.ts'

/** Tasks that one process does at a time; the rest wait. */
const maxRunning = 2
/** How often tasks of processes that are gone are looked for, ms. */
const lookMs = 10_000
const maxLooked = 1000
/** Two processes that take a task at a time see after this time whose word is the newer one, ms. */
const settleMs = 1000
/** A store that is away is asked again after this time, ms. */
const retryMs = 2000

/**
 * Does tasks, part after part. After each part its results and the progress are durable; when the process dies, another
 * one (or the same, started again) goes on from there when the lease has run out. Should two do the same part, they
 * come to the same end.
 */
export class TaskRunner {
  readonly #tasks: Tasks
  readonly #kinds = new Map<string, TaskKind>()
  readonly #clock: Clock
  readonly #log: Logger
  readonly #metrics: Metrics
  readonly #timers: Timers
  readonly #waiting: Task[] = []
  readonly #known = new Set<string>()
  #running = 0
  #looking: Timer | null = null
  #stopped = false

  constructor(
    tasks: Tasks,
    kinds: readonly TaskKind[],
    parts: { clock: Clock; log: Logger; metrics: Metrics; timers?: Timers | undefined },
  ) {
    this.#tasks = tasks
    for (const kind of kinds) this.#kinds.set(kind.name, kind)
    this.#clock = parts.clock
    this.#log = parts.log
    this.#metrics = parts.metrics
    this.#timers = parts.timers ?? systemTimers
  }

  /** From now on tasks that nobody does are looked for. */
  start(): void {
    if (this.#looking !== null || this.#stopped) return
    this.#looking = this.#timers.every(lookMs, () => void this.look())
    void this.look()
  }

  /** Begins no more parts; what was begun is gone on with by another process, or at the next start. */
  stop(): void {
    this.#stopped = true
    this.#looking?.cancel()
    this.#waiting.length = 0
  }

  kind(name: string): TaskKind | undefined {
    return this.#kinds.get(name)
  }

  /** A task of this process whose input is complete. */
  add(task: Task): void {
    if (this.#stopped || this.#known.has(task.id)) return
    this.#known.add(task.id)
    this.#waiting.push(task)
    this.#next()
  }

  /** Takes the tasks that nobody does any more. */
  async look(): Promise<void> {
    try {
      for (const task of await this.#tasks.abandoned(maxLooked)) {
        if (this.#known.has(task.id) || this.#stopped) continue
        if (task.state === 'receiving') {
          // oxlint-disable-next-line no-await-in-loop -- few
          await this.#end(task, { state: 'failed', error: 'its input was cut off; send it again' })
          continue
        }
        this.#log.info({ event: 'task.taken_over', task: task.id, kind: task.kind }, 'a task goes on here')
        this.add(task)
      }
    } catch (error) {
      this.#log.warn({ event: 'task.look_failed', err: error }, 'cannot look for tasks to go on with')
    }
    // Those that wait here are kept, or others would take them.
    for (const task of this.#waiting) void this.#tasks.save(task, {}).catch(() => undefined)
  }

  #next(): void {
    while (this.#running < maxRunning) {
      const task = this.#waiting.shift()
      if (task === undefined) return
      this.#running++
      void this.#run(task).finally(() => {
        this.#running--
        this.#known.delete(task.id)
        this.#next()
      })
    }
  }

  async #run(taken: Task): Promise<void> {
    let task = taken
    try {
      const kind = this.#kinds.get(task.kind)
      // A newer version's, perhaps: one that knows it will take it.
      if (kind === undefined) return
      const another = task.state === 'running'
      task = await this.#tasks.save(task, {
        state: 'running',
        startedAt: task.startedAt ?? this.#clock.now(),
      })
      if (another) await this.#pause(settleMs)
      const secret = await this.#tasks.secret(task)
      const lease = this.#timers.every(
        leaseMs / 3,
        () => void this.#tasks.save(task, {}).catch(() => undefined),
      )
      try {
        while (task.partsDone < task.parts && !this.#stopped) {
          // oxlint-disable-next-line no-await-in-loop -- part after part
          const done = await this.#part(task, kind, secret)
          if (done === null) return
          task = done
          if (isOver(task)) return
        }
      } finally {
        lease.cancel()
      }
      if (!this.#stopped) await this.#end(task, { state: 'completed' })
    } catch (error) {
      this.#log.error(
        { event: 'task.failed', task: task.id, kind: task.kind, err: error },
        'a task has failed',
      )
      const words = error instanceof PlatformError ? error.message : 'something went wrong on our side'
      await this.#end(task, { state: 'failed', error: words }).catch(() => undefined)
    }
  }

  /** One part; null: the task is another process's, or this one stops. */
  async #part(task: Task, kind: TaskKind, secret: Uint8Array | null): Promise<Task | null> {
    for (;;) {
      try {
        // oxlint-disable-next-line no-await-in-loop -- until it is done
        if (!(await this.#tasks.owns(task))) return null
        // oxlint-disable-next-line no-await-in-loop
        if (await this.#tasks.isCancelled(task)) return await this.#end(task, { state: 'cancelled' })
        // oxlint-disable-next-line no-await-in-loop
        return await this.#do(task, kind, secret)
      } catch (error) {
        const passing = error instanceof StoreError && error.code !== 'closed'
        const unsure = error instanceof PlatformError && error.code === 'outcome_unknown'
        if ((!passing && !unsure) || this.#stopped) {
          if (this.#stopped) return null
          throw error
        }
        this.#log.warn({ event: 'task.waits', task: task.id, err: error }, 'a task waits for the store')
        // oxlint-disable-next-line no-await-in-loop
        await this.#pause(retryMs)
      }
    }
  }

  async #do(task: Task, kind: TaskKind, secret: Uint8Array | null): Promise<Task> {
    const items = await this.#tasks.input(task, task.partsDone)
    const { succeeded, failed, skipped } = task.counts
    // Parts are of different lengths: what was done before says how many items were.
    const first = succeeded + failed + skipped + 1
    const results = await kind.run(task, items, first, secret)
    await this.#tasks.addResults(
      task,
      task.partsDone,
      results.map((result, i) => ({ item: first + i, ...result })),
    )
    for (const { status } of results)
      this.#metrics.counter('cinque_task_items_total', 'Items of tasks done, by kind and outcome', {
        kind: task.kind,
        status,
      }).value++
    return this.#tasks.save(task, { counts: added(task.counts, results), partsDone: task.partsDone + 1 })
  }

  async #end(
    task: Task,
    end: { state: 'completed' | 'failed' | 'cancelled'; error?: string },
  ): Promise<Task> {
    this.#metrics.counter('cinque_tasks_total', 'Tasks that have ended, by kind and state', {
      kind: task.kind,
      state: end.state,
    }).value++
    return this.#tasks.save(task, { ...end, finishedAt: this.#clock.now() })
  }

  #pause(ms: number): Promise<void> {
    return new Promise((later) => this.#timers.after(ms, later))
  }
}

function added(counts: TaskCounts, results: readonly ItemResult[]): TaskCounts {
  const of = (what: ItemResult['counts']): number => results.filter((result) => result.counts === what).length
  return {
    total: counts.total,
    succeeded: counts.succeeded + of('succeeded'),
    failed: counts.failed + of('failed'),
    skipped: counts.skipped + of('skipped'),
  }
}
