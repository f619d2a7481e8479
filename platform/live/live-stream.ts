import type { LiveEvent, LiveType } from './live-event.ts'
import type { Kept, LiveRing } from './live-ring.ts'

/** Which events a stream shows; all that is absent does not matter. */
export interface LiveFilter {
  readonly types?: ReadonlySet<LiveType> | undefined
  /** Id of a device. */
  readonly device?: string | undefined
  /** Devices of which one must be the event's; events without a device are not shown then. */
  readonly devices?: { has(device: string): boolean } | undefined
}

/**
 * Somebody who listens. `take` until undefined, then wait for `onReadable`. It has no queue: what it does not take in
 * time it reads from the organisation's ring, and what is not kept there any more it has missed.
 */
export class LiveStream {
  readonly filter: LiveFilter
  /** False if events after the cursor that it was opened with may be missing. */
  complete = true
  readonly #ring: LiveRing
  /** The next event to look at, if any is pending. */
  #position: number
  /** Events from there on that it wants. */
  #pending = 0
  #missed = 0
  #gap = false
  #replayed: Kept[] = []
  #readable: (() => void) | null = null
  readonly #missing: (events: number) => void
  readonly #close: () => void

  /** For the bus. `missing` is told how many events it has missed. */
  constructor(
    ring: LiveRing,
    filter: LiveFilter,
    { missing, close }: { missing: (events: number) => void; close: () => void },
  ) {
    this.#ring = ring
    this.filter = filter
    this.#position = ring.next
    this.#missing = missing
    this.#close = close
  }

  /** The next event in order. */
  take(): Kept | undefined {
    const replayed = this.#replayed.pop()
    if (replayed !== undefined) return replayed
    if (this.#pending === 0) return undefined
    if (this.#position < this.#ring.first) this.#skip()
    while (this.#pending > 0 && this.#position < this.#ring.next) {
      const kept = this.#ring.at(this.#position++)
      if (!this.wants(kept.event)) continue
      this.#pending--
      return kept
    }
    // What it wants has changed meanwhile.
    this.#pending = 0
    return undefined
  }

  /** Events that it was too slow for, since it was last called; they come before what `take` gives next. */
  takeMissed(): number {
    if (this.#pending > 0 && this.#position < this.#ring.first) this.#skip()
    const missed = this.#missed
    this.#missed = 0
    return missed
  }

  /** Whether events of other processes may have been lost on their way since it was last called. */
  takeGap(): boolean {
    const gap = this.#gap
    this.#gap = false
    return gap
  }

  /** Called when there is something to take or a gap, after there was nothing. */
  onReadable(readable: () => void): void {
    this.#readable = readable
  }

  close(): void {
    this.#close()
  }

  // --- for the bus --------------------------------------------------------------------------------------

  wants({ type, device }: LiveEvent): boolean {
    const { types, device: one, devices } = this.filter
    if (types !== undefined && (type === 'message' || !types.has(type))) return false
    if (one !== undefined && device?.id !== one) return false
    return devices === undefined || (device !== null && devices.has(device.id))
  }

  /** An event that it wants is in the ring now. */
  offer(number: number): void {
    if (this.#pending++ > 0) return
    this.#position = number
    if (this.#replayed.length === 0) this.#readable?.()
  }

  /** It has missed as many for another reason. */
  miss(events: number): void {
    this.#missed += events
    this.#readable?.()
  }

  lose(): void {
    this.#gap = true
    this.#readable?.()
  }

  /** It begins with these, in order, before what has been offered. */
  replay(events: readonly Kept[]): void {
    this.#replayed = events.toReversed()
    if (events.length > 0) this.#readable?.()
  }

  /** Events that wait to be taken. */
  *pending(): Iterable<Kept> {
    if (this.#pending === 0) return
    for (let i = Math.max(this.#position, this.#ring.first); i < this.#ring.next; i++) yield this.#ring.at(i)
  }

  /** Goes on with the oldest event that is kept. */
  #skip(): void {
    this.#position = this.#ring.first
    let left = 0
    for (const { event } of this.pending()) if (this.wants(event)) left++
    const missed = Math.max(0, this.#pending - left)
    this.#missed += missed
    this.#missing(missed)
    this.#pending = left
  }
}
