import type { Clock } from '../clock.ts'
import type { Logger } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import type { Range, Store } from '../store/store.ts'
import { changeKey, type DeviceEntries, slotMs } from './device-entries.ts'
import { type DeviceFilter, type ListedDevice, matcherOf } from './device-query.ts'
import { deviceBucket } from './device-record.ts'
import type { Devices } from './devices.ts'
import { OrgDevices } from './org-devices.ts'
import { deviceBuckets, deviceChange, deviceEntry, deviceSighting } from './tables.ts'

/** Devices of all organisations in memory, some 700 bytes each; more are searched in the store. */
const maxDevices = 500_000
const maxOrganisations = 1000
/** Rows of a bucket; an organisation with more of them than fit is not kept. */
const maxBucketRows = 100_000
/** Clocks of processes may be apart by this much; their changes are looked for that far back, ms. */
const skewMs = 5000
/** Changes of other datacenters may come that late; they are looked for every `longMs`. */
const lateMs = 120_000
const longMs = 5000
/** After this time everything is read again: what came still later (after a long cut) is seen by then. */
const reloadMs = 600_000
/** More changed devices than this are dearer than reading everything again. */
const maxChanged = 5000
/** Rows of the log that are read at once. */
const logPage = 1000
/** Devices looked at for a page when they are not in memory. */
const maxWalked = 2000
const walkPage = 500
const atOnce = 64

interface Kept {
  devices: OrgDevices
  /** What is being read to take its place. */
  loading: OrgDevices | null
  /** Changes in the log that have been taken in. */
  readonly seen: Map<string, number>
  loadedAt: number
  /** When changes were last looked for far back. */
  longAt: number
  running: Promise<void> | null
  next: Promise<void> | null
}

/**
 * All devices of the organisations that are asked for, in memory, to list and search them: the stores have no secondary
 * indexes (docs/decisions/2026-11-21-device-index-in-memory.md). Every search first reads what has changed: what this
 * process or another of its datacenter has written before the search began is in it; what another datacenter has
 * written, as soon as it has come to the store here; after a cut of more than 2 minutes within 10.
 */
export class DeviceIndex {
  readonly #kept = new Map<string, Promise<Kept | null>>()
  readonly #sizes = new Map<string, number>()
  readonly #store: Store
  readonly #clock: Clock
  readonly #devices: Devices
  readonly #log: Logger
  readonly #maxDevices: number

  constructor(
    store: Store,
    clock: Clock,
    parts: {
      readonly devices: Devices
      readonly entries: DeviceEntries
      readonly metrics: Metrics
      readonly log: Logger
      /** Default: 500,000. */
      readonly maxDevices?: number | undefined
    },
  ) {
    this.#store = store
    this.#clock = clock
    this.#devices = parts.devices
    this.#log = parts.log
    this.#maxDevices = parts.maxDevices ?? maxDevices
    parts.entries.onWritten(({ org, change, put, deleted }) => {
      void this.#kept.get(org)?.then((kept) => {
        if (kept === null) return
        for (const devices of kept.loading === null ? [kept.devices] : [kept.devices, kept.loading]) {
          for (const row of put) devices.putEntry(row)
          for (const id of deleted) devices.delete(id)
        }
        kept.seen.set(change, this.#clock.now())
      }, ignore)
    })
    parts.metrics.gauge('cinque_device_index_devices', 'Devices in memory for lists and searches', () =>
      Array.from(this.#sizes.values()).reduce((sum, size) => sum + size, 0),
    )
  }

  /** In order of their names; `after` is the last name of the page before. A page may be short and not the last one. */
  async search(
    org: string,
    filter: DeviceFilter,
    page: { readonly limit: number; readonly after?: string | undefined },
  ): Promise<{ devices: ListedDevice[]; next: string | null }> {
    const matches = matcherOf(filter)
    const kept = await this.#fresh(org)
    if (kept === null) return this.#walk(org, filter.prefix, page, matches)
    // Names with a prefix are neighbours: the rest is not looked at.
    const after = filter.prefix !== undefined && (page.after ?? '') < filter.prefix ? undefined : page.after
    const { devices, more } = kept.devices.page(
      after ?? startOf(filter.prefix),
      page.limit,
      matches,
      filter.text?.toLowerCase(),
    )
    return { devices, next: more ? devices[devices.length - 1].name : null }
  }

  /** All that match, a lot at a time. */
  async *all(org: string, filter: DeviceFilter, lot: number): AsyncGenerator<readonly ListedDevice[]> {
    let after: string | undefined
    do {
      // oxlint-disable-next-line no-await-in-loop -- page after page
      const page = await this.search(org, filter, { limit: lot, after })
      yield page.devices
      after = page.next ?? undefined
    } while (after !== undefined)
  }

  /** Words of other processes may have been lost, and rows may come late: all is read again. */
  doubt(): void {
    for (const kept of this.#kept.values()) void kept.then((one) => one && (one.loadedAt = 0), ignore)
  }

  async #fresh(org: string): Promise<Kept | null> {
    const kept = await this.#get(org)
    if (kept === null) return null
    // What was written before this call must be seen: a look that has begun already does not count.
    kept.next ??= (kept.running ?? Promise.resolve()).catch(ignore).then(() => {
      kept.next = null
      kept.running = this.#refresh(org, kept).finally(() => {
        kept.running = null
      })
      return kept.running
    })
    await kept.next
    return kept
  }

  #get(org: string): Promise<Kept | null> {
    let kept = this.#kept.get(org)
    if (kept === undefined) {
      kept = this.#load(org)
      this.#kept.set(org, kept)
      kept.catch(() => this.#kept.delete(org))
    } else {
      // The longest unused is the first to go.
      this.#kept.delete(org)
      this.#kept.set(org, kept)
    }
    return kept
  }

  async #load(org: string): Promise<Kept | null> {
    const devices = new OrgDevices()
    const now = this.#clock.now()
    const kept: Kept = {
      devices,
      loading: null,
      seen: new Map(),
      loadedAt: now,
      longAt: 0,
      running: null,
      next: null,
    }
    const { keys } = await this.#changedSince(org, kept, now - lateMs, now)
    if (!(await this.#readAll(org, devices))) return null
    // What they say was there before all was read.
    for (const key of keys) kept.seen.set(key, now)
    await this.#repair(org, devices)
    this.#sizes.set(org, devices.size)
    this.#makeRoom(org)
    return kept
  }

  /** Takes in all rows; false: there are too many. */
  async #readAll(org: string, devices: OrgDevices): Promise<boolean> {
    for (let bucket = 0; bucket < deviceBuckets; bucket++) {
      // Bucket after bucket: between them others have their turn.
      // oxlint-disable-next-line no-await-in-loop
      const [entries, sightings] = await Promise.all([
        this.#store.range(deviceEntry, { org, bucket }, { limit: maxBucketRows }),
        this.#store.range(deviceSighting, { org, bucket }, { limit: maxBucketRows }),
      ])
      for (const row of entries) devices.putEntry(row)
      for (const row of sightings) devices.putSighting(row)
      if (devices.size > this.#maxDevices || entries.length === maxBucketRows) return false
    }
    return true
  }

  /** What the names say and the entries do not: devices of an older version, and of processes that died in between. */
  async #repair(org: string, devices: OrgDevices): Promise<void> {
    const known = new Set(devices.ids())
    const wrong: string[] = []
    for await (const names of this.#devices.names(org)) {
      for (const { id = '' } of names) {
        known.delete(id)
        if (devices.get(id) === undefined) wrong.push(id)
      }
    }
    for (const id of known) if (devices.get(id) !== undefined) wrong.push(id)
    for (let from = 0; from < wrong.length; from += walkPage) {
      const ids = wrong.slice(from, from + walkPage)
      // oxlint-disable-next-line no-await-in-loop -- lot after lot
      await this.#devices.repairEntries(org, ids)
      // oxlint-disable-next-line no-await-in-loop
      await this.#readSome(org, devices, ids)
    }
  }

  async #refresh(org: string, kept: Kept): Promise<void> {
    const now = this.#clock.now()
    const idle = now - kept.longAt
    if (now - kept.loadedAt > reloadMs) {
      if (kept.longAt !== 0 && idle < reloadMs) this.#reloadLater(org, kept)
      else await this.#reload(org, kept)
    }
    const long = idle >= longMs
    const from = now - (long ? lateMs + Math.min(idle, reloadMs) : longMs + skewMs)
    const { ids, keys } = await this.#changedSince(org, kept, from, now)
    if (ids.size > maxChanged) await this.#reload(org, kept)
    else if (ids.size > 0) await this.#readSome(org, kept.devices, Array.from(ids))
    for (const key of keys) kept.seen.set(key, now)
    if (long) {
      kept.longAt = now
      for (const [key, at] of kept.seen) if (at < now - reloadMs - lateMs) kept.seen.delete(key)
    }
    this.#sizes.set(org, kept.devices.size)
  }

  /** Devices that the log has and that were not looked at since, and the keys of those rows. */
  async #changedSince(
    org: string,
    kept: Kept,
    from: number,
    now: number,
  ): Promise<{ ids: Set<string>; keys: string[] }> {
    const ids = new Set<string>()
    const keys: string[] = []
    for (let slot = Math.floor(from / slotMs); slot <= Math.floor((now + skewMs) / slotMs); slot++) {
      let start: Range<typeof deviceChange> = { from: { at: from }, limit: logPage }
      for (;;) {
        // oxlint-disable-next-line no-await-in-loop -- page after page; mostly there is one
        const rows = await this.#store.range(deviceChange, { org, slot }, start)
        for (const row of rows) {
          const key = changeKey(row)
          if (kept.seen.has(key)) continue
          keys.push(key)
          for (const id of JSON.parse(row.devices ?? '[]') as string[]) ids.add(id)
        }
        if (rows.length < logPage) break
        const { at, writer } = rows[rows.length - 1]
        start = { after: { at, writer }, limit: logPage }
      }
    }
    return { ids, keys }
  }

  async #reload(org: string, kept: Kept): Promise<void> {
    const now = this.#clock.now()
    const devices = new OrgDevices()
    kept.loading = devices
    try {
      await this.#readAll(org, devices)
      await this.#repair(org, devices)
    } finally {
      kept.loading = null
    }
    // What was changed meanwhile may have been read before: it is looked at once more.
    for (const [key, at] of kept.seen) if (at >= now) kept.seen.delete(key)
    kept.devices = devices
    kept.loadedAt = now
  }

  #reloadLater(org: string, kept: Kept): void {
    if (kept.loading !== null) return
    this.#reload(org, kept).catch((error: unknown) =>
      this.#log.warn({ event: 'registry.index_old', err: error }, 'devices in memory were not read again'),
    )
  }

  async #readSome(org: string, devices: OrgDevices, ids: readonly string[]): Promise<void> {
    const read = async (device: string): Promise<void> => {
      const bucket = deviceBucket(device)
      const [entry, sightings] = await Promise.all([
        this.#store.get(deviceEntry, { org, bucket, device }),
        this.#store.range(deviceSighting, { org, bucket }, { from: { device }, to: { device }, limit: 8 }),
      ])
      if (entry === undefined) devices.delete(device)
      else devices.putEntry(entry)
      if (entry !== undefined) for (const row of sightings) devices.putSighting(row)
    }
    for (let from = 0; from < ids.length; from += atOnce)
      // oxlint-disable-next-line no-await-in-loop -- so many at a time
      await Promise.all(ids.slice(from, from + atOnce).map(read))
  }

  #makeRoom(org: string): void {
    let total = Array.from(this.#sizes.values()).reduce((sum, size) => sum + size, 0)
    for (const other of this.#kept.keys()) {
      if (total <= this.#maxDevices && this.#kept.size <= maxOrganisations) return
      if (other === org) continue
      total -= this.#sizes.get(other) ?? 0
      this.#kept.delete(other)
      this.#sizes.delete(other)
    }
  }

  /** The same from the store, for an organisation with more devices than are kept in memory. */
  async #walk(
    org: string,
    prefix: string | undefined,
    page: { readonly limit: number; readonly after?: string | undefined },
    matches: (device: ListedDevice) => boolean,
  ): Promise<{ devices: ListedDevice[]; next: string | null }> {
    const found: ListedDevice[] = []
    let { after } = page
    for (let walked = 0; walked < maxWalked; walked += walkPage) {
      // oxlint-disable-next-line no-await-in-loop -- page after page
      const lot = await this.#devices.list(org, { limit: Math.min(walkPage, page.limit * 4), after, prefix })
      const some = new OrgDevices()
      // oxlint-disable-next-line no-await-in-loop
      await this.#readSome(
        org,
        some,
        lot.devices.map(({ id }) => id),
      )
      const left = page.limit - found.length
      const { devices, more } = some.page(undefined, left, matches)
      found.push(...devices)
      if (more || (found.length === page.limit && lot.next !== null))
        return { devices: found, next: found[found.length - 1].name }
      if (lot.next === null) return { devices: found, next: null }
      after = lot.next
    }
    return { devices: found, next: after ?? null }
  }
}

/** A name before all that begin with the prefix: the names after it are looked at. */
function startOf(prefix: string | undefined): string | undefined {
  if (prefix === undefined || prefix === '') return undefined
  const last = prefix.length - 1
  return prefix.slice(0, last) + String.fromCharCode(prefix.charCodeAt(last) - 1) + '\u{ffff}'
}

function ignore(): undefined {
  return undefined
}
