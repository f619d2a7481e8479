import type { DeviceRef } from '../auth/principal.ts'
import type { Clock } from '../clock.ts'
import type { LiveBus } from '../live/live-bus.ts'
import type { Logger } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import type { Lanes } from '../store/lanes.ts'
import { Batch, type Store } from '../store/store.ts'
import { systemTimers, type Timer, type Timers } from '../timers.ts'
import { Activity } from './activity.ts'
import {
  bucketOf,
  Change,
  type DeviceClient,
  type EndReason,
  type Holder,
  monthOf,
  type PresenceRow,
  slotOf,
  stampOf,
} from './change.ts'
import { Holders, type Liveness } from './holders.ts'
import { type HistoryPage, type HistoryQuery, readPresenceHistory } from './presence-history.ts'
import { PresenceReader } from './presence-reader.ts'
import { PresenceWriter } from './presence-writer.ts'
import type { DevicePresence } from './presence-record.ts'
import { historyDays, presence, presenceEvent } from './tables.ts'

/** Rows that are read at once of the whole table. */
const scanPage = 1000
/** Deleted devices remembered, so that the end of their connections is not written any more. */
const maxGone = 10_000
/** Clients of a device that are kept when they are not connected any more. */
const maxEnded = 8
/** One in so many client ids makes its device be looked through for others. */
const pruneOf = 16
const dayMs = 86_400_000

export interface PresenceOptions {
  readonly store: Store
  readonly lanes: Lanes
  readonly live: LiveBus
  readonly clock: Clock
  readonly metrics: Metrics
  readonly log: Logger
  readonly timers?: Timers | undefined
  /** Told when a device has come, or has gone with its last connection. */
  readonly onSeen?: ((device: DeviceRef, online: boolean, at: number) => void) | undefined
  /** Finds a device; undefined: it was deleted. Rejects with StoreError. */
  readonly find: (org: string, device: string) => Promise<DeviceRef | undefined>
}

/**
 * Which devices are connected, and which are active. Connected is a matter of the transport: the process that has the
 * connection writes it down, and it holds as long as that process lives; the end of a process is the end of its
 * connections, whoever asks, from the moment on that this is known. Active is a matter of data: a device is active
 * while its last data are younger than some time; nothing has to happen for it to become inactive.
 */
export class Presence {
  readonly #store: Store
  readonly #lanes: Lanes
  readonly #clock: Clock
  readonly #log: Logger
  readonly #timers: Timers
  readonly #writer: PresenceWriter
  readonly #activity: Activity
  readonly #holders: Holders
  readonly #reader: PresenceReader
  readonly #onSeen: PresenceOptions['onSeen']
  readonly #find: PresenceOptions['find']
  /** Connections here, by device. */
  readonly #connections = new Map<string, number>()
  /** When devices were deleted. */
  readonly #gone = new Map<string, number>()
  #timer: Timer | null = null

  constructor(options: PresenceOptions) {
    const { store, lanes, live, clock, metrics, log, timers = systemTimers } = options
    this.#store = store
    this.#lanes = lanes
    this.#clock = clock
    this.#log = log
    this.#timers = timers
    this.#onSeen = options.onSeen
    this.#find = options.find
    this.#activity = new Activity(lanes)
    this.#holders = new Holders(options)
    this.#writer = new PresenceWriter({
      lanes,
      live,
      clock,
      timers,
      metrics,
      isGone: ({ device }) => (this.#gone.get(keyOf(device)) ?? -1) >= (device.createdAt ?? 0),
      onChange: (client, connected, at) => this.#changed(client, connected, at),
    })
    this.#reader = new PresenceReader(store, {
      holders: this.#holders,
      recent: (org, device) => this.#writer.recent(org, device),
      now: () => clock.now(),
      lastData: (org, device) => this.#activity.last(org, device),
    })
    live.onTaken((event) => this.#activity.taken(event))
    metrics.gauge(
      'cinque_presence_devices',
      'Devices connected to this process',
      () => this.#connections.size,
    )
  }

  // --- what happens here ------------------------------------------------------------------------------

  /** Before the first connection. `liveness` null: this is the only process. */
  start(holder: Holder, liveness: Liveness | null = null): void {
    this.#holders.start(holder, liveness)
    this.#writer.start(holder)
    this.#timer ??= this.#timers.every(1000, () => this.#second())
  }

  /** After the last connection: stages what has not been written. */
  stop(): void {
    this.#timer?.cancel()
    this.#timer = null
    this.#writer.stop()
    this.#activity.flush()
  }

  connected(client: DeviceClient): void {
    const key = keyOf(client.device)
    const connections = this.#connections.get(key) ?? 0
    this.#connections.set(key, connections + 1)
    if (this.#connections.size === 1 && connections === 0) this.#holders.alive()
    this.#writer.changed(client, Change.CONNECTED, null)
  }

  disconnected(client: DeviceClient, reason: EndReason): void {
    const key = keyOf(client.device)
    const left = (this.#connections.get(key) ?? 1) - 1
    if (left > 0) this.#connections.set(key, left)
    else this.#connections.delete(key)
    this.#writer.changed(client, Change.DISCONNECTED, reason)
  }

  /** Others may have taken this process for lost, and have ended the connection in the store: it is there all the same. */
  stillConnected(client: DeviceClient): void {
    const { device, clientId, epoch } = client
    const key = { org: device.org, bucket: bucketOf(device.id), device: device.id, slot: slotOf(clientId) }
    this.#store.get(presence, key).then(
      (row) => {
        const lost = row?.epoch === epoch && row.stamp === stampOf(epoch, Change.LOST)
        if (lost && this.#connections.has(keyOf(device)))
          this.#writer.changed(client, Change.STILL_CONNECTED, null)
      },
      (error: unknown) =>
        this.#log.warn({ event: 'presence.unread', device: device.id, err: error }, 'presence not read'),
    )
  }

  /**
   * Writes down the end of the connections of processes that are gone. `mine`: of whom this process has the duty to do so.
   * `see` is told of every stamp of a connection. Rejects with StoreError: nothing is lost, it can be done again.
   */
  async sweep(mine: (holder: Uint8Array) => boolean, see?: (epoch: number) => void): Promise<number> {
    let cursor: string | null = null
    let swept = 0
    do {
      // oxlint-disable-next-line no-await-in-loop -- one page after the other
      const page: { rows: PresenceRow[]; cursor: string | null } = await this.#store.scan(
        presence,
        cursor,
        scanPage,
      )
      for (const row of page.rows) {
        if (row.epoch !== undefined) see?.(row.epoch)
        if (row.connected !== true || row.holder === undefined || !mine(row.holder)) continue
        // oxlint-disable-next-line no-await-in-loop
        await this.#lost(row, row.holder)
        swept++
      }
      cursor = page.cursor
    } while (cursor !== null)
    if (swept > 0)
      this.#log.info({ event: 'presence.swept', connections: swept }, 'ended connections of lost processes')
    return swept
  }

  /** Forgets a deleted device. Durable when it resolves. */
  async purge({ org, id }: DeviceRef, deletedAt: number): Promise<void> {
    const key = `${org}/${id}`
    this.#gone.set(key, deletedAt)
    if (this.#gone.size > maxGone) this.#gone.delete(this.#gone.keys().next().value ?? '')
    this.#activity.forget(org, id)
    await this.#lanes.of(org).durable()
    const bucket = bucketOf(id)
    const rows = await this.#store.range(
      presence,
      { org, bucket },
      { from: { device: id }, to: { device: id }, limit: scanPage },
    )
    const batch = new Batch()
    for (const { slot } of rows) batch.delete(presence, { org, bucket, device: id, slot })
    const month = monthOf(this.#clock.now())
    for (let i = 0; i <= monthOf(historyDays * dayMs) + 1; i++)
      batch.deletePartition(presenceEvent, { org, device: id, month: month - i })
    await this.#store.write(batch)
  }

  // --- questions --------------------------------------------------------------------------------------

  /** Devices by id; those that never connected and sent nothing are in it, too. Rejects with StoreError. */
  of(org: string, devices: readonly string[]): Promise<Map<string, DevicePresence>> {
    return this.#reader.of(org, devices)
  }

  /**
   * Devices that have ever connected or sent data, in an order of its own; `after`: the place that the page before gave.
   * A page may be short, or empty, before the last one. Rejects with StoreError.
   */
  list(
    org: string,
    page: { limit: number; after?: PresencePlace | undefined; which?: (one: DevicePresence) => boolean },
  ): Promise<{ devices: DevicePresence[]; next: PresencePlace | null }> {
    return this.#reader.list(org, page)
  }

  /** When a device's clients came and went. Rejects with StoreError. */
  history(device: DeviceRef, query: HistoryQuery): Promise<HistoryPage> {
    return readPresenceHistory(this.#store, device, query, this.#clock.now())
  }

  // --- inside -----------------------------------------------------------------------------------------

  async #lost(row: PresenceRow, holder: Uint8Array): Promise<void> {
    const [lastAlive, device] = await Promise.all([
      this.#holders.lastAlive(holder),
      this.#find(row.org, row.device),
    ])
    if (device === undefined) {
      const { org, bucket, device: id, slot } = row
      this.#lanes.of(org).stage().delete(presence, { org, bucket, device: id, slot })
      return
    }
    const at = Math.max(lastAlive ?? 0, row.at ?? 0)
    this.#writer.writeLost(device, row, at)
    this.#onSeen?.(device, false, at)
  }

  /** Of a device with ever new client ids only the latest are kept. A few of the ids are enough to see to it. */
  #prune({ org, id }: DeviceRef): void {
    const bucket = bucketOf(id)
    this.#store
      .range(presence, { org, bucket }, { from: { device: id }, to: { device: id }, limit: scanPage })
      .then(
        (rows) => {
          const over = rows
            .filter(({ connected }) => connected === false)
            .toSorted((a, b) => (b.at ?? 0) - (a.at ?? 0))
          for (const { slot } of over.slice(maxEnded))
            this.#lanes.of(org).stage().delete(presence, { org, bucket, device: id, slot })
        },
        (error: unknown) =>
          this.#log.warn(
            { event: 'presence.prune_failed', device: id, err: error },
            'old clients of a device not removed',
          ),
      )
  }

  #changed({ device, clientId }: DeviceClient, connected: boolean, at: number): void {
    if (slotOf(clientId)[0] % pruneOf === 0) this.#prune(device)
    if (!connected && this.#connections.has(keyOf(device))) return
    this.#onSeen?.(device, connected, at)
    if (!connected) this.#lookElsewhere(device, at)
  }

  /** A device that has gone from here may have another client at another process. */
  #lookElsewhere(device: DeviceRef, at: number): void {
    this.of(device.org, [device.id]).then(
      (found) => {
        if (found.get(device.id)?.connected === true) this.#onSeen?.(device, true, at + 1)
      },
      (error: unknown) =>
        this.#log.warn({ event: 'presence.unread', device: device.id, err: error }, 'presence not read'),
    )
  }

  #second(): void {
    this.#activity.tick()
    this.#holders.tick(this.#connections.size)
  }
}

export interface PresencePlace {
  readonly bucket: number
  readonly device: string
}

function keyOf({ org, id }: DeviceRef): string {
  return `${org}/${id}`
}
