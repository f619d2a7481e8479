import type { HealthCheck, RecordSet, RecordTree } from '#healthcheck/dns/record-set.ts'
import { isOurs } from './checks.ts'
import type { Live } from './live.ts'
import { fromAws, withNames } from './records.ts'

/** What is in the zone, as a tree: what clients are answered now, whoever made it. */
export interface LiveTree {
  readonly tree: RecordTree
  /** Ids of its checks by name. */
  readonly checkIds: ReadonlyMap<string, string>
  /** Record sets that a tree can't say: of other kinds, or with aliases to other zones. */
  readonly left: number
}

export function liveTree(live: Live, cell: string, zone: string): LiveTree {
  const owner = { cell, zone: live.zone.id }
  const names = new Map(
    live.checks.map((one) => [
      one.id,
      (isOurs(one, owner) ? live.checkTags.get(one.id)?.['cinque:check'] : undefined) ?? one.id,
    ]),
  )
  const found = live.records.map((one) => fromAws(withNames(one, names), live.zone.id))
  const records = found.filter((one): one is RecordSet => one !== null)
  const used = new Set(records.map(({ check }) => check))
  const byId = new Map(live.checks.map((one) => [one.id, one]))
  const wanted = live.checks.filter(({ id }) => used.has(names.get(id)))
  const checks = new Map<string, HealthCheck>()
  while (wanted.length > 0) {
    const one = wanted.pop()
    const name = one && names.get(one.id)
    if (one === undefined || name === undefined || checks.has(name)) continue
    const { Type, IPAddress = '', Port = 80, ResourcePath = '/' } = one.config
    const { ChildHealthChecks = [], HealthThreshold = 0, Inverted = false } = one.config
    checks.set(
      name,
      Type === 'CALCULATED'
        ? {
            name,
            kind: 'count',
            children: ChildHealthChecks.map((id) => names.get(id) ?? id),
            atLeast: HealthThreshold,
            inverted: Inverted,
          }
        : { name, kind: 'http', address: IPAddress, port: Port, path: ResourcePath },
    )
    for (const id of ChildHealthChecks) {
      const child = byId.get(id)
      if (child !== undefined) wanted.push(child)
    }
  }
  const checkIds = new Map([...names].map(([id, name]) => [name, id]))
  return {
    tree: { zone, records, checks: [...checks.values()] },
    checkIds,
    left: found.length - records.length,
  }
}
