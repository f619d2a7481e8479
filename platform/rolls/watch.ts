import { systemTimers, type Timer, type Timers } from '../timers.ts'
import type { Roll } from './roll.ts'
import type { Rolls } from './rolls.ts'

/** Between two looks, ms: what a person takes for at once. */
const lookMs = 500
/** Of one process: people who look on are few. */
const maxWatchers = 100

/** Told of one roll. */
export interface RollListener {
  /** As it is now: the first time at once, then whenever something has changed. */
  changed(roll: Roll): void
  /** It cannot be read now; what was told may be old. Told once, until it can be read again. */
  unread(): void
}

interface Watcher {
  readonly id: string
  readonly listener: RollListener
  told: string
  blind: boolean
}

/**
 * Tells whoever looks on how far a roll is, wherever it is carried out: it is read while somebody looks on, once for
 * all of them.
 */
export class RollWatch {
  readonly #rolls: Pick<Rolls, 'current' | 'get'>
  readonly #timers: Timers
  readonly #watchers = new Set<Watcher>()
  #timer: Timer | null = null
  #looking = false

  constructor(rolls: Pick<Rolls, 'current' | 'get'>, timers: Timers = systemTimers) {
    this.#rolls = rolls
    this.#timers = timers
  }

  /** Null: too many look on. What it returns ends it. */
  watch(id: string, listener: RollListener): (() => void) | null {
    if (this.#watchers.size >= maxWatchers) return null
    const watcher = { id, listener, told: '', blind: false }
    this.#watchers.add(watcher)
    this.#timer ??= this.#timers.every(lookMs, () => void this.#look())
    void this.#look()
    return () => {
      this.#watchers.delete(watcher)
      if (this.#watchers.size > 0) return
      this.#timer?.cancel()
      this.#timer = null
    }
  }

  async #look(): Promise<void> {
    // A store that is slow is not asked again before it has answered.
    if (this.#looking) return
    this.#looking = true
    try {
      const now = await this.#rolls.current()
      const others = new Set([...this.#watchers].map(({ id }) => id).filter((id) => id !== now?.id))
      const past = await Promise.all([...others].map((id) => this.#rolls.get(id)))
      for (const roll of [now, ...past]) if (roll !== undefined) this.#tell(roll)
    } catch {
      for (const watcher of this.#watchers) {
        if (!watcher.blind) watcher.listener.unread()
        watcher.blind = true
      }
    } finally {
      this.#looking = false
    }
  }

  #tell(roll: Roll): void {
    const text = JSON.stringify(roll)
    for (const watcher of this.#watchers) {
      if (watcher.id !== roll.id) continue
      watcher.blind = false
      if (watcher.told === text) continue
      watcher.told = text
      watcher.listener.changed(roll)
    }
  }
}
