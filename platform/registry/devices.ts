import { keyHash, newId, newKey } from '../auth/keys.ts'
import type { Clock } from '../clock.ts'
import { PlatformError } from '../errors.ts'
import { hash128 } from '../hash.ts'
import { Batch, type Store } from '../store/store.ts'
import type { RowOf } from '../store/table.ts'
import { insert, putIf, remove } from './conditional.ts'
import { type DeviceKey, type DeviceKeys, keyId } from './credentials.ts'
import type { DeviceEntries } from './device-entries.ts'
import {
  checkName,
  checkNew,
  checkProperties,
  columnsOf,
  type Device,
  type DeviceProperties,
  membershipsOf,
  record,
  refOf,
} from './device-record.ts'
import type { Groups } from './groups.ts'
import type { KeyGone } from './revocations.ts'
import { credential, device, deviceByName, nameBuckets } from './tables.ts'

/** What a device is made with. */
export interface NewDevice extends DeviceProperties {
  readonly name: string
  readonly id?: string | undefined
}

/** A name claimed by a creation that never finished may be taken by another after this time. */
const claimMs = 60_000
const namesAtOnce = 5000

/** The devices of organisations. Everything is durable when a promise resolves. */
export class Devices {
  readonly #store: Store
  readonly #clock: Clock
  readonly #groups: Groups
  readonly #keys: DeviceKeys
  readonly #entries: DeviceEntries
  readonly #revoke: (gone: KeyGone) => Promise<void>

  /** `revoke` is called when a device's old key, or the device, is durably gone, and waited for. */
  constructor(
    store: Store,
    clock: Clock,
    parts: {
      groups: Groups
      keys: DeviceKeys
      entries: DeviceEntries
      revoke: (gone: KeyGone) => Promise<void>
    },
  ) {
    this.#store = store
    this.#clock = clock
    this.#groups = parts.groups
    this.#keys = parts.keys
    this.#entries = parts.entries
    this.#revoke = parts.revoke
  }

  /**
   * Creates a device and returns it with its key, which is shown this once. `id` and `key` bring an IoT Guru device
   * along. PlatformError `name_taken`, `id_taken`, `key_taken`, `group_not_found` or `invalid_field`.
   */
  async create(
    org: string,
    input: NewDevice & { readonly key?: string | undefined },
  ): Promise<{ device: Device; key: string }> {
    const { name } = input
    const id = input.id ?? newId()
    checkNew(name, id, input.key)
    checkProperties(input)
    await this.#groups.check(org, input.groups ?? [])
    if ((await this.#store.get(device, { org, id: name })) !== undefined) throw nameTaken(name)
    if (input.id !== undefined && (await this.#byName(org, id)) !== undefined) throw idTaken(id)
    const key = input.key ?? newKey('device')
    const hash = keyHash(key)
    const now = this.#clock.now()
    await this.#claimName(org, name, id, now)
    const row = rowOf(org, { ...input, id, key }, now)
    try {
      await this.#putCredential(org, id, hash, now, input.key !== undefined, row)
    } catch (error) {
      // Nothing of the device is there: the name is free again, now or, if that fails too, in a minute.
      await this.#releaseName(org, name, id).catch(() => undefined)
      throw error
    }
    try {
      if (!(await insert(this.#store, device, row, 'version'))) throw idTaken(id)
    } catch (error) {
      if (error instanceof PlatformError && error.code !== 'outcome_unknown') {
        await this.#releaseName(org, name, id)
        await this.repairEntries(org, [id])
      }
      throw error
    }
    return { device: await this.#record(row), key }
  }

  /**
   * Creates many, with the ids and keys given; `key: null`: without one. What has been made with the same id by an
   * earlier call counts as made, so that a call that was cut off can be made again. An outcome for each. At most some
   * hundred at a time. Rejects with StoreError: then some may be there.
   */
  async createMany(
    org: string,
    inputs: readonly (NewDevice & { readonly id: string; readonly key: string | null })[],
  ): Promise<(Device | PlatformError)[]> {
    const now = this.#clock.now()
    const found = await Promise.all(inputs.map((input) => failureOr(this.#prepare(org, input, now))))
    const batch = new Batch()
    const fresh: RowOf<typeof device>[] = []
    for (const [i, input] of inputs.entries()) {
      if (found[i] !== undefined) continue
      const row = rowOf(org, input, now)
      fresh.push(row)
      const owner = { kind: 'device', org, device: row.id, created_at: now }
      if (row.key_hash !== undefined) batch.put(credential, { hash: row.key_hash, ...owner })
    }
    if (fresh.length > 0) await this.#entries.put(org, fresh, batch)
    const outcomes = found[Symbol.iterator]()
    const rows = fresh[Symbol.iterator]()
    return Promise.all(
      Array.from(outcomes, async (outcome) => {
        if (outcome instanceof PlatformError) return outcome
        if (outcome !== undefined) return this.#record(outcome)
        const row = rows.next().value
        if (row === undefined) throw new TypeError('a row for each that was not there')
        return (await insert(this.#store, device, row, 'version')) ? this.#record(row) : idTaken(row.id)
      }),
    )
  }

  /** By id, else by name. PlatformError `device_not_found`. */
  async get(org: string, idOrName: string): Promise<Device> {
    return this.#record(await this.#row(org, idOrName))
  }

  async find(org: string, idOrName: string): Promise<Device | undefined> {
    const row = (await this.#store.get(device, { org, id: idOrName })) ?? (await this.#byName(org, idOrName))
    return row === undefined ? undefined : this.#record(row)
  }

  async findById(org: string, id: string): Promise<Device | undefined> {
    const row = await this.#store.get(device, { org, id })
    return row === undefined ? undefined : this.#record(row)
  }

  /** In order of their names, straight from the store; `after` is the last name of the page before. */
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
      names.slice(0, limit).map(async ({ id, name }) => {
        const row = await this.#store.get(device, { org, id: id ?? '' })
        return row?.name === name ? this.#record(row) : undefined
      }),
    )
    const devices = rows.filter((row) => row !== undefined)
    return { devices, next: names.length > limit ? names[limit - 1].name : null }
  }

  /** Names and ids as the store has them, a bucket's at a time, for who compares them with something else. */
  async *names(org: string): AsyncGenerator<readonly RowOf<typeof deviceByName>[]> {
    for (let bucket = 0; bucket < nameBuckets; bucket++) {
      let after: { after?: { name: string } } = {}
      for (;;) {
        // oxlint-disable-next-line no-await-in-loop -- page after page
        const rows = await this.#store.range(deviceByName, { org, bucket }, { ...after, limit: namesAtOnce })
        yield rows
        if (rows.length < namesAtOnce) break
        after = { after: { name: rows[rows.length - 1].name } }
      }
    }
  }

  /** Writes the entries of these devices again as their rows say; removes those of devices that are not there. */
  async repairEntries(org: string, ids: readonly string[]): Promise<void> {
    const rows = await Promise.all(ids.map((id) => this.#store.get(device, { org, id })))
    const there = rows.filter((row) => row !== undefined)
    if (there.length > 0) await this.#entries.put(org, there)
    const gone = ids.filter((_, i) => rows[i] === undefined)
    if (gone.length > 0) await this.#entries.delete(org, gone)
  }

  /**
   * Changes what is said of a device; `labels` and `groups` replace those that it had. A device that is disabled is
   * disconnected when this resolves. `expected`: only if it has this version. PlatformError `device_not_found`,
   * `name_taken`, `group_not_found`, `conflict` or `invalid_field`.
   */
  async update(
    org: string,
    idOrName: string,
    change: DeviceProperties & { readonly name?: string | undefined },
    expected?: number,
  ): Promise<Device> {
    checkProperties(change)
    await this.#groups.check(org, change.groups ?? [])
    const row = await this.#row(org, idOrName)
    if (expected !== undefined && row.version !== expected) throw changedMeanwhile(row)
    const name = change.name ?? row.name ?? row.id
    const renamed = name !== row.name
    if (renamed) await this.#claimNewName(org, name, row.id)
    const disabled = change.enabled === false && row.disabled !== true
    const columns = columnsOf(change)
    try {
      const next = await this.#change(row, { ...columns, name }, disabled)
      // If that fails the name is found to be free when somebody wants it.
      if (renamed) await this.#releaseName(org, row.name ?? row.id, row.id).catch(() => undefined)
      if (disabled) await this.#revoke({ ...refOf(next), disabledAt: next.version })
      return await this.#record(next)
    } catch (error) {
      if (renamed && error instanceof PlatformError && error.code === 'conflict')
        await this.#releaseName(org, name, row.id)
      throw error
    }
  }

  /**
   * Gives the device a new key. The old one is good for `overlapMs` more; with 0 it is refused, and its connections are
   * closed, once this resolves.
   */
  async rotateKey(org: string, idOrName: string, overlapMs = 0): Promise<{ device: Device; key: string }> {
    const row = await this.#row(org, idOrName)
    const old = row.key_hash
    const key = newKey('device')
    const hash = keyHash(key)
    if (old !== undefined && overlapMs > 0) {
      const expiresAt = this.#clock.now() + overlapMs
      await this.#keys.keep(refOf(row), { hash: old, label: 'before rotation', expiresAt })
    }
    await this.#putCredential(org, row.id, hash, this.#clock.now(), false)
    const next = await this.#change(row, { key_hash: hash }, overlapMs === 0)
    if (overlapMs === 0) await this.#revokeFirst(row)
    return { device: await this.#record(next), key }
  }

  /** The keys that are good now. */
  async keys(org: string, idOrName: string): Promise<DeviceKey[]> {
    const row = await this.#row(org, idOrName)
    return this.#keys.list(refOf(row), row.key_hash)
  }

  /**
   * Ends a key at once: its connections are closed when this resolves. The one that the device was made with, or rotated
   * to, needs a majority of all datacenters; others do not. PlatformError `credential_not_found` or `conflict`.
   */
  async revokeKey(org: string, idOrName: string, id: string): Promise<void> {
    const row = await this.#row(org, idOrName)
    if (row.key_hash === undefined || keyId(row.key_hash) !== id) {
      await this.#keys.revoke(refOf(row), id)
      // Should a process not have heard: who connected before is looked at again. Without a majority it goes by the word.
      await this.#change(row, {}, true).catch(() => undefined)
      return
    }
    await this.#change(row, { key_hash: undefined }, true)
    await this.#revokeFirst(row)
  }

  /** Deletes the device, its key and its name; returns what it was. Its nodes and data go with it (see Registry). */
  async delete(org: string, idOrName: string): Promise<Device & { deletedAt: number }> {
    const row = await this.#row(org, idOrName)
    const gone = await this.#record(row)
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
    await this.#entries.delete(org, [row.id])
    const deletedAt = this.#clock.now()
    await this.#revoke({ ...refOf(row), hash: row.key_hash, deletedAt })
    return { ...gone, deletedAt }
  }

  /** The device that has the key with this hash now, and when that ends (null: never). */
  async findByKey(
    org: string,
    id: string,
    hash: Uint8Array,
  ): Promise<{ device: Device; expiresAt: number | null } | undefined> {
    const row = await this.#store.get(device, { org, id })
    if (row === undefined) return undefined
    const first = row.key_hash !== undefined && Buffer.compare(row.key_hash, hash) === 0
    const expiresAt = first ? null : await this.#keys.endOf(org, id, hash)
    return expiresAt === undefined ? undefined : { device: await this.#record(row), expiresAt }
  }

  /** The key in this row is good no more. */
  async #revokeFirst(row: RowOf<typeof device>): Promise<void> {
    await this.#revoke({ ...refOf(row), hash: row.key_hash })
    if (row.key_hash === undefined) return
    const batch = new Batch()
    batch.delete(credential, { hash: row.key_hash })
    await this.#store.write(batch)
  }

  async #record(row: RowOf<typeof device>): Promise<Device> {
    const members = membershipsOf(row)
    if (members.length === 0) return record(row, members, members)
    const [memberOf, groups] = await Promise.all([
      this.#groups.existing(row.org, members),
      this.#groups.withAncestors(row.org, members),
    ])
    return record(row, memberOf, groups)
  }

  /** Writes the row if nobody has changed it, and then its entry. `keys`: connections made before must go. */
  async #change(
    row: RowOf<typeof device>,
    change: Partial<RowOf<typeof device>>,
    keys: boolean,
  ): Promise<RowOf<typeof device>> {
    const version = (row.version ?? 0) + 1
    const key_version = keys ? version : (row.key_version ?? row.version)
    const next = { ...row, ...change, version, key_version }
    if (!(await putIf(this.#store, device, next, 'version', row.version))) throw changedMeanwhile(row)
    await this.#entries.put(row.org, [next])
    return next
  }

  async #row(org: string, idOrName: string): Promise<RowOf<typeof device>> {
    const row = (await this.#store.get(device, { org, id: idOrName })) ?? (await this.#byName(org, idOrName))
    if (row === undefined) throw new PlatformError('device_not_found', `no device "${idOrName}"`)
    return row
  }

  async #byName(org: string, name: string): Promise<RowOf<typeof device> | undefined> {
    const named = await this.#store.get(deviceByName, { org, bucket: bucketOf(name), name })
    const row = named?.id === undefined ? undefined : await this.#store.get(device, { org, id: named.id })
    return row === undefined || (row.name ?? name) === name ? row : undefined
  }

  /** Checks a device to be made and claims its name. The row: it has been made before. */
  async #prepare(
    org: string,
    input: NewDevice & { readonly id: string; readonly key: string | null },
    now: number,
  ): Promise<RowOf<typeof device> | undefined> {
    const { name, id, key } = input
    checkNew(name, id, key ?? undefined)
    checkProperties(input)
    await this.#groups.check(org, input.groups ?? [])
    const [named, same] = await Promise.all([
      this.#store.get(device, { org, id: name }),
      this.#store.get(device, { org, id }),
    ])
    if (named !== undefined && named.id !== id) throw nameTaken(name)
    if (same !== undefined && same.name !== name) throw idTaken(id)
    if (key !== null && same === undefined) {
      const held = await this.#store.get(credential, { hash: keyHash(key) })
      if (held !== undefined && (held.org !== org || held.device !== id))
        throw new PlatformError('key_taken', 'this key is in use already', 'key')
    }
    await this.#claimName(org, name, id, now)
    return same
  }

  async #claimNewName(org: string, name: string, id: string): Promise<void> {
    checkName(name)
    const other = await this.#store.get(device, { org, id: name })
    if (other !== undefined && other.id !== id) throw nameTaken(name)
    await this.#claimName(org, name, id, this.#clock.now())
  }

  async #claimName(org: string, name: string, id: string, now: number): Promise<void> {
    const claim = { org, bucket: bucketOf(name), name, id, claimed_at: now }
    if (await insert(this.#store, deviceByName, claim, 'id')) return
    const held = await this.#store.get(deviceByName, claim)
    if (held?.id === id) return
    const holder = held?.id === undefined ? undefined : await this.#store.get(device, { org, id: held.id })
    // A device that was renamed may have left it behind.
    const alive = holder !== undefined && (holder.name ?? name) === name
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
    made?: RowOf<typeof device>,
  ): Promise<void> {
    const row = { hash, kind: 'device', org, device: id, created_at: now }
    if (imported && !(await insert(this.#store, credential, row, 'device'))) {
      const held = await this.#store.get(credential, { hash })
      const owned = held?.device !== undefined && (await this.findByKey(held.org ?? '', held.device, hash))
      if (owned || held?.kind !== 'device')
        throw new PlatformError('key_taken', 'this key is in use already', 'key')
    }
    const batch = new Batch()
    batch.put(credential, row)
    if (made === undefined) await this.#store.write(batch)
    // Its entry comes before the device: should this end in between, the entry is found to be of nobody.
    else await this.#entries.put(org, [made], batch)
  }
}

function bucketOf(name: string): number {
  return hash128(name)[0] % nameBuckets
}

function rowOf(
  org: string,
  input: NewDevice & { readonly id: string; readonly key: string | null },
  now: number,
): RowOf<typeof device> {
  const { id, name, key } = input
  return {
    org,
    id,
    name,
    key_hash: key === null ? undefined : keyHash(key),
    created_at: now,
    version: firstVersion(now),
    key_version: firstVersion(now),
    ...columnsOf(input),
  }
}

/** Errors of the store are thrown on. */
async function failureOr<T>(doing: Promise<T>): Promise<T | PlatformError> {
  try {
    return await doing
  } catch (error) {
    if (error instanceof PlatformError) return error
    throw error
  }
}

/** So great that what was left of an earlier device of this id is older. */
function firstVersion(now: number): number {
  return now * 1024
}

function changedMeanwhile({ id, name }: RowOf<typeof device>): PlatformError {
  return new PlatformError(
    'conflict',
    `device "${name ?? id}" was changed by somebody else meanwhile; try again`,
  )
}

function nameTaken(name: string): PlatformError {
  return new PlatformError('name_taken', `a device named "${name}" exists already`, 'name')
}

function idTaken(id: string): PlatformError {
  return new PlatformError('id_taken', `a device with the id or name "${id}" exists already`, 'id')
}
