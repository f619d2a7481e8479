import { DevicePrincipal } from '../auth/device-authenticator.ts'
import type { DeviceRef, Principal } from '../auth/principal.ts'
import type { LiveBus } from '../live/live-bus.ts'
import type { LiveEvent } from '../live/live-event.ts'
import type { Clock } from '../clock.ts'
import type { Usage } from '../limits/usage.ts'
import type { Logger } from '../log.ts'
import type { Counter, Metrics } from '../metrics.ts'
import { Landings } from '../store/landings.ts'
import type { Lanes } from '../store/lanes.ts'
import type { Store } from '../store/store.ts'
import type { Timers } from '../timers.ts'
import type { Conventions, Sink } from './conventions.ts'
import { type AggregatePage, type AggregateQuery, firstDay, readAggregates } from './aggregates.ts'
import { eraseDevice } from './erase.ts'
import { type HistoryPage, type HistoryQuery, keysOf, readHistory } from './history.ts'
import { type ParsedPoint, parseDecimal, parseJson, PayloadError, telemetryLimits } from './payload.ts'
import { getValue, type Point } from './point.ts'
import type { Retentions } from './retention.ts'
import type { RollupRules } from './rollups/compute.ts'
import { Rollups } from './rollups/worker.ts'
import { latest } from './tables.ts'
import { DeviceWriter, type WriterPorts } from './writer.ts'

const telemetryTopic = 'v1/devices/me/telemetry'

/** Writers kept while nobody holds them; one more costs a read of the device's keys. */
const maxWriters = 20_000
/** Deleted devices remembered, so that a request that was under way cannot store for them any more. */
const maxGone = 10_000

export interface TelemetryOptions {
  readonly store: Store
  readonly lanes: Lanes
  readonly live: LiveBus
  readonly metrics: Metrics
  readonly log: Logger
  readonly clock: Clock
  readonly retentions: Retentions
  /** Counts values, and knows how many there may be; absent: nobody does. */
  readonly usage?: Usage | undefined
  /** The profile of a device, null: none. Rejects with StoreError. */
  readonly profileOf: (org: string, device: string) => Promise<string | null>
}

/**
 * What devices measured: taken in, kept, read back. Taking in only stages rows into the group commit; whoever
 * acknowledges waits for its ticket. Live events are told when their rows are durable.
 */
export class Telemetry implements Conventions {
  readonly #store: Store
  readonly #lanes: Lanes
  readonly #live: LiveBus
  readonly #metrics: Metrics
  readonly #log: Logger
  readonly #options: TelemetryOptions
  readonly #points: Counter
  readonly #ports: WriterPorts
  /** Aggregates of what is stored here. */
  readonly rollups: Rollups
  readonly #writers = new Map<string, DeviceWriter>()
  /** When devices were deleted, milliseconds since 1970: one that was made later with the same id is another. */
  readonly #gone = new Map<string, number>()
  readonly #landings: Landings<Landed>

  constructor(options: TelemetryOptions) {
    this.#store = options.store
    this.#lanes = options.lanes
    this.#live = options.live
    this.#metrics = options.metrics
    this.#log = options.log
    this.#options = options
    this.#points = options.metrics.counter('cinque_telemetry_points_total', 'Values taken in')
    this.#landings = new Landings(options.lanes, ({ device, at, points, event, bytes }) => {
      this.rollups.landed(device, at, points, options.clock.now())
      if (event !== null) this.#live.publish(event, bytes)
    })
    const { retentions } = options
    this.rollups = new Rollups({ ...options, rules: (device) => this.#rules(device) })
    this.#ports = { lanes: options.lanes, retentions, rollups: this.rollups }
  }

  /** `v1/devices/me/telemetry` of a device, and its own `pub/{user}/{device}/{node}/{field}` (key `{node}/{field}`). */
  sinkFor(principal: Principal, topic: string): Sink | null {
    const { device } = principal
    if (device === null) return null
    if (topic === telemetryTopic) return this.#sink(device, parseJson)
    if (!(principal instanceof DevicePrincipal)) return null
    const [pub, user, id, node, field, ...rest] = topic.split('/')
    if (pub !== 'pub' || user !== principal.user || id !== device.id || !node || !field || rest.length > 0)
      return null
    const key = `${node}/${field}`
    return this.#sink(device, (payload) => parseDecimal(payload, key))
  }

  /**
   * Stages a JSON payload of a device and returns how many values it has. PayloadError: nothing of it is stored.
   * Durable with the current ticket of the organisation's lane.
   */
  ingestJson(device: DeviceRef, payload: Uint8Array, receivedAt: number): number {
    return this.#stage(this.#writer(device), parseJson, payload, receivedAt)
  }

  /** The same with one decimal number for one key. */
  ingestDecimal(device: DeviceRef, key: string, payload: Uint8Array, receivedAt: number): void {
    this.#stage(this.#writer(device), () => parseDecimal(payload, key), payload, receivedAt)
  }

  /** Stages values of the past that somebody brings; live streams do not hear of them. PayloadError: none is stored. */
  takePast(device: DeviceRef, points: readonly ParsedPoint[], receivedAt: number): void {
    const writer = this.#writer(device)
    const stored = this.#write(writer, () => points, nothing, receivedAt)
    const past = { event: null, bytes: 0, device, at: receivedAt, points: stored }
    this.#landings.push(device.org, past)
  }

  history(device: DeviceRef, query: HistoryQuery): Promise<HistoryPage> {
    return readHistory(this.#store, device, query)
  }

  /** Keeps aggregates and rules of retention up to date from now on, until `close`. */
  start(timers: Timers): void {
    this.rollups.start(timers)
    this.#options.retentions.start(timers, this.#log)
  }

  async close(): Promise<void> {
    this.#options.retentions.close()
    await this.rollups.close()
  }

  /** Aggregates of steps of time; see AggregateQuery. */
  async aggregates(device: DeviceRef, query: AggregateQuery): Promise<AggregatePage> {
    const ports = {
      store: this.#store,
      now: this.#options.clock.now(),
      rules: await this.#rules(device),
      stale: (day: number) => this.rollups.wanted(device, day),
    }
    return readAggregates(ports, device, query)
  }

  /** The first day (since 1970) that a device has values or aggregates of; null: none. */
  firstDay(device: DeviceRef): Promise<number | null> {
    return firstDay(this.#store, device)
  }

  /** The keys that a device ever had. */
  keys(device: DeviceRef): Promise<string[]> {
    return keysOf(this.#store, device)
  }

  /** The newest value of each key, or of those keys, in order of the keys. */
  async latest({ org, id }: DeviceRef, keys?: readonly string[]): Promise<Point[]> {
    const wanted = keys === undefined ? undefined : new Set(keys)
    const rows = await this.#store.range(latest, { org, device: id }, { limit: telemetryLimits.keys })
    return rows
      .filter(({ key }) => wanted === undefined || wanted.has(key))
      .map((row) => ({ key: row.key, ts: row.ts ?? 0, value: getValue(row) }))
  }

  /**
   * Another process has deleted the device and its values: refuses more, and if this one stored some, deletes them
   * again, because its last ones may come after that deletion. Durable when it resolves.
   */
  async forget(device: DeviceRef, deletedAt: number): Promise<void> {
    if (this.#writers.has(idOf(device))) await this.purge(device, deletedAt)
    else this.#close(device, deletedAt)
  }

  /** Deletes all values of a device that was deleted, and refuses more. Durable when it resolves. */
  async purge(device: DeviceRef, deletedAt: number): Promise<void> {
    this.#close(device, deletedAt)
    // What is staged already must not come after the deletion.
    await this.#lanes.of(device.org).durable()
    await this.rollups.forget(device)
    await eraseDevice(this.#store, device, null)
  }

  /**
   * Deletes all values and aggregates of a device that goes on. What is stored meanwhile may stay. Durable when it
   * resolves.
   */
  async erase(device: Pick<DeviceRef, 'org' | 'id'>): Promise<void> {
    await this.#lanes.of(device.org).durable()
    await this.rollups.forget(device)
    await eraseDevice(this.#store, device, this.#options.clock.now())
    this.#writers.get(idOf(device))?.forgetNewest()
    // Another process may have been making aggregates of what is gone.
    await eraseDevice(this.#store, device, this.#options.clock.now())
  }

  /** Of which keys of a device aggregates are kept. */
  async #rules({ org, id }: Pick<DeviceRef, 'org' | 'id'>): Promise<RollupRules> {
    const set = this.#options.retentions.of(org)
    const { rules, version } = set.document
    if (rules.every(({ aggregates }) => aggregates)) return everyKey
    const profile = await this.#options.profileOf(org, id)
    return { id: `${version}/${profile ?? ''}`, includes: (key) => set.resolve(profile, key).aggregates }
  }

  #close(device: DeviceRef, deletedAt: number): void {
    const id = idOf(device)
    this.#writers.get(id)?.close()
    this.#writers.delete(id)
    this.#gone.delete(id)
    this.#gone.set(id, deletedAt)
    if (this.#gone.size > maxGone)
      for (const oldest of this.#gone.keys()) return void this.#gone.delete(oldest)
  }

  #sink(device: DeviceRef, parse: Parse): Sink {
    const writer = this.#writer(device)
    return {
      accept: (payload, receivedAt) => {
        try {
          this.#stage(writer, parse, payload, receivedAt)
          return undefined
        } catch (error) {
          if (!(error instanceof PayloadError)) throw error
          const code = overLimit.has(error.reason) ? 'quota_exceeded' : 'payload_format_invalid'
          return { code, explanation: error.message }
        }
      },
    }
  }

  #stage(writer: DeviceWriter, parse: Parse, payload: Uint8Array, receivedAt: number): number {
    try {
      const points = this.#write(writer, parse, payload, receivedAt)
      const { device } = writer
      const event = { type: 'telemetry', org: device.org, device, at: receivedAt, data: { points } } as const
      const bytes = payload.length + eventOverhead
      this.#landings.push(device.org, { event, bytes, device, at: receivedAt, points })
      return points.length
    } catch (error) {
      if (error instanceof PayloadError) {
        this.#metrics.counter('cinque_telemetry_refused_total', 'Payloads refused', { reason: error.reason })
          .value++
      }
      throw error
    }
  }

  /** Within the quota of the organisation. */
  #write(writer: DeviceWriter, parse: Parse, payload: Uint8Array, receivedAt: number): Point[] {
    const usage = this.#options.usage?.of(writer.device.org)
    if (usage?.exhausted('points') === true) {
      throw new PayloadError(
        'quota_exhausted',
        '',
        'the organisation has stored as many values today as its quota allows',
      )
    }
    const points = writer.write(parse(payload, receivedAt), receivedAt)
    usage?.add('points', points.length)
    this.#points.value += points.length
    return points
  }

  #writer(device: DeviceRef): DeviceWriter {
    const id = idOf(device)
    let writer = this.#writers.get(id)
    if (writer !== undefined) writer.profile = profileIn(device, writer.profile)
    else {
      if (this.#writers.size >= maxWriters) this.#writers.delete(this.#writers.keys().next().value ?? '')
      writer = new DeviceWriter(device, this.#ports)
      writer.profile = profileIn(device, null)
      const gone = this.#gone.get(id)
      if (gone !== undefined && (device.createdAt ?? 0) <= gone) {
        writer.close()
        return writer
      }
      this.#writers.set(id, writer)
      this.#learnKeys(writer)
    }
    return writer
  }

  #learnKeys(writer: DeviceWriter): void {
    keysOf(this.#store, writer.device).then(
      (keys) => writer.learnKeys(keys),
      (error: unknown) => {
        // Its values are taken all the same; only the limit of keys counts from nothing until the next start.
        this.#log.warn(
          { event: 'telemetry.keys_unread', device: writer.device.id, err: error },
          'keys not read',
        )
      },
    )
  }
}

/** Values whose rows have become durable. */
interface Landed {
  readonly device: DeviceRef
  /** When they came, milliseconds since 1970. */
  readonly at: number
  readonly points: readonly Point[]
  /** What live streams hear; null: nothing, they are of the past. */
  readonly event: LiveEvent | null
  readonly bytes: number
}

type Parse = (payload: Uint8Array, receivedAt: number) => readonly ParsedPoint[]

const nothing = new Uint8Array()
const everyKey: RollupRules = { id: '', includes: () => true }

/** Reasons that are no fault of the payload. */
const overLimit: ReadonlySet<string> = new Set(['too_many_keys', 'quota_exhausted'])

/** Bytes of an event beside its payload, roughly. */
const eventOverhead = 200

/** Who found the device in the registry knows its profile. */
function profileIn(device: DeviceRef, otherwise: string | null): string | null {
  if (!('profile' in device)) return otherwise
  return typeof device.profile === 'string' ? device.profile : null
}

function idOf({ org, id }: Pick<DeviceRef, 'org' | 'id'>): string {
  return `${org}/${id}`
}
