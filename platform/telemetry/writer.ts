import { randomInt } from 'node:crypto'
import type { DeviceRef } from '../auth/principal.ts'
import type { GroupCommit } from '../store/group-commit.ts'
import type { RowOf } from '../store/table.ts'
import { checkKey, type ParsedPoint, PayloadError, telemetryLimits } from './payload.ts'
import { type Point, setValue, type ValueColumns } from './point.ts'
import { latest, telemetry, telemetryDay } from './tables.ts'

export const dayMs = 86_400_000
const maxDays = 64

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

/** Stages the values of one device, whatever way they come. */
export class DeviceWriter {
  readonly device: DeviceRef
  /** Takes its rows: the lane of its organisation. */
  readonly commit: GroupCommit
  readonly #newest = new Map<string, Newest>()
  /** Day of a value -> day on which that was last put down in `telemetry_day`. */
  readonly #days = new Map<number, number>()
  /** Keys that the device has, as far as they are known here. */
  readonly #keys = new Set<string>()
  #closed = false

  constructor(device: DeviceRef, commit: GroupCommit) {
    this.device = device
    this.commit = commit
  }

  /** The keys that the device has already; they count towards the limit. */
  learnKeys(keys: readonly string[]): void {
    for (const key of keys) this.#keys.add(key)
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
    batch.put(telemetry, row)
    const today = Math.floor(receivedAt / dayMs)
    if (this.#days.get(day) !== today) {
      if (this.#days.size >= maxDays) this.#days.clear()
      this.#days.set(day, today)
      batch.put(telemetryDay, { org, device, day })
    }
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
