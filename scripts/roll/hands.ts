import type { RollKind } from '#platform/rolls/roll.ts'

/** For whom hands work. */
export interface Mandate {
  readonly roll: string
  readonly kind: RollKind
  readonly token: number
}

/**
 * How the hosts of a fleet are reached, and what can be done to them: one implementation for each kind of fleet. All of
 * it may be done again after its process has died in the middle, and then comes to the same end. Rejects with an Error
 * of one line; ends at `signal`.
 */
export interface Hands {
  /** Those of a runner: hosts refuse them as soon as they have seen a higher token. Without it there is nothing to refuse. */
  under?(mandate: Mandate): Hands
  /** Why the fleet cannot do without the host now, a line each; empty: it can. */
  obstacles(host: string, signal: AbortSignal): Promise<readonly string[]>
  /**
   * Has new clients go elsewhere, and then those that are there. What is said for that ends by itself at `until`
   * (milliseconds since 1970), so that it does not stay when nobody is left to take it back.
   */
  drain(host: string, until: number, signal: AbortSignal): Promise<void>
  /** Has what `drain` said end later, or by a person's word only (null). False: nothing is said any more. */
  extend(host: string, until: number | null): Promise<boolean>
  restart(host: string, signal: AbortSignal): Promise<void>
  /** Wipes it, and makes it what the inventory says. `tell`: how far that is, for people. */
  reinstall(host: string, signal: AbortSignal, tell?: (note: string) => void): Promise<void>
  upgrade(host: string, version: string, signal: AbortSignal, tell?: (note: string) => void): Promise<void>
  /** Makes it what the inventory says, without losing what it has: also one that has never been in the cell. */
  apply(host: string, signal: AbortSignal, tell?: (note: string) => void): Promise<void>
  /** Takes it out of the cell for good: what it keeps goes to the others, and nothing of it starts again. */
  remove(host: string, signal: AbortSignal, tell?: (note: string) => void): Promise<void>
  /**
   * Why it is not well, or null: everything that it should run runs, and the others see it so. Of one that is removed: why
   * it is still a member.
   */
  ailment(host: string, signal: AbortSignal): Promise<string | null>
  /** Ends `drain`. */
  readmit(host: string, signal: AbortSignal): Promise<void>
}
