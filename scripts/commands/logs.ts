import type { Command } from 'commander'
import { untilInterrupted } from '#scripts/lifecycle.ts'
import { collect as collectOption, wholeNumber } from '#scripts/options.ts'
import { CliError, plain, printJson, printLine, table } from '#scripts/output.ts'
import { collect, newDirectory } from '#scripts/remote/collect.ts'
import { follow } from '#scripts/remote/follow.ts'
import { type HostsOptions, openHosts, withHosts } from '#scripts/remote/hosts.ts'
import { entryLine, type JournalQuery, ownUnits, unitPattern } from '#scripts/remote/journal.ts'
import { chosenHosts } from '#scripts/roll/fleet.ts'

interface LogsOptions extends HostsOptions {
  on?: string
  unit?: readonly string[]
  everything?: true
  grep?: string
  json?: true
}

interface TailOptions extends LogsOptions {
  lines: number
}

interface CollectOptions extends LogsOptions {
  since: string
  until?: string
  out?: string
  maxMb: number
}

export function addLogs(program: Command): void {
  const logs = program
    .command('logs')
    .summary('what services on many hosts say')
    .description('Reads the journals of hosts over ssh: as they are written, or of a time, into files.')
  withJournal(
    logs
      .command('tail')
      .summary('print lines of many hosts as they come')
      .description(
        'Prints lines of many hosts as they come, until Ctrl-C. A host that is lost meanwhile is asked again, and nothing of\n' +
          'it is left out. Times are UTC, by the clock of the host.',
      )
      .addHelpText(
        'after',
        "\nExample:\n  cinque logs tail --on 'dc01 & role=app' --unit broker --grep 'refused|closed'",
      ),
  )
    .option('--lines <count>', 'of what was before, of each host', wholeNumber(0, 10_000), 10)
    .action(tail)
  withJournal(
    logs
      .command('collect')
      .summary('copy the journals of many hosts into files')
      .description('Copies what hosts wrote in a time into a directory, a file for each host. Times are UTC.')
      .addHelpText(
        'after',
        "\nExample:\n  cinque logs collect --on dc01 --since '2026-11-21 04:00' --out incident-17",
      ),
  )
    .option('--since <time>', 'as `journalctl --since` takes it', '-1h')
    .option('--until <time>', 'default: now')
    .option('--out <dir>', 'made for it (default: logs-CELL-TIME)')
    .option(
      '--max-mb <count>',
      'of each host; what is newer is left out, and said',
      wholeNumber(1, 4096),
      256,
    )
    .action(collectAll)
}

function withJournal(command: Command): Command {
  return withHosts(command)
    .option('--on <hosts>', "which: 'dc01 & role=app' (default: all)")
    .option(
      '--unit <name>',
      'broker, api, nats, cassandra, checker, backup or a unit of systemd; repeatable (default: all of these)',
      collectOption,
    )
    .option('--everything', 'the whole journal, also of the system')
    .option('--grep <pattern>', 'only lines that match (Perl-compatible regular expression)')
}

async function tail(options: TailOptions): Promise<void> {
  const { on, lines, json = false } = options
  const { inventory, remote } = openHosts(options)
  const hosts = chosenHosts(inventory, on)
  await untilInterrupted(async (signal) => {
    await Promise.all(
      hosts.map((host) =>
        follow(remote, host, {
          query: queryOf(options),
          lines,
          signal,
          onEntry: (name, entry) => {
            const { at, unit, message } = entry
            if (json) printJson({ host: name, at, unit, message })
            else printLine(entryLine(name, entry))
          },
          onBreak: (_, why) => process.stderr.write(`cinque: ${plain(why)}; asking again\n`),
        }),
      ),
    )
  })
}

async function collectAll(options: CollectOptions): Promise<void> {
  const { on, since, until, maxMb, json = false } = options
  const { inventory, remote } = openHosts(options)
  const hosts = chosenHosts(inventory, on)
  const time = new Date().toISOString().replaceAll(/[-:]|\.\d+/g, '')
  const directory = options.out ?? `logs-${inventory.cell}-${time}`
  newDirectory(directory)
  const files = await untilInterrupted((signal) =>
    collect(remote, hosts, {
      query: { ...queryOf(options), since, until },
      directory,
      maxBytes: maxMb * 1_048_576,
      signal,
    }),
  )
  if (json) printJson({ directory, files })
  else {
    const rows = files.map(({ host, lines, bytes, cut, failure }) => [
      host,
      String(lines),
      `${(bytes / 1_048_576).toFixed(1)} MB`,
      plain(failure?.replace(`${host}: `, '') ?? (cut ? `cut after ${maxMb} MB: take a shorter time` : '')),
    ])
    printLine(directory)
    for (const line of table(['HOST', 'LINES', 'SIZE', 'WHY'], rows)) printLine(line)
  }
  const bad = files.filter(({ failure, cut }) => failure !== null || cut).length
  if (bad > 0) throw new CliError(`not all of ${bad} of ${files.length} hosts`)
}

function queryOf({ unit, everything, grep }: LogsOptions): JournalQuery {
  if (unit !== undefined && everything !== undefined) {
    throw new CliError('--unit and --everything exclude each other', { exitCode: 2 })
  }
  return { units: everything === true ? [] : (unit?.map(unitPattern) ?? ownUnits), grep }
}
