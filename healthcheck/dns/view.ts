import type { Standing } from '#healthcheck/votes/vote.ts'
import type { Inventory } from '#platform/inventory/inventory.ts'
import type { Health } from './evaluator.ts'
import type { RecordTree } from './record-set.ts'
import { recordTree } from './tree.ts'

/** The zone as it is answered at this moment: the tree with everybody's percent, and who is in it. */
export interface DnsView {
  /** What is decided about DCs and hosts; whoever is not in it is up. */
  update(standings: readonly Standing[]): void
  readonly tree: RecordTree
  /** Of DCs and hosts, by their names. */
  readonly healthy: Health
}

/** A view in which everything is up until it is told otherwise. Error: the inventory has no `dns`. */
export function dnsView(inventory: Inventory): DnsView {
  const dcOf = new Map(inventory.hosts.map(({ name, dc }) => [name, dc]))
  let bySubject = new Map<string, Standing>()
  const treeNow = (): RecordTree =>
    recordTree(inventory, {
      // Nobody asks these checks by HTTP.
      secret: '-',
      hostChecks: true,
      percent: (subject) => bySubject.get(subject)?.percent ?? 100,
    })
  let tree = treeNow()
  const serves = (subject: string): boolean => bySubject.get(subject)?.serving !== false
  return {
    update(standings) {
      const before = bySubject
      bySubject = new Map(standings.map((one) => [one.subject, one]))
      const subjects = new Set([...before.keys(), ...bySubject.keys()])
      const changed = [...subjects].some(
        (one) => (before.get(one)?.percent ?? 100) !== (bySubject.get(one)?.percent ?? 100),
      )
      if (changed) tree = treeNow()
    },
    get tree() {
      return tree
    },
    healthy(check) {
      const dc = dcOf.get(check)
      return serves(check) && (dc === undefined || serves(dc))
    },
  }
}
