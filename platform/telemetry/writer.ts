import { randomInt } from 'node:crypto'
import type { DeviceRef } from '../auth/principal.ts'
import type { GroupCommit } from '../store/group-commit.ts'
import type { Lanes } from '../store/lanes.ts'
import type { RowOf } from '../store/table.ts'
import { checkKey, type ParsedPoint, PayloadError, telemetryLimits } from './payload.ts'
import { type Point, setValue, type ValueColumns } from './point.ts'
import type { RetentionClass } from './classes.ts'
import type { Retentions, RuleSet } from './retention.ts'
import type { Rollups } from './rollups/worker.ts'
import { latest, type telemetry } from './tables.ts'
import { dayMs, hourMs } from './times.ts'

/** Days and hours that a writer remembers to have put down; forgotten, they are put down again. */
const maxRemembered = 64

/**
 * Tells apart values of one key in one millisecond, in order of arrival. It begins anywhere, so that two processes
 * that store for one device at the same time don't overwrite each other's.
 */
let arrival = randomInt(2 ** 31)

/** The newest value of a key, as it was staged last. */
interface Newest {
  /** The batch that holds `row`; while that is still open, a newer value takes the row's place in it. */
  ticket: number
  readonly row: ValueColumns & { org: string; device: string; key: string; ts: number }
}

/** What writers of all devices share. */
export interface WriterPorts {
  readonly lanes: Lanes
  readonly retentions: Retentions
  readonly rollups: Rollups
}

/** Stages the values of one device, whatever way they come. */
export class DeviceWriter {
  readonly device: DeviceRef
  /** Takes its rows: the lane of its organisation. */
  readonly commit: GroupCommit
  #profile: string | null = null
  readonly #ports: WriterPorts
  readonly #newest = new Map<string, Newest>()
  /** Of each class: day of a value -> day on which that was last put down in the class's list of days. */
  readonly #days = new Map<RetentionClass, Map<number, number>>()
  /** Hour of a value -> until when it is marked for the aggregates, milliseconds since 1970. */
  readonly #hours = new Map<number, number>()
  /** The hour of the value before, which nearly always is that of the next one. */
  #lastHour = -1
  #lastUntil = 0
  #rules: RuleSet | null = null
  readonly #classes = new Map<string, RetentionClass>()
  /** Keys that the device has, as far as they are known here. */
  readonly #keys = new Set<string>()
  #closed = false

  constructor(device: DeviceRef, ports: WriterPorts) {
    this.device = device
    this.#ports = ports
    this.commit = ports.lanes.of(device.org)
  }

  /** The keys that the device has already; they count towards the limit. */
  learnKeys(keys: readonly string[]): void {
    for (const key of keys) this.#keys.add(key)
  }

  get profile(): string | null {
    return this.#profile
  }

  /** Decides on retention. */
  set profile(profile: string | null) {
    if (profile !== this.#profile) this.#classes.clear()
    this.#profile = profile
  }

  /** The newest values are not there any more: any value is one again. */
  forgetNewest(): void {
    this.#newest.clear()
  }

  /** Refuses from now on: the device was deleted. */
  close(): void {
    this.#closed = true
  }

  /** Stages all the values, or throws PayloadError and stages none. Durable with the commit's current ticket. */
  write(parsed: readonly ParsedPoint[], receivedAt: number): Point[] {
    if (this.#closed) throw new PayloadError('device_gone', '', 'the device was deleted')
    this.#checkKeys(parsed)
    return parsed.map((point) => this.#stage(point, receivedAt))
  }

  #stage(point: ParsedPoint, receivedAt: number): Point {
    const { org, id: device } = this.device
    const { key, value, json } = point
    const ts = point.ts ?? receivedAt
    let n = 0
    if (point.ts === undefined) {
      arrival = (arrival + 1) & 0x7fffffff
      n = arrival
    }
    const day = Math.floor(ts / dayMs)
    const batch = this.commit.stage()
    const row: RowOf<typeof telemetry> = { org, device, day, key, ts, n }
    setValue(row, value, json)
    const kept = this.#classOf(key)
    batch.put(kept.values, row)
    const hour = Math.floor(ts / hourMs)
    if (hour !== this.#lastHour || receivedAt >= this.#lastUntil) this.#enter(hour, receivedAt)
    this.#noteDay(kept, day, Math.floor(receivedAt / dayMs))
    const newest = this.#newest.get(key)
    if (newest !== undefined && newest.row.ts > ts) return { key, ts, value }
    if (newest !== undefined && newest.ticket === this.commit.ticket) {
      newest.row.ts = ts
      setValue(newest.row, value, json)
    } else {
      const latestRow: Newest['row'] = { org, device, key, ts }
      setValue(latestRow, value, json)
      batch.put(latest, latestRow)
      this.#newest.set(key, { ticket: this.commit.ticket, row: latestRow })
    }
    return { key, ts, value }
  }

  /** Marks the hour for the aggregates, unless it is marked. */
  #enter(hour: number, receivedAt: number): void {
    let until = this.#hours.get(hour) ?? 0
    if (receivedAt >= until) {
      if (this.#hours.size >= maxRemembered) this.#hours.clear()
      until = this.#ports.rollups.mark(this.device, hour, receivedAt)
      this.#hours.set(hour, until)
    }
    this.#lastHour = hour
    this.#lastUntil = until
  }

  #noteDay(kept: RetentionClass, day: number, today: number): void {
    let days = this.#days.get(kept)
    if (days === undefined) this.#days.set(kept, (days = new Map()))
    if (days.get(day) === today) return
    if (days.size >= maxRemembered) days.clear()
    days.set(day, today)
    const { org, id: device } = this.device
    this.commit.stage().put(kept.dayList, { org, device, day })
    this.#ports.rollups.seal(this.device, day)
  }

  #classOf(key: string): RetentionClass {
    const rules = this.#ports.retentions.of(this.device.org)
    if (rules !== this.#rules) {
      this.#classes.clear()
      this.#rules = rules
    }
    let kept = this.#classes.get(key)
    if (kept === undefined) this.#classes.set(key, (kept = rules.resolve(this.profile, key).class))
    return kept
  }

  #checkKeys(parsed: readonly ParsedPoint[]): void {
    let fresh: Set<string> | undefined
    for (const { key } of parsed) {
      if (this.#keys.has(key)) continue
      checkKey(key)
      fresh ??= new Set()
      fresh.add(key)
    }
    if (fresh === undefined) return
    const [first] = fresh
    if (this.#keys.size + fresh.size > telemetryLimits.keys) {
      throw new PayloadError(
        'too_many_keys',
        first,
        `is new, and a device may have ${telemetryLimits.keys} keys in all`,
      )
    }
    for (const key of fresh) this.#keys.add(key)
  }
}
