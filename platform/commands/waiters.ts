import type { DeviceRef } from '../auth/principal.ts'
import type { LiveBus } from '../live/live-bus.ts'
import type { LiveStream } from '../live/live-stream.ts'
import type { Timers } from '../timers.ts'
import type { CommandView } from './commands.ts'
import type { Tracker } from './tracker.ts'

/** News of other processes may be lost on their way: what is stored is looked at this often. */
const pollMs = 3000
const types = new Set(['command'] as const)

/** Requests of an organisation that wait for the end of a command, by the command's id. */
interface Waiting {
  readonly wakes: Map<string, Set<() => void>>
  /** What other processes take; null: there are too many streams. */
  readonly stream: LiveStream | null
  count: number
}

/** Requests that wait for the end of a command, wherever that comes to be known. */
export class Waiters {
  readonly #live: LiveBus
  readonly #timers: Timers
  readonly #waiting = new Map<string, Waiting>()

  constructor(tracker: Tracker, live: LiveBus, timers: Timers) {
    this.#live = live
    this.#timers = timers
    tracker.onChange(({ org, id }) => this.#wake(org, id))
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
    const waiting = this.#join(org)
    try {
      await this.#live.whole()
      for (;;) {
        const changed = change(waiting, id)
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
    } finally {
      this.#leave(org, waiting)
    }
  }

  #join(org: string): Waiting {
    let waiting = this.#waiting.get(org)
    if (waiting === undefined) {
      const stream = this.#live.subscribe(org, { types })
      waiting = { wakes: new Map(), stream, count: 0 }
      this.#waiting.set(org, waiting)
      stream?.onReadable(() => {
        for (let kept = stream.take(); kept !== undefined; kept = stream.take()) {
          const { data } = kept.event
          if ('id' in data) this.#wake(org, String(data.id))
        }
      })
    }
    waiting.count++
    return waiting
  }

  #leave(org: string, waiting: Waiting): void {
    if (--waiting.count > 0) return
    this.#waiting.delete(org)
    waiting.stream?.close()
  }

  #wake(org: string, id: string): void {
    for (const wake of this.#waiting.get(org)?.wakes.get(id) ?? []) wake()
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

function change({ wakes }: Waiting, id: string): { promise: Promise<void>; cancel: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>()
  const set = wakes.get(id) ?? new Set()
  wakes.set(id, set.add(resolve))
  const cancel = (): void => {
    set.delete(resolve)
    if (set.size === 0 && wakes.get(id) === set) wakes.delete(id)
  }
  return { promise, cancel }
}
