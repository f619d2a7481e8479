import type { Command } from 'commander'
import { CliError, printJson, printLine } from '#scripts/output.ts'
import { type HostsOptions, openHosts, withHosts } from '#scripts/remote/hosts.ts'
import { chosenHosts } from '#scripts/roll/fleet.ts'

interface StatusOptions extends HostsOptions {
  on?: string
  json?: true
}

export function addStatus(program: Command): void {
  withHosts(
    program
      .command('status')
      .summary('how all hosts of all datacenters are')
      .description(
        'Looks at all hosts over ssh, and asks the checkers: services, Cassandra as its nodes see each other, gateways of NATS,\n' +
          'clients and rates, memory, disks, clocks, versions. Takes about 5 s. Exit code 0: all is well; 1: what is not is\n' +
          'printed, a line each.',
      )
      .addHelpText(
        'after',
        '\nExamples:\n  cinque status --inventory cell.yaml\n  cinque status --fleet --on dc01',
      ),
  )
    .option('--on <hosts>', "only these: 'dc01 & role=app'")
    .action(status)
}

async function status(options: StatusOptions): Promise<void> {
  const { on, json = false } = options
  const { inventory, remote } = openHosts(options)
  const hosts = chosenHosts(inventory, on)
  // Loaded when they are used: other commands start without them.
  const [{ lookTwice }, { verdictOf }, { statusLines }, { askCheckers }] = await Promise.all([
    import('#scripts/remote/cell-look.ts'),
    import('#scripts/remote/verdict.ts'),
    import('#scripts/remote/show-status.ts'),
    import('#scripts/roll/standings.ts'),
  ])
  const [look, standings] = await Promise.all([
    lookTwice(remote, inventory, hosts),
    askCheckers(inventory, new AbortController().signal),
  ])
  const cell = { ...look, standings }
  const verdict = verdictOf(cell)
  const { problems, notes } = verdict
  if (json) {
    const { statusDocument } = await import('#scripts/remote/status-document.ts')
    printJson(statusDocument(cell, verdict))
  } else {
    for (const line of statusLines(cell, verdict)) printLine(line)
    if (problems.length === 0)
      printLine(`all is well: ${hosts.length} hosts${notes.length === 0 ? '' : ', with notes'}`)
  }
  if (problems.length === 0) return
  throw new CliError(problems.length === 1 ? 'one problem' : `${problems.length} problems`)
}
