const MOST = 65_535

/** Gives out the packet identifiers of one session, round and round. */
export class PacketIds {
  /** The newest. */
  last = 0
  /**
   * So many of the next ones the client may still hold for messages of QoS 2 of which nothing is known here: it would take a
   * new message for the old one, so it has to be told first to release the identifier.
   */
  doubtful = 0

  next(used: { has(id: number): boolean }): number {
    do {
      this.last = this.last === MOST ? 1 : this.last + 1
      if (this.doubtful > 0) this.doubtful--
    } while (used.has(this.last))
    return this.last
  }

  /** Which ones another holder has given out is not known. */
  doubt(): void {
    this.doubtful = MOST
  }
}
