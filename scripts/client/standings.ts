import { z } from 'zod'

/** What is read of a checker's health document. */
const document = z.object({
  checker: z.string(),
  standings: z.object({
    abstains: z.string().nullable(),
    subjects: z.array(
      z.object({
        subject: z.string(),
        state: z.enum(['up', 'degraded', 'down']),
        serving: z.boolean(),
        percent: z.number(),
        reason: z.string(),
        votes: z.array(z.object({ checker: z.string(), verdict: z.string() })),
      }),
    ),
  }),
})

/** What one checker has made of the votes. */
export interface CheckerStandings {
  readonly checker: string
  /** Why it votes for nothing itself; null: it votes. */
  readonly abstains: string | null
  readonly subjects: readonly SubjectStanding[]
}

/** How a DC or host is, as all votes together have it. */
interface SubjectStanding extends Omit<Counted, 'votes'> {
  /** What this checker says itself; null: nothing. */
  readonly vote: string | null
}
type Counted = z.output<typeof document>['standings']['subjects'][number]

const patienceMs = 3000

/** Of the checker at `http://192.0.2.1:8053`. Rejects if it does not answer in time, or with something else. */
export async function standingsAt(url: string, signal?: AbortSignal): Promise<CheckerStandings> {
  const late = AbortSignal.timeout(patienceMs)
  const either = signal === undefined ? late : AbortSignal.any([signal, late])
  const response = await fetch(`${url}/v1/health`, { signal: either })
  const { checker, standings } = document.parse(await response.json())
  const subjects = standings.subjects.map(({ votes, ...rest }) => ({
    ...rest,
    vote: votes.find((one) => one.checker === checker)?.verdict ?? null,
  }))
  return { checker, abstains: standings.abstains, subjects }
}

/** Of the first checker that answers; null: none does. */
export async function standingsOf(urls: readonly string[]): Promise<CheckerStandings | null> {
  return Promise.any(urls.map((url) => standingsAt(url))).catch(() => null)
}
