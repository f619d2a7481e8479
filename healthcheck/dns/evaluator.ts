import type { ClientPlace, HealthCheck, RecordSet, RecordTree } from './record-set.ts'

/** One of the answers that a client may get, and how often it gets this one. */
export interface Outcome {
  readonly values: readonly string[]
  /** Seconds. */
  readonly ttl: number
  /** Above 0; those of all outcomes together are 1. */
  readonly share: number
}

/** Whether a check, by its name, is healthy. */
export type Health = (check: string) => boolean

export interface DnsQuestion {
  /** In small letters, without a dot at its end. */
  readonly name: string
  readonly type: RecordSet['type']
}

/** Aliases that lead further than this lead in a circle. */
const maxDepth = 64

/**
 * What a client at a place is answered, by Route 53's rules: the record set that fits the routing, of those that are
 * healthy; when none is, as if all were.
 * (Route 53 Developer Guide, "How Amazon Route 53 chooses records when health checking is configured".)
 *
 * @returns nothing for a name without record sets of this type
 * @throws Error if aliases lead in a circle
 */
export function answers(
  tree: RecordTree,
  question: DnsQuestion,
  place: ClientPlace,
  healthy: Health,
): Outcome[] {
  return merged(choose({ groups: groupsOf(tree), type: question.type, place, healthy }, question.name, 0))
}

/** Health of a tree's checks from what their endpoints answer: HTTP ones are asked for, counts follow from them. */
export function checkHealth(
  tree: RecordTree,
  endpoint: (check: Extract<HealthCheck, { kind: 'http' }>) => boolean,
): Health {
  const byName = new Map(tree.checks.map((one) => [one.name, one]))
  const healthOf = (name: string, depth: number): boolean => {
    const check = byName.get(name)
    if (check === undefined) throw new Error(`there is no health check "${name}"`)
    if (depth > maxDepth) throw new Error(`health check "${name}" counts itself`)
    if (check.kind === 'http') return endpoint(check)
    const count = check.children.filter((child) => healthOf(child, depth + 1)).length
    return count >= check.atLeast !== check.inverted
  }
  return (name) => healthOf(name, 0)
}

/** Whether answers differ by the client's place. */
export function dependsOnPlace(tree: RecordTree, { name, type }: DnsQuestion): boolean {
  const groups = groupsOf(tree)
  const seen = new Set<string>()
  const look = (one: string): boolean => {
    if (seen.has(one)) return false
    seen.add(one)
    return (groups.get(keyOf(type, one)) ?? []).some(
      ({ routing, answer }) => routing.by === 'place' || ('alias' in answer && look(answer.alias)),
    )
  }
  return look(name)
}

interface Context {
  readonly groups: ReadonlyMap<string, readonly RecordSet[]>
  readonly type: RecordSet['type']
  readonly place: ClientPlace
  readonly healthy: Health
}

const cache = new WeakMap<RecordTree, Map<string, RecordSet[]>>()

/** Record sets by type and name. */
function groupsOf(tree: RecordTree): Map<string, RecordSet[]> {
  let groups = cache.get(tree)
  if (groups === undefined) {
    groups = Map.groupBy(tree.records, ({ type, name }) => keyOf(type, name))
    cache.set(tree, groups)
  }
  return groups
}

function keyOf(type: string, name: string): string {
  return `${type} ${name}`
}

function groupOf({ groups, type }: Context, name: string): readonly RecordSet[] {
  return groups.get(keyOf(type, name)) ?? []
}

function choose(context: Context, name: string, depth: number): Outcome[] {
  if (depth > maxDepth) throw new Error(`aliases of ${name} lead in a circle`)
  return picks(context, groupOf(context, name), depth).flatMap(([{ answer }, share]) => {
    if (!('alias' in answer)) return [{ ...answer, share }]
    return choose(context, answer.alias, depth + 1).map((one) => ({ ...one, share: one.share * share }))
  })
}

type Pick = readonly [set: RecordSet, share: number]

function picks(context: Context, group: readonly RecordSet[], depth: number): Pick[] {
  const healthy = group.filter((one) => isHealthy(context, one, depth))
  const usable = healthy.length > 0 ? healthy : group
  const by = group.at(0)?.routing.by
  if (by === 'weight') return byWeight(usable)
  const set =
    by === 'failover'
      ? (byRole(healthy, 'primary') ?? byRole(healthy, 'secondary') ?? byRole(group, 'primary'))
      : by === 'place'
        ? // Falls from the smallest place that fits to larger ones; when all are unhealthy, the smallest answers.
          (smallestPlace(healthy, context.place) ?? smallestPlace(group, context.place))
        : usable.at(0)
  return set === undefined ? [] : [[set, 1]]
}

function isHealthy(context: Context, { check, answer }: RecordSet, depth: number): boolean {
  if (depth > maxDepth) throw new Error('aliases lead in a circle')
  if (check !== undefined && !context.healthy(check)) return false
  if (!('alias' in answer) || !answer.evaluateHealth) return true
  return groupOf(context, answer.alias).some((one) => isHealthy(context, one, depth + 1))
}

/** Those with weight 0 only when there is no other, and then all alike. */
function byWeight(sets: readonly RecordSet[]): Pick[] {
  const weightOf = ({ routing }: RecordSet): number => (routing.by === 'weight' ? routing.weight : 0)
  const sum = sets.reduce((total, one) => total + weightOf(one), 0)
  if (sum === 0) return sets.map((one) => [one, 1 / sets.length])
  return sets.filter((one) => weightOf(one) > 0).map((one) => [one, weightOf(one) / sum])
}

function byRole(sets: readonly RecordSet[], role: 'primary' | 'secondary'): RecordSet | undefined {
  return sets.find(({ routing }) => routing.by === 'failover' && routing.role === role)
}

function smallestPlace(sets: readonly RecordSet[], client: ClientPlace): RecordSet | undefined {
  const fits = (fit: (place: PlaceOf) => boolean): RecordSet | undefined =>
    sets.find(({ routing }) => routing.by === 'place' && fit(routing.place))
  return (
    fits((place) => typeof place === 'object' && 'country' in place && place.country === client.country) ??
    fits(
      (place) => typeof place === 'object' && 'continent' in place && place.continent === client.continent,
    ) ??
    fits((place) => place === 'default')
  )
}
type PlaceOf = Extract<RecordSet['routing'], { by: 'place' }>['place']

/** The same values by different ways are one outcome. */
function merged(outcomes: readonly Outcome[]): Outcome[] {
  const result = new Map<string, Outcome>()
  for (const one of outcomes) {
    const key = one.values.join(' ')
    const other = result.get(key)
    result.set(key, other === undefined ? one : { ...other, share: other.share + one.share })
  }
  return [...result.values()]
}
