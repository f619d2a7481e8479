import { newId } from '../auth/keys.ts'
import type { Clock } from '../clock.ts'
import { PlatformError } from '../errors.ts'
import { hash128 } from '../hash.ts'
import type { Logger } from '../log.ts'
import type { Lanes } from '../store/lanes.ts'
import type { Store } from '../store/store.ts'
import type { Timers } from '../timers.ts'
import { checked, type Commands, type CommandView, type NewCommand } from './commands.ts'
import { type CommandState, commandStates, evaluate } from './facts.ts'
import { batchOf, type CommandBatch, readBucket } from './batch-rows.ts'
import { batchBucket, weekOf, weeksBefore } from './places.ts'
import { batchBuckets, command, commandBatch, commandBatchByWeek } from './tables.ts'

/** Devices whose commands are made at a time. */
export const batchLot = 500
/** Batches that this process makes at a time. */
const maxRunning = 16
const atOnce = 200

/** Who gets it. */
type Targets = AsyncIterable<readonly { readonly id: string; readonly name: string }[]>

export interface BatchView {
  readonly batch: CommandBatch
  readonly counts: Readonly<Record<CommandState, number>>
  /** All are made, and have ended. */
  readonly ended: boolean
}

export interface BatchesOptions {
  readonly store: Store
  readonly lanes: Lanes
  readonly clock: Clock
  readonly timers: Timers
  readonly log: Logger
  readonly commands: Commands
}

/** One command to many devices. */
export class Batches {
  readonly #o: BatchesOptions
  readonly #running = new Set<string>()
  #closed = false

  constructor(options: BatchesOptions) {
    this.#o = options
  }

  /**
   * Begins a batch; it is durable when this resolves, its commands are made after it. The same id again gives that batch, or
   * goes on with it if it was interrupted. PlatformError `invalid_field`, `command_exists`, `limit_reached`.
   */
  async create(org: string, input: NewCommand, target: string, targets: Targets): Promise<BatchView> {
    const params = checked(input)
    const { lanes, clock } = this.#o
    const commit = lanes.of(org)
    const id = input.id ?? newId()
    const known = input.id === undefined ? undefined : await this.find(org, id)
    if (
      known !== undefined &&
      (known.name !== input.name || known.params !== params || known.target !== target)
    )
      throw new PlatformError('command_exists', 'is the id of another batch', 'id')
    if (known !== undefined && known.state !== 'interrupted') return this.get(org, id)
    if (this.#running.size >= maxRunning)
      throw new PlatformError('limit_reached', `${maxRunning} batches are being made here; try again later`)
    const now = clock.now()
    const batch: CommandBatch = known ?? {
      org,
      id,
      name: input.name,
      params,
      createdAt: now,
      createdBy: input.by,
      expiresAt: now + input.ttl,
      timeout: input.timeout,
      retries: input.retries,
      oneWay: input.oneWay,
      target,
      made: 0,
      state: 'making',
    }
    this.#stage(batch, 0, false)
    commit
      .stage()
      .put(commandBatchByWeek, { org, week: weekOf(batch.createdAt), created_at: batch.createdAt, id })
    await commit.durable()
    const key = `${org}/${id}`
    this.#running.add(key)
    this.#make(batch, input, params, targets)
      .catch((error: unknown) => {
        this.#o.log.error(
          { event: 'command.batch_failed', id, err: error },
          'a batch of commands was interrupted',
        )
      })
      .finally(() => this.#running.delete(key))
    return { batch: { ...batch, made: 0, state: 'making' }, counts: noCounts(), ended: false }
  }

  /** PlatformError `batch_not_found`. */
  async get(org: string, id: string): Promise<BatchView> {
    const batch = await this.head(org, id)
    const now = this.#o.clock.now()
    const counts = noCounts()
    let open = 0
    for (let bucket = 0; bucket < batchBuckets; bucket++) {
      // oxlint-disable-next-line no-await-in-loop -- bounded memory
      for (const { facts } of await readBucket(this.#o.store, batch, bucket)) {
        const { state, endedAt } = evaluate(batch, facts, now)
        counts[state]++
        if (endedAt === undefined) open++
      }
    }
    return { batch, counts, ended: batch.state === 'made' && open === 0 }
  }

  /** Without the counts. */
  async find(org: string, id: string): Promise<CommandBatch | undefined> {
    const row = await this.#o.store.get(commandBatch, { org, id })
    return row === undefined ? undefined : batchOf(row, this.#o.clock.now())
  }

  /** The same. PlatformError `batch_not_found`. */
  async head(org: string, id: string): Promise<CommandBatch> {
    const batch = await this.find(org, id)
    if (batch === undefined) throw new PlatformError('batch_not_found', `no batch "${id}"`)
    return batch
  }

  /** As `get`, when all have ended or after `ms`. */
  async wait(org: string, id: string, ms: number, signal: AbortSignal): Promise<BatchView> {
    const { timers } = this.#o
    const until = timers.monotonic() + ms
    for (;;) {
      // oxlint-disable-next-line no-await-in-loop -- one look after the other
      const view = await this.get(org, id)
      const left = until - timers.monotonic()
      if (view.ended || left <= 0 || signal.aborted) return view
      // oxlint-disable-next-line no-await-in-loop
      await new Promise<void>((later) => timers.after(Math.min(left, 1000), later))
    }
  }

  /** Newest first. */
  async list(
    org: string,
    { limit, after }: { limit: number; after?: { createdAt: number; id: string } | undefined },
  ): Promise<{ items: CommandBatch[]; next: { createdAt: number; id: string } | null }> {
    const { store, clock } = this.#o
    const items: CommandBatch[] = []
    const before = after === undefined ? {} : { before: { created_at: after.createdAt, id: after.id } }
    for (const week of weeksBefore(after?.createdAt ?? clock.now())) {
      const range = { ...before, reverse: true, limit: limit + 1 - items.length }
      // oxlint-disable-next-line no-await-in-loop -- most lists end in the first week
      const rows = await store.range(commandBatchByWeek, { org, week }, range)
      // oxlint-disable-next-line no-await-in-loop
      const found = await Promise.all(rows.map((row) => this.find(org, row.id)))
      items.push(...found.filter((one) => one !== undefined))
      if (items.length > limit) break
    }
    const page = items.slice(0, limit)
    const last = page.at(-1)
    return { items: page, next: items.length > limit && last !== undefined ? last : null }
  }

  /** The commands of a batch by bucket and device. PlatformError `batch_not_found`. */
  async items(
    org: string,
    id: string,
    query: {
      limit: number
      after?: { bucket: number; device: string } | undefined
      states?: readonly CommandState[] | undefined
    },
  ): Promise<{ items: CommandView[]; next: { bucket: number; device: string } | null }> {
    const batch = await this.head(org, id)
    const { limit, after, states } = query
    const now = this.#o.clock.now()
    const items: CommandView[] = []
    for (let bucket = after?.bucket ?? 0; bucket < batchBuckets; bucket++) {
      // oxlint-disable-next-line no-await-in-loop -- until the page is full
      for (const { device, command: one, facts } of await readBucket(this.#o.store, batch, bucket)) {
        if (bucket === after?.bucket && device <= after.device) continue
        const outcome = evaluate(batch, facts, now)
        if (states !== undefined && !states.includes(outcome.state)) continue
        if (items.length === limit) return { items, next: placeOf(items[items.length - 1]) }
        const { params, expiresAt, createdBy } = batch
        const common = {
          org,
          device,
          deviceName: device,
          batch: id,
          name: batch.name,
          params,
          createdBy,
          expiresAt,
        }
        const { timeout, retries, oneWay, createdAt } = batch
        items.push({ command: { ...common, id: one, timeout, retries, oneWay, createdAt }, facts, outcome })
      }
    }
    return { items, next: null }
  }

  /** Cancels what has not ended. Durable when it resolves, with how many that were. PlatformError `batch_not_found`, `conflict`. */
  async cancel(org: string, id: string): Promise<number> {
    const batch = await this.head(org, id)
    if (!this.#running.delete(`${org}/${id}`) && batch.state === 'making')
      throw new PlatformError('conflict', `another process is still making batch "${id}"; try again`)
    let cancelled = 0
    for (let bucket = 0; bucket < batchBuckets; bucket++) {
      // oxlint-disable-next-line no-await-in-loop -- bounded memory
      const all = await readBucket(this.#o.store, batch, bucket)
      const now = this.#o.clock.now()
      const open = all.filter(({ facts }) => evaluate(batch, facts, now).endedAt === undefined)
      for (let i = 0; i < open.length; i += atOnce) {
        // oxlint-disable-next-line no-await-in-loop
        const done = await Promise.all(open.slice(i, i + atOnce).map((one) => this.#cancelOne(org, one)))
        cancelled += done.filter(Boolean).length
      }
    }
    return cancelled
  }

  /** False: it has ended meanwhile. */
  async #cancelOne(org: string, one: { device: string; command: string }): Promise<boolean> {
    try {
      await this.#o.commands.cancel({ org, id: one.device, name: one.device }, one.command)
      return true
    } catch (error) {
      if (error instanceof PlatformError) return false
      throw error
    }
  }

  close(): void {
    this.#closed = true
  }

  async #make(
    batch: CommandBatch,
    input: NewCommand,
    params: string | undefined,
    targets: Targets,
  ): Promise<void> {
    const { lanes, commands, store } = this.#o
    const { org, id, expiresAt } = batch
    const commit = lanes.of(org)
    let made = 0
    for await (const lot of targets) {
      if (this.#closed) return
      // It was cancelled.
      if (!this.#running.has(`${org}/${id}`)) break
      const ids = lot.map((device) => commandIdOf(id, device.id))
      const again = batch.made > 0 || input.id !== undefined
      const known = again ? await Promise.all(ids.map((one) => store.get(command, { org, id: one }))) : []
      const fresh = lot
        .map((device, i) => ({ device: { ...device, org }, id: ids[i], known: known[i] !== undefined }))
        .filter((one) => !one.known)
        .map((one) => commands.stage(one.device, { ...input, id: one.id, expiresAt, batch: id }, params))
      made += lot.length
      this.#stage(batch, made, false)
      await commit.durable()
      for (const one of fresh) commands.send(one)
    }
    this.#stage(batch, made, true)
    await commit.durable()
  }

  #stage(batch: CommandBatch, made: number, complete: boolean): void {
    this.#o.lanes.of(batch.org).stage().put(commandBatch, {
      org: batch.org,
      id: batch.id,
      name: batch.name,
      params: batch.params,
      created_at: batch.createdAt,
      created_by: batch.createdBy,
      expires_at: batch.expiresAt,
      timeout: batch.timeout,
      retries: batch.retries,
      one_way: batch.oneWay,
      target: batch.target,
      made,
      complete,
      stamp: this.#o.clock.now(),
    })
  }
}

/** Of one device in a batch: the same, whoever makes it. */
function commandIdOf(batch: string, device: string): string {
  return Buffer.from(hash128(`${batch}\0${device}`)).toString('base64url')
}

function placeOf({ command: { device } }: CommandView): { bucket: number; device: string } {
  return { bucket: batchBucket(device), device }
}

function noCounts(): Record<CommandState, number> {
  return Object.fromEntries(commandStates.map((state) => [state, 0])) as Record<CommandState, number>
}
