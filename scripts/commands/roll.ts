import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { type RollKind, rollKinds } from '#platform/rolls/roll.ts'
import { withTarget } from '#scripts/client/target.ts'
import { CliError, printJson, printLine } from '#scripts/output.ts'
import { connectTo, type PlatformOptions, withTestFleet } from '#scripts/remote/hosts.ts'
import type { Noun } from '#scripts/rest/verb.ts'
import { chosenHosts, type Fleet } from '#scripts/roll/fleet.ts'
import { restLedger, type ShownRoll } from '#scripts/roll/ledger.ts'
import { connectionsOf } from '#scripts/roll/load.ts'
import { type FleetOptions, openFleet, withFleet } from '#scripts/roll/open.ts'
import { rollingOrder } from '#scripts/roll/order.ts'
import { carryOut } from '#scripts/roll/runner.ts'
import { planLines, progressPrinter, remedyOf } from '#scripts/roll/show.ts'
import { watchRoll } from '#scripts/roll/watch.ts'

/** What anybody can do who reaches the API; the rest is for who reaches the hosts. */
export const roll: Noun = {
  name: 'roll',
  text: 'restart, reinstall, upgrade hosts one after the other while the platform goes on',
  verbs: [
    {
      name: 'list',
      operation: 'listRolls',
      example: '',
      columns: ['id', 'kind', 'state', 'progress', 'actor', 'created_at'],
    },
    { name: 'show', operation: 'getRoll', example: '0197a4c2-1b7e-7c55-8f41-2f1f5a3a9d10' },
    { name: 'approve', operation: 'approveRoll', example: '0197a4c2-1b7e-7c55-8f41-2f1f5a3a9d10' },
    { name: 'pause', operation: 'pauseRoll', example: '0197a4c2-1b7e-7c55-8f41-2f1f5a3a9d10' },
    { name: 'resume', operation: 'resumeRoll', example: '0197a4c2-1b7e-7c55-8f41-2f1f5a3a9d10' },
    { name: 'abort', operation: 'abortRoll', example: '0197a4c2-1b7e-7c55-8f41-2f1f5a3a9d10' },
    {
      name: 'skip',
      operation: 'skipRoll',
      example: '0197a4c2-1b7e-7c55-8f41-2f1f5a3a9d10 dc01-app1',
      args: ['host'],
    },
  ],
  more: addVerbs,
}

interface PlanOptions extends FleetOptions {
  on?: string
  reason: string
  approval?: true
  plan?: true
  to?: string
  previous?: string
}

const texts: Readonly<Record<RollKind, string>> = {
  restart: 'restart hosts one after the other',
  reinstall: 'wipe hosts and make them anew, one after the other',
  upgrade:
    'give hosts another version, one after the other; the first that is not well with it gets the old one back',
}

function addVerbs(command: Command): void {
  withTestFleet(
    withTarget(
      command
        .command('watch')
        .argument('[roll]', 'default: the one under way, or the last one')
        .description('show how far a roll is until it is over, whoever carries it out; exit code 0: done'),
    ),
  )
    .addHelpText('after', '\nExample:\n  cinque roll watch')
    .action((id: string | undefined, options: PlatformOptions & { json?: true }) =>
      watchRoll(connectTo(options), { id, json: options.json === true }),
    )
  for (const kind of rollKinds) {
    const verb = withFleet(command.command(kind).description(texts[kind]))
      .option('--on <hosts>', "which: 'dc01 & role=app', '!kind=backup' (default: all)", expression)
      .option('--reason <text>', 'for those who read what was done', 'asked for by hand')
      .option('--approval', 'another person must approve it first')
      .option('--plan', 'only print what would be done, in which order')
      .addHelpText(
        'after',
        `\nExample:\n  cinque roll ${kind}${kind === 'upgrade' ? ' --to 1.4.0-3f9a0c51d2e7' : ''} --on 'dc01 & role=app'`,
      )
    if (kind === 'upgrade') {
      verb.addOption(new Option('--to <release>', 'what they have then').makeOptionMandatory())
      verb.option(
        '--previous <release>',
        'what a host gets back that is not well with it (default: what all run now)',
      )
    }
    verb.action((options: PlanOptions) => begin(kind, options))
  }
  withFleet(
    command.command('run').description('carry out what is planned, or go on where another runner has died'),
  )
    .addHelpText('after', '\nExample:\n  cinque roll run')
    .action(async (options: FleetOptions) => {
      const fleet = await openFleet(options)
      await run(fleet, await underWay(fleet), options)
    })
  withFleet(
    command
      .command('again')
      .argument('<roll>')
      .description('plan what a roll that has ended has left to do, and do it'),
  )
    .addHelpText('after', '\nExample:\n  cinque roll again 0197a4c2-1b7e-7c55-8f41-2f1f5a3a9d10')
    .action(async (id: string, options: FleetOptions) => {
      const fleet = await openFleet(options)
      await again(fleet, id, options)
    })
}

async function begin(kind: RollKind, options: PlanOptions): Promise<void> {
  const { on, reason, approval = false, plan = false, to: version, json = false } = options
  const fleet = await openFleet(options)
  const load = await connectionsOf(fleet.inventory)
  // Hosts with nothing but Cassandra run nothing of a release: they would be taken out of service for nothing.
  const chosen = chosenHosts(fleet.inventory, on).filter(
    ({ roles }) => kind !== 'upgrade' || roles.some((role) => role !== 'db'),
  )
  if (chosen.length === 0)
    throw new CliError(`--on ${on ?? ''}: none of these hosts runs a release of cinque`, { exitCode: 2 })
  const hosts = rollingOrder(fleet.inventory, chosen, load).map(({ name, dc }) => ({ host: name, dc }))
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
  await run(fleet, planned, options)
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

async function again(fleet: Fleet, id: string, options: FleetOptions): Promise<void> {
  const before = await fleet.client.get('/v1/rolls/{roll}', { params: { path: { roll: id } } })
  const hosts = before.steps
    .filter(({ state }) => state !== 'done' && state !== 'skipped')
    .map(({ host, dc }) => ({ host, dc }))
  if (hosts.length === 0) throw new CliError(`roll ${id} has nothing left to do`, { exitCode: 2 })
  const { kind, version, previous } = before
  const planned = await fleet.client.post('/v1/rolls', {
    body: {
      kind,
      reason: `what ${id} has left`,
      hosts,
      ...(version === null ? {} : { version }),
      ...(previous === null ? {} : { previous }),
    },
  })
  await run(fleet, planned, options)
}

async function underWay({ client }: Fleet): Promise<ShownRoll> {
  const { items } = await client.get('/v1/rolls', { params: { query: { limit: 1 } } })
  const newest = items.at(0)
  if (newest !== undefined && newest.ended_at === null) return newest
  throw new CliError('nothing is planned', { remedy: 'Plan one: cinque roll restart --plan' })
}

/** SIGINT and SIGTERM end the runner; the roll stays where it is, and `cinque roll run` goes on. */
async function run({ client, hands }: Fleet, one: ShownRoll, { json = false }: FleetOptions): Promise<void> {
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

function expression(text: string): string {
  if (text.trim() !== '') return text
  throw new InvalidArgumentError('Name hosts, or leave it out for all.')
}
