import type { Clock } from '#platform/clock.ts'
import type { Timer, Timers } from '#platform/timers.ts'

interface Event {
  at: number
  order: number
  /** Null: cancelled. */
  then: (() => void) | null
}

/**
 * Time that passes only when it is told to. What is due runs in the order of (time, when it was asked for): the same
 * program does the same thing every time, without a seed and without waiting.
 */
export class VirtualTime {
  /** Milliseconds since the start. */
  now = 0
  #order = 0
  /** Binary heap, the next event first. */
  readonly #queue: Event[] = []

  /** Calls `then` at `time`, or now if that has passed. */
  at(time: number, then: () => void): Timer {
    const event: Event = { at: Math.max(time, this.now), order: this.#order++, then }
    this.#push(event)
    return {
      cancel: () => {
        event.then = null
      },
    }
  }

  /** Runs the next event; false if there is none up to `until`, and then it is `until`. */
  step(until = Infinity): boolean {
    for (;;) {
      const next = this.#queue[0]
      if (next === undefined || next.at > until) break
      this.#pop()
      if (next.then === null) continue
      this.now = next.at
      next.then()
      return true
    }
    if (until !== Infinity) this.now = Math.max(this.now, until)
    return false
  }

  /** Lets `ms` pass. For code without promises. */
  run(ms: number): void {
    const until = this.now + ms
    while (this.step(until));
  }

  /** Lets `ms` pass; after each event all promises that it settled are followed to their ends. */
  async runAsync(ms: number): Promise<void> {
    const until = this.now + ms
    await settled()
    while (this.step(until)) await settled()
  }

  /** Lets time pass until `done()`; throws when that takes longer than `ms`. */
  async until(done: () => boolean, ms: number, what: string): Promise<void> {
    const end = this.now + ms
    await settled()
    while (!done()) {
      if (!this.step(end)) throw new Error(`not within ${ms} ms of virtual time: ${what}`)
      await settled()
    }
  }

  #push(event: Event): void {
    const queue = this.#queue
    let i = queue.length
    queue.push(event)
    while (i > 0) {
      const parent = (i - 1) >> 1
      if (!before(event, queue[parent])) break
      queue[i] = queue[parent]
      i = parent
    }
    queue[i] = event
  }

  #pop(): void {
    const queue = this.#queue
    const last = queue.pop()
    if (last === undefined || queue.length === 0) return
    let i = 0
    for (;;) {
      let child = 2 * i + 1
      if (child >= queue.length) break
      if (child + 1 < queue.length && before(queue[child + 1], queue[child])) child++
      if (!before(queue[child], last)) break
      queue[i] = queue[child]
      i = child
    }
    queue[i] = last
  }
}

function before(a: Event, b: Event): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order)
}

function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** The timers of one simulated process: it can be frozen (nothing of it runs until it thaws) and killed. */
export class VirtualTimers implements Timers {
  /** Nothing runs before this time. */
  #frozenUntil = 0
  #dead = false
  readonly #time: VirtualTime

  constructor(time: VirtualTime) {
    this.#time = time
  }

  monotonic(): number {
    return this.#time.now
  }

  after(ms: number, then: () => void): Timer {
    // As Node does: not less than a millisecond.
    return this.#arm(Math.max(ms, 1), then)
  }

  every(ms: number, then: () => void): Timer {
    let timer: Timer
    let cancelled = false
    const again = (): void => {
      then()
      if (!cancelled) timer = this.#arm(ms, again)
    }
    timer = this.#arm(ms, again)
    return {
      cancel: () => {
        cancelled = true
        timer.cancel()
      },
    }
  }

  soon(then: () => void): void {
    this.#arm(0, then)
  }

  /** Stops the process for `ms` (SIGSTOP, SIGCONT): what falls due meanwhile runs when it thaws, in order. */
  freeze(ms: number): void {
    this.#frozenUntil = Math.max(this.#frozenUntil, this.#time.now + ms)
  }

  /** Ends the process (kill -9): nothing of it runs any more. */
  kill(): void {
    this.#dead = true
  }

  get alive(): boolean {
    return !this.#dead
  }

  #arm(ms: number, then: () => void): Timer {
    let cancelled = false
    const fire = (): void => {
      if (cancelled || this.#dead) return
      if (this.#time.now < this.#frozenUntil) this.#time.at(this.#frozenUntil, fire)
      else then()
    }
    this.#time.at(this.#time.now + ms, fire)
    return {
      cancel: () => {
        cancelled = true
      },
    }
  }
}

/** The wall clock of one simulated process. */
export class VirtualClock implements Clock {
  /** Milliseconds by which it is ahead of the true time; may be changed at any time. */
  skew: number
  readonly #time: VirtualTime
  readonly #start: number

  constructor(time: VirtualTime, skew = 0, start = Date.UTC(2026, 0, 1)) {
    this.#time = time
    this.skew = skew
    this.#start = start
  }

  now(): number {
    return this.#start + Math.floor(this.#time.now) + this.skew
  }
}
