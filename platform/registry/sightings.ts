import type { DeviceRef } from '../auth/principal.ts'
import type { LiveEvent } from '../live/live-event.ts'
import type { GroupCommit } from '../store/group-commit.ts'
import type { Lanes } from '../store/lanes.ts'
import { Batch, type Store } from '../store/store.ts'
import type { DeviceEntries } from './device-entries.ts'
import { deviceBucket } from './device-record.ts'
import { deviceSighting } from './tables.ts'

const maxFirmware = 64
/** The same news of a device is written again after this time, ms. */
const againMs = 600_000
const maxRemembered = 50_000

/**
 * When devices were last heard of and what they run, for lists and searches. Told by whoever hears of it; staged into
 * the group commit, so that it works in every datacenter alone, and the newest one counts.
 */
export class Sightings {
  readonly #store: Store
  readonly #lanes: Lanes
  readonly #entries: DeviceEntries
  /** Devices whose change goes into the log with the open batch, by organisation. */
  readonly #changed = new Map<string, Set<string>>()
  readonly #told = new Map<string, { what: string; at: number }>()

  constructor(store: Store, lanes: Lanes, entries: DeviceEntries) {
    this.#store = store
    this.#lanes = lanes
    this.#entries = entries
    for (const commit of lanes.all) commit.beforeLaunch(() => this.#logChanges(commit))
  }

  /** It showed a key or certificate that is good, over whatever protocol; says nothing of connections. */
  heard(device: DeviceRef, at: number): void {
    if (this.#isNews(device, 'heard', '', at)) this.#stage(device, { kind: 'heard', at })
  }

  /** It has come with its first connection or gone with its last (`online`). Milliseconds since 1970. */
  seen(device: DeviceRef, online: boolean, at: number): void {
    if (!online && !this.#isNews(device, 'seen', 'offline', at)) return
    if (online) this.#told.delete(`${device.org}/${device.id}/seen`)
    this.#stage(device, { kind: 'seen', at, online })
  }

  /** What a device reports of itself by its twin: `firmware`. */
  reported({ type, device, at, data }: LiveEvent): void {
    if (
      type !== 'twin' ||
      device === null ||
      typeof data !== 'object' ||
      data === null ||
      !('reported' in data)
    )
      return
    const { reported } = data
    if (typeof reported !== 'object' || reported === null || !('firmware' in reported)) return
    if (typeof reported.firmware === 'string') this.firmware(device, reported.firmware, at)
  }

  firmware(device: DeviceRef, version: string, at: number): void {
    const firmware = version.slice(0, maxFirmware).toWellFormed()
    if (this.#isNews(device, 'firmware', firmware, at))
      this.#stage(device, { kind: 'firmware', at, firmware })
  }

  /** Forgets a deleted device. */
  async purge({ org, id }: DeviceRef): Promise<void> {
    const batch = new Batch()
    const bucket = deviceBucket(id)
    for (const kind of ['seen', 'heard', 'firmware'])
      batch.delete(deviceSighting, { org, bucket, device: id, kind })
    await this.#store.write(batch)
  }

  #stage(
    { org, id }: DeviceRef,
    row: { kind: string; at: number; online?: boolean; firmware?: string },
  ): void {
    this.#lanes
      .of(org)
      .stage()
      .put(deviceSighting, { org, bucket: deviceBucket(id), device: id, ...row })
    const changed = this.#changed.get(org)
    if (changed === undefined) this.#changed.set(org, new Set([id]))
    else changed.add(id)
  }

  #isNews({ org, id }: DeviceRef, kind: string, what: string, at: number): boolean {
    const key = `${org}/${id}/${kind}`
    const told = this.#told.get(key)
    if (told !== undefined && told.what === what && at - told.at < againMs) return false
    if (this.#told.size >= maxRemembered) this.#told.clear()
    this.#told.set(key, { what, at })
    return true
  }

  #logChanges(commit: GroupCommit): void {
    for (const [org, ids] of this.#changed) {
      if (this.#lanes.of(org) !== commit) continue
      this.#changed.delete(org)
      this.#entries.stageChange(commit.stage(), org, Array.from(ids))
    }
  }
}
