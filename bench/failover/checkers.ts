import { z } from 'zod'

/** What is read of a checker's health document. */
const document = z.object({
  checker: z.string(),
  standings: z.object({
    abstains: z.string().nullable(),
    subjects: z.array(
      z.object({
        subject: z.string(),
        state: z.string(),
        serving: z.boolean(),
        percent: z.number(),
        reason: z.string(),
        votes: z.array(z.object({ checker: z.string(), verdict: z.string(), reason: z.string().nullable() })),
      }),
    ),
  }),
})

/** What one checker says and has made of the votes. */
export interface CheckerView {
  readonly checker: string
  readonly abstains: string | null
  readonly subjects: ReadonlyMap<string, SubjectView>
}

export interface SubjectView {
  readonly state: string
  readonly serving: boolean
  readonly percent: number
  readonly reason: string
  /** Its own vote; undefined: none. */
  readonly vote: string | undefined
}

const patienceMs = 1500

/** Asks a checker at `http://address:port`; null: it does not answer. */
export async function viewOf(url: string): Promise<CheckerView | null> {
  try {
    const response = await fetch(`${url}/v1/health`, { signal: AbortSignal.timeout(patienceMs) })
    const { checker, standings } = document.parse(await response.json())
    const subjects = standings.subjects.map(({ subject, votes, ...rest }): [string, SubjectView] => [
      subject,
      { ...rest, vote: votes.find((one) => one.checker === checker)?.verdict },
    ])
    return { checker, abstains: standings.abstains, subjects: new Map(subjects) }
  } catch {
    return null
  }
}
