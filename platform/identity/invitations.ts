import { newId } from '../auth/keys.ts'
import type { Clock } from '../clock.ts'
import { PlatformError } from '../errors.ts'
import { Batch, type Store } from '../store/store.ts'
import type { RowOf } from '../store/table.ts'
import { type Memberships, readGroups, readRole } from './memberships.ts'
import type { OneTimeTokens } from './one-time.ts'
import type { Role } from './roles.ts'
import { invitation } from './tables.ts'
import { normalEmail, type User, type Users } from './users.ts'

export interface Invitation {
  readonly id: string
  readonly org: string
  readonly email: string
  readonly role: Role
  readonly groups: readonly string[] | null
  /** In words. */
  readonly invitedBy: string
  /** Milliseconds since 1970. */
  readonly createdAt: number
  readonly expiresAt: number
}

/** Of an organisation, at a time. */
const maxOpen = 1000

/**
 * People who were asked to join an organisation. Whether an address has an account already is learnt by who has its
 * mail, not by who invites. Durable when a promise resolves.
 */
export class Invitations {
  readonly #store: Store
  readonly #clock: Clock
  readonly #tokens: OneTimeTokens
  readonly #users: Users
  readonly #memberships: Memberships

  constructor(
    store: Store,
    clock: Clock,
    parts: { tokens: OneTimeTokens; users: Users; memberships: Memberships },
  ) {
    this.#store = store
    this.#clock = clock
    this.#tokens = parts.tokens
    this.#users = parts.users
    this.#memberships = parts.memberships
  }

  /**
   * `announce` has its letter waiting before there is an invitation, so that there is none without a letter; the letter
   * is not sent without the invitation. PlatformError `invalid_field` or `limit_reached`.
   */
  async create(
    org: string,
    input: { email: string; role: Role; groups: readonly string[] | null; invitedBy: string },
    announce: (made: { invitation: Invitation; token: string }) => Promise<void>,
  ): Promise<Invitation> {
    const email = normalEmail(input.email)
    const open = await this.#store.range(invitation, { org }, { limit: maxOpen })
    if (open.length >= maxOpen)
      throw new PlatformError('limit_reached', `an organisation can have ${maxOpen} open invitations`)
    const id = newId()
    const { role, groups, invitedBy } = input
    const { token, hash, expiresAt } = await this.#tokens.issue('invitation', { org, invitation: id })
    const createdAt = this.#clock.now()
    const made = { id, org, email, role, groups, invitedBy, createdAt, expiresAt }
    await announce({ invitation: made, token })
    const batch = new Batch()
    batch.put(invitation, {
      org,
      id,
      email,
      role,
      invited_by: invitedBy,
      token_hash: hash,
      created_at: createdAt,
      expires_at: expiresAt,
      ...(groups === null ? {} : { groups: JSON.stringify(groups) }),
    })
    await this.#store.write(batch)
    return made
  }

  async isOpen(org: string, id: string): Promise<boolean> {
    return (await this.#store.get(invitation, { org, id })) !== undefined
  }

  /** Those that are open, in order of ids; `after` is the last id of the page before. */
  async list(
    org: string,
    { limit, after }: { limit: number; after?: string | undefined },
  ): Promise<{ invitations: Invitation[]; next: string | null }> {
    const range = after === undefined ? {} : { after: { id: after } }
    const rows = await this.#store.range(invitation, { org }, { ...range, limit: limit + 1 })
    const page = rows.slice(0, limit)
    const now = this.#clock.now()
    const invitations = page.map(record).filter(({ expiresAt }) => expiresAt > now)
    return { invitations, next: rows.length > limit ? (page.at(-1)?.id ?? null) : null }
  }

  /** Its link is good no more. PlatformError `invitation_not_found`. */
  async delete(org: string, id: string): Promise<Invitation> {
    const row = await this.#store.get(invitation, { org, id })
    if (row?.token_hash === undefined)
      throw new PlatformError('invitation_not_found', `no open invitation "${id}"`)
    await this.#tokens.drop(row.token_hash)
    await this.#drop(org, id)
    return record(row)
  }

  /**
   * Makes who has the link a member, with a new account if the address has none. PlatformError `token_invalid`;
   * `invalid_field`, after which it can be tried again.
   */
  async accept(
    token: string,
    input: { name?: string | undefined; password?: string | undefined },
  ): Promise<{ user: User; invitation: Invitation; existing: boolean }> {
    const { org, invitation: id } = await this.#tokens.read('invitation', token)
    const row =
      org === undefined || id === undefined ? undefined : await this.#store.get(invitation, { org, id })
    if (row === undefined)
      throw new PlatformError('token_invalid', 'the invitation was taken back; ask for another one', 'token')
    const invited = record(row)
    const known = await this.#users.findByEmail(invited.email)
    const user = known ?? (await this.#newUser(invited.email, input))
    await this.#memberships.put(invited.org, user.id, { role: invited.role, groups: invited.groups })
    await this.#tokens.use('invitation', token)
    await this.#drop(invited.org, invited.id)
    return { user, invitation: invited, existing: known !== undefined }
  }

  #newUser(
    email: string,
    { name, password }: { name?: string | undefined; password?: string | undefined },
  ): Promise<User> {
    if (password === undefined)
      throw new PlatformError('invalid_field', 'is needed: the address has no account yet', 'password')
    return this.#users.create({ email, name, password })
  }

  async #drop(org: string, id: string): Promise<void> {
    const batch = new Batch()
    batch.delete(invitation, { org, id })
    await this.#store.write(batch)
  }
}

function record(row: RowOf<typeof invitation>): Invitation {
  return {
    id: row.id,
    org: row.org,
    email: row.email ?? '',
    role: readRole(row.role),
    groups: readGroups(row.groups),
    invitedBy: row.invited_by ?? '',
    createdAt: row.created_at ?? 0,
    expiresAt: row.expires_at ?? 0,
  }
}
