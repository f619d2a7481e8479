import { liveTree } from '#healthcheck/dns/route53/live-tree.ts'
import type { HealthCheck } from '#healthcheck/dns/record-set.ts'
import { type Observed, observeChecks } from '#healthcheck/dns/route53/observed.ts'
import { makePlan } from '#healthcheck/dns/route53/plan.ts'
import { costOf, prices } from '#healthcheck/dns/route53/prices.ts'
import { printJson, printLine, table } from '#scripts/output.ts'
import { withZone, type ZoneOptions } from './zone.ts'

export interface StatusOptions extends ZoneOptions {
  /** Millions a month. */
  queries?: number
}

/** What is there, in which state its checks are, and what it costs. */
export async function runStatus(options: StatusOptions): Promise<void> {
  await withZone(options, async ({ tree, live, inventory, port, notes }) => {
    const plan = makePlan(tree, live, { cell: inventory.cell })
    const records = plan.names.flatMap(({ name, records: steps }) => steps.map((step) => ({ name, ...step })))
    const drift = [...new Set(records.filter((one) => one.drift).map(({ name }) => name))]
    const changes = records.length + plan.checks.length
    const there = liveTree(live, inventory.cell, tree.zone)
    const states = await observeChecks(port, there.tree.checks, there.checkIds)
    const checks = there.tree.checks
      .map((check) => ({
        name: check.name,
        kind: check.kind === 'http' ? 'endpoint' : 'calculated',
        state: states.get(check.name) ?? 'unknown',
        ...(check.kind === 'count' ? { votes: votesOn(check, states) } : {}),
      }))
      .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    const cost = costOf({
      endpointChecks: checks.filter(({ kind }) => kind === 'endpoint').length,
      calculatedChecks: checks.filter(({ kind }) => kind === 'calculated').length,
      queries: options.queries,
    })
    if (options.json === true) {
      printJson({
        zone: live.zone,
        cell: inventory.cell,
        records: { ours: plan.existing.records, changed_by_hand: drift },
        to_do: changes,
        conflicts: plan.conflicts,
        checks,
        cost: { usd_month: cost.month, prices_of: prices.asOf, queries_million: options.queries ?? null },
        notes: [...notes, ...plan.notes],
      })
      return
    }
    printLine(`zone ${live.zone.name} (${live.zone.id}), cell ${inventory.cell}`)
    printLine(`records: ${plan.existing.records} ours, ${drift.length} names changed by hand`)
    for (const name of drift) printLine(`  ${name}`)
    for (const { name, type, what } of plan.conflicts) printLine(`in the way: ${name} ${type}: ${what}`)
    printLine(changes === 0 ? 'as the inventory says' : `${changes} changes to do: cinque dns plan`)
    const counted = checks.flatMap(({ name, state, votes }) =>
      votes === undefined ? [] : [[name, state, votes]],
    )
    if (counted.length > 0) for (const line of table(['CHECK', 'STATE', 'CHECKERS'], counted)) printLine(line)
    printLine(costLine(cost, options.queries))
    for (const note of [...notes, ...plan.notes]) printLine(`note: ${note}`)
  })
}

/** An endpoint that is healthy is a checker that says down: it answers 200 only then. */
function votesOn(
  { children, atLeast, inverted }: HealthCheck & { kind: 'count' },
  states: ReadonlyMap<string, Observed>,
): string {
  const of = (wanted: Observed): number => children.filter((one) => states.get(one) === wanted).length
  if (!inverted) return `${of('healthy')} of ${children.length} healthy, ${atLeast} needed`
  const unknown = of('unknown')
  return `${of('healthy')} of ${children.length} say down, ${atLeast} take it out${unknown === 0 ? '' : `, ${unknown} not known yet`}`
}

function costLine(
  { endpointChecks, calculatedChecks, month }: ReturnType<typeof costOf>,
  queries?: number,
): string {
  const asked =
    queries === undefined
      ? `and USD ${prices.placeQueries.toFixed(2)} a million queries (--queries)`
      : `with ${queries} million queries`
  return `cost: USD ${month.toFixed(2)} a month for the zone, ${endpointChecks} endpoint checks and ${calculatedChecks} calculated ones (first ${prices.calculatedFree} free), ${asked}; prices of ${prices.asOf}`
}
