import type { CinqueClient } from '#client/index.ts'
import type { Host } from '#platform/inventory/inventory.ts'
import type { RollKind } from '#platform/rolls/roll.ts'
import { type Change, changes, checkAgreement, reasonOf, stepsOf } from '#scripts/roll/agreement.ts'
import { runToEnd } from '#scripts/roll/begin.ts'
import type { Fleet } from '#scripts/roll/fleet.ts'
import type { ShownRoll } from '#scripts/roll/ledger.ts'

/** As far back as it is looked, newest first. */
const looked = 100

/** What has been begun for a host, the newest first; nothing from before it was last changed the other way. */
export async function rollsFor(client: CinqueClient, change: Change, name: string): Promise<ShownRoll[]> {
  const { items } = await client.get('/v1/rolls', { params: { query: { limit: looked } } })
  const others = changes.filter((verb) => verb !== change).map((verb) => reasonOf(verb, name))
  const end = items.findIndex(({ reason }) => others.includes(reason))
  return (end === -1 ? items : items.slice(0, end)).filter(({ reason }) => reason === reasonOf(change, name))
}

/**
 * Carries a roll out for a change of a host, from where an earlier call has left it: one that is under way is gone on with, of
 * one that failed what is left is planned anew, and one that is done is not done again.
 */
export async function rollFor(
  fleet: Fleet,
  { change, name, kind }: { readonly change: Change; readonly name: string; readonly kind: RollKind },
  hosts: readonly Host[],
  options: { readonly json?: boolean },
): Promise<void> {
  const { signal } = new AbortController()
  // Of one that the inventory does not have there is nothing to look at.
  const isHere = fleet.inventory.hosts.some((host) => host.name === name)
  const hands = fleet.hands.under?.({ roll: '', kind, token: 0 }) ?? fleet.hands
  const before = (await rollsFor(fleet.client, change, name)).find((one) => one.kind === kind)
  // It may have been undone since, in another way than this.
  if (before?.state === 'done' && (!isHere || (await hands.ailment(name, signal)) === null)) return
  const roll = before !== undefined && before.ended_at === null ? before : await plan(before)
  if (roll === null) return
  checkAgreement(fleet.inventory, roll, roll.steps)
  await runToEnd(fleet, roll, options)

  async function plan(last: ShownRoll | undefined): Promise<ShownRoll | null> {
    const done = new Set(
      last?.state === 'done'
        ? []
        : last?.steps.filter(({ state }) => state === 'done').map(({ host }) => host),
    )
    const left = stepsOf(
      kind,
      hosts.filter((host) => !done.has(host.name)),
    )
    if (left.length === 0) return null
    return fleet.client.post('/v1/rolls', { body: { kind, reason: reasonOf(change, name), hosts: left } })
  }
}
