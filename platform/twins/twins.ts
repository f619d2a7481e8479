import { randomInt } from 'node:crypto'
import type { DeviceRef } from '../auth/principal.ts'
import { type Clock, HybridClock } from '../clock.ts'
import { PlatformError } from '../errors.ts'
import type { LiveEvent } from '../live/live-event.ts'
import type { LiveBus } from '../live/live-bus.ts'
import type { Logger } from '../log.ts'
import type { Outlet } from '../messages.ts'
import type { Metrics } from '../metrics.ts'
import { insert, putIf } from '../registry/conditional.ts'
import { Landings } from '../store/landings.ts'
import type { Lanes } from '../store/lanes.ts'
import { Batch, type Store } from '../store/store.ts'
import type { RowOf } from '../store/table.ts'
import {
  checkedDocument,
  deltaOf,
  type JsonObject,
  leavesOf,
  merged,
  sameJson,
  twinLimits,
  twinName,
  withoutNulls,
} from './document.ts'
import { Extents } from './extents.ts'
import { documentOf, rowsOf } from './reported.ts'
import { TwinSinks } from './sinks.ts'
import { twin, twinReported } from './tables.ts'

/** Rows of all documents of a device, deleted values included. */
const maxRows = 20_000
/** Times that a change is tried when others change the same at the time. */
const maxTries = 8
/** Bytes of a live event beside its text, roughly. */
const eventBytes = 300

export interface Twin {
  readonly name: string
  readonly desired: JsonObject
  /** Counts the changes of `desired`; 0: there were none. */
  readonly version: number
  readonly reported: JsonObject
  /** Grows with each report. */
  readonly reportedVersion: number
  /** What is desired and not reported; undefined: nothing. */
  readonly delta: JsonObject | undefined
  /** Milliseconds since 1970; undefined: never. */
  readonly updatedAt: number | undefined
  readonly updatedBy: string | undefined
  readonly reportedAt: number | undefined
}

export interface TwinsOptions {
  readonly store: Store
  readonly lanes: Lanes
  readonly clock: Clock
  readonly outlet: Outlet
  readonly live: LiveBus
  readonly log: Logger
  readonly metrics: Metrics
}

/**
 * The twins of devices: what people want of them (`desired`, changed by one at a time, see `version`), and what they say of
 * themselves (`reported`, taken also in a datacenter that is alone). Devices are told the difference.
 */
export class Twins {
  readonly sinks: TwinSinks
  readonly #store: Store
  readonly #lanes: Lanes
  readonly #clock: Clock
  readonly #outlet: Outlet
  readonly #log: Logger
  readonly #hlc: HybridClock
  readonly #extents: Extents
  readonly #live: LiveBus
  /** Events whose rows are not durable yet, in order of their tickets. */
  /** Events whose rows are not durable yet. */
  readonly #landings: Landings<{ event: LiveEvent; bytes: number }>

  constructor({ store, lanes, clock, outlet, live, log, metrics }: TwinsOptions) {
    this.#store = store
    this.#lanes = lanes
    this.#clock = clock
    this.#outlet = outlet
    this.#log = log
    this.#hlc = new HybridClock(clock)
    this.#hlc.salt = randomInt(1024)
    this.#extents = new Extents(store, log)
    this.#live = live
    this.#landings = new Landings(lanes, ({ event, bytes }) => live.publish(event, bytes))
    this.sinks = new TwinSinks({ twins: this, outlet, log, metrics })
  }

  /** PlatformError `twin_not_found`. */
  async get({ org, id: device }: DeviceRef, name: string): Promise<Twin> {
    const [row, reported] = await Promise.all([
      this.#store.get(twin, { org, device, name }),
      this.#store.range(twinReported, { org, device }, { from: { name }, to: { name }, limit: maxRows }),
    ])
    const one = twinOf(name, row, reported)
    if (one === undefined) throw notFound(name)
    return one
  }

  /** In order of their names. */
  async list({ org, id: device }: Pick<DeviceRef, 'org' | 'id'>): Promise<Twin[]> {
    const [rows, reported] = await Promise.all([
      this.#store.range(twin, { org, device }, { limit: maxRows }),
      this.#store.range(twinReported, { org, device }, { limit: maxRows }),
    ])
    const byName = Map.groupBy(reported, ({ name }) => name)
    const desired = new Map(rows.map((row) => [row.name, row]))
    const names = new Set([...desired.keys(), ...byName.keys()])
    return Array.from(names)
      .toSorted()
      .map((name) => twinOf(name, desired.get(name), byName.get(name) ?? []))
      .filter((one) => one !== undefined)
  }

  /**
   * Changes what is desired: merges a patch into it, or replaces it. `check` sees the version before it is changed, and may throw.
   * What changes nothing is not a version. The device is told, if it is there, what differs from what it reports; one that is away,
   * when it comes. PlatformError `invalid_field`, `conflict` (`expected`, or too many others), `limit_reached`.
   */
  async change(
    device: DeviceRef,
    name: string,
    change: {
      readonly patch?: unknown
      readonly replace?: unknown
      readonly expected?: number | undefined
      readonly by?: string | undefined
      readonly check?: ((version: number | null) => void) | undefined
      /** Hears what it was. */
      readonly before?: ((desired: JsonObject, version: number) => void) | undefined
    },
  ): Promise<Twin> {
    if (!twinName.test(name))
      throw new PlatformError('invalid_field', 'must be 1 to 64 of A-Z, a-z, 0-9, _ and -', 'name')
    const input = checkedDocument(change.replace ?? change.patch, 'desired')
    for (let tries = 0; ; tries++) {
      // oxlint-disable-next-line no-await-in-loop -- each try sees what the one before lost to
      const row = await this.#row(device, name)
      change.check?.(row?.desired === undefined ? null : (row.version ?? 0))
      const version = row?.version ?? 0
      if (change.expected !== undefined && change.expected !== version)
        throw conflict(name, version, change.expected)
      const before = parsed(row)
      change.before?.(before, version)
      const desired = change.replace === undefined ? merged(before, input) : withoutNulls(input)
      checkedDocument(desired, 'desired')
      if (row?.desired !== undefined && sameJson(before, desired)) return this.get(device, name)
      // oxlint-disable-next-line no-await-in-loop
      if (row === undefined) await this.#gateCount(device, name)
      // oxlint-disable-next-line no-await-in-loop
      if (await this.#put(device, name, row, JSON.stringify(desired), change.by)) break
      if (change.expected !== undefined || tries === maxTries)
        throw new PlatformError(
          'conflict',
          `twin "${name}" was changed by somebody else meanwhile; try again`,
        )
    }
    const after = await this.get(device, name)
    const { version, desired, delta } = after
    const data = { name, change: 'desired', version, desired, delta: delta ?? {} }
    this.#live.publish(this.#event(device, data), JSON.stringify(data).length + eventBytes)
    if (after.delta !== undefined) await this.tellDelta(device, after)
    return after
  }

  /** Deletes a document, desired and reported. PlatformError `twin_not_found`, `conflict`. */
  async delete(device: DeviceRef, name: string, check?: (version: number | null) => void): Promise<void> {
    const { org, id } = device
    const one = await this.get(device, name)
    const row = await this.#row(device, name)
    check?.(row?.version ?? one.version)
    if (row?.desired !== undefined && !(await this.#put(device, name, row, undefined, undefined)))
      throw new PlatformError('conflict', `twin "${name}" was changed by somebody else meanwhile; try again`)
    const stamp = this.#hlc.next()
    const commit = this.#lanes.of(org)
    const batch = commit.stage()
    for (const path of topLevel(one.reported)) batch.put(twinReported, { org, device: id, name, path, stamp })
    await commit.durable()
  }

  /**
   * Stages what a device says of itself; null deletes. Returns the version that it makes. PlatformError `invalid_field`,
   * `limit_reached`: nothing of it is staged.
   */
  report(device: DeviceRef, name: string, value: unknown): number {
    const { org, id } = device
    const patch = checkedDocument(value, 'reported')
    const leaves = leavesOf(patch)
    const stamp = this.#hlc.next()
    const rows = rowsOf(leaves, stamp)
    const refusal = this.#extents.grow(org, id, name, rows)
    if (refusal !== undefined) throw new PlatformError('limit_reached', refusal, 'reported')
    const batch = this.#lanes.of(org).stage()
    for (const row of rows) batch.put(twinReported, { org, device: id, name, ...row })
    const data = { name, change: 'reported', reported_version: stamp, reported: patch }
    const bytes = rows.reduce(
      (sum, { path, value: json }) => sum + path.length + (json?.length ?? 0),
      eventBytes,
    )
    this.#landings.push(org, { event: this.#event(device, data), bytes })
    return stamp
  }

  /** Resolves when what was staged for the organisation is durable. */
  durable(org: string): Promise<void> {
    return this.#lanes.of(org).durable()
  }

  /** Sends the device what it has to change; what was sent before is not sent any more. */
  async tellDelta({ org, id }: Pick<DeviceRef, 'org' | 'id'>, one: Twin): Promise<void> {
    const { name, version, delta } = one
    const payload = JSON.stringify({ version, delta })
    try {
      await this.#outlet.publish({
        org,
        topic: `v1/devices/${id}/twin/${name}/delta`,
        payload: Buffer.from(payload),
        responseTopic: `v1/devices/me/twin/${name}/update`,
        correlation: `twin:${name}:${version}`,
      })
    } catch (error) {
      this.#log.warn(
        { event: 'twin.untold', device: id, err: error },
        'a device hears of a change when it connects',
      )
    }
  }

  /** Whether a delta that has waited for its device is still the newest; in doubt it is. */
  async isNewest(org: string, device: string, correlation: string): Promise<boolean> {
    const [, name, version] = correlation.split(':')
    try {
      const row = await this.#store.get(twin, { org, device, name })
      return row === undefined || row.version === Number(version)
    } catch {
      return true
    }
  }

  /** Durable when it resolves. */
  async purge({ org, id: device }: DeviceRef): Promise<void> {
    await this.#lanes.of(org).durable()
    const batch = new Batch()
    batch.deletePartition(twin, { org, device })
    batch.deletePartition(twinReported, { org, device })
    await this.#store.write(batch)
    this.#extents.forget(org, device)
  }

  #event(device: DeviceRef, data: object): LiveEvent {
    const { org, id, name } = device
    return { type: 'twin', org, device: { org, id, name }, at: this.#clock.now(), data }
  }

  #row({ org, id: device }: DeviceRef, name: string): Promise<RowOf<typeof twin> | undefined> {
    return this.#store.get(twin, { org, device, name })
  }

  async #put(
    { org, id: device }: DeviceRef,
    name: string,
    old: RowOf<typeof twin> | undefined,
    desired: string | undefined,
    by: string | undefined,
  ): Promise<boolean> {
    const version = (old?.version ?? 0) + 1
    const row = { org, device, name, desired, version, updated_at: this.#clock.now(), updated_by: by }
    if (old === undefined) return insert(this.#store, twin, row, 'version')
    return putIf(this.#store, twin, row, 'version', old.version)
  }

  async #gateCount(device: DeviceRef, name: string): Promise<void> {
    const all = await this.list(device)
    if (all.length >= twinLimits.documents && !all.some((one) => one.name === name))
      throw new PlatformError('limit_reached', `a device may have ${twinLimits.documents} twins`)
  }
}

function parsed(row: RowOf<typeof twin> | undefined): JsonObject {
  return row?.desired === undefined ? {} : (JSON.parse(row.desired) as JsonObject)
}

/** Undefined: neither desired nor reported. */
function twinOf(
  name: string,
  row: RowOf<typeof twin> | undefined,
  rows: readonly RowOf<typeof twinReported>[],
): Twin | undefined {
  const reported = documentOf(rows.map(({ path, value, stamp }) => ({ path, value, stamp: stamp ?? 0 })))
  if (row?.desired === undefined && Object.keys(reported).length === 0) return undefined
  const desired = parsed(row)
  const newest = rows.reduce((most, { stamp }) => Math.max(most, stamp ?? 0), 0)
  return {
    name,
    desired,
    version: row?.version ?? 0,
    reported,
    reportedVersion: newest,
    delta: deltaOf(desired, reported),
    updatedAt: row?.updated_at,
    updatedBy: row?.updated_by,
    reportedAt: newest === 0 ? undefined : Math.floor(newest / 1024),
  }
}

function topLevel(document: JsonObject): string[] {
  return leavesOf(Object.fromEntries(Object.keys(document).map((key) => [key, null]))).map(({ path }) => path)
}

function notFound(name: string): PlatformError {
  return new PlatformError('twin_not_found', `the device has no twin "${name}"`)
}

function conflict(name: string, version: number, expected: number): PlatformError {
  return new PlatformError(
    'conflict',
    `twin "${name}" has version ${version}, not ${expected}; read it and make the change again`,
    'version',
  )
}
