import type { Clock } from '../clock.ts'
import type { Store } from '../store/store.ts'
import { type CommandState, evaluate } from './facts.ts'
import type { CommandView } from './commands.ts'
import { dayMs, dayOf, weeksBefore } from './places.ts'
import { commandBuckets, commandByDay, commandByDevice, commandDays } from './tables.ts'
import { readCommand } from './read.ts'

/** Commands read for one page of a filtered list; then the page is short and the next one goes on. */
const maxRead = 2000
/** Read at a time. */
const slice = 100

/** Where a list goes on: after this command. */
export interface Place {
  readonly createdAt: number
  readonly id: string
}

export interface CommandPage {
  readonly items: CommandView[]
  readonly next: Place | null
}

export interface ListQuery {
  readonly limit: number
  readonly after?: Place | undefined
  readonly states?: readonly CommandState[] | undefined
  /** Only those of which this says so, by their devices' ids. */
  readonly of?: ((device: string) => Promise<boolean>) | undefined
}

interface Listed {
  readonly created_at: number
  readonly id: string
}

/** Lists commands, newest first. A command made meanwhile does not move the others. */
export class Listing {
  readonly #store: Store
  readonly #clock: Clock

  constructor(store: Store, clock: Clock) {
    this.#store = store
    this.#clock = clock
  }

  ofDevice(org: string, device: string, query: ListQuery): Promise<CommandPage> {
    const from = query.after?.createdAt ?? this.#clock.now()
    return this.#page(org, query, this.#weeks(org, device, weeksBefore(from), query.after))
  }

  ofOrganisation(org: string, query: ListQuery): Promise<CommandPage> {
    return this.#page(org, query, this.#days(org, query.after))
  }

  async #page(org: string, query: ListQuery, listed: AsyncIterable<Listed[]>): Promise<CommandPage> {
    const { limit, states, of } = query
    const items: CommandView[] = []
    let read = 0
    let last: Listed | undefined
    for await (const rows of listed) {
      const views = await Promise.all(rows.map((row) => this.#view(org, row)))
      for (const [i, view] of views.entries()) {
        if (items.length === limit) return { items, next: placeOf(last) }
        last = rows[i]
        read++
        if (view === undefined || (states !== undefined && !states.includes(view.outcome.state))) continue
        // oxlint-disable-next-line no-await-in-loop -- asked only for what is shown
        if (of === undefined || (await of(view.command.device))) items.push(view)
      }
      if (read >= maxRead) return { items, next: placeOf(last) }
    }
    return { items, next: null }
  }

  async #view(org: string, { id, created_at }: Listed): Promise<CommandView | undefined> {
    const { request, facts } = await readCommand(this.#store, org, id)
    // Two datacenters may have made one id at a time: one of them is it.
    if (request === undefined || request.createdAt !== created_at) return undefined
    return { command: request, facts, outcome: evaluate(request, facts, this.#clock.now()) }
  }

  async *#weeks(
    org: string,
    device: string,
    weeks: readonly number[],
    after: Place | undefined,
  ): AsyncGenerator<Listed[]> {
    for (const week of weeks) {
      let before = after && { created_at: after.createdAt, id: after.id }
      for (;;) {
        const range = { ...(before === undefined ? {} : { before }), reverse: true, limit: slice }
        // oxlint-disable-next-line no-await-in-loop -- one page after the other
        const rows = await this.#store.range(commandByDevice, { org, device, week }, range)
        yield rows
        if (rows.length < slice) break
        const { created_at, id } = rows[rows.length - 1]
        before = { created_at, id }
      }
    }
  }

  async *#days(org: string, after: Place | undefined): AsyncGenerator<Listed[]> {
    const now = this.#clock.now()
    const first = dayOf(after?.createdAt ?? now)
    for (let day = first; day >= dayOf(now - commandDays * dayMs); day--) {
      let before = after && { created_at: after.createdAt, id: after.id }
      for (;;) {
        const range = { ...(before === undefined ? {} : { before }), reverse: true, limit: slice }
        const buckets = Array.from({ length: commandBuckets }, (_, bucket) =>
          this.#store.range(commandByDay, { org, day, bucket }, range),
        )
        // oxlint-disable-next-line no-await-in-loop -- one page after the other
        const rows = (await Promise.all(buckets)).flat().toSorted(newestFirst).slice(0, slice)
        yield rows
        if (rows.length < slice) break
        const { created_at, id } = rows[rows.length - 1]
        before = { created_at, id }
      }
    }
  }
}

/** As the store orders them: by the id's bytes, which are ASCII. */
function newestFirst(a: Listed, b: Listed): number {
  return b.created_at - a.created_at || (a.id < b.id ? 1 : -1)
}

function placeOf(last: Listed | undefined): Place | null {
  return last === undefined ? null : { createdAt: last.created_at, id: last.id }
}
