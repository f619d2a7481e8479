/**
 * What carries frames between the processes of a cell: NATS, or memory in one process. It gives addresses and nothing
 * else: a frame may be lost (silently), come late, also after newer ones, or come twice (while a process moves to
 * another server). `Channels` makes reliable streams of it.
 */
export interface Bus {
  /** Where frames for this process go: its incarnation in hex. */
  readonly address: string
  /** The bus can be reached now. */
  readonly connected: boolean
  /** Largest frame in bytes; what is larger is dropped. */
  readonly maxFrame: number
  /** Sends a frame to one process. Never waits and never fails. The frame's bytes must not be changed afterwards. */
  send(to: string, frame: Uint8Array): void
  /** Sends a frame to every other process of the cell that can be reached, in order with what is sent to each. */
  broadcast(frame: Uint8Array): void
  /** Calls `listener` for every frame that comes; the bytes are valid during the call only. One listener. */
  receive(listener: (frame: Buffer) => void): void
  /** Sends what is buffered and releases everything. */
  close(): Promise<void>
}
