import type { GroupCommit } from './group-commit.ts'
import type { Lanes } from './lanes.ts'

/** Things that are told when the rows that were staged with them are durable, in order for each organisation. */
export class Landings<T> {
  readonly #lanes: Lanes
  readonly #waiting = new Map<GroupCommit, { readonly ticket: number; readonly item: T }[]>()

  constructor(lanes: Lanes, tell: (item: T) => void) {
    this.#lanes = lanes
    for (const commit of lanes.all) {
      const waiting: { ticket: number; item: T }[] = []
      this.#waiting.set(commit, waiting)
      commit.onDurable((through) => {
        let told = 0
        while (told < waiting.length && waiting[told].ticket <= through) tell(waiting[told++].item)
        waiting.splice(0, told)
      })
    }
  }

  /** `item` is told when what the organisation has staged just now is durable. */
  push(org: string, item: T): void {
    const commit = this.#lanes.of(org)
    this.#waiting.get(commit)?.push({ ticket: commit.ticket, item })
  }
}
