import { covers, overlaps } from '../auth/filter-algebra.ts'
import type { Logger } from '../log.ts'
import type { Follower } from '../messages.ts'
import type { Twins } from './twins.ts'

/** By which the correlation of a delta begins; no command's id holds it. */
const mark = 'twin:'

/** Hears for the twins, and for whoever else follows messages, what becomes of them. */
export class TwinFollower implements Follower {
  readonly #twins: Twins
  readonly #next: Follower
  readonly #log: Logger

  constructor(twins: Twins, next: Follower, log: Logger) {
    this.#twins = twins
    this.#next = next
    this.#log = log
  }

  check(org: string, device: string, correlation: string, then: (send: boolean) => void): void {
    if (!correlation.startsWith(mark)) this.#next.check(org, device, correlation, then)
    else void this.#twins.isNewest(org, device, correlation).then(then)
  }

  sent(org: string, device: string, correlation: string): void {
    if (!correlation.startsWith(mark)) this.#next.sent(org, device, correlation)
  }

  acknowledged(org: string, device: string, correlation: string, refused: boolean): void {
    if (!correlation.startsWith(mark)) this.#next.acknowledged(org, device, correlation, refused)
  }

  subscribed(org: string, device: string, filter: string, fresh: boolean): void {
    this.#next.subscribed(org, device, filter, fresh)
    const levels = filter.split('/')
    if (!overlaps(levels, ['v1', 'devices', device, 'twin', '+', 'delta'])) return
    this.#tellDeltas(org, device, levels).catch((error: unknown) => {
      this.#log.warn(
        { event: 'twin.untold', device, err: error },
        'a device was not told what it has to change',
      )
    })
  }

  async #tellDeltas(org: string, device: string, filter: readonly string[]): Promise<void> {
    for (const one of await this.#twins.list({ org, id: device })) {
      if (one.delta !== undefined && covers(filter, ['v1', 'devices', device, 'twin', one.name, 'delta']))
        // oxlint-disable-next-line no-await-in-loop -- in order of their names
        await this.#twins.tellDelta({ org, id: device }, one)
    }
  }
}
