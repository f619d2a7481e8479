import type { Clock } from '#platform/clock.ts'
import { type Alert, type AlertName, catalogue, type Condition } from './alert.ts'

/** A condition must be gone for as long before its alert ends, so that what flaps is one alert. */
const clearMs = 60_000
/** Alerts at a time; a fleet has fewer hosts. */
const maxAlerts = 2000

const aboutCheckers: ReadonlySet<AlertName> = new Set(['CheckersBlind', 'CheckerMissing', 'CheckersDisagree'])

interface Kept {
  alert: Alert
  /** Monotonic milliseconds. */
  readonly begun: number
  lastSeen: number
  firing: boolean
}

/** Makes alerts of conditions: each must hold for a time, and be gone for a time. */
export class ActiveAlerts {
  readonly #kept = new Map<string, Kept>()
  readonly #clock: Clock
  /** Conditions that were too many to be kept. */
  dropped = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** All that are firing after this look; `now`: monotonic milliseconds. */
  look(conditions: readonly Condition[], now: number): Alert[] {
    for (const condition of conditions) this.#see(condition, now)
    // Who sees nothing does not see that something is over.
    if (conditions.some(({ name }) => name === 'CheckersBlind')) this.#hold(now)
    for (const [key, one] of this.#kept) {
      const goneFor = now - one.lastSeen
      if (goneFor > 0 && (!one.firing || goneFor >= clearMs)) this.#kept.delete(key)
    }
    return Array.from(this.#kept.values()).flatMap(({ firing, alert }) => (firing ? [alert] : []))
  }

  #hold(now: number): void {
    for (const one of this.#kept.values())
      if (one.firing && !aboutCheckers.has(one.alert.name)) one.lastSeen = now
  }

  #see(condition: Condition, now: number): void {
    const key = `${condition.name}/${condition.subject}`
    let one = this.#kept.get(key)
    if (one === undefined) {
      if (this.#kept.size >= maxAlerts) {
        this.dropped++
        return
      }
      const alert = { ...condition, key, since: this.#clock.now() }
      one = { alert, begun: now, lastSeen: now, firing: false }
      this.#kept.set(key, one)
    }
    one.lastSeen = now
    one.alert = { ...condition, key, since: one.alert.since }
    if (now - one.begun >= catalogue[condition.name].holdSeconds * 1000) one.firing = true
  }
}
