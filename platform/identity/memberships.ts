import { z } from 'zod'
import type { Clock, HybridClock } from '../clock.ts'
import { PlatformError } from '../errors.ts'
import { Batch, type Store } from '../store/store.ts'
import type { RowOf } from '../store/table.ts'
import { type Role, roles } from './roles.ts'
import { member, membership } from './tables.ts'

/** A higher role for a while. */
export interface Elevation {
  readonly role: Role
  /** Milliseconds since 1970. */
  readonly until: number
}

/** What a user may do in an organisation. */
export interface Membership {
  readonly org: string
  readonly user: string
  /** What counts now: the elevated role while there is one. */
  readonly role: Role
  /** What is left when the elevation ends. */
  readonly standing: Role
  readonly elevation: Elevation | null
  /** Ids of the groups that it is for; null: all devices. */
  readonly groups: readonly string[] | null
  /** Milliseconds since 1970. */
  readonly createdAt: number
}

/** Of one user, and of one organisation (with those that were removed). */
const maxMemberships = 100
const maxMembers = 10_000
export const maxGroups = 100
const groupList = z.array(z.string().min(1).max(128)).max(maxGroups)

export function readRole(text: string | undefined): Role {
  return roles.find((role) => role === text) ?? 'viewer'
}

export function readGroups(text: string | undefined): string[] | null {
  return text === undefined ? null : groupList.parse(JSON.parse(text))
}

/** Who is in which organisation, as what. Durable when a promise resolves; works in a DC that is alone. */
export class Memberships {
  readonly #store: Store
  readonly #clock: Clock
  readonly #stamps: HybridClock

  constructor(store: Store, clock: Clock, stamps: HybridClock) {
    this.#store = store
    this.#clock = clock
    this.#stamps = stamps
  }

  /** Of a user, in order of the organisations' ids. */
  async of(user: string): Promise<Membership[]> {
    const rows = await this.#store.range(membership, { user }, { limit: maxMemberships })
    return rows.filter(({ gone }) => gone !== true).map((row) => this.#record(row))
  }

  async find(org: string, user: string): Promise<Membership | undefined> {
    const row = await this.#store.get(membership, { user, org })
    return row === undefined || row.gone === true ? undefined : this.#record(row)
  }

  /** The members of an organisation in order of their ids; `after` is the last of the page before. */
  async list(
    org: string,
    { limit, after }: { limit: number; after?: string | undefined },
  ): Promise<{ members: Membership[]; next: string | null }> {
    const range = after === undefined ? {} : { after: { user: after } }
    const rows = await this.#store.range(member, { org }, { ...range, limit: limit + 1 })
    const page = rows.slice(0, limit)
    const current = page.filter(({ gone }) => gone !== true)
    const found = await Promise.all(current.map(({ user }) => this.find(org, user)))
    const members = found.filter((one) => one !== undefined)
    return { members, next: rows.length > limit ? (page.at(-1)?.user ?? null) : null }
  }

  /** Makes or changes it. PlatformError `limit_reached`. */
  async put(
    org: string,
    user: string,
    {
      role,
      groups,
      elevation = null,
    }: { role: Role; groups: readonly string[] | null; elevation?: Elevation | null },
  ): Promise<Membership> {
    const row = await this.#store.get(membership, { user, org })
    if (row === undefined) await this.#gateLimits(org, user)
    const createdAt = row === undefined || row.gone === true ? this.#clock.now() : (row.created_at ?? 0)
    const stamp = this.#stamps.next()
    const batch = new Batch()
    const listed = groups === null ? {} : { groups: JSON.stringify(groupList.parse(groups)) }
    const elevated =
      elevation === null ? {} : { elevated_role: elevation.role, elevated_until: elevation.until }
    const changed = { user, org, role, ...listed, ...elevated, created_at: createdAt, stamp }
    batch.put(membership, changed)
    batch.put(member, { org, user, stamp })
    await this.#store.write(batch)
    return this.#record(changed)
  }

  async remove(org: string, user: string): Promise<void> {
    const stamp = this.#stamps.next()
    const batch = new Batch()
    batch.put(membership, { user, org, gone: true, stamp })
    batch.put(member, { org, user, gone: true, stamp })
    await this.#store.write(batch)
  }

  async #gateLimits(org: string, user: string): Promise<void> {
    const [ofUser, ofOrg] = await Promise.all([
      this.#store.range(membership, { user }, { limit: maxMemberships }),
      this.#store.range(member, { org }, { limit: maxMembers }),
    ])
    if (ofUser.length >= maxMemberships)
      throw new PlatformError('limit_reached', `a user can be in ${maxMemberships} organisations`)
    if (ofOrg.length >= maxMembers)
      throw new PlatformError('limit_reached', `an organisation can have ${maxMembers} users`)
  }

  #record(row: RowOf<typeof membership>): Membership {
    const standing = readRole(row.role)
    const until = row.elevated_until ?? 0
    const elevation =
      row.elevated_role !== undefined && until > this.#clock.now()
        ? { role: readRole(row.elevated_role), until }
        : null
    return {
      org: row.org,
      user: row.user,
      role: elevation?.role ?? standing,
      standing,
      elevation,
      groups: readGroups(row.groups),
      createdAt: row.created_at ?? 0,
    }
  }
}
