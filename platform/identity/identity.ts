import { type Clock, HybridClock } from '../clock.ts'
import type { Logger } from '../log.ts'
import type { Outbox } from '../outbox/outbox.ts'
import type { Lanes } from '../store/lanes.ts'
import type { Store } from '../store/store.ts'
import { ApiKeys } from './api-keys.ts'
import { Attempts } from './attempts.ts'
import { Invitations } from './invitations.ts'
import { Letters, type Mailer } from './letters.ts'
import { type Membership, Memberships } from './memberships.ts'
import { OneTimeTokens, type Purpose } from './one-time.ts'
import { Passwords } from './passwords.ts'
import { Recent } from './recent.ts'
import { type SeenFrom, type Session, Sessions, type Tokens } from './sessions.ts'
import { Setup } from './setup.ts'
import { SigningKeys } from './signing-keys.ts'
import { type User, Users } from './users.ts'

/** Who has signed in, and what he may do where. */
export interface SignedIn {
  readonly user: User
  readonly session: string
  readonly memberships: readonly Membership[]
}

/** What processes tell each other: what they have kept of it is old, or good no more. */
export interface IdentityChange {
  readonly user?: string | undefined
  /** A session that is over. */
  readonly session?: string | undefined
  /** Hex SHA-256 of an API key that was revoked. */
  readonly key?: string | undefined
}

export interface IdentityOptions {
  readonly store: Store
  readonly lanes: Lanes
  readonly clock: Clock
  readonly log: Logger
  /** Where letters wait. */
  readonly outbox: Outbox
  /** Absent: links are in the log. */
  readonly mailer?: Mailer | undefined
  /** Where people reach the API. */
  readonly publicUrl?: string | undefined
}

/**
 * What was read of a person is trusted for this long, ms: a process that no word of a change reaches acts on it by
 * then.
 */
const trustMs = 4000
const quarterMs = 900_000
const hourMs = 3_600_000

/** People, their sessions and organisations, and API keys. */
export class Identity {
  readonly users: Users
  readonly memberships: Memberships
  readonly sessions: Sessions
  readonly apiKeys: ApiKeys
  readonly invitations: Invitations
  readonly tokens: OneTimeTokens
  readonly setup: Setup
  readonly letters: Letters
  /** Of signing in, and of asking for a letter. */
  readonly attempts: Attempts
  readonly letterAttempts: Attempts
  readonly #people: Recent<SignedIn>
  #generation = 0
  readonly #listeners: ((change: IdentityChange) => unknown)[] = []

  constructor({ store, lanes, clock, log, mailer, publicUrl, outbox }: IdentityOptions) {
    const stamps = new HybridClock(clock)
    this.users = new Users(store, clock, stamps, new Passwords())
    this.memberships = new Memberships(store, clock, stamps)
    this.sessions = new Sessions(
      store,
      clock,
      stamps,
      (user, session) => this.changed({ user, session }),
      new SigningKeys(store, clock, stamps),
    )
    this.apiKeys = new ApiKeys(store, lanes, clock, stamps, (key) => this.changed({ key }))
    this.tokens = new OneTimeTokens(store, clock)
    const parts = { tokens: this.tokens, users: this.users, memberships: this.memberships }
    this.invitations = new Invitations(store, clock, parts)
    this.setup = new Setup(store, clock, parts)
    this.letters = new Letters({
      mailer,
      base: publicUrl,
      outbox,
      isGood: (purpose, token) => this.#isGood(purpose, token),
      log,
    })
    this.attempts = new Attempts(clock, { pair: 10, account: 100, address: 100, windowMs: quarterMs })
    this.letterAttempts = new Attempts(clock, { pair: 5, account: 5, address: 50, windowMs: hourMs })
    this.#people = new Recent(clock, { size: 10_000, ageMs: trustMs })
  }

  /** Whether a link opens something: an invitation may have been taken back. */
  async #isGood(purpose: Purpose, token: string): Promise<boolean> {
    const granted = await this.tokens.find(purpose, token)
    if (granted === undefined) return false
    const { org, invitation } = granted
    if (purpose !== 'invitation') return true
    return org !== undefined && invitation !== undefined && this.invitations.isOpen(org, invitation)
  }

  /** Who has this access token, unless his session is over. */
  async signedIn(access: string): Promise<SignedIn | undefined> {
    const claims = await this.sessions.verify(access)
    if (claims === undefined) return undefined
    const known = this.#people.get(claims.session)
    if (known !== undefined) return known
    const generation = this.#generation
    const [user, epoch, memberships, state] = await Promise.all([
      this.users.find(claims.user),
      this.users.epochOf(claims.user),
      this.memberships.of(claims.user),
      this.sessions.state(claims.user, claims.session),
    ])
    if (user === undefined || state === undefined || state.epoch !== epoch) return undefined
    const person = { user, session: claims.session, memberships }
    if (generation === this.#generation) this.#people.set(claims.session, person)
    return person
  }

  /** New tokens for a refresh token. PlatformError `unauthenticated`; see `Sessions.refresh`. */
  async refresh(token: string, from: SeenFrom): Promise<Tokens> {
    return this.sessions.refresh(token, from, (user) => this.users.epochOf(user))
  }

  /** Sessions of a person that are not over, the newest first. */
  async sessionsOf(user: string): Promise<Session[]> {
    const [all, epoch] = await Promise.all([this.sessions.list(user), this.users.epochOf(user)])
    return all.filter((session) => session.epoch === epoch)
  }

  /** Changes a password: all sessions but `keep` are over, in all DCs. PlatformError `invalid_field`. */
  async setPassword(user: User, password: string, keep?: string): Promise<void> {
    const epoch = await this.users.setPassword(user, password)
    if (keep !== undefined) await this.sessions.renew(user.id, keep, epoch)
    await this.changed({ user: user.id })
  }

  /** Forgets a person who is in no organisation any more; what he did stays in the audit until it ends. */
  async erase(user: User): Promise<void> {
    await this.users.erase(user)
    await this.sessions.forget(user.id)
    await this.changed({ user: user.id })
  }

  /** This process has changed something durably: it and the others forget what they know. Resolves when they have. */
  async changed(change: IdentityChange): Promise<void> {
    this.heard(change)
    await Promise.all(this.#listeners.map((listener) => listener(change)))
  }

  /** Another process has changed something; what it wrote may not have come here yet. */
  heard({ user, session, key }: IdentityChange): void {
    this.#generation++
    if (session !== undefined) {
      this.sessions.heardEnded(session)
      this.#people.delete(session)
    }
    if (user !== undefined) this.#people.sweep((person) => person.user.id === user)
    if (key !== undefined) this.apiKeys.heardRevoked(key)
  }

  /** Words of other processes may have been lost. */
  doubt(): void {
    this.#generation++
    this.#people.clear()
    this.apiKeys.doubt()
  }

  /** `listener` tells other processes; a change is reported as done when what it returns has resolved. */
  onChanged(listener: (change: IdentityChange) => unknown): void {
    this.#listeners.push(listener)
  }
}
