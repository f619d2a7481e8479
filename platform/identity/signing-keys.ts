import { exportJWK, exportSPKI, generateKeyPair, importJWK, type CryptoKey, type JWK } from 'jose'
import { keyHash } from '../auth/keys.ts'
import type { Clock, HybridClock } from '../clock.ts'
import { Batch, type Store } from '../store/store.ts'
import { signingKey } from './tables.ts'

/** A key signs for this long, ms. */
const rotateMs = 30 * 86_400_000
/** A new key signs when every DC in contact has it, ms. */
const settleMs = 60_000
/** Keys of other processes are looked for this often, ms, and at once when a token names one that is not known. */
const refreshMs = 60_000
const missMs = 1000
/** 90 days have three or four, and some that several processes made at a time. */
const maxKeys = 100
const algorithm = 'EdDSA'
const purpose = 'session'

interface SigningKey {
  readonly kid: string
  readonly createdAt: number
  readonly verify: CryptoKey
  readonly sign: CryptoKey
}

/**
 * The Ed25519 keys that sign access tokens, kept in the store so that any process of any DC can verify what another one
 * signed. Made when first needed, followed by a new one every 30 days; old ones verify until they vanish.
 */
export class SigningKeys {
  readonly #store: Store
  readonly #clock: Clock
  readonly #stamps: HybridClock
  #keys = new Map<string, SigningKey>()
  #readAt = Number.NEGATIVE_INFINITY
  #making: Promise<SigningKey> | null = null

  constructor(store: Store, clock: Clock, stamps: HybridClock) {
    this.#store = store
    this.#clock = clock
    this.#stamps = stamps
  }

  /** The key to sign with. */
  async current(): Promise<SigningKey> {
    await this.#refresh(refreshMs)
    const now = this.#clock.now()
    const all = [...this.#keys.values()].toSorted((a, b) => a.createdAt - b.createdAt)
    const newest = all.at(-1)
    if (newest === undefined || newest.createdAt < now - rotateMs) {
      this.#making ??= this.#make().finally(() => (this.#making = null))
      const made = await this.#making
      // The one before goes on until the new one is known everywhere.
      return newest ?? made
    }
    return all.findLast(({ createdAt }) => createdAt <= now - settleMs) ?? all[0]
  }

  /** The key of that id, or undefined: nobody of this cell has signed with it lately. */
  async verifier(kid: string): Promise<CryptoKey | undefined> {
    if (!this.#keys.has(kid)) await this.#refresh(missMs)
    return this.#keys.get(kid)?.verify
  }

  async #refresh(maxAge: number): Promise<void> {
    const now = this.#clock.now()
    if (now - this.#readAt < maxAge) return
    this.#readAt = now
    const rows = await this.#store.range(signingKey, { purpose }, { limit: maxKeys })
    const keys = new Map<string, SigningKey>()
    for (const { kid, public_jwk: pub, private_jwk: secret, created_at: createdAt } of rows) {
      if (pub === undefined || secret === undefined) continue
      const known = this.#keys.get(kid)
      // oxlint-disable-next-line no-await-in-loop -- a few, once
      keys.set(kid, known ?? { kid, createdAt: createdAt ?? 0, ...(await imported(pub, secret)) })
    }
    this.#keys = keys
  }

  async #make(): Promise<SigningKey> {
    const pair = await generateKeyPair(algorithm, { crv: 'Ed25519', extractable: true })
    const kid = keyHash(await exportSPKI(pair.publicKey))
      .toString('base64url')
      .slice(0, 16)
    const [pub, secret] = await Promise.all([exportJWK(pair.publicKey), exportJWK(pair.privateKey)])
    const createdAt = this.#clock.now()
    const batch = new Batch()
    batch.put(signingKey, {
      purpose,
      kid,
      public_jwk: JSON.stringify(pub),
      private_jwk: JSON.stringify(secret),
      created_at: createdAt,
      stamp: this.#stamps.next(),
    })
    await this.#store.write(batch)
    const key = { kid, createdAt, verify: pair.publicKey, sign: pair.privateKey }
    this.#keys.set(kid, key)
    return key
  }
}

async function imported(pub: string, secret: string): Promise<{ verify: CryptoKey; sign: CryptoKey }> {
  const [verify, sign] = await Promise.all([
    importJWK(JSON.parse(pub) as JWK, algorithm),
    importJWK(JSON.parse(secret) as JWK, algorithm),
  ])
  if (verify instanceof Uint8Array || sign instanceof Uint8Array)
    throw new TypeError('a signing key is not asymmetric')
  return { verify, sign }
}
