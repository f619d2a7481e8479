import type { Inventory } from '#platform/inventory/inventory.ts'

/** A DC that is voted on, with those of its hosts that are. */
export interface DcSubject {
  readonly name: string
  readonly number: number
  readonly kind: 'live' | 'backup'
  /** Names of its hosts with role app, in the inventory's order. */
  readonly hosts: readonly string[]
}

/** What checkers vote on: the DCs by their numbers, and their hosts that devices connect to. */
export function subjectsOf({ dcs, hosts }: Pick<Inventory, 'dcs' | 'hosts'>): readonly DcSubject[] {
  return dcs
    .map(({ name, number, kind }) => ({
      name,
      number,
      kind,
      hosts: hosts.filter((one) => one.dc === name && one.roles.includes('app')).map((one) => one.name),
    }))
    .toSorted((a, b) => a.number - b.number)
}
