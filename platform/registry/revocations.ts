import type { DeviceRef } from '../auth/principal.ts'
import type { Clock } from '../clock.ts'

/** A device's key that is good no more. */
export interface KeyGone extends DeviceRef {
  /** SHA-256 of the key; absent: it had none. */
  readonly hash?: Uint8Array | undefined
  /** The device was deleted then, milliseconds since 1970; absent: it has a new key. */
  readonly deletedAt?: number | undefined
  /** The device was disabled by that version. */
  readonly disabledAt?: number | undefined
}

/** By then the store of every DC in contact has what another one wrote. */
const keptMs = 3_600_000
/** Some 200 bytes each. */
const maxKept = 10_000

/**
 * Keys and devices that other processes have said are gone. Their word may come before what they wrote has reached the
 * store of this DC, which would let the old key in again. Kept for an hour, the newest 10,000.
 */
export class Revocations {
  readonly #keys = new Map<string, number>()
  readonly #devices = new Map<string, { deletedAt: number; heardAt: number }>()
  readonly #disabled = new Map<string, { version: number; heardAt: number }>()
  readonly #clock: Clock

  constructor(clock: Clock) {
    this.#clock = clock
  }

  add({ org, id, hash, deletedAt, disabledAt }: KeyGone): void {
    const now = this.#clock.now()
    if (hash !== undefined) keep(this.#keys, keyOf(hash), now)
    if (deletedAt !== undefined) keep(this.#devices, `${org}/${id}`, { deletedAt, heardAt: now })
    if (disabledAt !== undefined) keep(this.#disabled, `${org}/${id}`, { version: disabledAt, heardAt: now })
  }

  /** Whether this version of the device is older than the one that disabled it. */
  hasDisabled({ org, id, version }: DeviceRef & { readonly version: number }): boolean {
    const disabled = this.#disabled.get(`${org}/${id}`)
    return disabled !== undefined && version < disabled.version && this.#counts(disabled.heardAt)
  }

  hasKey(hash: Uint8Array): boolean {
    const heardAt = this.#keys.get(keyOf(hash))
    return heardAt !== undefined && this.#counts(heardAt)
  }

  /** Whether this very device was deleted; one that was made later with its id is another. */
  hasDevice({ org, id, createdAt }: DeviceRef & { readonly createdAt: number }): boolean {
    const gone = this.#devices.get(`${org}/${id}`)
    return gone !== undefined && createdAt <= gone.deletedAt && this.#counts(gone.heardAt)
  }

  #counts(heardAt: number): boolean {
    return this.#clock.now() - heardAt < keptMs
  }
}

function keep<T>(map: Map<string, T>, key: string, value: T): void {
  map.delete(key)
  map.set(key, value)
  if (map.size > maxKept) for (const oldest of map.keys()) return void map.delete(oldest)
}

function keyOf(hash: Uint8Array): string {
  return Buffer.from(hash.buffer, hash.byteOffset, hash.length).toString('latin1')
}
