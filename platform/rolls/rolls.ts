import { randomUUID, randomUUIDv7 } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Clock } from '../clock.ts'
import { PlatformError } from '../errors.ts'
import { putIf } from '../registry/conditional.ts'
import { Batch, type Store } from '../store/store.ts'
import { isOver, type Roll, parseRoll } from './roll.ts'
import { rollNow, rollPast } from './tables.ts'
import { type NewRoll, planned } from './transitions.ts'

const scope = 'fleet'
/** Others that change the same roll at the same time, of which each wins once. */
const maxTries = 8
/** A change made in another DC is here a moment later, ms. */
const retryMs = 50

/**
 * What is done to the fleet: one roll at a time, worldwide, and those of the past. Every change is a conditional
 * write that a majority of all replicas takes, so that on the smaller side of a cut nothing begins or goes on: there
 * they reject with StoreError. Durable when a promise resolves.
 */
export class Rolls {
  readonly #store: Store
  readonly #clock: Clock

  constructor(store: Store, clock: Clock) {
    this.#store = store
    this.#clock = clock
  }

  /** The one under way, or the last one. */
  async current(): Promise<Roll | undefined> {
    return (await this.#read())?.roll
  }

  /** PlatformError `conflict`: another one is not over yet. */
  async create(input: Omit<NewRoll, 'id' | 'lastToken'>): Promise<Roll> {
    const before = await this.#read()
    const lastToken = before?.roll.runner?.token ?? before?.roll.lastToken ?? 0
    const next = planned({ ...input, id: randomUUIDv7(), lastToken }, this.#clock.now())
    if (before !== undefined && !isOver(before.roll)) {
      const { kind, actor, state, id } = before.roll
      throw new PlatformError('conflict', `a ${kind} of ${actor} is ${state}; end it first (${id})`)
    }
    // It was kept when it ended, but for the case that its writer died in between.
    if (before !== undefined) await this.#keep(before.roll)
    if (await this.#put(next, before?.tag)) return next
    throw new PlatformError('conflict', 'somebody else has begun one at the same time; look at it first')
  }

  /** Changes it by one of the transitions; what that throws is thrown on, and nothing is changed. */
  async change(id: string, transition: (one: Roll, now: number) => Roll): Promise<Roll> {
    for (let tries = 0; tries < maxTries; tries++) {
      // oxlint-disable-next-line no-await-in-loop -- until nobody comes in between
      if (tries > 0) await sleep(retryMs * tries)
      // oxlint-disable-next-line no-await-in-loop
      const before = await this.#read()
      if (before?.roll.id !== id) {
        throw new PlatformError(
          (await this.get(id)) === undefined ? 'roll_not_found' : 'conflict',
          `roll "${id}" is not the one under way`,
        )
      }
      const after = transition(before.roll, this.#clock.now())
      // oxlint-disable-next-line no-await-in-loop
      if (await this.#put(after, before.tag)) {
        // oxlint-disable-next-line no-await-in-loop
        if (isOver(after)) await this.#keep(after)
        return after
      }
    }
    throw new PlatformError('conflict', 'others change it all the time; try again')
  }

  async get(id: string): Promise<Roll | undefined> {
    const now = await this.current()
    if (now?.id === id) return now
    const row = await this.#store.get(rollPast, { scope, id })
    return row?.body === undefined ? undefined : parseRoll(row.body)
  }

  /** The newest first; `before`: id of the last one of the page before. */
  async list(limit: number, before?: string): Promise<{ rolls: Roll[]; next: string | null }> {
    const rows = await this.#store.range(
      rollPast,
      { scope },
      { reverse: true, limit: limit + 1, ...(before === undefined ? {} : { before: { id: before } }) },
    )
    const past = rows.flatMap(({ body }) => (body === undefined ? [] : [parseRoll(body)]))
    const now = before === undefined ? await this.current() : undefined
    const all = now === undefined ? past : [now, ...past.filter(({ id }) => id !== now.id)]
    all.sort((a, b) => (a.id < b.id ? 1 : -1))
    const page = all.slice(0, limit)
    return { rolls: page, next: all.length > limit ? page[page.length - 1].id : null }
  }

  async #read(): Promise<{ roll: Roll; tag: string } | undefined> {
    const row = await this.#store.get(rollNow, { scope })
    if (row?.body === undefined || row.tag === undefined) return undefined
    return { roll: parseRoll(row.body), tag: row.tag }
  }

  #put(roll: Roll, expected: string | undefined): Promise<boolean> {
    const row = { scope, tag: randomUUID(), body: JSON.stringify(roll) }
    return putIf(this.#store, rollNow, row, 'tag', expected)
  }

  #keep(roll: Roll): Promise<void> {
    const batch = new Batch()
    batch.put(rollPast, { scope, id: roll.id, body: JSON.stringify(roll) })
    return this.#store.write(batch)
  }
}
