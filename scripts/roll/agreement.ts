import type { Host, Inventory } from '#platform/inventory/inventory.ts'
import { type RollKind, settingKinds } from '#platform/rolls/roll.ts'
import { CliError } from '#scripts/output.ts'
import { canonical } from '#scripts/remote/ring.ts'
import type { ShownRoll } from './ledger.ts'

export const changes = ['add', 'remove'] as const
export type Change = (typeof changes)[number]

/** What a roll is planned for that is part of a change of a host. By it another call finds what an earlier one has begun. */
export const reasonOf = (change: Change, name: string): string => `cinque node ${change} ${name}`

/** The change that a roll is part of; null: of none. */
export function changeOf(reason: string): { readonly change: Change; readonly name: string } | null {
  const [, verb, name] = /^cinque node (\w+) (\S+)$/.exec(reason) ?? []
  const change = changes.find((one) => one === verb)
  return change === undefined ? null : { change, name }
}

/** Hosts as a roll is planned with: of those by which the inventory comes to hosts it is written down where they were. */
export function stepsOf(
  kind: RollKind,
  hosts: readonly Host[],
): { host: string; dc: string; address?: string }[] {
  const isSetting = settingKinds.includes(kind)
  return hosts.map(({ name, dc, address }) => ({ host: name, dc, ...(isSetting ? { address } : {}) }))
}

/**
 * Whether a roll can be carried out with this inventory: hosts would be told of it, whatever the roll was planned with.
 * `steps`: those that count. CliError: it can't, and what differs.
 */
export function checkAgreement(
  { hosts }: Pick<Inventory, 'hosts'>,
  { id, kind, reason }: Pick<ShownRoll, 'id' | 'kind' | 'reason'>,
  steps: readonly Pick<ShownRoll['steps'][number], 'host' | 'dc' | 'address'>[],
): void {
  const differences = steps.flatMap(({ host: name, dc, address }) => {
    const host = hosts.find((one) => one.name === name)
    if (host === undefined) return [`it has no host "${name}"`]
    return [
      ...(host.dc === dc ? [] : [`${name} is in ${host.dc} there, and was planned in ${dc}`]),
      // An API of the release before tells none.
      ...(typeof address !== 'string' || canonical(host.address) === canonical(address)
        ? []
        : [`${name} is at ${host.address} there, and was planned at ${address}`]),
    ]
  })
  const part = changeOf(reason)
  const has = part !== null && hosts.some(({ name }) => name === part.name)
  if (part?.change === 'add' && !has && !steps.some(({ host }) => host === part.name))
    differences.push(`it does not have ${part.name}, which the roll adds`)
  if (part?.change === 'remove' && kind === 'apply' && has)
    differences.push(`it still has ${part.name}, which the others are to forget`)
  if (differences.length === 0) return
  throw new CliError(
    `the inventory is not what roll ${id} (${kind}: ${reason}) was planned with: ${differences.join('; ')}`,
    {
      exitCode: 2,
      remedy: `Name the one that it was planned with: --inventory FILE. Or, if this one is right, end it: cinque roll abort ${id}; then plan it anew.`,
    },
  )
}
