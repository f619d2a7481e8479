import type { Voting } from './voting.ts'

/** What the checker's health document says under `standings`: all that is voted on, and who says what. */
export function standingsSource(voting: Voting): {
  readonly name: 'standings'
  value(): object
  onChange(listener: () => void): void
} {
  return {
    name: 'standings',
    value: () => valueOf(voting),
    onChange: (listener) => voting.onChange(listener),
  }
}

function valueOf(voting: Voting): object {
  const { standings, ballots, abstains, neighbours, overrides } = voting.snapshot()
  return {
    abstains: abstains ?? null,
    subjects: Array.from(standings.values(), (one) => ({
      ...one,
      votes: ballots.flatMap(({ checker, ageMs, votes }) => {
        const vote = votes.get(one.subject)
        if (vote === undefined) return []
        const { verdict, since, reason = null } = vote
        return [{ checker, verdict, since: new Date(since).toISOString(), reason, age_ms: Math.round(ageMs) }]
      }),
    })),
    overrides: overrides.map(({ at, expiresAt, ...rest }) => ({
      ...rest,
      at: new Date(at).toISOString(),
      expires_at: expiresAt === undefined ? null : new Date(expiresAt).toISOString(),
    })),
    checkers: neighbours.map(({ checker, ageMs, error }) => ({ checker, age_ms: ageMs, error })),
  }
}
