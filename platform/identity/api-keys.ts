import { randomBytes } from 'node:crypto'
import { z } from 'zod'
import { keyHash, newId } from '../auth/keys.ts'
import type { Clock, HybridClock } from '../clock.ts'
import { PlatformError } from '../errors.ts'
import type { Lanes } from '../store/lanes.ts'
import { Batch, type Store } from '../store/store.ts'
import type { RowOf } from '../store/table.ts'
import { readGroups, readRole } from './memberships.ts'
import { Recent } from './recent.ts'
import type { Role } from './roles.ts'
import { apiKey, apiKeyByHash, apiKeyUse } from './tables.ts'

export interface ApiKey {
  readonly id: string
  readonly org: string
  readonly name: string
  readonly role: Role
  /** `<tag>:read`, `<tag>:write`; null: all that the role may. */
  readonly scopes: readonly string[] | null
  readonly groups: readonly string[] | null
  /** Who made it, in words. */
  readonly createdBy: string
  /** Milliseconds since 1970. */
  readonly createdAt: number
  /** Null: never. */
  readonly expiresAt: number | null
}

/** Of an organisation. */
const maxKeys = 1000
/** What was read of a key is trusted for this long: a process that no word reaches refuses a revoked key by then. */
const trustMs = 4000
const cached = { size: 10_000, ageMs: trustMs }
const revoked = { size: 10_000, ageMs: 3_600_000 }
/** The use of a key is written once in this time. */
const useMs = 60_000
const prefix = 'cq_'
const scopeList = z.array(z.string())

export function isApiKey(text: string): boolean {
  return text.startsWith(prefix)
}

/**
 * Keys by which programs use the API. Only the SHA-256 of a key is stored. They never change: who wants another scope
 * makes another key. Durable when a promise resolves; works in a DC that is alone.
 */
export class ApiKeys {
  readonly #store: Store
  readonly #lanes: Lanes
  readonly #clock: Clock
  readonly #stamps: HybridClock
  readonly #gone: (hash: string) => Promise<void>
  readonly #read: Recent<ApiKey>
  readonly #revoked: Recent<true>
  readonly #used: Recent<true>

  /** `gone` is called with the hex SHA-256 of a key that is durably revoked, and waited for. */
  constructor(
    store: Store,
    lanes: Lanes,
    clock: Clock,
    stamps: HybridClock,
    gone: (hash: string) => Promise<void>,
  ) {
    this.#store = store
    this.#lanes = lanes
    this.#clock = clock
    this.#stamps = stamps
    this.#gone = gone
    this.#read = new Recent(clock, cached)
    this.#revoked = new Recent(clock, revoked)
    this.#used = new Recent(clock, { size: cached.size, ageMs: useMs })
  }

  /** Returns it with its secret, which is shown this once. PlatformError `limit_reached`. */
  async create(
    org: string,
    input: Pick<ApiKey, 'name' | 'role' | 'scopes' | 'groups' | 'createdBy' | 'expiresAt'>,
  ): Promise<{ key: ApiKey; secret: string }> {
    const existing = await this.#store.range(apiKey, { org }, { limit: maxKeys })
    if (existing.length >= maxKeys)
      throw new PlatformError('limit_reached', `an organisation can have ${maxKeys} API keys`)
    const secret = prefix + randomBytes(24).toString('hex')
    const hash = keyHash(secret)
    const id = newId()
    const { name, role, scopes, groups, createdBy, expiresAt } = input
    const createdAt = this.#clock.now()
    const stamp = this.#stamps.next()
    const batch = new Batch()
    batch.put(apiKey, {
      org,
      id,
      hash,
      name,
      role,
      created_by: createdBy,
      created_at: createdAt,
      stamp,
      ...(scopes === null ? {} : { scopes: JSON.stringify(scopes) }),
      ...(groups === null ? {} : { groups: JSON.stringify(groups) }),
      ...(expiresAt === null ? {} : { expires_at: expiresAt }),
    })
    batch.put(apiKeyByHash, { hash, org, id, stamp })
    await this.#store.write(batch)
    return { key: { id, org, name, role, scopes, groups, createdBy, createdAt, expiresAt }, secret }
  }

  /** The key of that secret, unless it has expired or was revoked. Notes its use. */
  async use(secret: string, address: string): Promise<ApiKey | undefined> {
    const hash = keyHash(secret)
    const key = await this.#find(hash)
    if (key === undefined || expired(key, this.#clock.now())) return undefined
    this.#note(key, address)
    return key
  }

  async find(org: string, id: string): Promise<ApiKey | undefined> {
    const row = await this.#store.get(apiKey, { org, id })
    return row === undefined ? undefined : record(row)
  }

  /** In order of ids; `after` is the last id of the page before. Also those that have expired. */
  async list(
    org: string,
    { limit, after }: { limit: number; after?: string | undefined },
  ): Promise<{ keys: ApiKey[]; next: string | null }> {
    const range = after === undefined ? {} : { after: { id: after } }
    const rows = await this.#store.range(apiKey, { org }, { ...range, limit: limit + 1 })
    const keys = rows.slice(0, limit).map(record)
    return { keys, next: rows.length > limit ? (keys.at(-1)?.id ?? null) : null }
  }

  /** When and from where a key was last used, to the minute; null: never. */
  async lastUse({ org, id }: ApiKey): Promise<{ at: number; address: string } | null> {
    const row = await this.#store.get(apiKeyUse, { org, id })
    return row?.at === undefined ? null : { at: row.at, address: row.address ?? '' }
  }

  /** Refused by all processes in contact when it resolves. PlatformError `api_key_not_found`. */
  async revoke(org: string, id: string): Promise<void> {
    const row = await this.#store.get(apiKey, { org, id })
    if (row?.hash === undefined) throw new PlatformError('api_key_not_found', `no API key "${id}"`)
    const batch = new Batch()
    batch.delete(apiKeyByHash, { hash: row.hash })
    batch.delete(apiKey, { org, id })
    batch.delete(apiKeyUse, { org, id })
    await this.#store.write(batch)
    const hash = Buffer.from(row.hash).toString('hex')
    this.heardRevoked(hash)
    await this.#gone(hash)
  }

  heardRevoked(hash: string): void {
    this.#revoked.set(hash, true)
    this.#read.delete(hash)
  }

  doubt(): void {
    this.#read.clear()
  }

  async #find(hash: Buffer): Promise<ApiKey | undefined> {
    const text = hash.toString('hex')
    if (this.#revoked.get(text) === true) return undefined
    const known = this.#read.get(text)
    if (known !== undefined) return known
    const named = await this.#store.get(apiKeyByHash, { hash })
    if (named?.org === undefined || named.id === undefined) return undefined
    const row = await this.#store.get(apiKey, { org: named.org, id: named.id })
    if (row?.hash === undefined || Buffer.compare(row.hash, hash) !== 0) return undefined
    // It may have been revoked while it was read.
    if (this.#revoked.get(text) === true) return undefined
    const key = record(row)
    this.#read.set(text, key)
    return key
  }

  #note({ org, id }: ApiKey, address: string): void {
    const name = `${org}/${id}`
    if (this.#used.get(name) === true) return
    this.#used.set(name, true)
    this.#lanes.of(org).stage().put(apiKeyUse, { org, id, at: this.#clock.now(), address })
  }
}

function expired({ expiresAt }: ApiKey, now: number): boolean {
  return expiresAt !== null && expiresAt <= now
}

function record(row: RowOf<typeof apiKey>): ApiKey {
  return {
    id: row.id,
    org: row.org,
    name: row.name ?? '',
    role: readRole(row.role),
    scopes: row.scopes === undefined ? null : scopeList.parse(JSON.parse(row.scopes)),
    groups: readGroups(row.groups),
    createdBy: row.created_by ?? '',
    createdAt: row.created_at ?? 0,
    expiresAt: row.expires_at ?? null,
  }
}
