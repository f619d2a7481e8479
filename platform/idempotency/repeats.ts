import { randomBytes } from 'node:crypto'
import type { Clock } from '../clock.ts'
import { Batch, type Store } from '../store/store.ts'
import type { RowOf } from '../store/table.ts'
import { idempotency } from './tables.ts'

/** Whose request it is. */
export interface RepeatKey {
  readonly org: string
  /** Hash of caller and key. */
  readonly id: Uint8Array
}

/** The right to do it; given back by `finish` or `release`. */
export interface Claim extends RepeatKey {
  readonly claim: string
  readonly request: Uint8Array
  readonly claimedAt: number
}

/** What is known of a request that may have come before. */
export type Known =
  /** Nobody has done it: do it. */
  | { readonly kind: 'claimed'; readonly claim: Claim }
  /** It is being done somewhere. */
  | { readonly kind: 'running' }
  /** It was done; null: its answer was not kept. */
  | { readonly kind: 'done'; readonly answer: Uint8Array | null }
  /** Another request had this key. */
  | { readonly kind: 'other' }

/** A claim that is older belongs to a process that has died: no request takes that long. */
const deadMs = 120_000
/** Answers are found for this long. */
const keptMs = 86_400_000
/** Claims of one key; more than one only after deaths, or after two DCs that could not see each other took it. */
const maxClaims = 20
const maxTries = 4
const maxPauseMs = 100

/**
 * Requests that are done once though they come twice. Whoever takes one writes a claim of his own, then looks for
 * claims of others, and goes on only if there are none: of two processes of a DC at most one goes on, because each
 * writes before it reads. Two that saw each other both give way and try again. Nothing of this needs other DCs: a request that two
 * DCs take before the row of either has reached the other is done in both, and is answered later as by the earlier.
 */
export class Repeats {
  readonly #store: Store
  readonly #clock: Clock

  constructor(store: Store, clock: Clock) {
    this.#store = store
    this.#clock = clock
  }

  /** Whether to do it. Rejects with StoreError; then nothing may be done. */
  async claim(key: RepeatKey, request: Uint8Array): Promise<Known> {
    for (let tries = 0; tries < maxTries; tries++) {
      // One try after the other.
      // oxlint-disable-next-line no-await-in-loop
      const known = (await this.#look(key, request)) ?? (await this.#tryClaim(key, request))
      if (known !== null) return known
      // oxlint-disable-next-line no-await-in-loop
      await new Promise((later) => setTimeout(later, Math.random() * maxPauseMs))
    }
    return { kind: 'running' }
  }

  /** It was done: from now on it is answered so. Durable when it resolves. */
  async finish({ org, id, claim, request, claimedAt }: Claim, answer: Uint8Array | null): Promise<void> {
    const batch = new Batch()
    batch.put(idempotency, {
      org,
      id,
      claim,
      request,
      claimed_at: claimedAt,
      finished_at: this.#clock.now(),
      answer: answer ?? undefined,
    })
    await this.#store.write(batch)
  }

  /** It was refused, so nothing was done: the key may be used again. */
  async release({ org, id, claim }: Claim): Promise<void> {
    const batch = new Batch()
    batch.delete(idempotency, { org, id, claim })
    await this.#store.write(batch)
  }

  /** Null: nobody has a claim that counts. */
  async #look(key: RepeatKey, request: Uint8Array, own?: string): Promise<Known | null> {
    const rows = await this.#store.range(idempotency, key, { limit: maxClaims })
    const now = this.#clock.now()
    const counting = rows.filter((row) => row.claim !== own && counts(row, now))
    const [first] = counting.filter((row) => row.finished_at !== undefined).concat(counting)
    if (first === undefined) return null
    if (Buffer.compare(first.request ?? new Uint8Array(), request) !== 0) return { kind: 'other' }
    return first.finished_at === undefined
      ? { kind: 'running' }
      : { kind: 'done', answer: first.answer ?? null }
  }

  async #tryClaim(key: RepeatKey, request: Uint8Array): Promise<Known | null> {
    const claimedAt = this.#clock.now()
    const claim = `${String(claimedAt).padStart(15, '0')}-${randomBytes(8).toString('hex')}`
    const batch = new Batch()
    batch.put(idempotency, { ...key, claim, request, claimed_at: claimedAt })
    await this.#store.write(batch)
    const mine = { ...key, claim, request, claimedAt }
    const other = await this.#look(key, request, claim)
    if (other === null) return { kind: 'claimed', claim: mine }
    await this.release(mine)
    return other.kind === 'running' ? null : other
  }
}

function counts({ claimed_at: at = 0, finished_at: end }: RowOf<typeof idempotency>, now: number): boolean {
  return end === undefined ? now - at < deadMs : now - end < keptMs
}
