import { newId } from '../auth/keys.ts'
import type { Clock } from '../clock.ts'
import { PlatformError } from '../errors.ts'
import { insert, putIf, remove } from '../registry/conditional.ts'
import { Batch, type Store } from '../store/store.ts'
import { checkPassword } from './passwords.ts'
import type { Memberships } from './memberships.ts'
import type { OneTimeTokens } from './one-time.ts'
import { identityClaim } from './tables.ts'
import { normalEmail, type User, type Users } from './users.ts'

const name = 'first_administrator'
/** A creation that never finished stands in the way for this time. */
const claimMs = 60_000

/** The first administrator of a cell, whom nobody can invite: who has a link that a process has printed becomes it. */
export class Setup {
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

  /** Whether there is no administrator yet. */
  async needed(): Promise<boolean> {
    const claim = await this.#store.get(identityClaim, { name })
    return claim?.user === undefined || (await this.#users.find(claim.user)) === undefined
  }

  /** A token for half an hour, good once, on any process; null: there is an administrator. */
  async issue(): Promise<string | null> {
    return (await this.needed()) ? (await this.#tokens.issue('setup', {})).token : null
  }

  /**
   * Creates the first administrator, also of the organisation. PlatformError `token_invalid`, `setup_done`,
   * `email_taken`, or `invalid_field`, after which it can be tried again.
   */
  async create(
    token: string,
    input: { email: string; name?: string | undefined; password: string },
    org: string,
  ): Promise<User> {
    await this.#tokens.read('setup', token)
    checkPassword(input.password, normalEmail(input.email))
    const id = newId()
    await this.#claim(id)
    let user: User
    try {
      user = await this.#users.create({ ...input, platform: true, id })
    } catch (error) {
      await this.#release(id)
      throw error
    }
    await this.#memberships.put(org, id, { role: 'admin', groups: null })
    await this.#tokens.use('setup', token)
    return user
  }

  async #claim(user: string): Promise<void> {
    const now = this.#clock.now()
    const claim = { name, user, claimed_at: now }
    if (await insert(this.#store, identityClaim, claim, 'user')) return
    const held = await this.#store.get(identityClaim, { name })
    const alive = held?.user !== undefined && (await this.#users.find(held.user)) !== undefined
    if (alive || (held?.claimed_at ?? 0) > now - claimMs) throw done()
    if (!(await putIf(this.#store, identityClaim, claim, 'user', held?.user))) throw done()
  }

  async #release(user: string): Promise<void> {
    const batch = new Batch()
    batch.delete(identityClaim, { name })
    await remove(this.#store, identityClaim, batch, async () => {
      return (await this.#store.get(identityClaim, { name }))?.user === user
    })
  }
}

function done(): PlatformError {
  return new PlatformError('setup_done', 'there is an administrator already; ask to be invited')
}
