import { answers, type Health, type Outcome } from '#healthcheck/dns/evaluator.ts'
import type { ClientPlace, RecordTree } from '#healthcheck/dns/record-set.ts'
import { liveTree } from '#healthcheck/dns/route53/live-tree.ts'
import { observeChecks } from '#healthcheck/dns/route53/observed.ts'
import { recordTree } from '#healthcheck/dns/tree.ts'
import type { Inventory } from '#platform/inventory/inventory.ts'
import { CliError, printJson, printLine, table } from '#scripts/output.ts'
import { nearest } from '#scripts/nearest.ts'
import { dnsFailure } from './failure.ts'
import { loadNamed, withZone, type ZoneOptions } from './zone.ts'

export interface EvaluateOptions extends ZoneOptions {
  from: ClientPlace
  name?: string
  down: readonly string[]
  live?: true
}

/** Which addresses a client at a place gets while some DCs or hosts are down. */
export async function runEvaluate(options: EvaluateOptions): Promise<void> {
  if (options.live !== true) {
    try {
      const inventory = loadNamed(options.inventory)
      const tree = recordTree(inventory, { secret: '-', hostChecks: true })
      show(options, inventory, tree, downOf(options, inventory))
    } catch (error) {
      throw dnsFailure(error)
    }
    return
  }
  await withZone(options, async ({ inventory, live, port, tree: { zone } }) => {
    const told = downOf(options, inventory)
    const { tree, checkIds } = liveTree(live, inventory.cell, zone)
    const states = await observeChecks(port, tree.checks, checkIds)
    // A check without a result counts as healthy, as Route 53 has it.
    show(options, inventory, tree, (check) => told(check) && states.get(check) !== 'unhealthy')
  })
}

/** Health when just these are down. CliError: one of them is not in the inventory. */
function downOf({ down }: EvaluateOptions, { dcs, hosts }: Inventory): Health {
  const dcOf = new Map(hosts.map(({ name, dc }) => [name, dc]))
  const known = [...dcs, ...hosts].map(({ name }) => name)
  for (const name of down) {
    if (known.includes(name)) continue
    const meant = nearest(name, known)
    throw new CliError(
      `--down ${name}: there is no such DC or host${meant === undefined ? '' : `; did you mean ${meant}?`}`,
      { exitCode: 2 },
    )
  }
  const out = new Set(down)
  return (check) => !out.has(check) && !out.has(dcOf.get(check) ?? '')
}

function show(
  { from, name, json, down }: EvaluateOptions,
  { dns, hosts, dcs }: Inventory,
  tree: RecordTree,
  healthy: Health,
): void {
  const zone = tree.zone
  const asked = name ?? dns?.names[0] ?? ''
  const full = asked === zone || asked.endsWith(`.${zone}`) ? asked : `${asked}.${zone}`
  const found = (['A', 'AAAA'] as const).flatMap((type) =>
    answers(tree, { name: full, type }, from, healthy).map((outcome) => ({ type, ...outcome })),
  )
  if (found.length === 0) {
    const names = [...new Set(tree.records.map((one) => one.name))]
    const meant = nearest(full, names)
    throw new CliError(`there is no ${full}${meant === undefined ? '' : `; did you mean ${meant}?`}`, {
      remedy: `Names of the service: ${(dns?.names ?? []).join(', ')}`,
    })
  }
  const hostOf = new Map(hosts.map((one) => [one.address, one]))
  const places = new Map(dcs.map((one) => [one.name, one.place]))
  const given = found.map((one: Outcome & { type: string }) => {
    const host = one.values.length === 1 ? hostOf.get(one.values[0]) : undefined
    return { ...one, host: host?.name ?? null, dc: host?.dc ?? null }
  })
  if (json === true) {
    printJson({ name: full, from, down, answers: given })
    return
  }
  const where = [from.continent, from.country].filter(Boolean).join('/')
  printLine(`${full} from ${where}${down.length === 0 ? '' : `, ${down.join(', ')} down`}`)
  const rows = given.map(({ type, values, ttl, share, host, dc }) => [
    `${(100 * share).toFixed(1).replace(/\.0$/, '')} %`,
    type,
    values.join(' '),
    `${ttl} s`,
    host ?? '',
    dc === null ? '' : `${dc} ${places.get(dc) ?? ''}`,
  ])
  for (const line of table(['SHARE', 'TYPE', 'ADDRESS', 'TTL', 'HOST', 'DC'], rows)) printLine(line)
}
