import type { Ballot } from './ballot.ts'
import type { Vote } from './vote.ts'

/** Checkers that answered lately, and what it takes. */
export interface Poll {
  /** Fresh ballots by the names of their checkers, this checker's own one too. */
  readonly fresh: ReadonlyMap<string, Ballot>
  /** The checker that counts. */
  readonly checker: string
  /** All checkers there are. */
  readonly all: number
  readonly quorum: number
}

/** The ballots that count: of a known checker, and not older than `ttlMs`. */
export function pollOf(
  ballots: Iterable<Ballot>,
  of: { checker: string; checkers: readonly string[]; quorum: number; ttlMs: number },
): Poll {
  const known = new Set(of.checkers)
  const fresh = new Map<string, Ballot>()
  for (const ballot of ballots) {
    if (!known.has(ballot.checker) || !(ballot.ageMs <= of.ttlMs)) continue
    const other = fresh.get(ballot.checker)
    if (other === undefined || ballot.ageMs < other.ageMs) fresh.set(ballot.checker, ballot)
  }
  return { fresh, checker: of.checker, all: known.size, quorum: of.quorum }
}

/** The votes about a subject for which `wanted` holds, by the names of their checkers. */
export function votesFor(poll: Poll, subject: string, wanted: (vote: Vote) => boolean): readonly Vote[] {
  return Array.from(poll.fresh.values())
    .flatMap(({ votes }) => votes.get(subject) ?? [])
    .filter(wanted)
    .toSorted((a, b) => (a.checker < b.checker ? -1 : 1))
}

/**
 * Whether something is so: yes by a quorum of votes; no when so many say no that a quorum can't be reached even if all
 * that are silent say yes; else as it was, for silence changes nothing. Whoever was away takes it from a quorum of the
 * others (`held`; undefined: that one does not know) instead of its own memory. Undefined: nobody has ever known.
 */
export function decided(
  poll: Poll,
  about: {
    readonly yes: number
    readonly no: number
    readonly held: (ballot: Ballot) => boolean | undefined
    readonly before: boolean | undefined
  },
): boolean | undefined {
  const { all, quorum } = poll
  if (about.yes >= quorum) return true
  if (about.no > all - quorum) return false
  const held = others(poll).map(about.held)
  for (const answer of [true, false]) {
    if (held.filter((one) => one === answer).length >= quorum) return answer
  }
  return about.before
}

/** Fresh ballots of the other checkers. */
export function others({ fresh, checker }: Poll): readonly Ballot[] {
  return Array.from(fresh.values()).filter((ballot) => ballot.checker !== checker)
}
