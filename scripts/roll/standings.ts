import { type Inventory, outside } from '#platform/inventory/inventory.ts'
import { type CheckerStandings, standingsAt } from '#scripts/client/standings.ts'

/** What a checker says is in DNS, and how it is, by the name of the DC or host. */
export type Standings = ReadonlyMap<string, CheckerStandings['subjects'][number]>

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
        const host = address.includes(':') ? `[${address}]` : address
        const { abstains, subjects } = await standingsAt(`http://${host}:${ports.checker}`, signal)
        return abstains === null ? [new Map(subjects.map((one) => [one.subject, one]))] : []
      } catch {
        return []
      }
    }),
  )
  return said.flat()
}
