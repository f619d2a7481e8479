/** Bounds and times of channels; tests make them smaller. */
export interface ChannelLimits {
  /** A frame leaves when it is this long, bytes. */
  frame: number
  /** Entries gather for this long before a frame leaves, ms; at once when none left for that long. */
  gatherSameDc: number
  gatherOtherDc: number
  /** Frames not acknowledged are kept up to this many bytes per peer; beyond, the stream begins anew. */
  keep: number
  /** Of them, as many are put on the bus: what a server on the way must be able to hold per sender. */
  window: number
  /** `pressed` from here on, until half of it. */
  pressed: number
  /** Frames that came before their turn are held up to this many bytes per peer. */
  held: number
  /** Heartbeats go out each so many ms. */
  beat: number
  /** Without a round trip for so many ms a peer is lost. */
  silence: number
  /** Unheard for so many ms a peer is forgotten. */
  forget: number
  /** A peer that was announced but whose stream never opened is forgotten after so many ms. */
  forgetUnopened: number
  /** Members that are known at the same time. */
  peers: number
  /** Own clock: ms off the median of the members that make it wrong. */
  clockOff: number
}

export const CHANNEL_LIMITS: ChannelLimits = {
  frame: 32 * 1024,
  gatherSameDc: 2,
  gatherOtherDc: 5,
  keep: 16 * 1024 * 1024,
  window: 4 * 1024 * 1024,
  pressed: 4 * 1024 * 1024,
  held: 8 * 1024 * 1024,
  beat: 500,
  silence: 3000,
  forget: 600_000,
  forgetUnopened: 10_000,
  peers: 256,
  clockOff: 2000,
}
