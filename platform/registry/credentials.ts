import { hash as sha } from 'node:crypto'
import { keyHash, newKey } from '../auth/keys.ts'
import type { DeviceRef } from '../auth/principal.ts'
import type { Clock } from '../clock.ts'
import { PlatformError } from '../errors.ts'
import { Batch, type Store } from '../store/store.ts'
import type { RowOf } from '../store/table.ts'
import type { KeyGone } from './revocations.ts'
import { credential, credentialUse, deviceKey } from './tables.ts'

/** A key of a device, without what it is. */
export interface DeviceKey {
  readonly id: string
  readonly label: string
  /** Milliseconds since 1970; null: not known, it is the first one. */
  readonly createdAt: number | null
  /** Null: never. */
  readonly expiresAt: number | null
  /** To the hour; null: never, or not for long. */
  readonly lastUsedAt: number | null
}

/** Enough for rotations that overlap and a key each for some programs. */
const maxKeys = 16
export const maxLabel = 64

/**
 * Keys of devices beside the one that each was made with: for programs, and old ones that are good for a while after
 * a rotation. All of this works in a datacenter alone, so that a key can always be revoked.
 */
export class DeviceKeys {
  readonly #store: Store
  readonly #clock: Clock
  readonly #revoke: (gone: KeyGone) => Promise<void>

  constructor(store: Store, clock: Clock, revoke: (gone: KeyGone) => Promise<void>) {
    this.#store = store
    this.#clock = clock
    this.#revoke = revoke
  }

  /** Gives the device one more key, which is shown this once. PlatformError `limit_reached`. */
  async add(
    device: DeviceRef,
    { label, expiresAt }: { label: string; expiresAt: number | null },
  ): Promise<{ added: DeviceKey; key: string }> {
    const key = newKey('device')
    const row = await this.keep(device, { hash: keyHash(key), label, expiresAt })
    return { added: record(row, null), key }
  }

  /**
   * Makes the key with this hash good beside others, until then; those that have ended go. Durable when it resolves.
   * PlatformError `limit_reached`.
   */
  async keep(
    device: DeviceRef,
    { hash, label, expiresAt }: { hash: Uint8Array; label: string; expiresAt: number | null },
  ): Promise<RowOf<typeof deviceKey>> {
    const { org, id } = device
    const created_at = this.#clock.now()
    const expires_at = expiresAt ?? undefined
    const row = { org, device: id, id: keyId(hash), hash, label, created_at, expires_at }
    const batch = new Batch()
    let good = 0
    for (const old of await this.#rows(device)) {
      if ((old.expires_at ?? Number.POSITIVE_INFINITY) > created_at) good++
      else {
        batch.delete(deviceKey, old)
        if (old.hash !== undefined) batch.delete(credential, { hash: old.hash })
      }
    }
    if (good >= maxKeys)
      throw new PlatformError('limit_reached', `a device may have ${maxKeys} keys more; revoke one first`)
    batch.put(deviceKey, row)
    batch.put(credential, { hash, kind: 'device', org, device: id, created_at })
    await this.#store.write(batch)
    return row
  }

  /** Those that are good now; `first` is the hash of the one in the device's row. */
  async list(device: DeviceRef, first: Uint8Array | undefined): Promise<DeviceKey[]> {
    const now = this.#clock.now()
    const [rows, uses] = await Promise.all([this.#rows(device), this.#uses(device)])
    const more = rows
      .filter(({ expires_at: end }) => end === undefined || end > now)
      .map((row) => record(row, uses.get(row.id) ?? null))
    if (first === undefined) return more
    const id = keyId(first)
    const own = { id, label: '', createdAt: null, expiresAt: null, lastUsedAt: uses.get(id) ?? null }
    return [own, ...more.filter((other) => other.id !== id)]
  }

  /** Its connections are closed when this resolves. PlatformError `credential_not_found`. */
  async revoke(device: DeviceRef, id: string): Promise<void> {
    const { org } = device
    const row = await this.#store.get(deviceKey, { org, device: device.id, id })
    if (row?.hash === undefined) {
      throw new PlatformError('credential_not_found', `device "${device.name}" has no credential "${id}"`)
    }
    const batch = new Batch()
    batch.delete(deviceKey, row)
    batch.delete(credential, { hash: row.hash })
    await this.#store.write(batch)
    await this.#revoke({ ...device, hash: row.hash })
  }

  /** When it ends (null: never); undefined: the key is not one of the device's. */
  async endOf(org: string, device: string, hash: Uint8Array): Promise<number | null | undefined> {
    const row = await this.#store.get(deviceKey, { org, device, id: keyId(hash) })
    if (row?.hash === undefined || Buffer.compare(row.hash, hash) !== 0) return undefined
    if (row.expires_at === undefined) return null
    return row.expires_at > this.#clock.now() ? row.expires_at : undefined
  }

  /** Of a device that is no more. */
  async deleteAll({ org, id }: DeviceRef): Promise<void> {
    const rows = await this.#store.range(deviceKey, { org, device: id }, { limit: maxKeys * 4 })
    const batch = new Batch()
    for (const { hash } of rows) if (hash !== undefined) batch.delete(credential, { hash })
    batch.deletePartition(deviceKey, { org, device: id })
    batch.deletePartition(credentialUse, { org, device: id })
    await this.#store.write(batch)
  }

  #rows({ org, id }: DeviceRef): Promise<RowOf<typeof deviceKey>[]> {
    return this.#store.range(deviceKey, { org, device: id }, { limit: maxKeys * 4 })
  }

  async #uses({ org, id }: DeviceRef): Promise<Map<string, number>> {
    const rows = await this.#store.range(credentialUse, { org, device: id }, { limit: 1000 })
    return new Map(rows.map((row) => [row.id, row.at ?? 0]))
  }
}

/** By which a key is spoken of: nobody finds the key by it. */
export function keyId(hash: Uint8Array): string {
  // Hashed once more: the hash itself is what a key is found by.
  return sha('sha256', hash, 'hex').slice(0, 32)
}

function record(row: RowOf<typeof deviceKey>, lastUsedAt: number | null): DeviceKey {
  return {
    id: row.id,
    label: row.label ?? '',
    createdAt: row.created_at ?? null,
    expiresAt: row.expires_at ?? null,
    lastUsedAt,
  }
}
