import { randomBytes } from 'node:crypto'
import { cursorText, type LiveEvent, type Origin, type PlacedEvent } from './live-event.ts'

/** An event as it is kept: written out once, for all streams that show it. */
export class Kept implements PlacedEvent {
  readonly event: LiveEvent
  readonly origin: Origin
  readonly cursor: string
  /** About what it costs to keep. */
  readonly bytes: number
  #frame: Buffer | null = null

  constructor(event: LiveEvent, origin: Origin, cursor: string, bytes: number) {
    this.event = event
    this.origin = origin
    this.cursor = cursor
    this.bytes = bytes
  }

  /** As a server-sent event; the same bytes for everybody, so nobody may change them. */
  get frame(): Buffer {
    return (this.#frame ??= Buffer.from(this.#text()))
  }

  #text(): string {
    const { type, device, at, data } = this.event
    const shown = {
      ...(device === null ? {} : { device: { id: device.id, name: device.name } }),
      at,
      ...data,
      // An event that is shown again, perhaps by another process, has the same.
      event: `${this.origin.ring}-${this.origin.number}`,
    }
    return `id: ${this.cursor}\nevent: ${type}\ndata: ${JSON.stringify(shown)}\n\n`
  }
}

/** Places given up at the front before the rest is moved there. */
const slack = 1024

/**
 * The newest events of an organisation that this process has heard of, numbered. Bounded; the newest one is always
 * kept. Streams that do not keep up read from here, so they cost no memory of their own.
 */
export class LiveRing {
  /** Changes whenever the numbering begins anew. */
  readonly id = randomBytes(6).toString('hex')
  /** Number of the event to come. */
  next = 0
  /** Before the event of this number some of other processes were not heard of; 0: none ever. */
  gapAt = 0
  /** When somebody listened last, in this process or another one, as events tell the time. */
  listenedAt: number
  /** Events up to this time are not kept, milliseconds since 1970. */
  forgottenAt: number
  bytes = 0
  #items: (Kept | undefined)[] = []
  #start = 0

  /** Keeps what comes from `now` on. */
  constructor(now: number) {
    this.listenedAt = now
    this.forgottenAt = now - 1
  }

  /** Number of the oldest one kept; `next` if there is none. */
  get first(): number {
    return this.next - (this.#items.length - this.#start)
  }

  at(number: number): Kept {
    return this.#items[this.#start + number - this.first] as Kept
  }

  /** Keeps an event; `origin` null: it was taken here. */
  add(event: LiveEvent, bytes: number, origin: Origin | null): Kept {
    const number = this.next++
    const from = origin ?? { ring: this.id, number }
    const kept = new Kept(
      event,
      from,
      cursorText({ ring: this.id, number, at: event.at, origin: from }),
      bytes,
    )
    this.#items.push(kept)
    this.bytes += bytes
    return kept
  }

  /** Gives up the oldest but one; false: there is one only. */
  forget(): boolean {
    if (this.#items.length - this.#start < 2) return false
    const { bytes, event } = this.#items[this.#start] as Kept
    this.#items[this.#start++] = undefined
    this.bytes -= bytes
    this.forgottenAt = Math.max(this.forgottenAt, event.at)
    if (this.#start > slack && this.#start * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#start)
      this.#start = 0
    }
    return true
  }

  /** Those before `number` that happened at `since` or later; `own`: that were taken here. */
  since(since: number, number: number, own = false): Kept[] {
    const found: Kept[] = []
    for (let i = this.first; i < Math.min(number, this.next); i++) {
      const kept = this.at(i)
      if (kept.event.at >= since && (!own || kept.origin.ring === this.id)) found.push(kept)
    }
    return found
  }
}
