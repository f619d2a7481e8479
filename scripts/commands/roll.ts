import { type Command, InvalidArgumentError, Option } from 'commander'
import { withTarget } from '#scripts/client/target.ts'
import { CliError } from '#scripts/output.ts'
import { connectTo, type PlatformOptions, withTestFleet } from '#scripts/remote/hosts.ts'
import type { Noun } from '#scripts/rest/verb.ts'
import { changeOf, checkAgreement } from '#scripts/roll/agreement.ts'
import { begin, type PlanOptions, runToEnd } from '#scripts/roll/begin.ts'
import type { Fleet } from '#scripts/roll/fleet.ts'
import type { ShownRoll } from '#scripts/roll/ledger.ts'
import { type FleetOptions, openFleet, withFleet } from '#scripts/roll/open.ts'
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

/** Those by which a host leaves are part of `cinque node remove`. */
const kinds = ['restart', 'reinstall', 'upgrade', 'apply'] as const
const texts: Readonly<Record<(typeof kinds)[number], string>> = {
  restart: 'restart hosts one after the other',
  reinstall: 'wipe hosts and make them anew, one after the other',
  upgrade:
    'give hosts another version, one after the other; the first that is not well with it gets the old one back',
  apply:
    'run Puppet on hosts one after the other: what it restarts is drained and stopped in good order before',
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
  for (const kind of kinds) {
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
      const one = await underWay(fleet)
      checkAgreement(fleet.inventory, one, one.steps)
      await runToEnd(fleet, one, options)
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

async function again(fleet: Fleet, id: string, options: FleetOptions): Promise<void> {
  const before = await fleet.client.get('/v1/rolls/{roll}', { params: { path: { roll: id } } })
  const left = before.steps.filter(({ state }) => state !== 'done' && state !== 'skipped')
  if (left.length === 0) throw new CliError(`roll ${id} has nothing left to do`, { exitCode: 2 })
  checkAgreement(fleet.inventory, before, left)
  const { kind, version, previous, reason } = before
  const planned = await fleet.client.post('/v1/rolls', {
    body: {
      kind,
      // What is part of a change of a host stays that: `cinque node` goes on with it.
      reason: changeOf(reason) === null ? `what ${id} has left` : reason,
      hosts: left.map(({ host, dc, address }) => ({
        host,
        dc,
        ...(typeof address === 'string' ? { address } : {}),
      })),
      ...(version === null ? {} : { version }),
      ...(previous === null ? {} : { previous }),
    },
  })
  await runToEnd(fleet, planned, options)
}

async function underWay({ client }: Fleet): Promise<ShownRoll> {
  const { items } = await client.get('/v1/rolls', { params: { query: { limit: 1 } } })
  const newest = items.at(0)
  if (newest !== undefined && newest.ended_at === null) return newest
  throw new CliError('nothing is planned', { remedy: 'Plan one: cinque roll restart --plan' })
}

function expression(text: string): string {
  if (text.trim() !== '') return text
  throw new InvalidArgumentError('Name hosts, or leave it out for all.')
}
