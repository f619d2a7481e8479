import type { Life } from './life.ts'

/** Something that will happen. */
export interface Event {
  time: number
  order: number
  /** The run of a process to which it happens; null: to the world. */
  readonly life: Life | null
  /** A timer of that process: those come first when it thaws. */
  readonly timer: boolean
  readonly then: () => void
  cancelled: boolean
}

/** Events in order of their time; of equal times in the order in which they were added. */
export class Schedule {
  readonly #heap: Event[] = []
  #order = 0

  get next(): Event | undefined {
    return this.#heap[0]
  }

  add(time: number, life: Life | null, timer: boolean, then: () => void): Event {
    const event: Event = { time, order: 0, life, timer, then, cancelled: false }
    this.put(event, time)
    return event
  }

  /** Has an event that was taken happen later. */
  put(event: Event, time: number): void {
    event.time = time
    event.order = this.#order++
    const heap = this.#heap
    let i = heap.length
    heap.push(event)
    while (i > 0) {
      const parent = (i - 1) >>> 1
      if (!before(event, heap[parent])) break
      heap[i] = heap[parent]
      i = parent
    }
    heap[i] = event
  }

  take(): Event | undefined {
    const heap = this.#heap
    const first = heap[0]
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return first
    let i = 0
    for (;;) {
      let child = 2 * i + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && before(heap[child + 1], heap[child])) child++
      if (!before(heap[child], last)) break
      heap[i] = heap[child]
      i = child
    }
    heap[i] = last
    return first
  }
}

function before(one: Event, other: Event): boolean {
  return one.time < other.time || (one.time === other.time && one.order < other.order)
}
