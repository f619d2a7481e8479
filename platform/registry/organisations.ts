import { aclRule, AclRules, type AclRule } from '../auth/acl.ts'
import { defaultDeviceAcl } from '../auth/device-acl.ts'
import { keyHash, newId, newKey } from '../auth/keys.ts'
import type { Clock } from '../clock.ts'
import { PlatformError } from '../errors.ts'
import { Batch, type Store } from '../store/store.ts'
import type { RowOf } from '../store/table.ts'
import { putIf } from './conditional.ts'
import { credential, deviceByName, nameBuckets, organisation, organisationByUser } from './tables.ts'

export interface Organisation {
  readonly id: string
  readonly name: string
  /** IoT Guru's user short id. */
  readonly user: string
  /** Its own rules for devices, or null: the default ones. */
  readonly acl: readonly AclRule[] | null
  /** Those rules, or the default ones, compiled. */
  readonly rules: AclRules
  /** Milliseconds since 1970. */
  readonly createdAt: number
  readonly durability: Durability
  /** Counts its changes. */
  readonly version: number
}

/**
 * When a write counts: `local`: when a majority of the replicas of one DC has it; `geo`: when a majority of those of all
 * DCs has it, so that the loss of a DC loses nothing; it needs most DCs in contact, and takes a round trip between them.
 */
export const durabilities = ['local', 'geo'] as const
export type Durability = (typeof durabilities)[number]

/** What is told of a change. */
type Changed = Pick<Organisation, 'id' | 'version' | 'durability'>

export const organisationId = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/
export const shortId = /^[A-Za-z0-9_-]{1,64}$/

const maxCached = 10_000
/** By then every process has seen a change, also one that was not told of it. */
const maxAgeMs = 30_000
const defaultRules = new AclRules(defaultDeviceAcl)

/**
 * The organisations. Records are kept in memory for 30 s once read; changes made by this process are seen at once,
 * those of others when they say so (`heardChanged`), else when the 30 s are over. Everything is durable when a promise
 * resolves.
 */
export class Organisations {
  readonly #cache = new Map<string, { record: Organisation; readAt: number }>()
  #generation = 0
  /** Versions that other processes have written; their rows may not have come here yet. */
  readonly #heard = new Map<string, number>()
  readonly #changed: ((changed: Changed, elsewhere: boolean) => unknown)[] = []
  readonly #store: Store
  readonly #clock: Clock

  constructor(store: Store, clock: Clock) {
    this.#store = store
    this.#clock = clock
  }

  /** Creates one and returns it with its API token, which is shown this once. `user` brings an IoT Guru short id along. */
  async create(input: {
    id: string
    name?: string | undefined
    user?: string | undefined
    acl?: readonly AclRule[] | undefined
    durability?: Durability | undefined
  }): Promise<{ organisation: Organisation; token: string }> {
    if (!organisationId.test(input.id)) {
      throw new PlatformError('invalid_field', 'must be 1 to 63 of a-z, 0-9 and - (not first or last)', 'id')
    }
    const user = input.user ?? newId()
    if (!shortId.test(user)) {
      throw new PlatformError('invalid_field', 'must be 1 to 64 of A-Z, a-z, 0-9, _ and -', 'user')
    }
    const acl = checkedAcl(input.acl)
    const { id } = input
    const existing = await this.#store.get(organisation, { id })
    if (existing !== undefined) throw exists(existing)
    if (!(await putIf(this.#store, organisationByUser, { user, org: id }, 'org', undefined))) {
      const owner = await this.#store.get(organisationByUser, { user })
      // A creation that died half-way left it for the same organisation.
      if (owner?.org !== id)
        throw new PlatformError('user_taken', `IoT Guru user "${user}" exists already`, 'user')
    }
    const token = newKey('token')
    const now = this.#clock.now()
    const row = {
      id,
      name: input.name ?? id,
      user,
      acl,
      token_hash: keyHash(token),
      created_at: now,
      version: 1,
      durability: stored(input.durability ?? 'local'),
    }
    await this.#store.write(tokenBatch(id, token, now))
    if (!(await putIf(this.#store, organisation, row, 'version', undefined))) {
      throw new PlatformError('organisation_exists', `organisation "${id}" exists already`, 'id')
    }
    const created = recordOf(row)
    await this.#tell(created)
    return { organisation: created, token }
  }

  /** PlatformError `organisation_not_found`. */
  async get(id: string): Promise<Organisation> {
    const found = await this.find(id)
    if (found === undefined) throw notFound(id)
    return found
  }

  async find(id: string): Promise<Organisation | undefined> {
    const cached = this.#cache.get(id)
    if (cached !== undefined && this.#clock.now() - cached.readAt < maxAgeMs) return cached.record
    const generation = this.#generation
    const row = await this.#store.get(organisation, { id })
    if (row === undefined || row.deleted_at !== undefined) return undefined
    const record = recordOf(row)
    // What was read while something changed may be old: it is used once and not kept.
    if (generation === this.#generation && this.isCurrent(record)) this.#keep(record)
    return record
  }

  /** In the store's own order; the cursor is null at the end. */
  async list(page: {
    limit: number
    cursor?: string | undefined
  }): Promise<{ organisations: Organisation[]; cursor: string | null }> {
    const { rows, cursor } = await this.#store.scan(organisation, page.cursor ?? null, page.limit)
    const live = rows.filter((row) => row.deleted_at === undefined)
    return { organisations: live.map(recordOf), cursor }
  }

  /**
   * `acl: null` goes back to the default rules. New rules hold for connections made from now on, a new durability for
   * what is written from now on.
   */
  async update(
    id: string,
    change: {
      name?: string | undefined
      acl?: readonly AclRule[] | null | undefined
      durability?: Durability | undefined
    },
  ): Promise<Organisation> {
    const acl = change.acl === null ? undefined : checkedAcl(change.acl)
    return this.#change(id, (row) => ({
      ...row,
      name: change.name ?? row.name,
      acl: change.acl === undefined ? row.acl : acl,
      durability: change.durability === undefined ? row.durability : stored(change.durability),
    }))
  }

  /** The old token stops working when the promise resolves. */
  async rotateToken(id: string): Promise<string> {
    const token = newKey('token')
    await this.#store.write(tokenBatch(id, token, this.#clock.now()))
    let old: Uint8Array | undefined
    await this.#change(id, (row) => {
      old = row.token_hash
      return { ...row, token_hash: keyHash(token) }
    })
    if (old !== undefined) {
      const batch = new Batch()
      batch.delete(credential, { hash: old })
      await this.#store.write(batch)
    }
    return token
  }

  /** PlatformError `organisation_not_empty` while it has devices. Its id and its user short id are never given again. */
  async delete(id: string): Promise<void> {
    await this.get(id)
    for (let bucket = 0; bucket < nameBuckets; bucket++) {
      const [one] = await this.#store.range(deviceByName, { org: id, bucket }, { limit: 1 })
      if (one !== undefined) {
        throw new PlatformError(
          'organisation_not_empty',
          `organisation "${id}" has devices, as "${one.name}"; delete them first`,
        )
      }
    }
    await this.#change(id, ({ token_hash: _gone, ...row }) => ({ ...row, deleted_at: this.#clock.now() }))
  }

  /** Whether this is the hash of the organisation's current token. */
  async hasToken(id: string, hash: Uint8Array): Promise<boolean> {
    const row = await this.#store.get(organisation, { id })
    return (
      row?.token_hash !== undefined &&
      row.deleted_at === undefined &&
      Buffer.compare(row.token_hash, hash) === 0
    )
  }

  /**
   * Called with the new record after a change is durable. The change is reported as done when a promise that the
   * listener returns has resolved.
   */
  onChanged(listener: (changed: Changed, elsewhere: boolean) => unknown): void {
    this.#changed.push(listener)
  }

  /** Another process has written this version of an organisation. */
  heardChanged(changed: Changed): void {
    const { id, version } = changed
    if (this.#heard.size >= maxCached) this.#heard.clear()
    this.#heard.set(id, Math.max(version, this.#heard.get(id) ?? 0))
    this.#forget(id)
    for (const listener of this.#changed) listener(changed, true)
  }

  /** What was read may be old. */
  doubt(): void {
    this.#generation++
    this.#cache.clear()
  }

  /** Whether no newer version of it is known to exist; one that is not must not be kept. */
  isCurrent({ id, version }: Organisation): boolean {
    return version >= (this.#heard.get(id) ?? 0)
  }

  async #change(
    id: string,
    change: (row: RowOf<typeof organisation>) => RowOf<typeof organisation>,
  ): Promise<Organisation> {
    const row = await this.#store.get(organisation, { id })
    if (row === undefined || row.deleted_at !== undefined) throw notFound(id)
    const next = { ...change(row), version: (row.version ?? 0) + 1 }
    if (!(await putIf(this.#store, organisation, next, 'version', row.version))) {
      throw new PlatformError(
        'conflict',
        `organisation "${id}" was changed by somebody else meanwhile; try again`,
      )
    }
    this.#forget(id)
    const changed = recordOf(next)
    await this.#tell(changed)
    return changed
  }

  async #tell(changed: Organisation): Promise<void> {
    await Promise.all(this.#changed.map((listener) => listener(changed, false)))
  }

  #forget(id: string): void {
    this.#generation++
    this.#cache.delete(id)
  }

  #keep(record: Organisation): void {
    if (this.#cache.size >= maxCached) this.#cache.clear()
    this.#cache.set(record.id, { record, readAt: this.#clock.now() })
  }
}

function recordOf(row: RowOf<typeof organisation>): Organisation {
  const acl = row.acl === undefined ? null : aclRule.array().parse(JSON.parse(row.acl))
  return {
    id: row.id,
    name: row.name ?? row.id,
    user: row.user ?? '',
    acl,
    rules: acl === null ? defaultRules : new AclRules(acl),
    createdAt: row.created_at ?? 0,
    durability: row.durability === 'geo' ? 'geo' : 'local',
    version: row.version ?? 0,
  }
}

function stored(durability: Durability): string | undefined {
  return durability === 'local' ? undefined : durability
}

function checkedAcl(acl: readonly AclRule[] | undefined): string | undefined {
  if (acl === undefined) return undefined
  try {
    return JSON.stringify(new AclRules(acl).rules)
  } catch (error) {
    if (error instanceof RangeError) throw new PlatformError('invalid_field', error.message, 'acl')
    throw error
  }
}

function tokenBatch(org: string, token: string, now: number): Batch {
  const batch = new Batch()
  batch.put(credential, { hash: keyHash(token), kind: 'token', org, created_at: now })
  return batch
}

function exists(row: RowOf<typeof organisation>): PlatformError {
  const gone =
    row.deleted_at === undefined ? 'exists already' : 'existed and was deleted; ids are not given again'
  return new PlatformError('organisation_exists', `organisation "${row.id}" ${gone}`, 'id')
}

function notFound(id: string): PlatformError {
  return new PlatformError('organisation_not_found', `no organisation "${id}"`)
}
