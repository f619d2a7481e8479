import type { Logger } from '../log.ts'
import type { Timers } from '../timers.ts'
import type { Durability, Organisation, Organisations } from './organisations.ts'

/** A change that this process was not told of is found out within this time. */
const refreshMs = 30_000
const pageSize = 1000

type Known = Pick<Organisation, 'id' | 'version' | 'durability'>

/**
 * How far writes of each organisation must go, for a store that asks at every write. All organisations with `geo` are
 * in memory, some 100 bytes each: read at the start and every 30 s, changed at once when this process or another one
 * says so. An organisation that nobody has told of counts as `local`.
 */
export class Durabilities {
  readonly #known = new Map<string, { version: number; durability: Durability }>()

  of(org: string): Durability {
    return this.#known.get(org)?.durability ?? 'local'
  }

  /** Reads all, and goes on doing so. Rejects with StoreError if the first time fails. */
  async follow(organisations: Organisations, timers: Timers, log: Logger): Promise<{ stop: () => void }> {
    organisations.onChanged((changed) => this.#take(changed))
    await this.refresh(organisations)
    const timer = timers.every(refreshMs, () => {
      this.refresh(organisations).catch((error: unknown) =>
        log.warn(
          { event: 'durability.unread', err: error },
          'durability of organisations stays as it was read before',
        ),
      )
    })
    return { stop: () => timer.cancel() }
  }

  async refresh(organisations: Organisations): Promise<void> {
    let cursor: string | undefined
    do {
      // oxlint-disable-next-line no-await-in-loop -- page after page
      const page = await organisations.list({ limit: pageSize, cursor })
      for (const organisation of page.organisations) this.#take(organisation)
      cursor = page.cursor ?? undefined
    } while (cursor !== undefined)
  }

  #take({ id, version, durability }: Known): void {
    const known = this.#known.get(id)
    if (known === undefined ? durability === 'local' : known.version >= version) return
    this.#known.set(id, { version, durability })
  }
}
