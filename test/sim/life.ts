import type { Clock } from '#platform/clock.ts'
import type { Timer, Timers } from '#platform/timers.ts'
import type { Event } from './schedule.ts'
import { START, type World } from './world.ts'

/**
 * One run of one process, as the world sees it: what it waits for happens only while it lives, and only while it is
 * not frozen. Its timers and clock are those of the code in it.
 */
export class Life implements Timers, Clock {
  readonly world: World
  readonly name: string
  /** Milliseconds by which its wall clock is off; may change. */
  skew: number
  alive = true
  frozen = false
  #deferred: Event[] = []

  constructor(world: World, name: string, skew: number) {
    this.world = world
    this.name = name
    this.skew = skew
  }

  // --- the clocks -------------------------------------------------------------------------------------

  now(): number {
    return Math.floor(START + this.world.now + this.skew)
  }

  monotonic(): number {
    return this.world.now
  }

  // --- timers -----------------------------------------------------------------------------------------

  after(ms: number, then: () => void): Timer {
    // As in Node: no timer is shorter than a millisecond.
    const event = this.world.at(this.world.now + Math.max(1, ms), then, this, true)
    return { cancel: () => void (event.cancelled = true) }
  }

  every(ms: number, then: () => void): Timer {
    let stopped = false
    let timer: Timer
    const tick = (): void => {
      then()
      if (!stopped) timer = this.after(ms, tick)
    }
    timer = this.after(ms, tick)
    return {
      cancel: () => {
        stopped = true
        timer.cancel()
      },
    }
  }

  soon(then: () => void): void {
    this.world.soon(() => {
      if (this.alive) then()
    })
  }

  // --- what happens to it -----------------------------------------------------------------------------

  /** Something from outside reaches it after `ms`: a frame, bytes of a client, an answer of the store. */
  reach(ms: number, then: () => void): void {
    this.world.at(this.world.now + ms, then, this, false)
  }

  /** It stands still: what happens to it waits until it goes on. */
  freeze(): void {
    this.frozen = true
  }

  /** It goes on: first its timers, then what came from outside, each in order. */
  thaw(): void {
    if (!this.frozen) return
    this.frozen = false
    const deferred = this.#deferred
    this.#deferred = []
    for (const timer of [true, false])
      for (const event of deferred) if (event.timer === timer) this.world.again(event)
  }

  defer(event: Event): void {
    this.#deferred.push(event)
  }

  /** It is no more: nothing happens to it any more. */
  end(): void {
    this.alive = false
    this.frozen = false
    this.#deferred = []
  }
}
