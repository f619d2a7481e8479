import { newId } from '../auth/keys.ts'
import type { DeviceRef } from '../auth/principal.ts'
import type { Clock } from '../clock.ts'
import { PlatformError } from '../errors.ts'
import { fitsDepth } from '../json.ts'
import type { LiveBus } from '../live/live-bus.ts'
import type { Logger } from '../log.ts'
import type { Outlet } from '../messages.ts'
import type { Metrics } from '../metrics.ts'
import type { Lanes } from '../store/lanes.ts'
import { Batch, type Store } from '../store/store.ts'
import { systemTimers, type Timers } from '../timers.ts'
import { type Command, commandId, commandLimits, commandName, recordKey, rowOf } from './command.ts'
import { evaluate, type Facts, noFacts, type Outcome } from './facts.ts'
import { CommandFollower } from './follower.ts'
import { Listing } from './listing.ts'
import { batchBucket, dayBucket, dayOf, dueKey, openKey, weekOf, weeksBefore } from './places.ts'
import { requestMessage } from './request-message.ts'
import { CommandSinks } from './sinks.ts'
import { Sweeper } from './sweeper.ts'
import {
  command,
  commandBatchItem,
  commandByDay,
  commandByDevice,
  commandDue,
  commandFact,
  commandOpen,
  commandResult,
} from './tables.ts'
import { readCommand } from './read.ts'
import { Tracker } from './tracker.ts'
import { Batches } from './batches.ts'
import { tellLive } from './live-events.ts'
import { Waiters } from './waiters.ts'

export interface CommandsOptions {
  readonly store: Store
  readonly lanes: Lanes
  readonly clock: Clock
  readonly outlet: Outlet
  readonly live: LiveBus
  readonly log: Logger
  readonly metrics: Metrics
  /** Whether the device has a connection anywhere. */
  readonly isConnected: (org: string, device: string) => Promise<boolean>
  readonly timers?: Timers
}

/** What a client asks. Times are milliseconds. */
export interface NewCommand {
  readonly name: string
  readonly params?: unknown
  /** The client's own; the same again is the same command. Default: made. */
  readonly id?: string | undefined
  /** From now; or until when it must be delivered. */
  readonly ttl: number
  readonly expiresAt?: number | undefined
  readonly timeout: number
  readonly retries: number
  readonly oneWay: boolean
  readonly by?: string | undefined
  readonly batch?: string | undefined
}

/** A command and what became of it. */
export interface CommandView {
  readonly command: Command
  readonly facts: Facts
  readonly outcome: Outcome
}

/** Commands to devices. */
export class Commands {
  readonly sinks: CommandSinks
  readonly follower: CommandFollower
  readonly listing: Listing
  readonly tracker: Tracker
  readonly sweeper: Sweeper
  readonly batches: Batches
  readonly #store: Store
  readonly #lanes: Lanes
  readonly #clock: Clock
  readonly #outlet: Outlet
  readonly #log: Logger
  readonly #waiters: Waiters

  constructor(options: CommandsOptions) {
    const { store, lanes, clock, outlet, live, log, metrics } = options
    const timers = options.timers ?? systemTimers
    this.#store = store
    this.#lanes = lanes
    this.#clock = clock
    this.#outlet = outlet
    this.#log = log
    this.tracker = new Tracker({ store, lanes, clock, timers, log, metrics })
    this.tracker.onRetry = (entry, request) => {
      const attempt = Math.max(this.tracker.facts(entry).attempt, 1) + 1
      this.tracker.attempt(entry, attempt)
      this.#lanes
        .of(request.org)
        .durable()
        .then(
          () => this.#send(request, attempt),
          () => undefined,
        )
    }
    this.tracker.onChange((entry, outcome) =>
      tellLive(live, clock, entry, this.tracker.facts(entry), outcome),
    )
    this.tracker.onWaiting = (request) => {
      // A device that was out of this process's contact when it was made, and is not any more.
      options.isConnected(request.org, request.device).then(
        (connected) => connected && this.#send(request, 1),
        () => undefined,
      )
    }
    this.sinks = new CommandSinks(this.tracker)
    this.listing = new Listing(store, clock)
    this.#waiters = new Waiters(this.tracker, live, timers)
    this.batches = new Batches({ store, lanes, clock, log, timers, commands: this })
    this.sweeper = new Sweeper({ store, clock, timers, log, tracker: this.tracker })
    this.follower = new CommandFollower({
      store,
      log,
      tracker: this.tracker,
      clock,
      timers,
      send: (c, n) => this.#send(c, n),
    })
  }

  /**
   * Makes a command and publishes it towards the device. It is durable when this resolves, whatever becomes of it. An id that
   * exists gives that command if it was asked the same. PlatformError `invalid_field`, `command_exists`.
   */
  async create(device: DeviceRef, input: NewCommand): Promise<CommandView> {
    const params = checked(input)
    if (input.id !== undefined) {
      const known = await readCommand(this.#store, device.org, input.id)
      if (known.request !== undefined) return this.#same(device, input, params, known.request, known.facts)
    }
    const one = this.stage(device, input, params)
    await this.#lanes.of(device.org).durable()
    this.#send(one, 1)
    return this.#view(one, noFacts)
  }

  /** Stages a command; it is to be sent when it is durable. */
  stage(device: DeviceRef, input: NewCommand, params: string | undefined): Command {
    const now = this.#clock.now()
    const one: Command = {
      org: device.org,
      id: input.id ?? newId(),
      device: device.id,
      deviceName: device.name,
      name: input.name,
      params,
      createdAt: now,
      createdBy: input.by,
      expiresAt: input.expiresAt ?? now + input.ttl,
      timeout: input.timeout,
      retries: input.retries,
      oneWay: input.oneWay,
      batch: input.batch,
    }
    const { org, id } = one
    const batch = this.#lanes.of(org).stage()
    batch.put(command, rowOf(one))
    batch.put(commandByDevice, { org, device: one.device, week: weekOf(now), created_at: now, id })
    batch.put(commandByDay, {
      org,
      day: dayOf(now),
      bucket: dayBucket(id),
      created_at: now,
      id,
      device: one.device,
    })
    batch.put(commandOpen, openKey(one))
    batch.put(commandDue, dueKey(one))
    if (one.batch !== undefined)
      batch.put(commandBatchItem, {
        org,
        batch: one.batch,
        bucket: batchBucket(one.device),
        device: one.device,
        id,
      })
    this.tracker.add(one)
    return one
  }

  /** Publishes a durable command, without waiting. */
  send(one: Command): void {
    this.#send(one, 1)
  }

  /** PlatformError `command_not_found`. */
  async get(device: DeviceRef, id: string): Promise<CommandView> {
    const { request, facts } = await readCommand(this.#store, device.org, id)
    if (request?.device !== device.id) throw notFound(id)
    return this.#view(request, facts)
  }

  /** As `get`, when it has ended, or after `ms`. Ends early with the signal. */
  async wait(device: DeviceRef, id: string, ms: number, signal: AbortSignal): Promise<CommandView> {
    return this.#waiters.wait(device, id, ms, signal, () => this.get(device, id))
  }

  /** What the device answered, as it came; undefined: nothing. */
  async result({ command: { org, id }, facts }: CommandView): Promise<Uint8Array | undefined> {
    if (facts.end === undefined) return undefined
    const row = await this.#store.get(commandResult, { org, id, ...recordKey(facts.end.record) })
    return row?.body
  }

  /** Ends it unless it has ended. PlatformError `command_not_found`, `command_ended`. */
  async cancel(device: DeviceRef, id: string): Promise<CommandView> {
    const { command: one, outcome } = await this.get(device, id)
    if (outcome.endedAt !== undefined) {
      if (outcome.state === 'cancelled') return this.get(device, id)
      throw new PlatformError('command_ended', `command "${id}" is ${outcome.state} already`)
    }
    const entry = this.tracker.find(device.org, device.id, id) ?? this.tracker.add(one)
    this.tracker.end(entry, 'cancelled')
    await this.#lanes.of(device.org).durable()
    const topic = `v1/devices/${device.id}/rpc/cancel/${id}`
    await this.#publish({ org: device.org, topic, payload: new Uint8Array(), expiresAt: one.expiresAt })
    return this.get(device, id)
  }

  /** Deletes all commands of a device that was deleted. Durable when it resolves. */
  async purge({ org, id: device }: DeviceRef): Promise<void> {
    await this.#lanes.of(org).durable()
    for (const one of weeksBefore(this.#clock.now())) {
      for (let more = true; more; ) {
        // oxlint-disable-next-line no-await-in-loop -- in order, in bounded pieces
        const rows = await this.#store.range(commandByDevice, { org, device, week: one }, { limit: 500 })
        const batch = new Batch()
        for (const row of rows) {
          const { id } = row
          batch.delete(command, { org, id })
          batch.deletePartition(commandFact, { org, id })
          batch.deletePartition(commandResult, { org, id })
          batch.delete(commandByDevice, row)
        }
        // oxlint-disable-next-line no-await-in-loop
        if (batch.size > 0) await this.#store.write(batch)
        more = rows.length === 500
      }
    }
    const batch = new Batch()
    batch.deletePartition(commandOpen, { org, device })
    await this.#store.write(batch)
  }

  close(): void {
    this.batches.close()
    this.follower.close()
    this.tracker.close()
    this.sweeper.close()
  }

  #same(
    device: DeviceRef,
    input: NewCommand,
    params: string | undefined,
    known: Command,
    facts: Facts,
  ): CommandView {
    const same =
      known.device === device.id &&
      known.name === input.name &&
      known.params === params &&
      known.expiresAt - known.createdAt === input.ttl &&
      known.timeout === input.timeout &&
      known.retries === input.retries &&
      known.oneWay === input.oneWay
    if (same) return this.#view(known, facts)
    throw new PlatformError('command_exists', 'is the id of another command', 'id')
  }

  #view(one: Command, facts: Facts): CommandView {
    return { command: one, facts, outcome: evaluate(one, facts, this.#clock.now()) }
  }

  #send(one: Command, attempt: number): void {
    if (one.expiresAt <= this.#clock.now()) return
    void this.#publish(requestMessage(one, attempt))
  }

  async #publish(message: Parameters<Outlet['publish']>[0]): Promise<void> {
    try {
      await this.#outlet.publish(message)
    } catch (error) {
      this.#log.warn(
        { event: 'command.unpublished', err: error },
        'a command waits until its device subscribes again',
      )
    }
  }
}

/** The parameters as JSON. PlatformError `invalid_field`. */
export function checked(input: NewCommand): string | undefined {
  const { name, params, id } = input
  if (!commandName.test(name)) {
    throw new PlatformError(
      'invalid_field',
      'must be 1 to 64 of A-Z, a-z, 0-9, _, ., : and -, not ., : or - first',
      'name',
    )
  }
  if (id !== undefined && !commandId.test(id))
    throw new PlatformError('invalid_field', 'must be 1 to 64 of A-Z, a-z, 0-9, _ and -', 'id')
  if (params === undefined) return undefined
  if (!fitsDepth(params, commandLimits.depth))
    throw new PlatformError('invalid_field', `is nested deeper than ${commandLimits.depth} levels`, 'params')
  const json = JSON.stringify(params)
  if (Buffer.byteLength(json) > commandLimits.params)
    throw new PlatformError('invalid_field', `is longer than ${commandLimits.params} bytes`, 'params')
  return json
}

function notFound(id: string): PlatformError {
  return new PlatformError('command_not_found', `the device has no command "${id}"`)
}
