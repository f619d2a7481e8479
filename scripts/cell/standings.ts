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
      }),
    ),
  }),
})

/** What one checker has made of the votes. */
export interface CellStandings {
  readonly checker: string
  /** Why it votes for nothing itself; null: it votes. */
  readonly abstains: string | null
  readonly subjects: z.output<typeof document>['standings']['subjects']
}

const patienceMs = 1500

/** Of the first checker that answers; null: none does. */
export async function standingsOf(urls: readonly string[]): Promise<CellStandings | null> {
  const asked = urls.map(async (url) => {
    const response = await fetch(`${url}/v1/health`, { signal: AbortSignal.timeout(patienceMs) })
    const { checker, standings } = document.parse(await response.json())
    return { checker, ...standings }
  })
  return Promise.any(asked).catch(() => null)
}
