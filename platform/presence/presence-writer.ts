import type { DeviceRef } from '../auth/principal.ts'
import type { Clock } from '../clock.ts'
import type { LiveBus } from '../live/live-bus.ts'
import type { LiveEvent } from '../live/live-event.ts'
import type { Counter, Metrics } from '../metrics.ts'
import { Landings } from '../store/landings.ts'
import type { Lanes } from '../store/lanes.ts'
import type { Timer, Timers } from '../timers.ts'
import {
  bucketOf,
  Change,
  type DeviceClient,
  type EndReason,
  type Holder,
  isConnected,
  monthOf,
  type PresenceRow,
  slotOf,
  stampOf,
} from './change.ts'
import { presence, presenceEvent } from './tables.ts'

/** Changes of a client in a minute that are written at once; from then on one in ten seconds stands for all. */
const freeChanges = 6
const spacingMs = 10_000
/** A client without a change for this long is not known to come and go any more. */
const calmMs = 60_000
/** Clients that are remembered for it. */
const maxRemembered = 200_000
/** Rows waiting for the disk at which changes wait here, where a later one takes the place of an earlier one. */
const maxStaged = 8192
/** Changes that are written each second when they had to wait. */
const perSecond = 5000

/** A change on its way to the disk. */
interface Pending {
  readonly client: DeviceClient
  readonly change: Change
  readonly reason: EndReason | null
  readonly at: number
}

/** What a client has done lately. */
interface Recent {
  /** What it did last; the store may not show it yet. */
  readonly last: Pending
  /** That is not written. */
  waits: boolean
  /** Changes that `last` stands for. */
  changes: number
  /** Changes lately. */
  count: number
  /** When it was written last. */
  writtenAt: number
  /** Another client of the device. */
  next: Recent | null
}

export interface PresenceWriterOptions {
  readonly lanes: Lanes
  readonly live: LiveBus
  readonly clock: Clock
  readonly timers: Timers
  readonly metrics: Metrics
  /** Whether the device is gone: nothing is written for it any more. */
  readonly isGone: (client: DeviceClient) => boolean
  /** Told of each change that is written: the device has, or has no, connection here. */
  readonly onChange: (client: DeviceClient, connected: boolean, at: number) => void
}

/**
 * Writes down when devices' clients come and go: the newest state of each, and a row of history. Nobody waits for it.
 * A client that does so all the time, and a store that does not keep up, make it write less often, never wrongly.
 */
export class PresenceWriter {
  readonly #options: PresenceWriterOptions
  /** By device, oldest first. */
  readonly #recent = new Map<string, Recent>()
  /** Events whose rows are not durable yet. */
  readonly #landings: Landings<LiveEvent>
  readonly #written: Counter
  readonly #merged: Counter
  #holder: Holder | null = null
  #timer: Timer | null = null

  constructor(options: PresenceWriterOptions) {
    this.#options = options
    const { metrics, lanes, live } = options
    this.#written = metrics.counter('cinque_presence_changes_total', 'Changes of presence written')
    this.#merged = metrics.counter(
      'cinque_presence_merged_total',
      'Changes of presence that a later one of the same client stands for',
    )
    this.#landings = new Landings(lanes, (event) => live.publish(event, eventBytes))
  }

  start(holder: Holder): void {
    this.#holder = holder
    this.#timer ??= this.#options.timers.every(1000, () => this.#second())
  }

  /** Writes what waits; durable with the commit's ticket. */
  stop(): void {
    this.#timer?.cancel()
    this.#timer = null
    for (const first of this.#recent.values()) this.#writeAll(first)
    this.#recent.clear()
  }

  changed(client: DeviceClient, change: Change, reason: EndReason | null): void {
    const now = this.#now
    const key = keyOf(client.device)
    const first = this.#recent.get(key) ?? null
    const before = find(first, client.clientId)
    const recent: Recent = {
      last: { client, change, reason, at: now },
      waits: true,
      changes: before?.waits === true ? before.changes + 1 : 1,
      count: (before?.count ?? 0) + 1,
      writtenAt: before?.writtenAt ?? 0,
      next: without(first, before),
    }
    if (before?.waits === true) this.#merged.value++
    this.#recent.delete(key)
    this.#recent.set(key, recent)
    if (recent.count <= freeChanges && !this.#pressed(client.device.org)) this.#write(recent)
    if (this.#recent.size <= maxRemembered) return
    const [[oldest, forgotten]] = this.#recent
    this.#writeAll(forgotten)
    this.#recent.delete(oldest)
  }

  /** What is known here of a device's clients, that the store may not show yet. */
  *recent(org: string, device: string): Iterable<PresenceRow> {
    for (let one = this.#recent.get(`${org}/${device}`) ?? null; one !== null; one = one.next)
      yield this.#row(one.last)
  }

  /** The row of a change that another process made, or should have made. */
  writeLost(device: DeviceRef, row: PresenceRow, at: number): void {
    const { slot, epoch = 0 } = row
    const batch = this.#options.lanes.of(row.org).stage()
    const off = { ...row, connected: false, reason: 'server_lost', at, stamp: stampOf(epoch, Change.LOST) }
    batch.put(presence, off)
    const { bucket: _, connected: _c, holder: _h, stamp: _s, ...facts } = off
    batch.put(presenceEvent, { ...facts, month: monthOf(at), slot, epoch, change: Change.LOST, changes: 1 })
    this.#written.value++
    this.#announce(device, off, 1)
  }

  get #now(): number {
    return this.#options.clock.now()
  }

  #pressed(org: string): boolean {
    const commit = this.#options.lanes.of(org)
    return commit.failing || commit.staged > maxStaged || this.#holder === null
  }

  #writeAll(first: Recent): void {
    for (let one: Recent | null = first; one !== null; one = one.next) this.#write(one)
  }

  #write(recent: Recent): void {
    const { last, changes, waits } = recent
    const { lanes, isGone, onChange } = this.#options
    if (!waits || this.#holder === null) return
    recent.waits = false
    recent.writtenAt = this.#now
    const { client, change, at } = last
    if (isGone(client)) return
    const row = this.#row(last)
    const { bucket: _, connected, holder: _h, stamp: _s, ...facts } = row
    const batch = lanes.of(row.org).stage()
    batch.put(presence, row)
    batch.put(presenceEvent, { ...facts, at, month: monthOf(at), epoch: client.epoch, change, changes })
    this.#written.value++
    this.#announce(client.device, row, changes)
    onChange(client, connected === true, at)
  }

  #row({ client, change, reason, at }: Pending): PresenceRow {
    const { device, clientId, epoch, address, version, keepAlive, cleanStart, sessionExpiry } = client
    const holder = this.#holder
    return {
      org: device.org,
      bucket: bucketOf(device.id),
      device: device.id,
      slot: slotOf(clientId),
      client_id: clientId,
      reason: reason ?? undefined,
      process: holder?.process ?? undefined,
      dc: holder?.dc ?? undefined,
      address,
      version,
      keep_alive: keepAlive,
      clean_start: cleanStart,
      session_expiry: sessionExpiry,
      epoch,
      connected: isConnected(change),
      at,
      holder: holder?.id,
      stamp: stampOf(epoch, change),
    }
  }

  #announce(device: DeviceRef, row: PresenceRow, changes: number): void {
    const { client_id, connected, reason = null, dc = null, process = null, address = null } = row
    const data = { connected, client: client_id, reason, process, dc, address, changes }
    const event = { type: 'presence', org: row.org, device, at: row.at ?? 0, data } as const
    this.#landings.push(row.org, event)
  }

  #second(): void {
    const now = this.#now
    let left = perSecond
    for (const [key, first] of this.#recent) {
      let calm = true
      const pressed = this.#pressed(first.last.client.device.org)
      for (let one: Recent | null = first; one !== null; one = one.next) {
        const idle = now - one.writtenAt
        if (one.waits && left > 0 && !pressed && (one.count <= freeChanges || idle >= spacingMs)) {
          this.#write(one)
          left--
        }
        calm &&= !one.waits && idle >= calmMs
      }
      if (calm) this.#recent.delete(key)
    }
  }
}

/** What a live event of presence keeps in memory, about. */
const eventBytes = 600

function keyOf({ org, id }: DeviceRef): string {
  return `${org}/${id}`
}

function find(first: Recent | null, clientId: string): Recent | null {
  for (let one = first; one !== null; one = one.next) if (one.last.client.clientId === clientId) return one
  return null
}

/** The chain without one of it. */
function without(first: Recent | null, gone: Recent | null): Recent | null {
  if (first === null || gone === null) return first
  if (first === gone) return first.next
  for (let one = first; one.next !== null; one = one.next) {
    if (one.next !== gone) continue
    one.next = gone.next
    break
  }
  return first
}
