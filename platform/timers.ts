/** A timer that can be stopped. */
export interface Timer {
  cancel(): void
}

/** Timers and the monotonic clock as the code sees them; the simulator brings its own. */
export interface Timers {
  /** Milliseconds since an arbitrary start; never goes back. */
  monotonic(): number
  /** Calls `then` once. */
  after(ms: number, then: () => void): Timer
  /** Calls `then` again and again. */
  every(ms: number, then: () => void): Timer
  /** Calls `then` when what is ready now has been handled. */
  soon(then: () => void): void
}

export const systemTimers: Timers = {
  monotonic: () => performance.now(),
  after(ms, then) {
    const timer = setTimeout(then, ms)
    return { cancel: () => clearTimeout(timer) }
  },
  every(ms, then) {
    const timer = setInterval(then, ms)
    return { cancel: () => clearInterval(timer) }
  },
  soon: (then) => void setImmediate(then),
}
