/** Who a process is; goes with every heartbeat. */
export interface MemberInfo {
  /** 16 bytes in hex: birth (8 bytes, hybrid clock), number of the DC (1 byte), chance (7 bytes). Never used again. */
  readonly incarnation: string
  /** Name of the process in the inventory, `dc01-n1-broker1`: one process at a time has it. */
  readonly name: string
  readonly dc: string
  /** Program version, for people. */
  readonly version: string
  /** Entries of types up to this protocol version are understood. */
  readonly protocol: number
}

/** Another process of the cell, and the reliable stream of entries to it. */
export interface Peer {
  readonly info: MemberInfo
  /** Number of its DC, from its incarnation. */
  readonly dcNumber: number
  /** Heard within 3 s, and its stream is open. What waits for members waits for these only. */
  readonly inContact: boolean
  /** Entries given to the stream so far. */
  readonly sent: number
  /** Of them, those that the peer's listener has taken. */
  readonly taken: number
  /** More waits to be taken than should: sources that can wait should. */
  readonly pressed: boolean
  /** Puts an entry into the frame that is being filled. The bytes are copied before this returns. */
  send(type: number, body: Uint8Array): void
  /**
   * Makes room for an entry in the frame that is being filled, to be written by the caller at once, before anything
   * else is sent: `peer.buffer` from the offset returned.
   */
  reserve(type: number, length: number): number
  readonly buffer: Buffer
}

/** What `Channels` tells its user. All calls come in the order of things; none may throw. */
export interface ChannelListener {
  /**
   * A stream begins: the peer is new, or one of both has lost what the other had sent. Nothing sent before will come;
   * both sides tell each other again all that must be known.
   */
  opened(peer: Peer): void
  /** Nothing was heard for 3 s. What is sent waits for it, up to a bound. */
  lost(peer: Peer): void
  /** Heard again, and nothing is missing: the stream goes on. */
  back(peer: Peer): void
  /** This incarnation is over: it said goodbye, its name has a new one, or it was silent for very long. */
  gone(peer: Peer, how: 'goodbye' | 'replaced' | 'silent'): void
  /** An entry, once, in order. `body` is valid during the call only. `delay`: milliseconds since it was sent, about. */
  entry(peer: Peer, type: number, body: Buffer, delay: number): void
  /** `pressed` is over. */
  relieved(peer: Peer): void
  /** This process itself stood still (stopped, starved) for `ms`: others may have gone on without it. */
  stoodStill(ms: number): void
}
