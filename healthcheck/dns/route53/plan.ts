import type { HealthCheckConfig, ResourceRecordSet } from '@aws-sdk/client-route-53'
import type { HealthCheck, RecordTree } from '#healthcheck/dns/record-set.ts'
import { isPublic } from './address.ts'
import {
  canBecome,
  checkTags,
  differences,
  isNamed,
  isOurs,
  type Owner,
  toConfig,
  zoneTags,
} from './checks.ts'
import type { Live } from './live.ts'
import { fingerprint, type Marker, markedName, markerName, markerOf, parseMarker } from './marker.ts'
import type { HostedZone, LiveCheck, Tagged, Tags } from './port.ts'
import { canonicalName, checkName, isSame, keyOf, toAws, withNames } from './records.ts'

/** Share of the own records, or checks, that one run may change or delete without a person's word (as octoDNS has it). */
export const safePercent = 30

/** Calculated checks that count calculated ones. */
const maxDepth = 8

/** What is to be done so that the zone is as wanted. Records and configurations name checks instead of their ids. */
export interface Plan {
  readonly owner: Owner
  readonly zone: HostedZone
  /** In an order in which what others need is made first. */
  readonly names: readonly NameStep[]
  readonly checks: readonly CheckStep[]
  readonly tags: readonly TagStep[]
  /** Someone else's records where ours must be. Not empty: the plan must not be applied. */
  readonly conflicts: readonly Conflict[]
  /** What people should know, a line each. */
  readonly notes: readonly string[]
  /** Checks that nothing depends on yet, and something is about to. */
  readonly fresh: { readonly endpoints: readonly string[]; readonly counts: readonly string[] }
  /** Ids of the checks that stay, by name. */
  readonly checkIds: ReadonlyMap<string, string>
  /** Names of all checks that are ours, by id. */
  readonly checkNames: ReadonlyMap<string, string>
  readonly existing: Counts
  /** Changed or deleted of those. */
  readonly touched: Counts
  /** The larger one of their shares, rounded up. */
  readonly percent: number
}

interface Counts {
  readonly records: number
  readonly checks: number
}

/** All that happens at one name, in one batch. */
export interface NameStep {
  readonly name: string
  readonly records: readonly RecordStep[]
  /** As it is there. */
  readonly markerBefore?: ResourceRecordSet
  readonly markerAfter?: Marker
}

export interface RecordStep {
  readonly action: 'create' | 'update' | 'delete'
  /** As it is there. */
  readonly before?: ResourceRecordSet
  readonly after?: ResourceRecordSet
  /** What is there is not what was applied: somebody changed it by hand. */
  readonly drift: boolean
  /** It was someone else's. */
  readonly adopted: boolean
}

export type CheckStep =
  | { readonly action: 'create'; readonly name: string; readonly wanted: HealthCheck }
  | {
      readonly action: 'update'
      readonly name: string
      readonly live: LiveCheck
      readonly wanted: HealthCheck
      readonly fields: readonly (keyof HealthCheckConfig)[]
    }
  | { readonly action: 'delete'; readonly name: string; readonly live: LiveCheck; readonly why: string }

interface TagStep {
  readonly of: Tagged
  readonly id: string
  readonly name: string
  readonly tags: Tags
}

interface Conflict {
  readonly name: string
  readonly type: string
  /** One line: what is there, and why it is not ours. */
  readonly what: string
}

/** The wanted tree can't be had in Route 53, whatever is there. One line for each reason. */
export class TreeError extends Error {
  constructor(lines: readonly string[]) {
    super(lines.join('\n'))
    this.name = 'TreeError'
  }
}

/**
 * Compares what is wanted with what is there. `adopt`: someone else's records at names that are needed become ours.
 * Nothing else of theirs is ever part of a plan.
 *
 * @throws TreeError
 */
export function makePlan(
  wanted: RecordTree,
  live: Live,
  { cell, adopt = false }: { cell: string; adopt?: boolean },
): Plan {
  const owner: Owner = { cell, zone: live.zone.id }
  checkTree(wanted, live.zone)
  const checks = planChecks(wanted, live, owner)
  const names = planNames(wanted, live, { cell, adopt, checks })
  const deleted = deletions(checks, live, names.steps)
  const existing = { records: names.own, checks: checks.own.length }
  const touched = {
    records: names.touched,
    checks:
      checks.steps.filter(({ action }) => action === 'update').length +
      deleted.steps.filter(({ live: { id } }) => checks.own.some((one) => one.id === id)).length,
  }
  return {
    owner,
    zone: live.zone,
    names: inOrder(names.steps),
    checks: [...checks.steps, ...deleted.steps],
    tags: planTags(live, owner, checks.chosen),
    conflicts: names.conflicts,
    notes: deleted.notes,
    fresh: freshChecks(wanted, names.steps, live, checks.chosen),
    checkIds: new Map([...checks.chosen].map(([name, { id }]) => [name, id])),
    checkNames: checks.names,
    existing,
    touched,
    percent: Math.max(share(touched.records, existing.records), share(touched.checks, existing.checks)),
  }
}

function share(part: number, all: number): number {
  return all === 0 ? 0 : Math.ceil((100 * part) / all)
}

export function isEmpty({ names, checks, tags }: Plan): boolean {
  return names.length + checks.length + tags.length === 0
}

function checkTree({ zone, records, checks }: RecordTree, hosted: HostedZone): void {
  const known = new Set(checks.map(({ name }) => name))
  const seen = new Set<string>()
  const lines: string[] = []
  for (const record of records) {
    const key = keyOf(toAws(record, hosted))
    if (seen.has(key)) lines.push(`${key}: is there twice`)
    seen.add(key)
    if (record.name !== zone && !record.name.endsWith(`.${zone}`))
      lines.push(`${record.name}: is not in ${zone}`)
    if (record.check !== undefined && !known.has(record.check))
      lines.push(`${key}: there is no check "${record.check}"`)
  }
  for (const check of checks) {
    if (check.kind === 'http') {
      if (isPublic(check.address)) continue
      lines.push(
        `check ${check.name}: ${check.address} is a private address, which Route 53 can't ask; give the checker a public one`,
      )
    } else {
      const unknown = check.children.find((child) => !known.has(child))
      if (unknown !== undefined) lines.push(`check ${check.name}: there is no check "${unknown}"`)
    }
  }
  if (lines.length > 0) throw new TreeError(lines)
}

interface PlannedChecks {
  readonly own: readonly LiveCheck[]
  readonly chosen: ReadonlyMap<string, LiveCheck>
  readonly steps: readonly CheckStep[]
  /** Names of all own ones by id, also of those that go. */
  readonly names: ReadonlyMap<string, string>
}

function planChecks({ checks: wanted }: RecordTree, live: Live, owner: Owner): PlannedChecks {
  const own = live.checks.filter((one) => isOurs(one, owner))
  const used = new Set(live.records.map(({ HealthCheckId }) => HealthCheckId))
  const names = new Map(own.map(({ id }) => [id, live.checkTags.get(id)?.['cinque:check'] ?? id]))
  const chosen = new Map<string, LiveCheck>()
  for (const check of wanted) {
    const config = toConfig(check, String)
    const same = own.filter((one) => isNamed(one, owner, check.name))
    for (const { id } of same) names.set(id, check.name)
    // Two runs at a time, or one that was cut off, may have made it twice: the one that records use stays.
    const [best] = same
      .filter((one) => canBecome(one.config, config))
      .toSorted((a, b) => Number(used.has(b.id)) - Number(used.has(a.id)) || (a.id < b.id ? -1 : 1))
    if (best !== undefined) chosen.set(check.name, best)
  }
  const idOf = (name: string): string => chosen.get(name)?.id ?? `@${name}`
  const steps: CheckStep[] = []
  for (const check of childrenFirst(wanted)) {
    const there = chosen.get(check.name)
    if (there === undefined) {
      steps.push({ action: 'create', name: check.name, wanted: check })
      continue
    }
    const fields = differences(there.config, toConfig(check, idOf))
    if (fields.length > 0)
      steps.push({ action: 'update', name: check.name, live: there, wanted: check, fields })
  }
  return { own, chosen, steps, names }
}

function childrenFirst(checks: readonly HealthCheck[]): HealthCheck[] {
  const byName = new Map(checks.map((one) => [one.name, one]))
  const order = new Set<HealthCheck>()
  const visit = (check: HealthCheck | undefined, above: readonly string[]): void => {
    if (check === undefined || above.includes(check.name)) return
    if (check.kind === 'count')
      for (const child of check.children) visit(byName.get(child), [...above, check.name])
    order.add(check)
  }
  for (const check of checks) visit(check, [])
  return [...order]
}

function parentsFirst(checks: readonly LiveCheck[]): LiveCheck[] {
  const byId = new Map(checks.map((one) => [one.id, one]))
  const depthOf = (id: string, limit: number): number => {
    const children = byId.get(id)?.config.ChildHealthChecks ?? []
    return limit === 0 || children.length === 0
      ? 0
      : 1 + Math.max(...children.map((child) => depthOf(child, limit - 1)))
  }
  const depths = new Map(checks.map(({ id }) => [id, depthOf(id, maxDepth)]))
  return checks.toSorted((a, b) => (depths.get(b.id) ?? 0) - (depths.get(a.id) ?? 0))
}

/** What goes: own checks that are not wanted, or not any more; never one that somebody else needs. */
function deletions(
  { own, chosen, names }: PlannedChecks,
  live: Live,
  steps: readonly NameStep[],
): { steps: (CheckStep & { action: 'delete' })[]; notes: string[] } {
  const stay = new Set([...chosen.values()].map(({ id }) => id))
  const removed = new Set(
    steps.flatMap(({ records }) =>
      records.flatMap(({ before }) => (before === undefined ? [] : [keyOf(before)])),
    ),
  )
  const found: (CheckStep & { action: 'delete' })[] = []
  const notes: string[] = []
  // Where a parent stays, its children do.
  const going = new Set(own.filter(({ id }) => !stay.has(id)).map(({ id }) => id))
  for (const one of parentsFirst(own)) {
    if (!going.has(one.id)) continue
    const name = names.get(one.id) ?? one.id
    const record = live.records.find((each) => each.HealthCheckId === one.id && !removed.has(keyOf(each)))
    const parent = live.checks.find(
      ({ id, config }) => !going.has(id) && !stay.has(id) && config.ChildHealthChecks?.includes(one.id),
    )
    const user = record === undefined ? parent && `check ${parent.id}` : `${record.Name} ${record.Type}`
    if (user === undefined) {
      const why = chosen.has(name) ? 'there is another of its name' : 'not needed any more'
      found.push({ action: 'delete', name, live: one, why })
    } else {
      going.delete(one.id)
      notes.push(`check ${name} (${one.id}) stays: ${user} needs it, which is not in the plan`)
    }
  }
  return { steps: found, notes }
}

/** Checks that nothing depends on yet, and something is about to: not before they have looked once. */
function freshChecks(
  { checks }: RecordTree,
  steps: readonly NameStep[],
  live: Live,
  chosen: ReadonlyMap<string, LiveCheck>,
): Plan['fresh'] {
  const byName = new Map(checks.map((one) => [one.name, one]))
  const used = new Set(live.records.map(({ HealthCheckId }) => HealthCheckId))
  const counted = new Set(live.checks.flatMap(({ config }) => config.ChildHealthChecks ?? []))
  const isNew = (name: string): boolean => {
    const id = chosen.get(name)?.id
    return id === undefined || !(used.has(id) || counted.has(id))
  }
  const needed = new Set<string>()
  const visit = (name: string): void => {
    if (needed.has(name)) return
    needed.add(name)
    const check = byName.get(name)
    if (check?.kind === 'count') check.children.forEach(visit)
  }
  for (const { after } of steps.flatMap(({ records }) => records)) {
    const name = after === undefined ? undefined : checkName(after)
    if (name !== undefined) visit(name)
  }
  // A checker that is added is counted by checks that records depend on already.
  for (const one of checks) if (one.kind === 'count' && !isNew(one.name)) visit(one.name)
  const fresh = [...needed].filter(isNew)
  const ofKind = (kind: HealthCheck['kind']): string[] =>
    fresh.filter((name) => byName.get(name)?.kind === kind)
  return { endpoints: ofKind('http'), counts: ofKind('count') }
}

interface PlannedNames {
  readonly steps: readonly NameStep[]
  readonly conflicts: readonly Conflict[]
  readonly own: number
  readonly touched: number
}

function planNames(
  wanted: RecordTree,
  live: Live,
  { cell, adopt, checks }: { cell: string; adopt: boolean; checks: PlannedChecks },
): PlannedNames {
  const current = Map.groupBy(live.records, ({ Name }) => canonicalName(Name ?? ''))
  const target = Map.groupBy(
    wanted.records.map((one) => toAws(one, live.zone)),
    ({ Name }) => Name ?? '',
  )
  const marked = live.records.flatMap((one) => {
    const name = markedName(one)
    return name !== undefined && parseMarker(one)?.cell === cell ? [name] : []
  })
  const chosenNames = new Map([...checks.chosen].map(([name, { id }]) => [id, name]))
  const steps: NameStep[] = []
  const conflicts: Conflict[] = []
  let own = 0
  let touched = 0
  for (const name of new Set([...target.keys(), ...marked])) {
    const there = current.get(name) ?? []
    const after = target.get(name) ?? []
    const markerBefore = (current.get(markerName(name)) ?? []).find(({ Type }) => Type === 'TXT')
    const marker = markerBefore === undefined ? null : parseMarker(markerBefore)
    const owned = marker?.cell === cell ? marker.types : []
    const ours = there.filter(({ Type = '' }) => owned.includes(Type))
    const theirs = inTheWay(there, after, owned)
    if (markerBefore !== undefined && marker?.cell !== cell) {
      conflicts.push({ name: markerName(name), type: 'TXT', what: strangeMarker(marker, cell) })
    }
    for (const [type, list] of Map.groupBy(theirs, ({ Type = '' }) => Type)) {
      const count = list.length === 1 ? 'a record set' : `${list.length} record sets`
      conflicts.push({ name, type, what: `${count} that cinque did not make` })
    }
    const drift =
      owned.length > 0 && fingerprint(ours.map((one) => withNames(one, checks.names))) !== marker?.applied
    const records = [
      ...compare(ours, after, chosenNames, drift),
      ...theirs.map((before): RecordStep => ({ action: 'delete', before, drift: false, adopted: true })),
    ]
    own += ours.length
    touched += records.filter(({ before, adopted }) => before !== undefined && !adopted).length
    const markerAfter = after.length === 0 ? undefined : markerOf(cell, after)
    if (records.length === 0 && markerAfter !== undefined && sameMarker(marker, markerAfter)) continue
    steps.push({
      name,
      records: joined(records),
      ...(markerBefore === undefined ? {} : { markerBefore }),
      ...(markerAfter === undefined ? {} : { markerAfter }),
    })
  }
  return { steps, conflicts: adopt ? [] : conflicts, own, touched }
}

/** Someone else's that can't stay beside ours: of the same type, or a CNAME, which is alone at its name (RFC 1034 3.6.2). */
function inTheWay(
  there: readonly ResourceRecordSet[],
  after: readonly ResourceRecordSet[],
  owned: readonly string[],
): ResourceRecordSet[] {
  if (after.length === 0) return []
  const needed = new Set<string>(after.map(({ Type = '' }) => Type))
  return there.filter(({ Type = '' }) => !owned.includes(Type) && (needed.has(Type) || Type === 'CNAME'))
}

function strangeMarker(marker: Marker | null, cell: string): string {
  return marker === null
    ? 'a TXT record where cinque notes whose a name is, and not in its form'
    : `the name is cell ${marker.cell}'s, not ${cell}'s`
}

function compare(
  ours: readonly ResourceRecordSet[],
  after: readonly ResourceRecordSet[],
  names: ReadonlyMap<string, string>,
  drift: boolean,
): RecordStep[] {
  const steps: RecordStep[] = []
  const there = new Map(ours.map((one) => [keyOf(one), one]))
  for (const record of after) {
    const before = there.get(keyOf(record))
    there.delete(keyOf(record))
    if (before === undefined) steps.push({ action: 'create', after: record, drift, adopted: false })
    else if (!isSame(withNames(before, names), record))
      steps.push({ action: 'update', before, after: record, drift, adopted: false })
  }
  for (const before of there.values()) steps.push({ action: 'delete', before, drift, adopted: false })
  return steps
}

/** One that is taken over and one that is made in its place are one change. */
function joined(steps: readonly RecordStep[]): RecordStep[] {
  const taken = new Map(
    steps.flatMap((one) =>
      one.adopted && one.before !== undefined ? [[keyOf(one.before), one.before] as const] : [],
    ),
  )
  const result = steps.flatMap((step): RecordStep[] => {
    const before = step.after === undefined ? undefined : taken.get(keyOf(step.after))
    if (step.action !== 'create' || before === undefined) return [step]
    taken.delete(keyOf(before))
    return [{ ...step, action: 'update', before, adopted: true }]
  })
  return result.filter(
    ({ action, adopted, before }) =>
      !(action === 'delete' && adopted && before !== undefined && !taken.has(keyOf(before))),
  )
}

function sameMarker(a: Marker | null, b: Marker): boolean {
  return a?.cell === b.cell && a.applied === b.applied && a.types.join() === b.types.join()
}

/** Names that aliases lead to before those that need them; names that go last, those that others lead to at the end. */
function inOrder(steps: readonly NameStep[]): NameStep[] {
  const made = steps.filter(({ markerAfter }) => markerAfter !== undefined)
  const gone = steps.filter(({ markerAfter }) => markerAfter === undefined)
  return [...bottomUp(made, 'after'), ...bottomUp(gone, 'before').toReversed()]
}

function bottomUp(steps: readonly NameStep[], side: 'before' | 'after'): NameStep[] {
  const byName = new Map(steps.map((one) => [one.name, one]))
  const seen = new Set<string>()
  const order: NameStep[] = []
  const visit = (step: NameStep): void => {
    if (seen.has(step.name)) return
    seen.add(step.name)
    for (const record of step.records) {
      const target = byName.get(canonicalName(record[side]?.AliasTarget?.DNSName ?? ''))
      if (target !== undefined) visit(target)
    }
    order.push(step)
  }
  for (const step of steps) visit(step)
  return order
}

function planTags(live: Live, owner: Owner, chosen: ReadonlyMap<string, LiveCheck>): TagStep[] {
  const steps: TagStep[] = []
  const add = (of: Tagged, id: string, name: string, wanted: Tags, there: Tags): void => {
    const tags = Object.fromEntries(Object.entries(wanted).filter(([key, value]) => there[key] !== value))
    if (Object.keys(tags).length > 0) steps.push({ of, id, name, tags })
  }
  add('hostedzone', live.zone.id, live.zone.name, zoneTags(owner.cell), live.zoneTags)
  for (const [name, { id }] of chosen)
    add('healthcheck', id, name, checkTags(owner, name), live.checkTags.get(id) ?? {})
  return steps
}
