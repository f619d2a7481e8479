import { installHooks, type Hooks } from './hooks.ts'
import type { Life } from './life.ts'
import { Random } from './random.ts'
import { type Event, Schedule } from './schedule.ts'

/** The wall clock at the start of a world. */
export const START = Date.UTC(2030, 0, 1, 12)
/** Turns asked of the event loop at a time: its own cost is spread over them. */
const TURNS = 64
/** Things that may follow from one event. */
const MOST_AT_ONCE = 200_000
/** Events in one world after which something must be going round in circles. */
const MOST_EVENTS = 5_000_000

// The real one: that of the process is ours while a world turns.
const turn = setImmediate

/**
 * Time that passes only from event to event, and chance that comes from a seed. Between two events everything that
 * the first has set off comes to its end (promises, ticks, immediates), each in a turn of the real event loop, so that
 * the same seed gives the same run.
 */
export class World implements Hooks {
  /** Milliseconds since the start. */
  now = 0
  readonly seed: number
  readonly random: Random
  /** Events so far. */
  events = 0
  /** Changes with everything that happens: equal for equal runs. */
  hash = 0x811c9dc5
  /** A readable line for each thing that happens; null: nobody reads them. */
  readonly lines: string[] | null
  readonly #schedule = new Schedule()
  readonly #soon: (() => void)[] = []
  #soonAt = 0
  #atOnce = 0

  constructor(seed: number, options: { trace?: boolean } = {}) {
    this.seed = seed
    this.random = new Random(seed)
    this.lines = options.trace === true ? [] : null
  }

  /** `then` happens at `time`, to the process `life` if it still runs then. */
  at(time: number, then: () => void, life: Life | null = null, timer = false): Event {
    return this.#schedule.add(Math.max(time, this.now), life, timer, then)
  }

  /** What was put off happens now. */
  again(event: Event): void {
    this.#schedule.put(event, this.now)
  }

  after(ms: number, then: () => void): Event {
    return this.at(this.now + ms, then)
  }

  /** `then` happens now, when what happens now has come to its end. */
  soon(then: () => void): void {
    this.#soon.push(then)
  }

  /** Tells what happened; `what` may be expensive, it is only called when somebody reads. Part of the hash in any case. */
  trace(kind: string, number: number, what: () => string): void {
    let hash = this.hash
    for (let i = 0; i < kind.length; i++) hash = Math.imul(hash ^ kind.charCodeAt(i), 0x01000193)
    hash = Math.imul(hash ^ Math.floor(this.now * 1024), 0x01000193)
    this.hash = Math.imul(hash ^ number, 0x01000193)
    this.lines?.push(`${this.now.toFixed(2).padStart(10)} ${kind} ${what()}`)
  }

  /** Lets time pass until `time`. */
  async run(time: number): Promise<void> {
    const restore = installHooks(this)
    try {
      await this.#turn(time)
    } finally {
      restore()
    }
  }

  #turn(until: number): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    let over = false
    const step = (): void => {
      if (over) return
      try {
        if (this.#step(until)) return
        over = true
        resolve()
      } catch (error) {
        over = true
        reject(error)
      }
    }
    const more = (): void => {
      if (over) return
      for (let i = 0; i < TURNS; i++) turn(step)
      turn(more)
    }
    more()
    return promise
  }

  /** The next thing; false: there is none before `until`. */
  #step(until: number): boolean {
    if (this.#soonAt < this.#soon.length) {
      const then = this.#soon[this.#soonAt++]
      if (++this.#atOnce > MOST_AT_ONCE) throw new Error(`time stands still at ${this.now} ms`)
      if (this.#soonAt === this.#soon.length) {
        this.#soon.length = 0
        this.#soonAt = 0
      }
      then()
      return true
    }
    for (;;) {
      const { next } = this.#schedule
      if (next === undefined || next.time > until) {
        this.now = Math.max(this.now, until)
        return false
      }
      this.#schedule.take()
      if (next.cancelled || next.life?.alive === false) continue
      this.now = next.time
      if (next.life?.frozen === true) {
        next.life.defer(next)
        continue
      }
      this.#atOnce = 0
      if (++this.events > MOST_EVENTS) throw new Error(`more than ${MOST_EVENTS} events`)
      this.hash = Math.imul(this.hash ^ next.order, 0x01000193)
      next.then()
      return true
    }
  }
}
