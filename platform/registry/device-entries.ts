import { randomBytes } from 'node:crypto'
import type { Clock } from '../clock.ts'
import { Batch, type Store } from '../store/store.ts'
import type { RowOf } from '../store/table.ts'
import { deviceBucket, entryOf } from './device-record.ts'
import { type device, deviceChange, deviceEntry } from './tables.ts'

/** Ids in one row of the change log. */
const maxIds = 500
export const slotMs = 600_000

/** What was written by this process. */
export interface EntryChange {
  readonly org: string
  /** Of the row in the change log. */
  readonly change: string
  readonly put: readonly RowOf<typeof deviceEntry>[]
  readonly deleted: readonly string[]
}

/**
 * Keeps what lists show of devices beside the devices themselves: an entry each, and a log of which ones changed, by
 * which processes that have all entries in memory find out what is new.
 */
export class DeviceEntries {
  readonly #store: Store
  readonly #clock: Clock
  readonly #writer = randomBytes(8).toString('base64url')
  readonly #listeners: ((change: EntryChange) => void)[] = []
  #count = 0

  constructor(store: Store, clock: Clock) {
    this.#store = store
    this.#clock = clock
  }

  /** `listener` hears of what this process has written, when it is durable. */
  onWritten(listener: (change: EntryChange) => void): void {
    this.#listeners.push(listener)
  }

  /** Writes `batch` and the entries of these rows with it. Durable when it resolves. At most some hundred devices. */
  async put(org: string, rows: readonly RowOf<typeof device>[], batch = new Batch()): Promise<void> {
    const put = rows.map(entryOf)
    for (const entry of put) batch.put(deviceEntry, entry)
    await this.#write(batch, org, put, [])
  }

  /** Durable when it resolves. */
  async delete(org: string, ids: readonly string[]): Promise<void> {
    const batch = new Batch()
    for (const device of ids) batch.delete(deviceEntry, { org, bucket: deviceBucket(device), device })
    await this.#write(batch, org, [], ids)
  }

  /** Says in the batch that something about these devices was written with it; returns the change's key. */
  stageChange(batch: Batch, org: string, ids: readonly string[]): string {
    const at = this.#clock.now()
    const writer = `${this.#writer}-${++this.#count}`
    for (let from = 0, part = 0; from < ids.length; from += maxIds, part++) {
      batch.put(deviceChange, {
        org,
        slot: Math.floor(at / slotMs),
        at,
        writer: part === 0 ? writer : `${writer}-${part}`,
        devices: JSON.stringify(ids.slice(from, from + maxIds)),
      })
    }
    return changeKey({ at, writer })
  }

  async #write(
    batch: Batch,
    org: string,
    put: RowOf<typeof deviceEntry>[],
    deleted: readonly string[],
  ): Promise<void> {
    const change = this.stageChange(batch, org, [...put.map(({ device: id }) => id), ...deleted])
    await this.#store.write(batch)
    for (const listener of this.#listeners) listener({ org, change, put, deleted })
  }
}

export function changeKey({ at, writer }: { readonly at: number; readonly writer: string }): string {
  return `${at} ${writer}`
}
