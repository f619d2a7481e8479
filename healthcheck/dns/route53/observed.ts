import type { HealthCheck } from '#healthcheck/dns/record-set.ts'
import type { Route53 } from './port.ts'

/** "If more than 18% of health checkers report that an endpoint is healthy, Route 53 considers it healthy" (Developer Guide, "How Route 53 determines whether a health check is healthy"). */
const healthyShare = 0.18

/** What Route 53's probers found, counted as Route 53 counts. `unknown`: no prober has a result yet. */
export type Observed = 'healthy' | 'unhealthy' | 'unknown'

const hasResult = (status: string): boolean => /^(Success|Failure)/.test(status)

/** One prober that is out of order must not hold everything up. */
const settledShare = 0.75

/** Whether the probers have results: until then a check counts as healthy, and an inverted one as unhealthy. */
export function isSettled(statuses: readonly string[]): boolean {
  return statuses.length > 0 && statuses.filter(hasResult).length >= settledShare * statuses.length
}

export function observedOf(statuses: readonly string[]): Observed {
  const results = statuses.filter(hasResult)
  if (results.length === 0) return 'unknown'
  const good = results.filter((status) => status.startsWith('Success')).length
  return good > healthyShare * results.length ? 'healthy' : 'unhealthy'
}

/**
 * States of all checks of a tree. Route 53 tells those of its probers only; what is counted from them is counted here,
 * an unknown one as healthy, as Route 53 does.
 */
export async function observeChecks(
  port: Route53,
  checks: readonly HealthCheck[],
  ids: ReadonlyMap<string, string>,
): Promise<Map<string, Observed>> {
  const found = new Map<string, Observed>()
  for (const { name, kind } of checks) {
    const id = ids.get(name)
    if (kind === 'http' && id !== undefined) found.set(name, observedOf(await port.observations(id)))
  }
  const byName = new Map(checks.map((one) => [one.name, one]))
  const stateOf = (name: string, above: readonly string[]): Observed => {
    const known = found.get(name)
    const check = byName.get(name)
    if (known !== undefined || check?.kind !== 'count' || !ids.has(name) || above.includes(name))
      return known ?? 'unknown'
    const children = check.children.map((child) => stateOf(child, [...above, name]))
    const healthy = children.filter((state) => state !== 'unhealthy').length >= check.atLeast
    const state = healthy === check.inverted ? 'unhealthy' : 'healthy'
    found.set(name, state)
    return state
  }
  for (const { name } of checks) found.set(name, stateOf(name, []))
  return found
}
