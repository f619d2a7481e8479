import type { Clock } from '#platform/clock.ts'
import type { Logger } from '#platform/log.ts'

/** Lines that one key may log in a window; a storm of clients must not become a storm of log lines. */
const LINES_PER_WINDOW = 10
const WINDOW_MS = 10_000

interface Window {
  since: number
  lines: number
  suppressed: number
}

/** Logs the first few warnings of each key; the first line after a storm says how many were left out. */
export class LogLimit {
  readonly #windows = new Map<string, Window>()
  readonly #log: Logger
  readonly #clock: Clock

  constructor(log: Logger, clock: Clock) {
    this.#log = log
    this.#clock = clock
  }

  /** `key` comes from a fixed set (event and reason), so that the windows stay few. */
  warn(key: string, fields: Readonly<Record<string, unknown>>, message: string): void {
    const now = this.#clock.now()
    let window = this.#windows.get(key)
    if (window === undefined) this.#windows.set(key, (window = { since: now, lines: 0, suppressed: 0 }))
    // a wall clock that was set back also starts a new window
    if (Math.abs(now - window.since) >= WINDOW_MS) {
      window.since = now
      window.lines = 0
    }
    if (window.lines >= LINES_PER_WINDOW) {
      window.suppressed++
      return
    }
    window.lines++
    const { suppressed } = window
    window.suppressed = 0
    this.#log.warn(suppressed > 0 ? { ...fields, suppressed } : fields, message)
  }
}
