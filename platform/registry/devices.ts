import { importedKey, keyHash, newId, newKey } from '../auth/keys.ts'
import type { DeviceRef } from '../auth/principal.ts'
import type { Clock } from '../clock.ts'
import { PlatformError } from '../errors.ts'
import { hash128 } from '../hash.ts'
import { Batch, type Store } from '../store/store.ts'
import type { RowOf } from '../store/table.ts'
import { insert, putIf, remove } from './conditional.ts'
import type { KeyGone } from './revocations.ts'
import { credential, device, deviceByName, nameBuckets } from './tables.ts'

export interface Device extends DeviceRef {
  /** Milliseconds since 1970. */
  readonly createdAt: number
  /** Counts its keys. */
  readonly version: number
}

/** Names are also user names and topic levels. */
export const deviceName = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$/
export const deviceId = /^[A-Za-z0-9_-]{1,36}$/

/** A name claimed by a creation that never finished may be taken by another after this time. */
const claimMs = 60_000

/** The devices of organisations. Everything is durable when a promise resolves. */
export class Devices {
  readonly #store: Store
  readonly #clock: Clock
  readonly #revoke: (gone: KeyGone) => Promise<void>

  /** `revoke` is called when a device's old key, or the device, is durably gone, and waited for. */
  constructor(store: Store, clock: Clock, revoke: (gone: KeyGone) => Promise<void>) {
    this.#store = store
    this.#clock = clock
    this.#revoke = revoke
  }

  /**
   * Creates a device and returns it with its key, which is shown this once. `id` and `key` bring an IoT Guru device
   * along. PlatformError `name_taken`, `id_taken`, `key_taken` or `invalid_field`.
   */
  async create(
    org: string,
    input: { name: string; id?: string | undefined; key?: string | undefined },
  ): Promise<{ device: Device; key: string }> {
    const { name } = input
    const id = input.id ?? newId()
    checkNew(name, id, input.key)
    if ((await this.#store.get(device, { org, id: name })) !== undefined) throw nameTaken(name)
    if (input.id !== undefined && (await this.#byName(org, id)) !== undefined) throw idTaken(id)
    const key = input.key ?? newKey('device')
    const hash = keyHash(key)
    const now = this.#clock.now()
    await this.#claimName(org, name, id, now)
    const row = { org, id, name, key_hash: hash, created_at: now, version: 1 }
    try {
      await this.#putCredential(org, id, hash, now, input.key !== undefined)
    } catch (error) {
      // Nothing of the device is there: the name is free again, now or, if that fails too, in a minute.
      await this.#releaseName(org, name, id).catch(() => undefined)
      throw error
    }
    try {
      if (!(await insert(this.#store, device, row, 'version'))) throw idTaken(id)
    } catch (error) {
      if (error instanceof PlatformError && error.code !== 'outcome_unknown')
        await this.#releaseName(org, name, id)
      throw error
    }
    return { device: record(row), key }
  }

  /** By id, else by name. PlatformError `device_not_found`. */
  async get(org: string, idOrName: string): Promise<Device> {
    return record(await this.#row(org, idOrName))
  }

  async find(org: string, idOrName: string): Promise<Device | undefined> {
    const row = (await this.#store.get(device, { org, id: idOrName })) ?? (await this.#byName(org, idOrName))
    return row === undefined ? undefined : record(row)
  }

  async findById(org: string, id: string): Promise<Device | undefined> {
    const row = await this.#store.get(device, { org, id })
    return row === undefined ? undefined : record(row)
  }

  /** In order of their names; `after` is the last name of the page before. */
  async list(
    org: string,
    page: { limit: number; after?: string | undefined; prefix?: string | undefined },
  ): Promise<{ devices: Device[]; next: string | null }> {
    const { limit, prefix } = page
    const start =
      page.after === undefined ? { from: { name: prefix ?? '' } } : { after: { name: page.after } }
    const end = prefix === undefined ? {} : { before: { name: `${prefix}\u{10ffff}` } }
    const buckets = Array.from({ length: nameBuckets }, (_, bucket) =>
      this.#store.range(deviceByName, { org, bucket }, { ...start, ...end, limit: limit + 1 }),
    )
    const names = (await Promise.all(buckets)).flat().toSorted((a, b) => (a.name < b.name ? -1 : 1))
    const rows = await Promise.all(
      names.slice(0, limit).map(({ id }) => this.#store.get(device, { org, id: id ?? '' })),
    )
    const devices = rows.filter((row) => row !== undefined).map(record)
    return { devices, next: names.length > limit ? names[limit - 1].name : null }
  }

  /** Gives the device a new key; the old one is refused, and its connection closed, once this resolves. */
  async rotateKey(org: string, idOrName: string): Promise<{ device: Device; key: string }> {
    const row = await this.#row(org, idOrName)
    const key = newKey('device')
    const hash = keyHash(key)
    await this.#putCredential(org, row.id, hash, this.#clock.now(), false)
    const next = { ...row, key_hash: hash, version: (row.version ?? 0) + 1 }
    if (!(await putIf(this.#store, device, next, 'version', row.version))) {
      throw new PlatformError(
        'conflict',
        `device "${row.name}" was changed by somebody else meanwhile; try again`,
      )
    }
    await this.#revoke({ ...refOf(row), hash: row.key_hash })
    if (row.key_hash !== undefined) {
      const batch = new Batch()
      batch.delete(credential, { hash: row.key_hash })
      await this.#store.write(batch)
    }
    return { device: record(next), key }
  }

  /** Deletes the device, its key and its name; returns what it was. Its nodes and data go with it (see Registry). */
  async delete(org: string, idOrName: string): Promise<Device & { deletedAt: number }> {
    const row = await this.#row(org, idOrName)
    const gone = record(row)
    const batch = new Batch()
    batch.delete(device, { org, id: row.id })
    if (row.key_hash !== undefined) batch.delete(credential, { hash: row.key_hash })
    batch.delete(deviceByName, { org, bucket: bucketOf(gone.name), name: gone.name })
    await remove(this.#store, device, batch, async () => {
      const [stored, named] = await Promise.all([
        this.#store.get(device, row),
        this.#store.get(deviceByName, { org, bucket: bucketOf(gone.name), name: gone.name }),
      ])
      return (stored !== undefined && stored.created_at === row.created_at) || named?.id === row.id
    })
    const deletedAt = this.#clock.now()
    await this.#revoke({ ...refOf(row), hash: row.key_hash, deletedAt })
    return { ...gone, deletedAt }
  }

  /** The device whose current key has this hash. */
  async findByKey(org: string, id: string, hash: Uint8Array): Promise<Device | undefined> {
    const row = await this.#store.get(device, { org, id })
    return row?.key_hash !== undefined && Buffer.compare(row.key_hash, hash) === 0 ? record(row) : undefined
  }

  async #row(org: string, idOrName: string): Promise<RowOf<typeof device>> {
    const row = (await this.#store.get(device, { org, id: idOrName })) ?? (await this.#byName(org, idOrName))
    if (row === undefined) throw new PlatformError('device_not_found', `no device "${idOrName}"`)
    return row
  }

  async #byName(org: string, name: string): Promise<RowOf<typeof device> | undefined> {
    const named = await this.#store.get(deviceByName, { org, bucket: bucketOf(name), name })
    return named?.id === undefined ? undefined : this.#store.get(device, { org, id: named.id })
  }

  async #claimName(org: string, name: string, id: string, now: number): Promise<void> {
    const claim = { org, bucket: bucketOf(name), name, id, claimed_at: now }
    if (await insert(this.#store, deviceByName, claim, 'id')) return
    const held = await this.#store.get(deviceByName, claim)
    const alive =
      held?.id !== undefined && (await this.#store.get(device, { org, id: held.id })) !== undefined
    if (alive || (held?.claimed_at ?? 0) > now - claimMs) throw nameTaken(name)
    if (!(await putIf(this.#store, deviceByName, claim, 'id', held?.id))) throw nameTaken(name)
  }

  async #releaseName(org: string, name: string, id: string): Promise<void> {
    const claim = { org, bucket: bucketOf(name), name }
    const batch = new Batch()
    batch.delete(deviceByName, claim)
    await remove(this.#store, deviceByName, batch, async () => {
      return (await this.#store.get(deviceByName, claim))?.id === id
    })
  }

  async #putCredential(
    org: string,
    id: string,
    hash: Uint8Array,
    now: number,
    imported: boolean,
  ): Promise<void> {
    const row = { hash, kind: 'device', org, device: id, created_at: now }
    if (imported) {
      if (await insert(this.#store, credential, row, 'device')) return
      const held = await this.#store.get(credential, { hash })
      const owned = held?.device !== undefined && (await this.findByKey(held.org ?? '', held.device, hash))
      if (owned || held?.kind !== 'device')
        throw new PlatformError('key_taken', 'this key is in use already', 'key')
    }
    const batch = new Batch()
    batch.put(credential, row)
    await this.#store.write(batch)
  }
}

function checkNew(name: string, id: string, key: string | undefined): void {
  if (!deviceName.test(name)) {
    throw new PlatformError(
      'invalid_field',
      'must be 1 to 64 of A-Z, a-z, 0-9, ., _, : and -, a letter or digit first',
      'name',
    )
  }
  if (!deviceId.test(id))
    throw new PlatformError('invalid_field', 'must be 1 to 36 of A-Z, a-z, 0-9, _ and -', 'id')
  if (key !== undefined && !importedKey.test(key)) {
    throw new PlatformError('invalid_field', 'must be 22 to 128 of A-Z, a-z, 0-9, _ and -', 'key')
  }
}

function bucketOf(name: string): number {
  return hash128(name)[0] % nameBuckets
}

function record(row: RowOf<typeof device>): Device {
  return { ...refOf(row), createdAt: row.created_at ?? 0, version: row.version ?? 0 }
}

function refOf({ org, id, name }: RowOf<typeof device>): DeviceRef {
  return { org, id, name: name ?? id }
}

function nameTaken(name: string): PlatformError {
  return new PlatformError('name_taken', `a device named "${name}" exists already`, 'name')
}

function idTaken(id: string): PlatformError {
  return new PlatformError('id_taken', `a device with the id or name "${id}" exists already`, 'id')
}
