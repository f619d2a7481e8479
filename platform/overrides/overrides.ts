import { type Clock, HybridClock } from '../clock.ts'
import { PlatformError } from '../errors.ts'
import { Batch, type Store } from '../store/store.ts'
import type { RowOf } from '../store/table.ts'
import { override } from './tables.ts'

/** `out`: not in DNS; `in`: in DNS whatever checkers say; `weight`: so many percent of its own new connections. */
export const overrideActions = ['out', 'in', 'weight'] as const
type OverrideAction = (typeof overrideActions)[number]

/** What somebody wants of a DC or host, whatever checkers find. */
export interface OverrideWord {
  readonly action: OverrideAction
  /** 0 to 100; of `weight` only. */
  readonly percent?: number | undefined
  readonly owner: string
  readonly reason: string
  /** Milliseconds since 1970; absent: until it is taken back. */
  readonly expiresAt?: number | undefined
}

export interface StoredOverride extends OverrideWord {
  /** Name of a DC or host. */
  readonly subject: string
  /** Milliseconds since 1970. */
  readonly at: number
  /** Of this word: every change has a greater one. */
  readonly version: number
}

/** Checks the version that is there (null: none); throws if the change must not be made. */
export type Check = (version: number | null) => void

/** Of rows: those taken back are rows too. */
const maxSubjects = 2000
const part = 'cinque'

/**
 * People's words about DCs and hosts, which win over the votes of checkers until they expire. They can be read and
 * changed in every DC, also in one that is alone; of two at the same time the later wins, everywhere.
 */
export class Overrides {
  readonly #store: Store
  readonly #clock: Clock
  readonly #stamps: HybridClock

  constructor(store: Store, clock: Clock) {
    this.#store = store
    this.#clock = clock
    this.#stamps = new HybridClock(clock)
  }

  /** Those in force, by subject. Rejects with StoreError. */
  async list(): Promise<StoredOverride[]> {
    const now = this.#clock.now()
    return (await this.#rows()).flatMap((row) => wordOf(row, now) ?? [])
  }

  /** Undefined: nobody's word is in force. Rejects with StoreError. */
  async find(subject: string): Promise<StoredOverride | undefined> {
    const row = await this.#store.get(override, { part, subject })
    return row && wordOf(row, this.#clock.now())
  }

  /** Durable when it resolves. PlatformError `limit_reached`; StoreError. */
  async put(subject: string, word: OverrideWord, check: Check): Promise<StoredOverride> {
    const rows = await this.#rows()
    const before = rows.find((row) => row.subject === subject)
    const now = this.#clock.now()
    check((before && wordOf(before, now)?.version) ?? null)
    if (before === undefined && rows.length >= maxSubjects)
      throw new PlatformError('limit_reached', `there are overrides of ${maxSubjects} names already`)
    const version = this.#stampAfter(before)
    const { action, percent, owner, reason, expiresAt } = word
    const batch = new Batch()
    batch.put(override, {
      part,
      subject,
      action,
      owner,
      reason,
      at: now,
      stamp: version,
      ...(percent === undefined ? {} : { percent }),
      ...(expiresAt === undefined ? {} : { expires_at: expiresAt }),
    })
    await this.#store.write(batch)
    return { subject, ...word, at: now, version }
  }

  /** Takes it back; returns what was in force. Durable when it resolves. PlatformError `override_not_found`; StoreError. */
  async delete(subject: string, check: Check): Promise<StoredOverride> {
    const row = await this.#store.get(override, { part, subject })
    const before = row && wordOf(row, this.#clock.now())
    check(before?.version ?? null)
    if (row === undefined || before === undefined)
      throw new PlatformError('override_not_found', `nobody's word about "${subject}" is in force`)
    const batch = new Batch()
    batch.put(override, { part, subject, stamp: this.#stampAfter(row) })
    await this.#store.write(batch)
    return before
  }

  #rows(): Promise<RowOf<typeof override>[]> {
    return this.#store.range(override, { part }, { limit: maxSubjects })
  }

  /** A process whose clock is behind must still be able to have the last word. */
  #stampAfter(row: RowOf<typeof override> | undefined): number {
    if (row?.stamp !== undefined) this.#stamps.see(row.stamp)
    return this.#stamps.next()
  }
}

function wordOf(row: RowOf<typeof override>, now: number): StoredOverride | undefined {
  const { subject, action, percent, owner = '', reason = '', at = 0, expires_at: expiresAt, stamp } = row
  if (!isAction(action) || (expiresAt !== undefined && expiresAt <= now)) return undefined
  return {
    subject,
    action,
    owner,
    reason,
    at,
    version: stamp ?? 0,
    ...(percent === undefined ? {} : { percent }),
    ...(expiresAt === undefined ? {} : { expiresAt }),
  }
}

function isAction(text: string | undefined): text is OverrideAction {
  return (overrideActions as readonly (string | undefined)[]).includes(text)
}
