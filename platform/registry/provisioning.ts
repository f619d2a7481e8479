import { hash as sha } from 'node:crypto'
import { z } from 'zod'
import { keyHash, newId, newKey } from '../auth/keys.ts'
import type { DeviceRef } from '../auth/principal.ts'
import type { Audit } from '../audit/audit.ts'
import type { Clock } from '../clock.ts'
import { PlatformError } from '../errors.ts'
import { Batch, type Store } from '../store/store.ts'
import type { RowOf } from '../store/table.ts'
import type { Claims } from './claims.ts'
import { insert, putIf, remove } from './conditional.ts'
import type { DeviceProperties } from './device-record.ts'
import type { Registry } from './registry.ts'
import { credential, provisioned, provisioningKey } from './tables.ts'

/** What devices get that are made with a key or code. */
export interface Template extends Pick<DeviceProperties, 'groups' | 'labels'> {
  readonly profile?: string | undefined
}

/** A key by which devices that have none of their own get one; without what it is. */
export interface ProvisioningKey {
  readonly org: string
  readonly id: string
  readonly label: string
  readonly maxUses: number
  readonly uses: number
  /** Milliseconds since 1970; null: never. */
  readonly expiresAt: number | null
  readonly template: Template
  readonly createdAt: number
}

/** Who may ask for a device's key: a provisioning key, or the key that a device with a claim code has. */
export type Provisioner = { readonly org: string; readonly hash: Uint8Array } & (
  | { readonly kind: 'key'; readonly id: string }
  | { readonly kind: 'claim'; readonly code: Uint8Array }
)

/** What a device asks for. */
export const provisionRequest = z.strictObject({
  name: z.string().max(64).optional(),
  nonce: z
    .string()
    .regex(
      /^[A-Za-z0-9_-]{22,64}$/,
      'must be 22 to 64 of A-Z, a-z, 0-9, _ and -; 128 random bits that the device keeps',
    ),
})
export type ProvisionRequest = z.output<typeof provisionRequest>

/** Null: the code has not been claimed yet; ask again later. */
export type Provisioned = { readonly device: DeviceRef; readonly key: string } | null

export const maxProvisioningKeys = 1000
/** For so long a device that did not get its answer gets another key. */
const againMs = 86_400_000
const maxTries = 20

const template = z.object({
  groups: z.array(z.string()).optional(),
  labels: z.record(z.string(), z.string()).optional(),
  profile: z.string().optional(),
})

/**
 * Keys for devices that have none: with a provisioning key, which may be used so many times, or with a claim code, which
 * a person has claimed. A device brings a nonce of its own: if it asks again with it, because the answer was lost, it
 * gets another key for the same device, for a day or until a key was used.
 */
export class Provisioning {
  readonly #store: Store
  readonly #clock: Clock
  readonly #registry: Registry
  readonly #claims: Claims
  readonly #audit: Audit
  readonly #underWay = new Map<string, Promise<Provisioned>>()

  constructor(store: Store, clock: Clock, registry: Registry, claims: Claims, audit: Audit) {
    this.#audit = audit
    this.#store = store
    this.#clock = clock
    this.#registry = registry
    this.#claims = claims
  }

  // --- keys -------------------------------------------------------------------------------------------

  /** Returns it with what it is, which is shown this once. PlatformError `group_not_found` or `limit_reached`. */
  async createKey(
    org: string,
    input: { label: string; maxUses: number; expiresAt: number | null; template: Template },
  ): Promise<{ made: ProvisioningKey; key: string }> {
    await this.#registry.groups.check(org, input.template.groups ?? [])
    if ((await this.listKeys(org)).length >= maxProvisioningKeys)
      throw new PlatformError('limit_reached', `there may be ${maxProvisioningKeys} provisioning keys`)
    const key = newKey('provisioning')
    const hash = keyHash(key)
    const id = newId()
    const now = this.#clock.now()
    const row = {
      org,
      id,
      hash,
      label: input.label,
      max_uses: input.maxUses,
      uses: 0,
      expires_at: input.expiresAt ?? undefined,
      template: JSON.stringify(input.template),
      created_at: now,
      version: now * 1024,
    }
    await insert(this.#store, provisioningKey, row, 'version')
    const batch = new Batch()
    batch.put(credential, { hash, kind: 'provisioning', org, device: id, created_at: now })
    await this.#store.write(batch)
    return { made: record(row), key }
  }

  /** By id, all of them. */
  async listKeys(org: string): Promise<ProvisioningKey[]> {
    const rows = await this.#store.range(provisioningKey, { org }, { limit: maxProvisioningKeys })
    return rows.map(record)
  }

  /** Devices that it was used for stay. PlatformError `provisioning_key_not_found`. */
  async deleteKey(org: string, id: string): Promise<void> {
    const row = await this.#store.get(provisioningKey, { org, id })
    if (row === undefined)
      throw new PlatformError('provisioning_key_not_found', `no provisioning key "${id}"`)
    const batch = new Batch()
    batch.delete(provisioningKey, { org, id })
    if (row.hash !== undefined) batch.delete(credential, { hash: row.hash })
    await remove(this.#store, provisioningKey, batch, async () => {
      return (await this.#store.get(provisioningKey, { org, id })) !== undefined
    })
  }

  /** Whose key this is, or undefined. */
  async find(key: string | Uint8Array): Promise<Provisioner | undefined> {
    const hash = keyHash(key)
    const row = await this.#store.get(credential, { hash })
    if (row?.org === undefined || row.device === undefined) return undefined
    const { org, device } = row
    if (row.kind === 'claim') return { kind: 'claim', org, hash, code: Buffer.from(device, 'hex') }
    if (row.kind !== 'provisioning') return undefined
    const stored = await this.#store.get(provisioningKey, { org, id: device })
    if (stored?.hash === undefined || Buffer.compare(stored.hash, hash) !== 0) return undefined
    return { kind: 'key', org, hash, id: device }
  }

  // --- devices ----------------------------------------------------------------------------------------

  /**
   * Makes the device, or finds the one that the nonce has made, and gives it a key. PlatformError
   * `provisioning_refused`, `already_provisioned`, `name_taken`, `invalid_field`, `claim_not_found`.
   */
  provision(by: Provisioner, request: ProvisionRequest): Promise<Provisioned> {
    const nonce = sha('sha256', Buffer.concat([by.hash, Buffer.from(request.nonce)]), 'buffer')
    const key = nonce.toString('latin1')
    // The same device twice at a time: both get the same answer.
    let doing = this.#underWay.get(key)
    if (doing === undefined) {
      doing = by.kind === 'key' ? this.#byKey(by, request, nonce) : this.#byClaim(by)
      doing = doing.then((done) => this.#recorded(by, done))
      doing = doing.finally(() => this.#underWay.delete(key))
      this.#underWay.set(key, doing)
    }
    return doing
  }

  /** Nobody who is signed in has asked for it. Durable when it resolves. */
  async #recorded(by: Provisioner, done: Provisioned): Promise<Provisioned> {
    if (done === null) return done
    const actor =
      by.kind === 'key'
        ? ({ kind: 'key', id: by.id, name: 'provisioning key' } as const)
        : ({ kind: 'device', id: done.device.id, name: 'claim code' } as const)
    const deed = { org: done.device.org, actor, operation: 'provisionDevice', targets: [done.device.id] }
    const { id, name } = done.device
    await this.#audit.record(deed, { outcome: 'done', after: { id, name } })
    return done
  }

  async #byKey(
    by: Extract<Provisioner, { kind: 'key' }>,
    { name }: ProvisionRequest,
    nonce: Uint8Array,
  ): Promise<Provisioned> {
    const { org } = by
    const { devices } = this.#registry
    const before = await this.#store.get(provisioned, { org, nonce })
    if (before?.device !== undefined) {
      const device = await devices.findById(org, before.device)
      if (device !== undefined) return this.#again(device, before.at ?? 0)
      // Somebody has deleted it: neither does it come back for ever, nor with a key that is over.
      if (this.#clock.now() - (before.at ?? 0) > againMs)
        throw new PlatformError('provisioning_refused', 'the device of this nonce was deleted')
    }
    if (name === undefined) throw new PlatformError('invalid_field', 'is missing', 'name')
    const found = await devices.find(org, name)
    if (found !== undefined)
      throw new PlatformError('name_taken', `a device named "${name}" exists already`, 'name')
    const now = this.#clock.now()
    // What the nonce has paid for is not paid for again.
    const properties =
      before === undefined ? await this.#use(by) : templateOf(await this.#store.get(provisioningKey, by))
    const id = Buffer.from(nonce).subarray(0, 16).toString('base64url')
    if (before === undefined) {
      await insert(
        this.#store,
        provisioned,
        { org, nonce, device: id, at: now, version: now * 1024 },
        'version',
      )
    }
    const { device, key } = await devices.create(org, { ...properties, name, id })
    return { device, key }
  }

  async #byClaim(by: Extract<Provisioner, { kind: 'claim' }>): Promise<Provisioned> {
    const claim = await this.#claims.find(by.code)
    if (claim === undefined) throw new PlatformError('claim_not_found', 'the claim code has expired')
    if (claim.owner === null) return null
    const { org, device: id } = claim.owner
    const device = await this.#registry.devices.findById(org, id)
    if (device === undefined) throw new PlatformError('claim_not_found', 'the device was deleted')
    const now = this.#clock.now()
    // The key is of this device alone; the day begins with its first answer, whatever nonces it brings.
    const row = { org, nonce: by.hash, device: id, at: now, version: now * 1024 }
    const first = await insert(this.#store, provisioned, row, 'version')
    const { at = now } = first ? row : ((await this.#store.get(provisioned, row)) ?? row)
    return this.#again(device, at)
  }

  /** Another key for a device that did not get its answer. */
  async #again(device: DeviceRef, at: number): Promise<Provisioned> {
    const { devices } = this.#registry
    const keys = await devices.keys(device.org, device.id)
    // It is made with a key: where there is none, somebody has revoked it.
    const used = keys.length === 0 || keys.some(({ lastUsedAt }) => lastUsedAt !== null)
    if (used || this.#clock.now() - at > againMs) {
      throw new PlatformError(
        'already_provisioned',
        `device "${device.name}" has its key; rotate it, or delete the device, if it has lost it`,
      )
    }
    const rotated = await devices.rotateKey(device.org, device.id)
    return { device: rotated.device, key: rotated.key }
  }

  /** Counts one use; what it makes of devices. */
  async #use({ org, id }: { org: string; id: string }): Promise<Template> {
    for (let tries = 0; tries < maxTries; tries++) {
      // oxlint-disable-next-line no-await-in-loop -- until nobody else is in between
      const row = await this.#store.get(provisioningKey, { org, id })
      const { uses = 0, max_uses: max = 0, expires_at: end = Number.POSITIVE_INFINITY } = row ?? {}
      if (row === undefined || uses >= max || end <= this.#clock.now())
        throw new PlatformError('provisioning_refused', 'the provisioning key has expired or is used up')
      const next = { ...row, uses: uses + 1, version: (row.version ?? 0) + 1 }
      // oxlint-disable-next-line no-await-in-loop
      if (await putIf(this.#store, provisioningKey, next, 'version', row.version)) return templateOf(row)
    }
    throw new PlatformError('conflict', 'too many devices use this provisioning key at a time; try again')
  }
}

function templateOf(row: RowOf<typeof provisioningKey> | undefined): Template {
  return template.parse(JSON.parse(row?.template ?? '{}'))
}

function record(row: RowOf<typeof provisioningKey>): ProvisioningKey {
  return {
    org: row.org,
    id: row.id,
    label: row.label ?? '',
    maxUses: row.max_uses ?? 0,
    uses: row.uses ?? 0,
    expiresAt: row.expires_at ?? null,
    template: templateOf(row),
    createdAt: row.created_at ?? 0,
  }
}
