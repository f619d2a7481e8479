import { importedKey, keyHash, newId, newKey } from '../auth/keys.ts'
import type { DeviceRef } from '../auth/principal.ts'
import type { Clock } from '../clock.ts'
import { PlatformError } from '../errors.ts'
import { Batch, type Store } from '../store/store.ts'
import { insert } from './conditional.ts'
import { shortId } from './organisations.ts'
import { credential, node } from './tables.ts'

/** An IoT Guru node: its key may store values of its device's `{id}/{field}` by HTTP, and nothing else. */
export interface Node {
  readonly id: string
  readonly name: string
  /** Milliseconds since 1970. */
  readonly createdAt: number
}

/** Nodes a device may have: all of them are listed at once. */
const maxNodes = 256

/** Everything is durable when a promise resolves. */
export class Nodes {
  readonly #store: Store
  readonly #clock: Clock

  constructor(store: Store, clock: Clock) {
    this.#store = store
    this.#clock = clock
  }

  /** Returns the node with its key, which is shown this once. `id` and `key` bring an IoT Guru node along. */
  async create(
    of: DeviceRef,
    input: { id?: string | undefined; name?: string | undefined; key?: string | undefined },
  ): Promise<{ node: Node; key: string }> {
    const id = input.id ?? newId()
    if (!shortId.test(id))
      throw new PlatformError('invalid_field', 'must be 1 to 64 of A-Z, a-z, 0-9, _ and -', 'id')
    if (input.key !== undefined && !importedKey.test(input.key)) {
      throw new PlatformError('invalid_field', 'must be 22 to 128 of A-Z, a-z, 0-9, _ and -', 'key')
    }
    const existing = await this.list(of)
    if (existing.some((other) => other.id === id)) {
      throw new PlatformError('node_exists', `device "${of.name}" has a node "${id}" already`, 'id')
    }
    if (existing.length >= maxNodes) {
      throw new PlatformError('limit_reached', `a device may have ${maxNodes} nodes; delete one first`)
    }
    const key = input.key ?? newKey('node')
    const hash = keyHash(key)
    const created_at = this.#clock.now()
    const owner = { hash, kind: 'node', org: of.org, device: of.id, node: id, created_at }
    if (!(await insert(this.#store, credential, owner, 'created_at'))) {
      throw new PlatformError('key_taken', 'this key is in use already', 'key')
    }
    const batch = new Batch()
    batch.put(node, {
      org: of.org,
      device: of.id,
      node: id,
      name: input.name ?? id,
      key_hash: hash,
      created_at,
    })
    await this.#store.write(batch)
    return { node: { id, name: input.name ?? id, createdAt: created_at }, key }
  }

  async list(of: DeviceRef): Promise<Node[]> {
    const rows = await this.#store.range(node, { org: of.org, device: of.id }, { limit: maxNodes })
    return rows.map((row) => ({ id: row.node, name: row.name ?? row.node, createdAt: row.created_at ?? 0 }))
  }

  /** Its values stay; its key stops working. PlatformError `node_not_found`. */
  async delete(of: DeviceRef, id: string): Promise<void> {
    const row = await this.#store.get(node, { org: of.org, device: of.id, node: id })
    if (row === undefined)
      throw new PlatformError('node_not_found', `device "${of.name}" has no node "${id}"`)
    const batch = new Batch()
    batch.delete(node, row)
    if (row.key_hash !== undefined) batch.delete(credential, { hash: row.key_hash })
    await this.#store.write(batch)
  }

  /** Deletes the nodes of a device that is no more. */
  async deleteAll(of: DeviceRef): Promise<void> {
    const rows = await this.#store.range(node, { org: of.org, device: of.id }, { limit: maxNodes })
    const batch = new Batch()
    for (const row of rows) if (row.key_hash !== undefined) batch.delete(credential, { hash: row.key_hash })
    batch.deletePartition(node, { org: of.org, device: of.id })
    await this.#store.write(batch)
  }

  /** Whether this is the hash of the node's key. */
  async hasKey(org: string, device: string, id: string, hash: Uint8Array): Promise<boolean> {
    const row = await this.#store.get(node, { org, device, node: id })
    return row?.key_hash !== undefined && Buffer.compare(row.key_hash, hash) === 0
  }
}
