import type { GroupCommit } from '#platform/store/group-commit.ts'
import type { Connection } from './connection.ts'
import type { DurableOutbox } from './outbox/durable-outbox.ts'

/** What may wait for the disk before publishers wait too. */
export interface DiskLimits {
  readonly rows: number
  readonly bytes: number
}

/**
 * Everything in the broker that waits for one group commit, in the order in which it may go on. There is one for each
 * lane: what waits in one holds nobody of the other.
 */
export class Disk {
  /** Bytes of messages that wait for a write before their own (QoS 2). */
  carried = 0
  readonly commit: GroupCommit
  readonly #limits: DiskLimits
  /** In order of their tickets. */
  readonly #durable: { ticket: number; then: () => void }[] = []
  #head = 0
  readonly #acknowledging = new Set<Connection>()
  readonly #held = new Set<Connection>()
  #saves: DurableOutbox[] = []
  readonly #changed = new Set<DurableOutbox>()

  constructor(commit: GroupCommit, limits: DiskLimits) {
    this.commit = commit
    this.#limits = limits
    commit.beforeLaunch(() => this.#stageSaves())
    commit.onDurable((through) => this.#landed(through))
  }

  /** Calls `then` when a ticket of this group commit is durable; at once if it is. */
  whenDurable(ticket: number, then: () => void): void {
    if (ticket <= this.commit.through) then()
    else this.#durable.push({ ticket, then })
  }

  /** Calls `then` when what was staged just now is durable, at once if nothing was. */
  whenStaged(staged: boolean, then: () => void): void {
    if (staged) this.whenDurable(this.commit.ticket, then)
    else then()
  }

  /** The connection has acknowledgements that wait. */
  acknowledgeLater(connection: Connection): void {
    this.#acknowledging.add(connection)
  }

  /** If too much waits for the disk, this publisher waits too. */
  holdIfBehind(connection: Connection): void {
    if (!this.#behind(1) || this.#held.has(connection)) return
    this.#held.add(connection)
    connection.holdSource()
  }

  /** Whether more waits for the disk than should. */
  get behind(): boolean {
    return this.#behind(1)
  }

  /** The connection is gone. */
  forget(connection: Connection): void {
    this.#acknowledging.delete(connection)
    this.#held.delete(connection)
  }

  /** Has the session's state written with the open batch. */
  saveWithBatch(outbox: DurableOutbox): void {
    this.#saves.push(outbox)
    this.commit.stage()
  }

  /** Has the session's state written within a second. */
  saveSoon(outbox: DurableOutbox): void {
    this.#changed.add(outbox)
  }

  /** Once a second. */
  saveChanged(): void {
    for (const outbox of this.#changed) outbox.requestSave()
    this.#changed.clear()
  }

  /** Whether what waits is more than a `part`th of the limits. */
  #behind(part: number): boolean {
    const { staged, stagedBytes } = this.commit
    return staged * part > this.#limits.rows || (stagedBytes + this.carried) * part > this.#limits.bytes
  }

  #stageSaves(): void {
    if (this.#saves.length === 0) return
    const saves = this.#saves
    this.#saves = []
    for (const outbox of saves) {
      this.#changed.delete(outbox)
      outbox.stageSave()
    }
  }

  #landed(through: number): void {
    while (this.#head < this.#durable.length && this.#durable[this.#head].ticket <= through) {
      this.#durable[this.#head++].then()
    }
    if (this.#head === this.#durable.length) {
      this.#durable.length = 0
      this.#head = 0
    } else if (this.#head > 4096) {
      this.#durable.splice(0, this.#head)
      this.#head = 0
    }
    for (const connection of this.#acknowledging) {
      if (!connection.sendDurableAcks()) this.#acknowledging.delete(connection)
    }
    if (this.#held.size === 0 || this.#behind(2)) return
    for (const connection of this.#held) connection.releaseSource()
    this.#held.clear()
  }
}
