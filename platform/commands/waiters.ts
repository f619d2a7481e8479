import type { DeviceRef } from '../auth/principal.ts'
import type { Timers } from '../timers.ts'
import type { CommandView } from './commands.ts'
import type { Tracker } from './tracker.ts'

/** Another process may have the device: what is stored is looked at this often. */
const pollMs = 1000

/** Requests that wait for the end of a command. */
export class Waiters {
  readonly #timers: Timers
  readonly #waiting = new Map<string, Set<() => void>>()

  constructor(tracker: Tracker, timers: Timers) {
    this.#timers = timers
    tracker.onChange(({ org, id }) => {
      for (const wake of this.#waiting.get(`${org}/${id}`) ?? []) wake()
    })
  }

  /** What `get` gives when the command has ended, or after `ms`, or when the signal says so. */
  async wait(
    { org }: DeviceRef,
    id: string,
    ms: number,
    signal: AbortSignal,
    get: () => Promise<CommandView>,
  ): Promise<CommandView> {
    const until = this.#timers.monotonic() + ms
    for (;;) {
      const changed = this.#change(`${org}/${id}`)
      try {
        // oxlint-disable-next-line no-await-in-loop -- each look follows a change
        const view = await get()
        const left = until - this.#timers.monotonic()
        if (view.outcome.endedAt !== undefined || left <= 0 || signal.aborted) return view
        // oxlint-disable-next-line no-await-in-loop
        await this.#pause(Math.min(left, pollMs), signal, changed.promise)
      } finally {
        changed.cancel()
      }
    }
  }

  #change(key: string): { promise: Promise<void>; cancel: () => void } {
    const { promise, resolve } = Promise.withResolvers<void>()
    const set = this.#waiting.get(key) ?? new Set()
    this.#waiting.set(key, set.add(resolve))
    const cancel = (): void => {
      set.delete(resolve)
      if (set.size === 0 && this.#waiting.get(key) === set) this.#waiting.delete(key)
    }
    return { promise, cancel }
  }

  async #pause(ms: number, signal: AbortSignal, changed: Promise<void>): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = this.#timers.after(ms, resolve)
    const end = (): void => resolve()
    signal.addEventListener('abort', end)
    try {
      await Promise.race([promise, changed])
    } finally {
      timer.cancel()
      signal.removeEventListener('abort', end)
    }
  }
}
