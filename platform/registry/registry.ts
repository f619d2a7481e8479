import { keyHash, maxKeyText } from '../auth/keys.ts'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { DeviceRef } from '../auth/principal.ts'
import type { Clock } from '../clock.ts'
import type { Store } from '../store/store.ts'
import { DeviceKeys, keyId } from './credentials.ts'
import { DeviceEntries } from './device-entries.ts'
import type { Device } from './device-record.ts'
import { Devices } from './devices.ts'
import { Groups } from './groups.ts'
import { Nodes } from './nodes.ts'
import { type Organisation, Organisations } from './organisations.ts'
import { type KeyGone, Revocations } from './revocations.ts'
import { credential } from './tables.ts'

/** Whose key it is. */
export type KeyOwner =
  | {
      readonly kind: 'device'
      readonly organisation: Organisation
      readonly device: Device
      /** Id of the key. */
      readonly credential: string
      /** When the key ends, milliseconds since 1970; null: never. */
      readonly expiresAt: number | null
    }
  | {
      readonly kind: 'node'
      readonly organisation: Organisation
      readonly device: Device
      readonly node: string
    }
  | { readonly kind: 'token'; readonly organisation: Organisation }

/** Who exists and by which keys: organisations, their devices, the devices' nodes. */
export class Registry {
  readonly organisations: Organisations
  readonly devices: Devices
  readonly groups: Groups
  readonly entries: DeviceEntries
  readonly nodes: Nodes
  readonly keys: DeviceKeys
  readonly #revocations: Revocations
  readonly #store: Store
  readonly #keyGone: ((gone: KeyGone) => void)[] = []
  readonly #revoked: ((gone: KeyGone) => unknown)[] = []
  readonly #doubted: (() => void)[] = []
  readonly #used: ((device: DeviceRef, credential: string) => void)[] = []
  readonly #deleting: ((device: DeviceRef, deletedAt: number) => Promise<void>)[] = []

  constructor(store: Store, clock: Clock) {
    this.#store = store
    this.organisations = new Organisations(store, clock)
    this.nodes = new Nodes(store, clock)
    this.#revocations = new Revocations(clock)
    this.groups = new Groups(store, clock)
    this.entries = new DeviceEntries(store, clock)
    this.keys = new DeviceKeys(store, clock, (gone) => this.#revoke(gone))
    this.devices = new Devices(store, clock, {
      groups: this.groups,
      keys: this.keys,
      entries: this.entries,
      revoke: (gone) => this.#revoke(gone),
    })
  }

  /** `listener` hears at once, when a key has become invalid durably: for caches of keys. */
  onKeyGone(listener: (gone: KeyGone) => void): void {
    this.#keyGone.push(listener)
  }

  /**
   * `listener` hears of every device whose key was replaced or that was deleted by this process, after that is durable:
   * whoever is connected with the old key must go. The change is reported as done when a promise that it
   * returns has resolved.
   */
  onRevoked(listener: (gone: KeyGone) => unknown): void {
    this.#revoked.push(listener)
  }

  /** `listener` hears of each key that was found to be good. */
  onKeyUsed(listener: (device: DeviceRef, credential: string) => void): void {
    this.#used.push(listener)
  }

  /** A device was let in by this key or certificate. */
  used(device: DeviceRef, shown: string): void {
    for (const listener of this.#used) listener(device, shown)
  }

  /** Another process says that a key is good no more; what it wrote may not have come here yet. */
  heardKeyGone(gone: KeyGone): void {
    this.#revocations.add(gone)
    for (const listener of this.#keyGone) listener(gone)
  }

  /** Words of other processes may have been lost: nothing that was read before can be trusted. */
  doubt(): void {
    this.organisations.doubt()
    this.groups.doubt()
    for (const listener of this.#doubted) listener()
  }

  /** `listener` forgets what it has read. */
  onDoubt(listener: () => void): void {
    this.#doubted.push(listener)
  }

  /** Whether another process has said that the device was deleted. */
  isDeleted(device: Device): boolean {
    return this.#revocations.hasDevice(device)
  }

  /** Whether this key or certificate was said to be good no more. */
  isRevoked(hash: Uint8Array): boolean {
    return this.#revocations.hasKey(hash)
  }

  /** A certificate is durably good no more: who is connected with it must go. */
  async revokeCertificate(gone: KeyGone): Promise<void> {
    await this.#revoke(gone)
  }

  /** Whether the device may connect: it is there and enabled, as far as this process has heard. */
  isAdmitted(device: Device): boolean {
    return device.enabled && !this.isDeleted(device) && !this.#revocations.hasDisabled(device)
  }

  /** `listener` removes what it keeps of a deleted device; `deleteDevice` waits for it. */
  onDeleted(listener: (device: DeviceRef, deletedAt: number) => Promise<void>): void {
    this.#deleting.push(listener)
  }

  /** Deletes a device with its nodes and data. If it fails half-way the device is gone and the rest remains unreachable. */
  async deleteDevice(org: string, idOrName: string): Promise<void> {
    const gone = await this.devices.delete(org, idOrName)
    await this.nodes.deleteAll(gone)
    await this.keys.deleteAll(gone)
    await Promise.all(this.#deleting.map((listener) => listener(gone, gone.deletedAt)))
  }

  /** Whose current key this is, or undefined. Asks the store each time. */
  async findKey(key: string | Uint8Array): Promise<KeyOwner | undefined> {
    return key.length === 0 || key.length > maxKeyText ? undefined : this.findKeyHash(keyHash(key))
  }

  async findKeyHash(hash: Uint8Array): Promise<KeyOwner | undefined> {
    const row = await this.#store.get(credential, { hash })
    if (row?.org === undefined || this.#revocations.hasKey(hash)) return undefined
    const organisation = await this.organisations.find(row.org)
    if (organisation === undefined) return undefined
    if (row.kind === 'token') {
      return (await this.organisations.hasToken(row.org, hash)) ? { kind: 'token', organisation } : undefined
    }
    if (row.device === undefined) return undefined
    if (row.kind === 'device') {
      const found = await this.devices.findByKey(row.org, row.device, hash)
      if (found === undefined || !this.isAdmitted(found.device)) return undefined
      const id = keyId(hash)
      this.used(found.device, id)
      return { kind: 'device', organisation, ...found, credential: id }
    }
    const device = await this.devices.findById(row.org, row.device)
    if (device === undefined || row.node === undefined || !this.isAdmitted(device)) return undefined
    const valid = await this.nodes.hasKey(row.org, row.device, row.node, hash)
    if (valid) this.used(device, keyId(hash))
    return valid ? { kind: 'node', organisation, device, node: row.node } : undefined
  }

  async #revoke(gone: KeyGone): Promise<void> {
    for (const listener of this.#keyGone) listener(gone)
    // A turn later, who was let in by the old key just before is known to whoever keeps connections.
    await nextTurn()
    await Promise.all(this.#revoked.map((listener) => listener(gone)))
  }
}
