import { randomBytes } from 'node:crypto'
import { type Clock, HybridClock } from '../clock.ts'
import type { Logger } from '../log.ts'
import type { Counter, Metrics } from '../metrics.ts'
import { Landings } from '../store/landings.ts'
import type { Lanes } from '../store/lanes.ts'
import type { Store } from '../store/store.ts'
import type { RowOf } from '../store/table.ts'
import type { Timer, Timers } from '../timers.ts'
import { columnsOf, type Command, type FactColumns, recordName } from './command.ts'
import { type Ending, evaluate, type Facts, join, noFacts, type Outcome } from './facts.ts'
import { lookMs, Looks } from './looks.ts'
import { batchBucket, dueKey, openKey } from './places.ts'
import { readCommand } from './read.ts'
import { commandBatchFact, commandDue, commandFact, commandOpen, commandResult } from './tables.ts'

/** Commands remembered; the state of those that give way is what is stored, and the sweeper looks after them. */
const maxTracked = 200_000
/**
 * Answers of a device in a minute to commands that nobody knows, and their KB: what is more is refused. They are kept, because the
 * command may be on its way from another datacenter.
 */
const maxUnknown = 256
const unknownMs = 60_000
/**
 * Whoever sent a command looks after it. The process that made it looks whether that goes well: soon, then more and more seldom.
 */
const makerSlackMs = 5000
const maxPatienceMs = 3_600_000

/** A command that this process has to do with. */
export interface Tracked {
  readonly org: string
  readonly device: string
  readonly id: string
  /** Number of its record. */
  readonly n: number
  /** Undefined: not read yet; null: there is no such command of this device. */
  request: Command | null | undefined
  /** What this process has seen. */
  own: Facts
  /** What others had stored when it was read. */
  others: Facts
  /** Of its rows in the open batch. */
  ticket: number
  row: RowOf<typeof commandFact> | null
  copy: RowOf<typeof commandBatchFact> | null
  /** Milliseconds until its maker looks again. */
  patience: number
  /** Second of its next look; 0: there is none. */
  second: number
  /** The device has not acknowledged it, as far as is known here. */
  open: boolean
  /** Of the answer that was stored here. */
  bytes: number
  /** What was last told of it. */
  told: string
  /** Of `sends`, when it was last written to a connection here. */
  lastSent: number
  reading: boolean
}

export interface TrackerOptions {
  readonly store: Store
  readonly lanes: Lanes
  readonly clock: Clock
  readonly timers: Timers
  readonly log: Logger
  readonly metrics: Metrics
}

/** Hears of each change, when it is durable. */
export type ChangeListener = (entry: Tracked, outcome: Outcome) => void

/**
 * The commands that this process has made, sent or heard answers of: writes down what it sees of them, and looks at each when
 * its time is over. All of it can be forgotten: states are told from what is stored.
 */
export class Tracker {
  readonly #store: Store
  readonly #lanes: Lanes
  readonly #clock: Clock
  readonly #timers: Timers
  readonly #log: Logger
  readonly #writer = randomBytes(16)
  readonly #hlc: HybridClock
  readonly #entries = new Map<string, Tracked>()
  readonly #looks = new Looks<Tracked>()
  readonly #unknown = new Map<string, number>()
  readonly #changed: Landings<Tracked>
  readonly #listeners: ChangeListener[] = []
  readonly #dropped: { unknown: Counter; late: Counter; forgotten: Counter }
  readonly #ended: (state: string) => Counter
  /** Sends it once more. */
  onRetry: (entry: Tracked, request: Command) => void = () => undefined
  /** It was made here a while ago, and nobody has sent it. */
  onWaiting: (request: Command) => void = () => undefined
  /** Counts what was written to connections. */
  sends = 0
  #timer: Timer | null = null
  #minute: number
  #lastN: number

  constructor({ store, lanes, clock, timers, log, metrics }: TrackerOptions) {
    this.#store = store
    this.#lanes = lanes
    this.#clock = clock
    this.#timers = timers
    this.#log = log
    this.#hlc = new HybridClock(clock)
    this.#lastN = clock.now()
    this.#minute = Math.floor(clock.now() / unknownMs)
    const dropped = (reason: string): Counter =>
      metrics.counter('cinque_command_dropped_total', 'Answers and commands that were let go, by reason', {
        reason,
      })
    this.#dropped = { unknown: dropped('unknown'), late: dropped('late'), forgotten: dropped('forgotten') }
    this.#ended = (state) => metrics.counter('cinque_commands_total', 'Commands that have ended', { state })
    metrics.gauge(
      'cinque_commands_tracked',
      'Commands that this process looks after',
      () => this.#entries.size,
    )
    this.#changed = new Landings(lanes, (entry) => this.#announce(entry))
  }

  onChange(listener: ChangeListener): void {
    this.#listeners.push(listener)
  }

  /** A command that was made here. */
  add(request: Command): Tracked {
    const entry = this.#new(request.org, request.device, request.id)
    entry.request = request
    this.#look(entry, this.#clock.now())
    return entry
  }

  find(org: string, device: string, id: string): Tracked | undefined {
    return this.#entries.get(keyOf(org, device, id))
  }

  /** A command that comes by, made here or elsewhere; reads what is stored of it. */
  meet(org: string, device: string, id: string): Tracked {
    const known = this.find(org, device, id)
    if (known !== undefined) return known
    const entry = this.#new(org, device, id)
    this.#read(entry)
    return entry
  }

  /** All that this process knows of it. */
  facts(entry: Tracked): Facts {
    return join(entry.own, entry.others)
  }

  outcome(entry: Tracked): Outcome | null {
    const { request } = entry
    return request ? evaluate(request, this.facts(entry), this.#clock.now()) : null
  }

  sent(entry: Tracked, attempt: number): void {
    entry.lastSent = ++this.sends
    if (this.facts(entry).sentAt !== undefined && this.facts(entry).attempt >= attempt) return
    this.#note(entry, { ...noFacts, attempt, sentAt: this.#clock.now() })
  }

  delivered(entry: Tracked, attempt: number): void {
    const { attempt: known, deliveredAt } = this.facts(entry)
    if (known >= attempt && deliveredAt !== undefined) return
    const now = this.#clock.now()
    this.#note(entry, { ...noFacts, attempt, deliveredAt: now, firstDeliveredAt: now })
  }

  /** A new attempt; it is not sent yet. */
  attempt(entry: Tracked, attempt: number): void {
    const { request } = entry
    if (request) this.#lanes.of(entry.org).stage().put(commandOpen, openKey(request))
    entry.open = true
    this.#note(entry, { ...noFacts, attempt })
  }

  /** False: too many of the device's words were about commands that do not exist. */
  running(entry: Tracked, progress: number | undefined, message: string | undefined): boolean {
    if (!this.#takes(entry)) return entry.request !== null
    this.#note(entry, { ...noFacts, running: { at: this.#clock.now(), progress, message } })
    return true
  }

  /**
   * It ended; stages the record and what the device answered. An end after the end changes nothing. False as `running`.
   */
  end(entry: Tracked, ending: Ending, body?: Uint8Array): boolean {
    if (entry.own.end !== undefined) {
      // Said again, because its acknowledgement was lost or is not sent yet: that waits for the same rows.
      if (entry.ticket > this.#lanes.of(entry.org).through) this.#stage(entry)
      return true
    }
    if (!this.#takes(entry)) return entry.request !== null
    const { org, id, n } = entry
    const record = recordName(this.#writer, n)
    entry.bytes = body?.length ?? 0
    if (body !== undefined && body.length > 0)
      this.#lanes
        .of(org)
        .stage()
        .put(commandResult, { org, id, writer: this.#writer, n, body: Buffer.from(body) })
    this.#note(entry, { ...noFacts, end: { at: this.#clock.now(), ending, record } })
    return true
  }

  /** A device may say no more about commands that do not exist. */
  refuses(org: string, device: string): boolean {
    return (this.#unknown.get(`${org}/${device}`) ?? 0) >= maxUnknown
  }

  close(): void {
    this.#timer?.cancel()
    this.#timer = null
  }

  #new(org: string, device: string, id: string): Tracked {
    if (this.#entries.size >= maxTracked) {
      for (const oldest of this.#entries.values()) {
        this.#dropped.forgotten.value++
        this.#forget(oldest)
        break
      }
    }
    const entry: Tracked = {
      org,
      device,
      id,
      n: ++this.#lastN,
      request: undefined,
      own: noFacts,
      others: noFacts,
      ticket: 0,
      row: null,
      copy: null,
      patience: makerSlackMs,
      second: 0,
      open: true,
      bytes: 0,
      told: '',
      lastSent: 0,
      reading: false,
    }
    this.#entries.set(keyOf(org, device, id), entry)
    this.#timer ??= this.#timers.every(lookMs, () => this.#tick())
    return entry
  }

  /** Whether what a device says of it now can still matter. */
  #takes(entry: Tracked): boolean {
    if (entry.request === null) {
      this.#countUnknown(entry)
      return false
    }
    if (this.outcome(entry)?.endedAt === undefined) return true
    this.#dropped.late.value++
    return false
  }

  #countUnknown({ org, device, bytes }: Tracked): void {
    this.#dropped.unknown.value++
    const key = `${org}/${device}`
    this.#unknown.set(key, (this.#unknown.get(key) ?? 0) + 1 + bytes / 1024)
  }

  #note(entry: Tracked, facts: Facts): void {
    entry.own = join(entry.own, facts)
    this.#stage(entry)
    this.#changed.push(entry.org, entry)
    this.#settle(entry)
  }

  /** The record goes with the open batch; while that is open, newer facts take the row's place in it. */
  #stage(entry: Tracked): void {
    const commit = this.#lanes.of(entry.org)
    const batch = commit.stage()
    const { ticket } = commit
    const columns = columnsOf(entry.own, entry.device, this.#hlc.next())
    const { org, id, n, request } = entry
    if (entry.ticket !== ticket) {
      entry.ticket = ticket
      entry.row = entry.copy = null
    }
    if (entry.row === null) {
      entry.row = { org, id, writer: this.#writer, n, ...columns }
      batch.put(commandFact, entry.row)
    } else Object.assign(entry.row, columns)
    if (!request || request.batch === undefined) return
    if (entry.copy === null) {
      const bucket = batchBucket(request.device)
      entry.copy = { org, batch: request.batch, bucket, id, writer: this.#writer, n, ...columns }
      batch.put(commandBatchFact, entry.copy)
    } else Object.assign(entry.copy, columns satisfies FactColumns)
  }

  /** What follows from what is known now. */
  #settle(entry: Tracked): void {
    const { request } = entry
    if (!request) return
    const outcome = evaluate(request, this.facts(entry), this.#clock.now())
    const { attempt, deliveredAt, running } = this.facts(entry)
    const answering = attempt <= 1 && running !== undefined
    if (entry.open && (outcome.endedAt !== undefined || deliveredAt !== undefined || answering)) {
      entry.open = false
      this.#lanes.of(entry.org).stage().delete(commandOpen, openKey(request))
    }
    if (outcome.endedAt === undefined) {
      this.#look(entry, outcome.nextAt ?? 0)
      return
    }
    this.#lanes.of(entry.org).stage().delete(commandDue, dueKey(request))
    this.#looks.cancel(entry)
  }

  #announce(entry: Tracked): void {
    const outcome = this.outcome(entry)
    if (outcome === null) return
    const news = `${outcome.state} ${this.facts(entry).attempt} ${this.facts(entry).running?.at ?? 0}`
    if (entry.told !== news) {
      entry.told = news
      for (const listener of this.#listeners) listener(entry, outcome)
    }
    if (outcome.endedAt === undefined || entry.ticket > this.#lanes.of(entry.org).through) return
    if (this.#forget(entry)) this.#ended(outcome.state).value++
  }

  #forget(entry: Tracked): boolean {
    this.#looks.cancel(entry)
    return this.#entries.delete(keyOf(entry.org, entry.device, entry.id))
  }

  // --- time ---------------------------------------------------------------------------------------------

  /** Looks at it again at that time. */
  #look(entry: Tracked, at: number): void {
    if (entry.own.attempt > 0) this.#looks.at(entry, at)
    else this.#looks.at(entry, Math.min(at + makerSlackMs, this.#clock.now() + entry.patience))
  }

  #tick(): void {
    const now = this.#clock.now()
    this.#looks.due(now, (entry) => this.#read(entry))
    const minute = Math.floor(now / unknownMs)
    if (minute !== this.#minute) this.#unknown.clear()
    this.#minute = minute
    if (this.#entries.size > 0 || this.#unknown.size > 0) return
    this.close()
  }

  #read(entry: Tracked): void {
    if (entry.reading) return
    entry.reading = true
    readCommand(this.#store, entry.org, entry.id).then(
      ({ request, facts }) => this.#hasRead(entry, request, facts),
      (error: unknown) => {
        entry.reading = false
        this.#log.warn({ event: 'command.unread', id: entry.id, err: error }, 'cannot read a command')
        this.#look(entry, this.#clock.now() + lookMs)
      },
    )
  }

  #hasRead(entry: Tracked, request: Command | undefined, facts: Facts): void {
    entry.reading = false
    if (this.find(entry.org, entry.device, entry.id) !== entry) return
    if (request?.device !== entry.device) {
      if (entry.request !== null) this.#countUnknown(entry)
      entry.request = null
      // It is remembered until the next look, so that what the device repeats is refused at once.
      if (entry.second === 0 && entry.own !== noFacts) {
        entry.own = noFacts
        this.#look(entry, this.#clock.now() + unknownMs)
      } else this.#forget(entry)
      return
    }
    const first = entry.request === undefined
    entry.patience = Math.min(entry.patience * 2, maxPatienceMs)
    entry.request = request
    entry.others = join(entry.others, facts)
    // The batch has not heard of what came before it was known that there is one.
    if (first && request.batch !== undefined && entry.own !== noFacts) this.#stage(entry)
    this.#settle(entry)
    const outcome = this.outcome(entry)
    if (outcome?.again === true) this.onRetry(entry, request)
    else if (!first && outcome?.state === 'queued') this.onWaiting(request)
    else if (outcome?.endedAt !== undefined) this.#changed.push(entry.org, entry)
    else if (first && entry.own !== noFacts && entry.ticket <= this.#lanes.of(entry.org).through)
      this.#announce(entry)
  }
}

function keyOf(org: string, device: string, id: string): string {
  return `${org}/${device}/${id}`
}
