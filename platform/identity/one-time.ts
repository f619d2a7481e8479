import { randomBytes } from 'node:crypto'
import { keyHash } from '../auth/keys.ts'
import type { Clock } from '../clock.ts'
import { PlatformError } from '../errors.ts'
import { Batch, type Store } from '../store/store.ts'
import { oneTimeToken } from './tables.ts'

/** What a link is for. */
export type Purpose = 'invitation' | 'reset' | 'setup'

interface Granted {
  readonly org?: string | undefined
  readonly invitation?: string | undefined
  readonly user?: string | undefined
}

const lifeMs: Readonly<Record<Purpose, number>> = {
  invitation: 7 * 86_400_000,
  reset: 3_600_000,
  setup: 30 * 60_000,
}

const prefixes: Readonly<Record<Purpose, string>> = { invitation: 'i_', reset: 'w_', setup: 's_' }

/** Tokens of links that are sent to people. Only their SHA-256 is stored, but in a letter that waits to be sent. */
export class OneTimeTokens {
  readonly #store: Store
  readonly #clock: Clock

  constructor(store: Store, clock: Clock) {
    this.#store = store
    this.#clock = clock
  }

  /** Durable when it resolves; good on every process of the cell. */
  async issue(
    kind: Purpose,
    granted: Granted,
  ): Promise<{ token: string; hash: Uint8Array; expiresAt: number }> {
    const token = prefixes[kind] + randomBytes(20).toString('hex')
    const hash = keyHash(token)
    const expiresAt = this.#clock.now() + lifeMs[kind]
    const batch = new Batch()
    batch.put(oneTimeToken, { hash, kind, ...granted, expires_at: expiresAt })
    await this.#store.write(batch)
    return { token, hash, expiresAt }
  }

  /** What it was issued for. PlatformError `token_invalid`: unknown, of another kind, used or expired. */
  async read(kind: Purpose, token: string): Promise<Granted & { readonly expiresAt: number }> {
    const row = await this.#store.get(oneTimeToken, { hash: keyHash(token) })
    if (row?.kind !== kind || (row.expires_at ?? 0) <= this.#clock.now()) throw invalid()
    return { org: row.org, invitation: row.invitation, user: row.user, expiresAt: row.expires_at ?? 0 }
  }

  /** As `read`; undefined instead of an error. */
  async find(kind: Purpose, token: string): Promise<Granted | undefined> {
    try {
      return await this.read(kind, token)
    } catch (error) {
      if (error instanceof PlatformError) return undefined
      throw error
    }
  }

  async drop(hash: Uint8Array): Promise<void> {
    const batch = new Batch()
    batch.delete(oneTimeToken, { hash })
    await this.#store.write(batch)
  }

  /** As `read`, and it is good no more. Two that use it at the same moment may both succeed. */
  async use(kind: Purpose, token: string): Promise<Granted> {
    const granted = await this.read(kind, token)
    await this.drop(keyHash(token))
    return granted
  }
}

function invalid(): PlatformError {
  return new PlatformError(
    'token_invalid',
    'the link was used already, has expired, or is not complete; ask for another one',
    'token',
  )
}
