import { randomBytes } from 'node:crypto'
import { decodeProtectedHeader, errors, jwtVerify, SignJWT } from 'jose'
import { keyHash, newId } from '../auth/keys.ts'
import type { Clock, HybridClock } from '../clock.ts'
import { PlatformError } from '../errors.ts'
import { Batch, type Store } from '../store/store.ts'
import { Recent } from './recent.ts'
import type { SigningKeys } from './signing-keys.ts'
import { refreshToken, userSession } from './tables.ts'

/** Access tokens live this long, seconds. */
export const accessSeconds = 900
/** A session nobody refreshes ends after this time, and any session after `maxAgeMs`. */
const idleMs = 30 * 86_400_000
const maxAgeMs = 90 * 86_400_000
/**
 * A refresh token that comes again within this time is the same client, whose answer was lost or whose tabs refresh at
 * the same time; later it is somebody else's copy, ms.
 */
const graceMs = 10_000
/** What other processes have ended; their rows may not have come here yet. Newest 10,000, for an hour. */
const heardLimits = { size: 10_000, ageMs: 3_600_000 }
/** Verified access tokens that need no signature check again. */
const verifiedLimits = { size: 10_000, ageMs: accessSeconds * 1000 }
const maxListed = 1000
const issuer = 'cinque'
const tokenType = 'at+jwt'

export interface Session {
  readonly id: string
  /** Milliseconds since 1970. */
  readonly beganAt: number
  readonly usedAt: number
  readonly address: string | null
  readonly agent: string | null
}

/** Where a client is seen from. */
export interface SeenFrom {
  readonly address: string
  readonly agent?: string | undefined
}

export interface Tokens {
  readonly session: string
  readonly user: string
  readonly access: string
  readonly refresh: string
}

type Ended = 'signed_out' | 'revoked' | 'refresh_reused'

/**
 * Sessions of people: a signed access token for 15 minutes, and a refresh token that is good once. Only hashes of
 * refresh tokens are stored. Durable when a promise resolves; works in a DC that is alone.
 */
export class Sessions {
  readonly #store: Store
  readonly #clock: Clock
  readonly #stamps: HybridClock
  readonly #keys: SigningKeys
  readonly #ended: (user: string, session: string) => Promise<void>
  readonly #heard: Recent<true>
  readonly #verified: Recent<{ user: string; session: string; expiresAt: number }>

  /** `ended` is called when a session is durably over, and waited for. */
  constructor(
    store: Store,
    clock: Clock,
    stamps: HybridClock,
    ended: (user: string, session: string) => Promise<void>,
    keys: SigningKeys,
  ) {
    this.#store = store
    this.#clock = clock
    this.#stamps = stamps
    this.#ended = ended
    this.#keys = keys
    this.#heard = new Recent(clock, heardLimits)
    this.#verified = new Recent(clock, verifiedLimits)
  }

  /** `epoch`: of the password that was shown. */
  async begin(user: string, epoch: string, from: SeenFrom): Promise<Tokens> {
    const session = newId()
    const now = this.#clock.now()
    const batch = new Batch()
    batch.put(userSession, {
      user,
      session,
      part: 'began',
      at: now,
      epoch,
      stamp: this.#stamps.next(),
      ...seen(from),
    })
    const refresh = this.#issue(batch, user, session)
    await this.#store.write(batch)
    return { session, user, refresh, access: await this.#access(user, session) }
  }

  /**
   * New tokens for a refresh token. PlatformError `unauthenticated`: it is unknown or its session is over; a token that
   * was used before ends its session, because two have it. `epochOf`: of a user's current password.
   */
  async refresh(
    token: string,
    from: SeenFrom,
    epochOf: (user: string) => Promise<string | undefined>,
  ): Promise<Tokens> {
    const now = this.#clock.now()
    const hash = keyHash(token)
    const row = await this.#store.get(refreshToken, { hash })
    const { user, session } = row ?? {}
    if (row === undefined || user === undefined || session === undefined) throw over()
    if ((row.created_at ?? 0) + idleMs <= now) throw over()
    if (row.used_at !== undefined && row.used_at + graceMs <= now) {
      await this.end(user, session, 'refresh_reused')
      throw new RefreshReused(user, session)
    }
    const [state, epoch] = await Promise.all([this.state(user, session), epochOf(user)])
    if (state === undefined || state.epoch !== epoch) throw over()
    const batch = new Batch()
    if (row.used_at === undefined)
      batch.put(refreshToken, { ...row, hash, used_at: now, stamp: this.#stamps.next() })
    batch.put(userSession, {
      user,
      session,
      part: 'used',
      at: now,
      stamp: this.#stamps.next(),
      ...seen(from),
    })
    const refresh = this.#issue(batch, user, session)
    await this.#store.write(batch)
    return { session, user, refresh, access: await this.#access(user, session) }
  }

  /** What an access token says, if we signed it and it has not expired. Whether its session is over is for `state`. */
  async verify(access: string): Promise<{ user: string; session: string } | undefined> {
    const known = this.#verified.get(access)
    if (known !== undefined) return known.expiresAt > this.#clock.now() ? known : undefined
    try {
      const { kid } = decodeProtectedHeader(access)
      const key = kid === undefined ? undefined : await this.#keys.verifier(kid)
      if (key === undefined) return undefined
      const { payload } = await jwtVerify(access, key, {
        algorithms: ['EdDSA'],
        issuer,
        typ: tokenType,
        currentDate: new Date(this.#clock.now()),
        requiredClaims: ['sub', 'sid', 'exp'],
      })
      const { sub: user, sid: session, exp } = payload
      if (user === undefined || typeof session !== 'string' || exp === undefined) return undefined
      const read = { user, session, expiresAt: exp * 1000 }
      this.#verified.set(access, read)
      return read
    } catch (error) {
      if (error instanceof errors.JOSEError || error instanceof TypeError) return undefined
      throw error
    }
  }

  /** Undefined: it is over. `epoch`: of the password it was begun with. */
  async state(user: string, session: string): Promise<(Session & { readonly epoch: string }) | undefined> {
    if (this.#heard.get(session) === true) return undefined
    const rows = await this.#store.range(
      userSession,
      { user },
      { from: { session }, to: { session }, limit: 3 },
    )
    return this.#whole(session, new Map(rows.map((row) => [row.part, row])))
  }

  /** Those that are not over, the newest first. */
  async list(user: string): Promise<(Session & { readonly epoch: string })[]> {
    const rows = await this.#store.range(userSession, { user }, { limit: maxListed * 3 })
    const byId = Map.groupBy(rows, ({ session }) => session)
    return [...byId]
      .map(([id, parts]) => this.#whole(id, new Map(parts.map((row) => [row.part, row]))))
      .filter((session) => session !== undefined)
      .toSorted((a, b) => b.beganAt - a.beganAt)
  }

  /** In all DCs: at once where word of it comes, in the others with its row. */
  async end(user: string, session: string, reason: Ended): Promise<void> {
    const batch = new Batch()
    const at = this.#clock.now()
    batch.put(userSession, { user, session, part: 'ended', at, reason, stamp: this.#stamps.next() })
    await this.#store.write(batch)
    await this.#ended(user, session)
  }

  /** The session goes on with a new password; all others are over by it. */
  async renew(user: string, session: string, epoch: string): Promise<void> {
    const row = await this.#store.get(userSession, { user, session, part: 'began' })
    if (row === undefined) return
    const batch = new Batch()
    batch.put(userSession, { ...row, epoch, stamp: this.#stamps.next() })
    await this.#store.write(batch)
  }

  /** Where an erased person has signed in from. */
  async forget(user: string): Promise<void> {
    const batch = new Batch()
    batch.deletePartition(userSession, { user })
    await this.#store.write(batch)
  }

  heardEnded(session: string): void {
    this.#heard.set(session, true)
  }

  #whole(id: string, parts: ReadonlyMap<string, SessionRow>): (Session & { epoch: string }) | undefined {
    const began = parts.get('began')
    if (began?.at === undefined || began.epoch === undefined || parts.has('ended')) return undefined
    const used = parts.get('used')
    const usedAt = used?.at ?? began.at
    const now = this.#clock.now()
    if (usedAt + idleMs <= now || began.at + maxAgeMs <= now) return undefined
    const { address, agent } = used ?? began
    return {
      id,
      beganAt: began.at,
      usedAt,
      address: address ?? null,
      agent: agent ?? null,
      epoch: began.epoch,
    }
  }

  #issue(batch: Batch, user: string, session: string): string {
    const token = `r_${randomBytes(24).toString('hex')}`
    const created = this.#clock.now()
    batch.put(refreshToken, {
      hash: keyHash(token),
      user,
      session,
      created_at: created,
      stamp: this.#stamps.next(),
    })
    return token
  }

  async #access(user: string, session: string): Promise<string> {
    const { kid, sign } = await this.#keys.current()
    const now = Math.floor(this.#clock.now() / 1000)
    return new SignJWT({ sid: session })
      .setProtectedHeader({ alg: 'EdDSA', kid, typ: tokenType })
      .setIssuer(issuer)
      .setSubject(user)
      .setIssuedAt(now)
      .setExpirationTime(now + accessSeconds)
      .sign(sign)
  }
}

type SessionRow = { readonly at?: number | undefined } & {
  readonly epoch?: string | undefined
  readonly address?: string | undefined
  readonly agent?: string | undefined
}

const maxAgent = 200

function seen({ address, agent }: SeenFrom): { address: string; agent?: string } {
  return { address, ...(agent === undefined ? {} : { agent: agent.slice(0, maxAgent).toWellFormed() }) }
}

const isOver = 'the session is over; sign in again'

function over(): PlatformError {
  return new PlatformError('unauthenticated', isOver)
}

/** A refresh token came a second time: its session was ended. */
export class RefreshReused extends PlatformError {
  readonly user: string
  readonly session: string

  constructor(user: string, session: string) {
    super('unauthenticated', isOver)
    this.user = user
    this.session = session
  }
}
