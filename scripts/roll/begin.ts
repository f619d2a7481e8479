import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import type { RollKind } from '#platform/rolls/roll.ts'
import { CliError, printJson, printLine } from '#scripts/output.ts'
import { stepsOf } from './agreement.ts'
import { chosenHosts, type Fleet } from './fleet.ts'
import { restLedger, type ShownRoll } from './ledger.ts'
import { connectionsOf } from './load.ts'
import { type FleetOptions, openFleet } from './open.ts'
import { rollingOrder } from './order.ts'
import { runsRelease } from './releases.ts'
import { carryOut } from './runner.ts'
import { planLines, progressPrinter, remedyOf } from './show.ts'

export interface PlanOptions extends FleetOptions {
  on?: string
  reason: string
  approval?: true
  plan?: true
  to?: string
  previous?: string
}

/** Plans a roll, or prints what it would be, and carries it out. CliError. */
export async function begin(kind: RollKind, options: PlanOptions): Promise<void> {
  const { on, reason, approval = false, plan = false, to: version, json = false } = options
  const fleet = await openFleet(options)
  const load = await connectionsOf(fleet.inventory)
  // Hosts with nothing but Cassandra run nothing of a release: they would be taken out of service for nothing.
  const chosen = chosenHosts(fleet.inventory, on).filter((host) => kind !== 'upgrade' || runsRelease(host))
  if (chosen.length === 0)
    throw new CliError(`--on ${on ?? ''}: none of these hosts runs a release of cinque`, { exitCode: 2 })
  const hosts = stepsOf(kind, rollingOrder(fleet.inventory, chosen, load))
  if (plan) {
    if (json) {
      const shown = hosts.map((one) => ({ ...one, connections: load.get(one.host) ?? null }))
      printJson({ kind, version: version ?? null, hosts: shown })
    } else
      for (const line of planLines({ kind, version: version ?? null, steps: hosts }, load)) printLine(line)
    return
  }
  const previous = options.previous ?? (version === undefined ? undefined : await presentRelease(fleet, on))
  const body = { kind, reason, approval, hosts, ...(version === undefined ? {} : { version }) }
  const planned = await fleet.client.post('/v1/rolls', {
    body: previous === undefined ? body : { ...body, previous },
  })
  if (!json) for (const line of planLines(planned, load)) printLine(line)
  if (approval) {
    if (json) printJson(planned)
    else printLine(`Another person approves it by: cinque roll approve ${planned.id}; then: cinque roll run`)
    return
  }
  await runToEnd(fleet, planned, options)
}

/** What a host gets back that is not well with another release. CliError: hosts run different ones. */
async function presentRelease(fleet: Fleet, on: string | undefined): Promise<string | undefined> {
  const releases = await fleet.releases?.(chosenHosts(fleet.inventory, on))
  if (releases === undefined) return undefined
  const [first, ...others] = Array.from(releases.keys())
  if (first !== undefined && others.length === 0) return first
  const each = Array.from(
    releases,
    ([release, hosts]) => `${release} on ${hosts.map(({ name }) => name).join(', ')}`,
  )
  throw new CliError(first === undefined ? 'no host tells what it runs' : `hosts run ${each.join('; ')}`, {
    exitCode: 2,
    remedy: 'Say what a host gets back that is not well with the new release: --previous RELEASE.',
  })
}

/**
 * Carries a roll out and shows it. SIGINT and SIGTERM end the runner; the roll stays where it is, and `cinque roll run` goes
 * on. CliError: it was not done.
 */
export async function runToEnd(
  { client, hands }: Pick<Fleet, 'client' | 'hands'>,
  one: ShownRoll,
  { json = false }: { json?: boolean },
): Promise<void> {
  const stop = new AbortController()
  const stopped = (): void => stop.abort(new CliError('stopped; go on by `cinque roll run`'))
  process.once('SIGINT', stopped)
  process.once('SIGTERM', stopped)
  try {
    const ended = await carryOut({
      ledger: restLedger(client, one.id, stop.signal),
      hands,
      name: `${hostname()}/${process.pid}/${randomUUID().slice(0, 8)}`,
      signal: stop.signal,
      show: progressPrinter(json),
    })
    if (ended.state === 'done') return
    const remedy = remedyOf(ended)
    const why = ended.note === null ? '' : `: ${ended.note}`
    throw new CliError(`${ended.kind} ${ended.state}${why}`, remedy === undefined ? {} : { remedy })
  } finally {
    process.off('SIGINT', stopped)
    process.off('SIGTERM', stopped)
  }
}
