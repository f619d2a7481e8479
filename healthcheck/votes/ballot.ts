import type { Vote } from './vote.ts'

/** What a checker has made of the votes itself; one that joins or comes back learns from it what was decided without it. */
export interface Hold {
  /** Voted down, or degraded. */
  readonly down: boolean
  readonly degraded: boolean
  /** Taken out by votes. */
  readonly out: boolean
  /** Percent that it comes back with by the checker's own timer, 100 if it is not coming back. */
  readonly percent: number
}

/** The latest word of one checker. */
export interface Ballot {
  readonly checker: string
  /** Milliseconds since it was asked, by the clock of whoever asked. */
  readonly ageMs: number
  /** By subject; none: it abstains. */
  readonly votes: ReadonlyMap<string, Vote>
  /** By subject; none: nothing has been decided since it began. */
  readonly holds: ReadonlyMap<string, Hold>
}
