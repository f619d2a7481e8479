import type { Ballot } from './ballot.ts'
import { others, type Poll } from './tally.ts'

/** Percent `elapsed` milliseconds after it came back. */
export function stepAfter(elapsed: number, steps: readonly number[], stepMs: number): number {
  const at = Math.floor(Math.max(0, elapsed) / stepMs)
  return at < steps.length ? steps[at] : 100
}

/**
 * The percent that a quorum of checkers are not above, those that are silent counted as this one: steps are taken
 * together although each checker has its own timer, and fewer liars than a quorum can't hold a subject down.
 */
export function agreedPercent(poll: Poll, subject: string, own: number, first: number): number {
  const heard = others(poll).map((ballot) => said(ballot, subject) ?? own)
  const rest = Array.from({ length: Math.max(1, poll.all - heard.length) }, () => own)
  const all = [...heard, ...rest].toSorted((a, b) => a - b)
  // Whoever has it out still must not keep it at nothing once it is in.
  return Math.max(Math.min(first, own), all[Math.min(poll.quorum, all.length) - 1])
}

function said({ holds }: Ballot, subject: string): number | undefined {
  const hold = holds.get(subject)
  return hold?.out === true ? 0 : hold?.percent
}
