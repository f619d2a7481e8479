import { newId } from '../auth/keys.ts'
import type { Clock, HybridClock } from '../clock.ts'
import { PlatformError } from '../errors.ts'
import { insert, putIf, remove } from '../registry/conditional.ts'
import { Batch, type Store } from '../store/store.ts'
import type { RowOf } from '../store/table.ts'
import { checkPassword, type Passwords } from './passwords.ts'
import { administrator, userAccount, userByEmail, userPassword } from './tables.ts'

export interface User {
  readonly id: string
  readonly email: string
  readonly name: string
  /** Also an administrator of the platform. */
  readonly platform: boolean
  /** Milliseconds since 1970. */
  readonly createdAt: number
}

/** `known`: whose address it is, right password or not. */
type Verified =
  | { readonly user: User; readonly epoch: string; readonly known: User }
  | { readonly user: null; readonly known: User | undefined }

/** An address that a creation which never finished has claimed may be taken by another after this time. */
const claimMs = 60_000
const maxEmail = 254
const maxName = 200
/** Of a platform. */
const maxAdministrators = 1000
const scope = 'platform'
const emailPattern = /^[^\s@<>"(),:;\\[\]]{1,64}@[^\s@<>"(),:;\\[\]]{1,189}$/

/** An address as it is kept and compared. PlatformError `invalid_field`. */
export function normalEmail(text: string): string {
  const email = text.normalize('NFKC').trim().toLowerCase()
  if (email.length > maxEmail || !emailPattern.test(email) || /\p{Cc}/u.test(email))
    throw new PlatformError('invalid_field', 'must be an e-mail address', 'email')
  return email
}

/**
 * People with their passwords. Everything is durable when a promise resolves. A new address needs most datacenters in
 * contact, because it must be the only one; all else works in one that is alone.
 */
export class Users {
  readonly #store: Store
  readonly #clock: Clock
  readonly #stamps: HybridClock
  readonly #passwords: Passwords

  constructor(store: Store, clock: Clock, stamps: HybridClock, passwords: Passwords) {
    this.#store = store
    this.#clock = clock
    this.#stamps = stamps
    this.#passwords = passwords
  }

  /** PlatformError `email_taken` or `invalid_field`. */
  async create(input: {
    email: string
    name?: string | undefined
    password: string
    platform?: boolean
    /** Chosen before. */
    id?: string
  }): Promise<User> {
    const email = normalEmail(input.email)
    checkPassword(input.password, email)
    const hash = await this.#passwords.hash(input.password)
    const id = input.id ?? newId()
    const user: User = {
      id,
      email,
      name: shortName(input.name ?? email),
      platform: input.platform ?? false,
      createdAt: this.#clock.now(),
    }
    await this.#claim(email, id)
    const batch = new Batch()
    // An address whose account is there is taken for good: the password goes first.
    batch.put(userPassword, this.#passwordRow(id, hash))
    await this.#store.write(batch)
    if (user.platform) await this.setPlatform(user, true)
    await this.#put(user)
    return user
  }

  async find(id: string): Promise<User | undefined> {
    const [row, admin] = await Promise.all([
      this.#store.get(userAccount, { id }),
      this.#store.get(administrator, { scope, user: id }),
    ])
    return row === undefined ? undefined : record(row, admin !== undefined && admin.gone !== true)
  }

  /** `email` in any spelling. */
  async findByEmail(email: string): Promise<User | undefined> {
    const claim = await this.#store.get(userByEmail, { email: normalEmail(email) })
    return claim?.user === undefined ? undefined : this.find(claim.user)
  }

  /**
   * The user of this address if this is his password. Takes as long for an address that nobody has. PlatformError
   * `overloaded`.
   */
  async verify(email: string, password: string): Promise<Verified> {
    const claim = await this.#store.get(userByEmail, { email: normalEmail(email) })
    // A made-up id is asked for, so that it takes as long.
    const id = claim?.user ?? newId()
    const [known, stored] = await Promise.all([this.find(id), this.#store.get(userPassword, { user: id })])
    const good = await this.#passwords.verify(password, stored?.hash)
    if (!good || known === undefined || stored?.epoch === undefined) return { user: null, known }
    return { user: known, epoch: stored.epoch, known }
  }

  /** Of the current password. */
  async epochOf(user: string): Promise<string | undefined> {
    return (await this.#store.get(userPassword, { user }))?.epoch
  }

  async passwordChangedAt(user: string): Promise<number | undefined> {
    return (await this.#store.get(userPassword, { user }))?.changed_at
  }

  async rename(user: User, name: string): Promise<User> {
    const next = { ...user, name: shortName(name) }
    await this.#put(next)
    return next
  }

  /** Makes a person an administrator of the platform, or one no more. */
  async setPlatform(user: User, platform: boolean): Promise<User> {
    const batch = new Batch()
    batch.put(administrator, { scope, user: user.id, gone: !platform, stamp: this.#stamps.next() })
    await this.#store.write(batch)
    return { ...user, platform }
  }

  /** The administrators of the platform, in no particular order. */
  async administrators(): Promise<User[]> {
    const rows = await this.#store.range(administrator, { scope }, { limit: maxAdministrators })
    const current = rows.filter(({ gone }) => gone !== true)
    const users = await Promise.all(current.map(({ user }) => this.find(user)))
    return users.filter((user) => user !== undefined)
  }

  /** Sessions begun with the password before are over. Returns the new epoch. PlatformError `invalid_field`. */
  async setPassword(user: User, password: string): Promise<string> {
    checkPassword(password, user.email)
    const row = this.#passwordRow(user.id, await this.#passwords.hash(password))
    const batch = new Batch()
    batch.put(userPassword, row)
    await this.#store.write(batch)
    return row.epoch
  }

  /** Forgets the person: the address is free again. */
  async erase({ id, email }: User): Promise<void> {
    const batch = new Batch()
    batch.delete(userPassword, { user: id })
    batch.delete(userAccount, { id })
    batch.delete(administrator, { scope, user: id })
    await this.#store.write(batch)
    const claim = new Batch()
    claim.delete(userByEmail, { email })
    await remove(this.#store, userByEmail, claim, async () => {
      return (await this.#store.get(userByEmail, { email }))?.user === id
    })
  }

  #passwordRow(user: string, hash: string): RowOf<typeof userPassword> & { epoch: string } {
    return { user, hash, epoch: newId(), changed_at: this.#clock.now(), stamp: this.#stamps.next() }
  }

  async #put({ id, email, name, createdAt }: User): Promise<void> {
    const batch = new Batch()
    batch.put(userAccount, { id, email, name, created_at: createdAt, stamp: this.#stamps.next() })
    await this.#store.write(batch)
  }

  async #claim(email: string, user: string): Promise<void> {
    const now = this.#clock.now()
    const claim = { email, user, claimed_at: now }
    if (await insert(this.#store, userByEmail, claim, 'user')) return
    const held = await this.#store.get(userByEmail, claim)
    if (held?.user === user) return
    const alive = held?.user !== undefined && (await this.find(held.user)) !== undefined
    if (alive || (held?.claimed_at ?? 0) > now - claimMs) throw taken(email)
    if (!(await putIf(this.#store, userByEmail, claim, 'user', held?.user))) throw taken(email)
  }
}

function record(row: RowOf<typeof userAccount>, platform: boolean): User {
  return {
    id: row.id,
    email: row.email ?? '',
    name: row.name ?? row.email ?? '',
    platform,
    createdAt: row.created_at ?? 0,
  }
}

function shortName(name: string): string {
  const trimmed = name.trim()
  if (trimmed === '' || trimmed.length > maxName || /\p{Cc}/u.test(trimmed)) {
    throw new PlatformError(
      'invalid_field',
      `must be 1 to ${maxName} characters, none of them a control character`,
      'name',
    )
  }
  return trimmed.toWellFormed()
}

function taken(email: string): PlatformError {
  return new PlatformError('email_taken', `there is a user with the address ${email} already`, 'email')
}
