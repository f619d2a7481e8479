import type { GroupCommit } from '#platform/store/group-commit.ts'

/** Which rows of one inbox are written here and not durable yet: what is not durable must not be read. */
export class StagedRows {
  /** Rows since the beginning. */
  count = 0
  /** Of the batch with the newest row. */
  lastTicket = 0
  /** Batches that are not durable yet, with the stamp of the first row in each. */
  readonly #batches: { ticket: number; hlc: number }[] = []

  /** A row with this stamp is in the open batch. */
  add({ ticket, through }: GroupCommit, hlc: number): void {
    this.count++
    while (this.#batches.length > 0 && this.#batches[0].ticket <= through) this.#batches.shift()
    if (this.#batches.at(-1)?.ticket !== ticket) this.#batches.push({ ticket, hlc })
    this.lastTicket = ticket
  }

  /** The stamp of the first row that is not durable; undefined: all are. */
  firstHlc({ through }: GroupCommit): number | undefined {
    return this.#batches.find(({ ticket }) => ticket > through)?.hlc
  }
}
