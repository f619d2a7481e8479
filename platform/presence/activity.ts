import type { DeviceRef } from '../auth/principal.ts'
import type { LiveEvent } from '../live/live-event.ts'
import type { Lanes } from '../store/lanes.ts'
import { bucketOf, dataSlot } from './change.ts'
import { presence } from './tables.ts'

/** A device that sends all the time is written down this often, seconds; what is read elsewhere is that old at most. */
const everySeconds = 60
/** Devices that are remembered. */
const maxDevices = 200_000

interface Seen {
  readonly org: string
  readonly device: string
  /** By this process's clock: what devices say of the time does not count. */
  at: number
  writtenAt: number
  waiting: boolean
}

/**
 * When devices sent data last. Exact in the process that took them; written down once a minute for each device that
 * sends, and at the end of the minute in which it stopped.
 */
export class Activity {
  readonly #lanes: Lanes
  readonly #byRef = new WeakMap<DeviceRef, Seen>()
  readonly #byId = new Map<string, Seen>()
  /** Those to be written, by the second of the minute. */
  readonly #due: Seen[][] = Array.from({ length: everySeconds }, () => [])
  #second = 0

  constructor(lanes: Lanes) {
    this.#lanes = lanes
  }

  /** Something was taken from a device; on the way of every message. */
  taken({ type, device, at }: LiveEvent): void {
    if (device === null || (type !== 'telemetry' && type !== 'twin')) return
    const seen = this.#byRef.get(device) ?? this.#remember(device)
    seen.at = at
    if (seen.waiting) return
    seen.waiting = true
    const wait = Math.ceil((seen.writtenAt + everySeconds * 1000 - at) / 1000)
    this.#due[(this.#second + Math.min(Math.max(wait, 1), everySeconds - 1)) % everySeconds].push(seen)
  }

  /** When it was last heard of here; undefined: not that is known. */
  last(org: string, device: string): number | undefined {
    return this.#byId.get(`${org}/${device}`)?.at
  }

  forget(org: string, device: string): void {
    const key = `${org}/${device}`
    const seen = this.#byId.get(key)
    if (seen === undefined) return
    seen.at = 0
    this.#byId.delete(key)
  }

  /** Once a second. */
  tick(): void {
    this.#second = (this.#second + 1) % everySeconds
    this.#write(this.#second)
  }

  /** Writes what waits. */
  flush(): void {
    for (let second = 0; second < everySeconds; second++) this.#write(second)
  }

  #write(second: number): void {
    for (const seen of this.#due[second].splice(0)) {
      const { org, device, at } = seen
      const commit = this.#lanes.of(org)
      if (commit.failing) {
        this.#due[second].push(seen)
        continue
      }
      seen.waiting = false
      if (at === 0) continue
      seen.writtenAt = at
      commit.stage().put(presence, { org, bucket: bucketOf(device), device, slot: dataSlot, at, stamp: at })
    }
  }

  #remember(ref: DeviceRef): Seen {
    const key = `${ref.org}/${ref.id}`
    let seen = this.#byId.get(key)
    if (seen === undefined) {
      seen = { org: ref.org, device: ref.id, at: 0, writtenAt: 0, waiting: false }
      // What waits is written all the same.
      if (this.#byId.size >= maxDevices) this.#byId.delete(this.#byId.keys().next().value ?? '')
      this.#byId.set(key, seen)
    }
    this.#byRef.set(ref, seen)
    return seen
  }
}
