import type { LiveEvent } from './live-event.ts'
import type { LiveStream } from './live-stream.ts'

/** The streams of an organisation: an event of a device finds those of that device without looking at the others. */
export class StreamIndex {
  /** Number of streams. */
  size = 0
  readonly #byDevice = new Map<string, Set<LiveStream>>()
  readonly #others = new Set<LiveStream>()

  add(stream: LiveStream): void {
    const { device } = stream.filter
    this.size++
    if (device === undefined) {
      this.#others.add(stream)
      return
    }
    const streams = this.#byDevice.get(device)
    if (streams === undefined) this.#byDevice.set(device, new Set([stream]))
    else streams.add(stream)
  }

  /** False: it was not there. */
  delete(stream: LiveStream): boolean {
    const { device } = stream.filter
    const streams = device === undefined ? this.#others : this.#byDevice.get(device)
    if (streams?.delete(stream) !== true) return false
    if (device !== undefined && streams.size === 0) this.#byDevice.delete(device)
    this.size--
    return true
  }

  *all(): Iterable<LiveStream> {
    yield* this.#others
    for (const streams of this.#byDevice.values()) yield* streams
  }

  /** Offers the event of this number to those who want it; returns how many they are. */
  offer(event: LiveEvent, number: number): number {
    let offered = 0
    const own = event.device === null ? undefined : this.#byDevice.get(event.device.id)
    if (own !== undefined) offered += offerTo(own, event, number)
    return offered + offerTo(this.#others, event, number)
  }
}

function offerTo(streams: ReadonlySet<LiveStream>, event: LiveEvent, number: number): number {
  let offered = 0
  for (const stream of streams) {
    if (!stream.wants(event)) continue
    offered++
    stream.offer(number)
  }
  return offered
}
