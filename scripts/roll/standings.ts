import { z } from 'zod'
import { type Inventory, outside } from '#platform/inventory/inventory.ts'

const timeoutMs = 3000
const document = z.object({
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

/** What a checker says is in DNS, and how it is, by the name of the DC or host. */
export type Standings = ReadonlyMap<
  string,
  { state: 'up' | 'degraded' | 'down'; serving: boolean; percent: number; reason: string }
>

/**
 * What each checker of the inventory says that does not stand aside; those that do not answer are left out. Checkers
 * outside come first.
 */
export async function askCheckers({ hosts, ports }: Inventory, signal: AbortSignal): Promise<Standings[]> {
  const checkers = hosts
    .filter(({ roles }) => roles.includes('checker'))
    .toSorted((a, b) => Number(b.dc === outside) - Number(a.dc === outside))
  const said = await Promise.all(
    checkers.map(async ({ address }) => {
      try {
        const url = `http://${address.includes(':') ? `[${address}]` : address}:${ports.checker}/v1/health`
        const answer = await fetch(url, { signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]) })
        const { standings } = document.parse(await answer.json())
        if (standings.abstains !== null) return []
        return [new Map(standings.subjects.map(({ subject, ...rest }) => [subject, rest]))]
      } catch {
        return []
      }
    }),
  )
  return said.flat()
}
