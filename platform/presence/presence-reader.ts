import type { Store } from '../store/store.ts'
import { bucketOf, dataSlot, type PresenceRow } from './change.ts'
import type { Holders } from './holders.ts'
import type { PresencePlace } from './presence.ts'
import { clientOf, type ClientPresence, deviceOf, type DevicePresence } from './presence-record.ts'
import { presence, presenceBuckets } from './tables.ts'

/** Clients of one device that are looked at. */
const maxClients = 100
/** Rows that are read for one page of a list at most. */
const maxRead = 5000
/** What is further ahead of the clock than this is not believed, ms. */
const aheadMs = 60_000

interface Known {
  readonly holders: Holders
  /** What this process has done lately, that the store may not show yet. */
  readonly recent: (org: string, device: string) => Iterable<PresenceRow>
  readonly lastData: (org: string, device: string) => number | undefined
  readonly now: () => number
}

/** Reads presence: what is stored, what is not stored yet, and which processes live. */
export class PresenceReader {
  readonly #store: Store
  readonly #known: Known

  constructor(store: Store, known: Known) {
    this.#store = store
    this.#known = known
  }

  async of(org: string, devices: readonly string[]): Promise<Map<string, DevicePresence>> {
    const found = await Promise.all(
      devices.map(async (device) => {
        const rows = await this.#store.range(
          presence,
          { org, bucket: bucketOf(device) },
          { from: { device }, to: { device }, limit: maxClients },
        )
        return [device, await this.#deviceOf(org, device, rows)] as const
      }),
    )
    return new Map(found)
  }

  async list(
    org: string,
    {
      limit,
      after,
      which = () => true,
    }: { limit: number; after?: PresencePlace | undefined; which?: (one: DevicePresence) => boolean },
  ): Promise<{ devices: DevicePresence[]; next: PresencePlace | null }> {
    const devices: DevicePresence[] = []
    let read = 0
    let place: PresencePlace | undefined = after
    for (let bucket = after?.bucket ?? 0; bucket < presenceBuckets; bucket++) {
      for (;;) {
        const want = Math.min(1000, maxRead - read)
        const start = place === undefined ? {} : { after: { device: place.device } }
        // oxlint-disable-next-line no-await-in-loop -- the next page begins where this one ends
        const rows = await this.#store.range(presence, { org, bucket }, { ...start, limit: want })
        read += rows.length
        const groups = grouped(rows)
        // The last device may have more rows than came; it is read again with the next ones.
        if (rows.length === want && groups.length > 1) groups.pop()
        for (const [device, own] of groups) {
          place = { bucket, device }
          // oxlint-disable-next-line no-await-in-loop
          const one = await this.#deviceOf(org, device, own)
          if (which(one)) devices.push(one)
          if (devices.length === limit) return { devices, next: place }
        }
        if (rows.length < want) break
        if (read >= maxRead) return { devices, next: place ?? null }
      }
      place = undefined
      if (read >= maxRead && bucket + 1 < presenceBuckets)
        return { devices, next: { bucket: bucket + 1, device: '' } }
    }
    return { devices, next: null }
  }

  async #deviceOf(org: string, device: string, rows: readonly PresenceRow[]): Promise<DevicePresence> {
    const { holders, recent, lastData, now } = this.#known
    let data = lastData(org, device) ?? null
    const newest = new Map<string, PresenceRow>()
    for (const row of rows) {
      if (row.slot.length > dataSlot.length) newest.set(row.client_id ?? '', row)
      // A time that is ahead was taken from a wrong clock.
      else if ((row.at ?? 0) < now() + aheadMs) data = Math.max(data ?? 0, row.at ?? 0)
    }
    for (const row of recent(org, device)) {
      const known = newest.get(row.client_id ?? '')
      if (known === undefined || (row.stamp ?? 0) > (known.stamp ?? 0)) newest.set(row.client_id ?? '', row)
    }
    const clients: ClientPresence[] = []
    for (const row of newest.values()) {
      const state = row.connected === true ? holders.stateOf(row.holder) : 'gone'
      const ended = row.connected === true && state === 'gone' && row.holder !== undefined
      // oxlint-disable-next-line no-await-in-loop -- kept in memory after the first time
      clients.push(clientOf(row, state, ended ? await holders.lastAlive(row.holder) : null))
    }
    return deviceOf({ org, device }, clients, data)
  }
}

function grouped(rows: readonly PresenceRow[]): [string, PresenceRow[]][] {
  const groups: [string, PresenceRow[]][] = []
  for (const row of rows) {
    const last = groups.at(-1)
    if (last?.[0] === row.device) last[1].push(row)
    else groups.push([row.device, [row]])
  }
  return groups
}
