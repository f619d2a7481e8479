import { randomUUID } from 'node:crypto'
import type { Clock } from '../clock.ts'
import type { Logger } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import { systemTimers, type Timer, type Timers } from '../timers.ts'
import type { Claim, Job, Outbox } from './outbox.ts'

/** How often is looked for jobs of other processes, ms. */
const lookMs = 5000
/** The same where none can be done here: so that what nobody can do is not left without a word, ms. */
const idleLookMs = 60_000
/** A try that takes longer has failed, ms: others do not wait for it. */
const tryMs = 45_000
/** Without a word for that long a job is another worker's: longer than a try, and clocks that differ. */
const leaseMs = 75_000
/**
 * What does not succeed for that long is given up, ms. What a job tells of may take as long to come here from a datacenter
 * that is cut off.
 */
const giveUpMs = 24 * 3_600_000
/**
 * A job of a kind that is not known here is left to processes that know it, ms: they give it up before. After that there
 * are none.
 */
const strangeMs = giveUpMs + 3_600_000
const firstRetryMs = 5000
const stopMs = 5000
/** Between two tries to note that something is done, ms. */
const noteRetryMs = 1000
const maxRetryMs = 600_000

/** Something that can be done. */
export interface JobKind {
  readonly name: string
  /** Whether what it is about is so; `unknown`: not yet, or not any more. */
  check(job: Job): Promise<'so' | 'unknown'>
  /**
   * Does it. After its process has died in the middle it is called again with the same id, by which who receives it
   * knows what he has already.
   */
  perform(job: Job): Promise<void>
}

export interface WorkerOptions {
  readonly outbox: Outbox
  readonly kinds: readonly JobKind[]
  /** Puts what is to be told of what has happened; called at each look. */
  readonly gather?: () => Promise<void>
  readonly clock: Clock
  readonly log: Logger
  readonly metrics: Metrics
  readonly timers?: Timers | undefined
}

/** Does the jobs of the outbox, each once, however many workers there are and whenever they die. */
export class OutboxWorker {
  readonly #options: WorkerOptions
  readonly #timers: Timers
  readonly #kinds: ReadonlyMap<string, JobKind>
  readonly #name = randomUUID()
  readonly #stop = new AbortController()
  #timer: Timer | null = null
  #looking: Promise<void> | null = null
  #again = false
  #waiting: readonly Job[] = []
  /** Of them, those that tell of what is not known here. */
  readonly #unknown = new Set<string>()

  constructor(options: WorkerOptions) {
    this.#options = options
    this.#timers = options.timers ?? systemTimers
    this.#kinds = new Map(options.kinds.map((kind) => [kind.name, kind]))
    const { metrics, clock } = options
    metrics.gauge('cinque_outbox_waiting', 'Letters that wait to be sent', () => this.#waiting.length)
    metrics.gauge('cinque_outbox_oldest_seconds', 'How long the oldest waits that could be sent', () => {
      const now = clock.now()
      const counted = this.#waiting.filter((job) => this.#isLate(job, now))
      return Math.max(0, ...counted.map(({ createdAt }) => now - createdAt)) / 1000
    })
  }

  /** Whether it waits for what it should not wait for. */
  #isLate({ id, kind, createdAt }: Job, now: number): boolean {
    if (this.#kinds.has(kind)) return !this.#unknown.has(id)
    // Who can do nothing cannot tell either whether it is still wanted; for a day others do that.
    return this.#kinds.size > 0 || now - createdAt > giveUpMs
  }

  start(): void {
    if (this.#timer !== null || this.#stop.signal.aborted) return
    const everyMs = this.#kinds.size === 0 ? idleLookMs : lookMs
    this.#timer = this.#timers.every(everyMs, () => this.wake())
    this.wake()
  }

  /** Begins nothing more; resolves when what was begun has ended, or after a while: then it is another worker's. */
  async stop(): Promise<void> {
    this.#stop.abort()
    this.#timer?.cancel()
    if (this.#looking === null) return
    let timer: Timer | undefined
    const late = new Promise<void>((over) => (timer = this.#timers.after(stopMs, over)))
    await Promise.race([this.#looking, late])
    timer?.cancel()
  }

  /** There is something to do. Does nothing before the start. */
  wake(): void {
    if (this.#timer === null) return
    void this.look()
  }

  /** Does what can be done now. Never rejects. */
  async look(): Promise<void> {
    if (this.#looking !== null) {
      this.#again = true
      return this.#looking
    }
    this.#looking = this.#work()
    try {
      await this.#looking
    } finally {
      this.#looking = null
    }
    if (!this.#again) return
    this.#again = false
    await this.look()
  }

  async #work(): Promise<void> {
    const { outbox, gather, log } = this.#options
    // What waits is sent whether or not there is room for more.
    await gather?.().catch((error: unknown) =>
      log.warn(
        { event: 'outbox.gather_failed', err: error },
        'what is to be told cannot be put into the outbox',
      ),
    )
    try {
      this.#unknown.clear()
      this.#waiting = await outbox.waiting()
      for (const job of this.#waiting) {
        if (this.#stop.signal.aborted) return
        // oxlint-disable-next-line no-await-in-loop -- a mail server takes few at a time
        if (await this.#one(job)) this.#waiting = this.#waiting.filter((other) => other !== job)
      }
    } catch (error) {
      log.warn({ event: 'outbox.look_failed', err: error }, 'the outbox cannot be read or written now')
    }
  }

  /** True: it waits no more. Rejects with StoreError. */
  async #one(job: Job): Promise<boolean> {
    const { outbox, clock } = this.#options
    const kind = this.#kinds.get(job.kind)
    const age = clock.now() - job.createdAt
    // A newer version's, perhaps, or there is no mail server here: one that knows it will do it.
    if (kind === undefined && age <= strangeMs) return false
    const before = await outbox.claimOf(job.id)
    if (before?.state === 'done') {
      await outbox.remove(job.id)
      return true
    }
    const now = clock.now()
    if (before !== undefined && now < before.until) return false
    if (kind === undefined) return this.#drop(job, before, 'unknown_kind')
    if ((await kind.check(job)) === 'unknown') {
      this.#unknown.add(job.id)
      return now - job.createdAt > giveUpMs && this.#drop(job, before, 'void')
    }
    if (now - job.createdAt > giveUpMs) return this.#drop(job, before, 'given_up')
    const tries = before?.tries ?? 0
    const mine = await outbox.change(job.id, before, {
      state: 'doing',
      worker: this.#name,
      until: now + leaseMs,
      tries,
    })
    return mine !== null && this.#perform(kind, job, mine)
  }

  async #perform(kind: JobKind, job: Job, mine: Claim): Promise<boolean> {
    const { log, metrics } = this.#options
    try {
      await this.#inTime(kind.perform(job))
    } catch (error) {
      const waitMs = Math.min(maxRetryMs, firstRetryMs * 2 ** Math.min(mine.tries, 10))
      log.warn(
        { event: 'outbox.failed', job: job.id, kind: job.kind, err: error },
        `a letter was not taken; it is tried again after ${waitMs / 1000} s`,
      )
      metrics.counter('cinque_outbox_failures_total', 'Tries to send a letter that failed').value++
      await this.#postpone({ ...mine, tries: mine.tries + 1 }, waitMs)
      return false
    }
    metrics.counter('cinque_outbox_done_total', 'Letters that were sent').value++
    await this.#done(job, mine)
    return true
  }

  async #inTime(trying: Promise<void>): Promise<void> {
    const late = Promise.withResolvers<never>()
    const timer = this.#timers.after(tryMs, () => late.reject(new Error(`not taken after ${tryMs / 1000} s`)))
    try {
      await Promise.race([trying, late.promise])
    } finally {
      timer.cancel()
    }
  }

  /** What is done must be known to be: while the store is away this process goes on trying to say it. */
  async #done(job: Job, mine: Claim): Promise<void> {
    const { outbox, log } = this.#options
    for (let tries = 0; ; tries++) {
      try {
        // oxlint-disable-next-line no-await-in-loop -- until it is written
        const noted = await outbox.change(job.id, mine, { ...mine, state: 'done', until: 0 })
        // oxlint-disable-next-line no-await-in-loop
        if (noted !== null) await outbox.remove(job.id)
        return
      } catch (error) {
        if (this.#stop.signal.aborted || tries * noteRetryMs > leaseMs) throw error
        log.warn(
          { event: 'outbox.unwritten', job: job.id, err: error },
          'a letter was sent, and this cannot be noted',
        )
        // oxlint-disable-next-line no-await-in-loop
        await new Promise<void>((later) => this.#timers.after(noteRetryMs, later))
      }
    }
  }

  async #postpone(mine: Claim, waitMs: number): Promise<void> {
    const { outbox, clock } = this.#options
    await outbox.change(mine.id, mine, { ...mine, state: 'waiting', until: clock.now() + waitMs })
  }

  async #drop(
    job: Job,
    before: Claim | undefined,
    reason: 'given_up' | 'unknown_kind' | 'void',
  ): Promise<boolean> {
    const { outbox, log, metrics } = this.#options
    const after = { state: 'done', worker: this.#name, until: 0, tries: before?.tries ?? 0 } as const
    if ((await outbox.change(job.id, before, after)) === null) return false
    await outbox.remove(job.id)
    metrics.counter('cinque_outbox_dropped_total', 'Letters that were not sent, by reason', { reason })
      .value++
    if (reason !== 'void')
      log.error(
        { event: `outbox.${reason}`, job: job.id, kind: job.kind },
        reason === 'given_up'
          ? 'a letter was taken by nobody for a day'
          : 'a letter was waiting for a day for a process that can send it, and there is none',
      )
    return true
  }
}
