/** An object as a listing tells of it. */
export interface StoredObject {
  readonly key: string
  readonly bytes: number
  /** When it was put, milliseconds since 1970 by the clock of the storage. */
  readonly modified: number
}

/**
 * Storage of whole objects by key, all that a backup needs. Every call fails with ObjectStoreError, after the adapter has
 * tried again what may pass.
 */
export interface ObjectStore {
  /** Where it is, for people. */
  readonly name: string
  /**
   * Resolves when the object is durable. It becomes visible as a whole or not at all, and replaces one of the same key.
   */
  put(key: string, bytes: Uint8Array): Promise<void>
  /** The object as it was put; undefined: there is none. */
  get(key: string): Promise<Buffer | undefined>
  /** All objects whose key starts with `prefix`, in no order, those included that were put before the call. */
  list(prefix: string): AsyncIterable<StoredObject>
  /** No error when there is none. */
  delete(key: string): Promise<void>
}

export class ObjectStoreError extends Error {
  /** `unavailable`: try again later; `denied`: credentials or permissions; `full`: no space. */
  readonly code: 'unavailable' | 'denied' | 'full'

  constructor(code: ObjectStoreError['code'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'ObjectStoreError'
    this.code = code
  }
}

/** Largest object that is put or got. */
export const maxObjectBytes = 64 * 1024 * 1024

/**
 * Keys are paths of plain names, so that each adapter can take them as they are and none leads out of the storage.
 *
 * @throws TypeError
 */
export function checkKey(key: string): void {
  const plain = key
    .split('/')
    .every((name) => /^[A-Za-z0-9_-][A-Za-z0-9._-]*$/.test(name) && name.length <= 200)
  if (!plain || key.length > 500) throw new TypeError(`"${key}" is no key of an object`)
}
